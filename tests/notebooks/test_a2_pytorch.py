"""The visible asserts of a2/6_pytorch catch the usual mistakes in words, and pass code of any style."""

import ast
import json

import numpy as np
import pytest
from cells import Cells

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

CELLS = Cells("a2/6_pytorch")
CODE = {  # the cells with students' definitions
    "torch-fc-code",
    "torch-convnet-code",
    "torch-weights-code",
    "torch-sgd-step-code",
    "torch-modules-fc-code",
    "torch-modules-conv-code",
    "torch-accuracy-code",
    "torch-sequential-code",
    "torch-best-code",
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The nets are so small that threads would wait for each other most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(*cell_ids, edits=(), **names):
    """Run cells below all definitions of the solution, in which each text to be edited must occur once."""
    namespace = {"np": np, "device": torch.device("cpu"), **names}
    sources = {cell_id: source for cell_id, source in CELLS.source.items() if cell_id in CODE}
    for old, new in edits:
        counts = {cell_id: source.count(old) for cell_id, source in sources.items()}
        assert sum(counts.values()) == 1, f"the definitions have {sum(counts.values())} times {old!r}"
        cell_id = max(counts, key=counts.get)
        sources[cell_id] = sources[cell_id].replace(old, new)
    sources = {"torch-imports": CELLS.source["torch-imports"], **sources}
    sources |= {cell_id: CELLS.source[cell_id] for cell_id in cell_ids}
    for cell_id, source in sources.items():
        exec(compile(source, f"<{cell_id}>", "exec"), namespace)
    return namespace


WRONG = [
    # name of the mistake, cell, edits, what the message must contain, and its exception if PyTorch's own
    ("flatten keeps one row", "torch-fc", [("x.reshape(x.shape[0], -1)", "x.reshape(1, -1)")], "shape"),
    ("flatten all", "torch-fc", [("x.reshape(x.shape[0], -1)", "x.reshape(-1)")], "flatten of an array"),
    (
        "flatten reads memory order",
        "torch-fc",
        [("x.reshape(x.shape[0], -1)", "x.transpose(1, -1).reshape(x.shape[0], -1)")],
        "flatten of an array .* is wrong",
    ),
    (
        "view",
        "torch-fc",
        [("x.reshape(x.shape[0], -1)", "x.view(x.shape[0], -1)")],
        r"Use \.reshape",
        RuntimeError,
    ),
    (
        "no ReLU",
        "torch-fc",
        [("F.relu(flatten(x) @ w1) @ w2", "flatten(x) @ w1 @ w2")],
        "scores for x .* is wrong.*One ReLU",
    ),
    (
        "ReLU on the scores",
        "torch-fc",
        [("F.relu(flatten(x) @ w1) @ w2", "F.relu(F.relu(flatten(x) @ w1) @ w2)")],
        "may be negative",
    ),
    (
        "detached",
        "torch-fc",
        [("F.relu(flatten(x) @ w1) @ w2", "F.relu(flatten(x) @ w1.detach()) @ w2.detach()")],
        "way back to the weights",
    ),
    (
        "paddings swapped",
        "torch-convnet",
        [("conv_b1, padding=2", "conv_b1, padding=1"), ("conv_b2, padding=1", "conv_b2, padding=2")],
        "scores .* is wrong.*Padding 2, then 1",
    ),
    (
        "padding too small",
        "torch-convnet",
        [("conv_b1, padding=2", "conv_b1, padding=1")],
        "shapes cannot be multiplied",
        RuntimeError,
    ),
    (
        "bias forgotten",
        "torch-convnet",
        [("flatten(x) @ fc_w + fc_b", "flatten(x) @ fc_w")],
        "biases in every layer",
    ),
    (
        "second bias forgotten",
        "torch-convnet",
        [("conv_w2, conv_b2, padding", "conv_w2, padding")],
        "biases in every layer",
    ),
    (
        "second ReLU forgotten",
        "torch-convnet",
        [
            (
                "x = F.relu(F.conv2d(x, conv_w2, conv_b2, padding=1))",
                "x = F.conv2d(x, conv_w2, conv_b2, padding=1)",
            )
        ],
        "a ReLU after each convolution",
    ),
    (
        "ReLU on the scores of the conv net",
        "torch-convnet",
        [("return flatten(x) @ fc_w + fc_b", "return F.relu(flatten(x) @ fc_w + fc_b)")],
        "none on the scores",
    ),
    (
        "a parameter detached",
        "torch-convnet",
        [("flatten(x) @ fc_w + fc_b", "flatten(x) @ fc_w.detach() + fc_b")],
        r"params\[4\] gets no gradient",
    ),
    ("small std", "torch-weights", [("np.sqrt(2 / fan_in)", "np.sqrt(1 / fan_in)")], "has std .* expected"),
    ("variance for std", "torch-weights", [("np.sqrt(2 / fan_in)", "2 / fan_in")], "has std .* expected"),
    (
        "fan-in of a filter without channels",
        "torch-weights",
        [("np.prod(shape[1:])", "np.prod(shape[2:])")],
        r"random_weight\(\(64, 40, 5, 3\)\) has std",
    ),
    (
        "fan-out of an affine layer",
        "torch-weights",
        [("shape[0] if len(shape) == 2", "shape[1] if len(shape) == 2")],
        "has std .* How many inputs",
    ),
    (
        "uniform from 0",
        "torch-weights",
        [("torch.randn(shape, device=device) * np", "torch.rand(shape, device=device) * 12**0.5 * np")],
        "has mean",
    ),
    (
        "seeded inside",
        "torch-weights",
        [("    w = torch.randn", "    torch.manual_seed(0)\n    w = torch.randn")],
        "same numbers every time",
    ),
    (
        "not a leaf",
        "torch-weights",
        [
            (
                "torch.randn(shape, device=device) *",
                "torch.randn(shape, device=device, requires_grad=True) *",
            ),
            ("return w.requires_grad_()", "return w"),
        ],
        "not a leaf",
    ),
    ("requires_grad forgotten", "torch-weights", [("return w.requires_grad_()", "return w")], "not require"),
    (
        "requires_grad of zeros forgotten",
        "torch-weights",
        [("torch.zeros(shape, device=device, requires_grad=True)", "torch.zeros(shape, device=device)")],
        "zero_weight does not require",
    ),
    ("ones", "torch-weights", [("torch.zeros(shape", "torch.ones(shape")], "other than 0"),
    (
        "float64",
        "torch-weights",
        [("torch.randn(shape, device=device)", "torch.tensor(np.random.randn(*shape), device=device)")],
        "makes torch.float64",
    ),
    ("gradients add up", "torch-sgd-step", [("            p.grad = None\n", "")], "step before"),
    (
        "new tensors",
        "torch-sgd-step",
        [("p -= learning_rate * p.grad\n            p.grad = None", "p = p - learning_rate * p.grad")],
        "has not moved",
    ),
    ("uphill", "torch-sgd-step", [("p -= learning_rate", "p += learning_rate")], r"params\[0\] after step 1"),
    (
        "only the weights",
        "torch-sgd-step",
        [("for p in params:\n", "for p in params[::2]:\n")],
        r"params\[1\] has not moved",
    ),
    (
        "sum for mean",
        "torch-sgd-step",
        [
            (
                "F.cross_entropy(model_fn(x, params), y)",
                'F.cross_entropy(model_fn(x, params), y, reduction="sum")',
            )
        ],
        "the loss of step 1",
    ),
    (
        "update recorded",
        "torch-sgd-step",
        [
            (
                "with torch.no_grad():\n        for p in params:\n            p -=",
                "if True:\n        for p in params:\n            p -=",
            )
        ],
        "leaf Variable that requires grad",
        RuntimeError,
    ),
    ("loss not returned", "torch-sgd-step", [("    return loss.item()\n", "")], "returns None"),
    (
        "loss after the step",
        "torch-sgd-step",
        [("return loss.item()", "return F.cross_entropy(model_fn(x, params), y).item()")],
        "Before the step",
    ),
    (
        "layers in a list",
        "torch-modules",
        [
            (
                "self.fc2 = nn.Linear(hidden_size, num_classes)\n",
                "self.rest = [nn.Linear(hidden_size, num_classes).double()]\n",
            ),
            ("nn.init.kaiming_normal_(self.fc2.weight)", "pass"),
            ("self.fc2(F.relu(self.fc1(flatten(x))))", "self.rest[0](F.relu(self.fc1(flatten(x))))"),
        ],
        "not into a plain list",
    ),
    (
        "no ReLU in the module",
        "torch-modules",
        [("self.fc2(F.relu(self.fc1(flatten(x))))", "self.fc2(self.fc1(flatten(x)))")],
        "TwoLayerFC's scores",
    ),
    (
        "ReLU on the module's scores",
        "torch-modules",
        [("self.fc2(F.relu(self.fc1(flatten(x))))", "F.relu(self.fc2(F.relu(self.fc1(flatten(x)))))")],
        "none on the scores",
    ),
    (
        "PyTorch's own weights",
        "torch-modules",
        [("        nn.init.kaiming_normal_(self.fc1.weight)\n", "")],
        "TwoLayerFC's first layer has std",
    ),
    (
        "last layer not initialised",
        "torch-modules",
        [("(self.conv1, self.conv2, self.fc)", "(self.conv1, self.conv2)")],
        "ThreeLayerConvNet's last layer has std",
    ),
    (
        "biases left out",
        "torch-modules",
        [
            (
                "nn.Conv2d(channel_1, channel_2, 3, padding=1)\n        self.fc",
                "nn.Conv2d(channel_1, channel_2, 3, padding=1, bias=False)\n        self.fc",
            )
        ],
        "has parameters of shapes",
    ),
    (
        "channels exchanged",
        "torch-modules",
        [
            (
                "self.conv1 = nn.Conv2d(in_channel, channel_1, 5",
                "self.conv1 = nn.Conv2d(in_channel, channel_2, 5",
            ),
            (
                "self.conv2 = nn.Conv2d(channel_1, channel_2, 3",
                "self.conv2 = nn.Conv2d(channel_2, channel_1, 3",
            ),
            ("self.fc = nn.Linear(channel_2 *", "self.fc = nn.Linear(channel_1 *"),
        ],
        "has parameters of shapes",
    ),
    (
        "module's paddings swapped",
        "torch-modules",
        [
            (
                "self.conv1 = nn.Conv2d(in_channel, channel_1, 5, padding=2)",
                "self.conv1 = nn.Conv2d(in_channel, channel_1, 5, padding=1)",
            ),
            (
                "self.conv2 = nn.Conv2d(channel_1, channel_2, 3, padding=1)",
                "self.conv2 = nn.Conv2d(channel_1, channel_2, 3, padding=2)",
            ),
        ],
        "ThreeLayerConvNet's scores .* is wrong",
    ),
    (
        "module without its second ReLU",
        "torch-modules",
        [("x = F.relu(self.conv2(x))", "x = self.conv2(x)")],
        "a ReLU after each convolution",
    ),
    ("training mode", "torch-accuracy", [("    net.eval()\n", "")], r"net\.eval\(\)"),
    (
        "gradients recorded",
        "torch-accuracy",
        [("with torch.no_grad():\n        for x_part", "if True:\n        for x_part")],
        "no_grad",
    ),
    (
        "mean over the pieces",
        "torch-accuracy",
        [
            (
                ".sum().item()\n    return right / len(y)",
                ".float().mean().item()\n    return right / -(-len(y) // 500)",
            ),
        ],
        "divide once",
    ),
    ("a count", "torch-accuracy", [("return right / len(y)", "return right")], "the accuracy on 1203 images"),
    (
        "wrong axis",
        "torch-accuracy",
        [("net(x_part).argmax(dim=1)", "net(x_part)[:, :1].argmax(dim=1)")],
        "the accuracy on",
    ),
    ("momentum without Nesterov", "torch-sequential", [(", nesterov=True", "")], "Nesterov's variant"),
    (
        "another momentum",
        "torch-sequential",
        [("momentum=0.9", "momentum=0.95")],
        "momentum=0.9",
    ),
    (
        "weight decay",
        "torch-sequential",
        [("nesterov=True)", "nesterov=True, weight_decay=1e-3)")],
        "no weight decay",
    ),
    (
        "only the first parameter",
        "torch-sequential",
        [("torch.optim.SGD(net.parameters()", "torch.optim.SGD(list(net.parameters())[:1]")],
        "all of net.parameters",
    ),
    (
        "no ReLU in the sequence",
        "torch-sequential",
        [("        nn.ReLU(),\n        nn.Flatten()", "        nn.Flatten()")],
        "a ReLU after each convolution",
    ),
    (
        "a module, but no sequence",
        "torch-sequential",
        [("return nn.Sequential(\n", "return nn.ModuleList().append(nn.Identity()) or nn.Sequential(\n")],
        "expected an nn.Sequential",
    ),
]


@pytest.mark.parametrize("mistake", WRONG, ids=lambda mistake: mistake[0])
def test_mistake_is_named(mistake):
    _, cell_id, edits, message, *own = mistake
    with pytest.raises(own[0] if own else AssertionError, match=f"(?s){message}"):
        run(cell_id, edits=edits)


GRADED = [cell_id for cell_id in CELLS.graded if cell_id != "best-pytorch-net"]
LOOP = """    with torch.no_grad():
        for p in params:
            p -= learning_rate * p.grad
            p.grad = None
"""
RIGHT = [
    ("reference", []),
    ("flatten of a tensor", [("x.reshape(x.shape[0], -1)", "x.flatten(1)")]),
    ("mm", [("F.relu(flatten(x) @ w1) @ w2", "flatten(x).mm(w1).clamp(min=0).mm(w2)")]),
    ("padding in words", [("conv_b1, padding=2", 'conv_b1, padding="same"')]),
    ("padding as a pair", [("conv_b2, padding=1", "conv_b2, padding=(1, 1)")]),
    (
        "uniform weights of the same size",
        [("torch.randn(shape, device=device) *", "(2 * torch.rand(shape, device=device) - 1) * 3**0.5 *")],
    ),
    (
        "gradients asked for",
        [
            ("    loss.backward()\n    with", "    grads = torch.autograd.grad(loss, params)\n    with"),
            (
                "for p in params:\n            p -= learning_rate * p.grad\n            p.grad = None",
                "for p, grad in zip(params, grads):\n            p.sub_(learning_rate * grad)",
            ),
        ],
    ),
    (
        "through data, cleared before",
        [
            (LOOP, "    for p in params:\n        p.data -= learning_rate * p.grad\n"),
            (
                "    loss.backward()\n    for",
                "    for p in params:\n        p.grad = None\n    loss.backward()\n    for",
            ),
        ],
    ),
    ("gradients zeroed", [("p.grad = None", "p.grad.zero_()")]),
    ("loss as a tensor", [("return loss.item()", "return loss.detach()")]),
    (
        "a sequence inside the module",
        [
            (
                "        self.fc1 = nn.Linear(input_size, hidden_size)\n"
                "        self.fc2 = nn.Linear(hidden_size, num_classes)\n"
                "        nn.init.kaiming_normal_(self.fc1.weight)\n"
                "        nn.init.kaiming_normal_(self.fc2.weight)\n",
                "        self.layers = nn.Sequential(\n"
                "            nn.Flatten(), nn.Linear(input_size, hidden_size),\n"
                "            nn.ReLU(), nn.Linear(hidden_size, num_classes),\n"
                "        )\n"
                "        nn.init.kaiming_uniform_(self.layers[1].weight, nonlinearity='relu')\n"
                "        nn.init.kaiming_normal_(self.layers[3].weight, nonlinearity='relu')\n",
            ),
            ("self.fc2(F.relu(self.fc1(flatten(x))))", "self.layers(x)"),
        ],
    ),
    (
        "biases at zero",
        [
            (
                "            nn.init.kaiming_normal_(layer.weight)\n",
                "            nn.init.kaiming_normal_(layer.weight)\n            nn.init.zeros_(layer.bias)\n",
            )
        ],
    ),
    (
        "inference mode",
        [("with torch.no_grad():\n        for x_part", "with torch.inference_mode():\n        for x_part")],
    ),
    ("all at once", [("zip(X.split(500), y.split(500), strict=True)", "[(X, y)]")]),
    ("back to training", [("return right / len(y)", "net.train()\n    return torch.tensor(right / len(y))")]),
]


@pytest.mark.parametrize("variant", RIGHT, ids=lambda variant: variant[0])
def test_right_code_of_another_style_passes(variant, capsys):
    _, edits = variant
    run(*GRADED, edits=edits)
    printed = capsys.readouterr()
    assert printed.out.count("passed") == len(GRADED) + 2  # two cells test two definitions each
    assert printed.err == ""


def test_definition_cells_hold_definitions_alone():
    """The autograder takes them out of the notebook and runs them without any other cell but the imports."""
    solutions = {cell_id for cell_id, source in CELLS.source.items() if "### BEGIN SOLUTION" in source}
    assert solutions == CODE | {"torch-best-training"}
    given = {"np", "torch", "nn", "F"}
    for cell_id in CODE:
        tree = ast.parse(CELLS.source[cell_id])
        assert all(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body), cell_id
        given |= {node.name for node in tree.body}
    for cell_id in CODE:
        tree = ast.walk(ast.parse(CELLS.source[cell_id]))
        names = [node for node in tree if isinstance(node, ast.Name)]
        own = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
        tree = ast.walk(ast.parse(CELLS.source[cell_id]))
        own |= {node.arg for node in tree if isinstance(node, ast.arg)}
        used = {node.id for node in names} - own - given - set(dir(__builtins__)) - set(__builtins__)
        assert not used, f"{cell_id} uses {used}"


# The file with the best network


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Names as they are after training: a network whose answers count as right, saved in a folder of ours."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    X = torch.randn(30, 3, 32, 32)
    mean, scale = torch.tensor([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1), torch.full((1, 3, 1, 1), 50.0)
    names = run("save-net", data={"dataset": "shapes10"}, channel_mean=mean, channel_scale=scale)
    net = names["build_net"]().to(memory_format=torch.channels_last)
    net(X)  # for the running statistics
    with torch.no_grad():
        y = net.eval()(X).argmax(dim=1)
    names["save_net"](net)
    return {**names, "best_net": net, "X_val": X, "y_val": y}


def check_file(names):
    exec(CELLS.source["best-pytorch-net"], dict(names))


def test_saved_network_is_built_again(trained, capsys):
    from safetensors import safe_open

    check_file(trained)
    assert "validation accuracy of the saved network: 1.000" in capsys.readouterr().out
    with safe_open("best_pytorch_net.safetensors", "pt") as file:
        assert set(file.keys()) == set(trained["build_net"]().state_dict())
        about = file.metadata()
    assert about["dataset"] == "shapes10"
    assert json.loads(about["mean"]) == [1, 2, 3]
    assert json.loads(about["scale"]) == [50, 50, 50]


def other_net(names, **settings):
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, settings.get("outputs", 10)))
    if settings.get("broken"):
        with torch.no_grad():
            net[1].weight[0, 0] = np.nan
    names["save_net"](net)
    return {
        "build_net": lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, len(net[1].bias)))
    }


SPOILT = [
    ("other data set", lambda names: {"data": {"dataset": "cifar10"}}, "trained on shapes10"),
    ("other images", lambda names: {"channel_mean": names["channel_mean"] + 1}, "mean is not that"),
    ("nothing learnt", lambda names: {"y_val": (names["y_val"] + 1) % 10}, "hardly better than guessing"),
    ("no module", lambda names: {"build_net": lambda: None}, "expected an nn.Module"),
    ("not finite", lambda names: other_net(names, broken=True), "1.weight is not finite"),
    ("eleven scores", lambda names: other_net(names, outputs=11), r"expected \(1, 10\)"),
    ("too large", lambda names: other_net(names, outputs=2000), "The file has 25 MB"),
]


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda spoilt: spoilt[0])
def test_file_of_no_use_is_refused_in_words(trained, spoilt):
    _, change, message = spoilt
    with pytest.raises(AssertionError, match=message):
        check_file({**trained, **change(trained)})


def test_file_of_another_network_is_refused(trained):
    other = {"build_net": lambda: torch.nn.Linear(3072, 10)}
    with pytest.raises(RuntimeError, match="Missing key"):
        check_file({**trained, **other})


def test_no_file_is_refused(trained, tmp_path):
    (tmp_path / "best_pytorch_net.safetensors").unlink()
    with pytest.raises(AssertionError, match="train and save your network first"):
        check_file(trained)


# What is given


@pytest.mark.parametrize("half", [None, torch.bfloat16])
def test_training_loop_learns_a_few_images_by_heart(half, capsys):
    """With mixed precision, which the notebook uses on graphics cards, the weights stay in float32."""
    torch.manual_seed(0)
    X, y = torch.randn(40, 3, 32, 32), torch.arange(40) % 10
    names = run("batches", "speed", "train", X_train=X, y_train=y, X_val=X[:10], y_val=y[:10])
    assert names["half"] is None
    assert names["memory_format"] is torch.channels_last
    names["half"] = half
    net = names["sequential_convnet"](3, 8, 4, 10).to(memory_format=torch.channels_last)
    seen = []
    net[0].register_forward_hook(lambda layer, inputs, output: seen.append((net.training, output)))
    history = names["train"](net, torch.optim.Adam(net.parameters(), lr=1e-2), epochs=15)
    assert {name: len(values) for name, values in history.items()} == {
        "loss": 15,
        "train": 15,
        "val": 15,
        "seconds": 15,
    }
    assert history["train"][-1] > 0.9
    assert {output.dtype for training, output in seen if training} == {half or torch.float32}
    assert all(output.is_contiguous(memory_format=torch.channels_last) for _, output in seen)
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    printed = capsys.readouterr()
    assert printed.out.count("epoch ") == 15
    assert printed.err == ""


def test_batches_are_a_permutation():
    names = run("batches")
    X = torch.arange(150)
    parts = [part for part, labels in names["batches"](X, X) if torch.equal(part, labels)]
    assert [len(part) for part in parts] == [64, 64, 22]
    assert not torch.equal(torch.cat(parts), X)
    assert torch.equal(torch.cat(parts).sort().values, X)
