"""The checks of a2/6_pytorch: definitions alone count, one bug costs one loss, and nothing made up earns."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from autograder.checks import LocalStudent, find  # noqa: E402
from autograder.checks import a2_6_pytorch as checks  # noqa: E402
from autograder.checks import inside_pytorch as inside  # noqa: E402
from autograder.checks.running import number_from, run_check  # noqa: E402
from autograder.course import REPOSITORY, Assignment, Course, Scale  # noqa: E402
from autograder.misconceptions.pytorch import edited_cell  # noqa: E402
from autograder.sandbox import Session, StudentError  # noqa: E402

NOTEBOOK = "a2/6_pytorch"
SCALES = {"shapes10": Scale(zero=0.0, full=1.0), "cifar10": Scale(zero=0.0, full=1.0)}
CORE = {
    "torch_fc": "torch_fc_code",
    "torch_convnet": "torch_convnet_code",
    "torch_weights": "torch_weights_code",
    "torch_sgd_step": "torch_sgd_step_code",
    "torch_modules": "torch_modules_fc_code",
    "torch_accuracy": "torch_accuracy_code",
    "torch_sequential": "torch_sequential_code",
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def outcome(grade_id, replaced=None, seed="seed", files=None):
    student = LocalStudent(replaced, number_from(seed, grade_id), files)
    return run_check(find(NOTEBOOK, grade_id), student, seed, SCALES)


def lost(replaced, seed="seed"):
    """The failed parts of each check that is not passed."""
    found = {grade_id: outcome(grade_id, replaced, seed).failed_parts for grade_id in CORE}
    return {grade_id: parts for grade_id, parts in found.items() if parts}


def test_every_automatic_grade_cell_has_a_check():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a2").grade_cells
    automatic = {cell.grade_id for cell in cells if cell.kind == "auto" and cell.notebook == "6_pytorch"}
    assert automatic == {*CORE, "best_pytorch_net"}
    assert all(find(NOTEBOOK, grade_id).needs == ("torch",) for grade_id in automatic)


@pytest.mark.parametrize("grade_id", CORE)
def test_the_reference_passes_on_twenty_seeds(grade_id):
    for seed in range(20):
        found = outcome(grade_id, seed=str(seed))
        assert found.fraction == 1, [c for c in found.comparisons if not c.passed]


class TestSecondOracle:
    """What the checks expect, computed by NumPy, is what PyTorch computes."""

    def tensors(self, arrays):
        return [torch.from_numpy(a).requires_grad_() for a in arrays]

    def agree(self, scores, params, dout, expected, gradients):
        np.testing.assert_allclose(scores.detach().numpy(), expected, rtol=1e-10, atol=1e-10)
        got = torch.autograd.grad((scores * torch.from_numpy(dout)).sum(), params)
        for tensor, gradient in zip(got, gradients, strict=True):
            np.testing.assert_allclose(tensor.numpy(), gradient, rtol=1e-9, atol=1e-9)

    def test_two_layers(self, rng):
        x, params = checks._two_layers(rng, (4, 3, 2, 5), 7, 6)
        w1, w2 = tensors = self.tensors(params)
        scores = F.linear(F.relu(F.linear(torch.from_numpy(x).flatten(1), w1.T)), w2.T)
        dout = rng.standard_normal(scores.shape)
        expected = checks._fc_scores(x, params), checks._fc_gradients(x, params, dout)
        self.agree(scores, tensors, dout, *expected)

    def test_three_layers(self, rng):
        x, params = checks._three_layers(rng, 3, 2, 7, 4, 5, 3, 6)
        tensors = self.tensors(params)
        hidden = F.relu(F.conv2d(torch.from_numpy(x), *tensors[:2], padding=(2, 2)))
        hidden = F.relu(F.conv2d(hidden, *tensors[2:4], padding=(1, 1)))
        scores = F.linear(hidden.flatten(1), tensors[4].T, tensors[5])
        dout = rng.standard_normal(scores.shape)
        expected = checks._conv_scores(x, params), checks._conv_gradients(x, params, dout)
        self.agree(scores, tensors, dout, *expected)

    def test_a_step(self, rng):
        params = [rng.standard_normal(shape) for shape in [(6, 12), (6,), (4, 6), (4,)]]
        x, y = rng.standard_normal((5, 3, 2, 2)), np.array([0, 3, 1, 2, 2])
        tensors = self.tensors(params)
        loss = F.cross_entropy(inside.model(torch.from_numpy(x), tensors), torch.from_numpy(y))
        expected, gradients = checks._loss_and_gradients(params, x, y)
        assert loss.item() == pytest.approx(expected)
        for tensor, gradient in zip(torch.autograd.grad(loss, tensors), gradients, strict=True):
            np.testing.assert_allclose(tensor.numpy(), gradient, rtol=1e-9, atol=1e-9)

    def test_nesterov(self, rng):
        start, *gradients = ([rng.standard_normal(s) for s in [(3, 4), (3,)]] for _ in range(4))
        net = nn.Linear(4, 3).double()
        inside.load(net, start)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9, nesterov=True)
        for gradient, expected in zip(gradients, checks._nesterov(start, gradients, 0.2), strict=True):
            net.weight.grad, net.bias.grad = map(torch.from_numpy, gradient)
            optimizer.step()
            got = np.concatenate([p.detach().numpy().ravel() for p in net.parameters()])
            np.testing.assert_allclose(got, expected)


class TestOneBugOneLoss:
    def test_a_wrong_flatten_costs_flatten(self):
        view = edited_cell("torch_fc_code", ("x.reshape(x.shape[0], -1)", "x.view(x.shape[0], -1)"))
        assert lost({"torch_fc_code": view}) == {"torch_fc": [checks.ORDER]}
        columns = edited_cell(
            "torch_fc_code", ("x.reshape(x.shape[0], -1)", "x.transpose(1, -1).reshape(x.shape[0], -1)")
        )
        assert lost({"torch_fc_code": columns}) == {"torch_fc": ["flatten", checks.ORDER]}

    def test_a_cell_that_is_not_python_costs_its_own_points(self):
        broken = edited_cell("torch_fc_code", ("return x.reshape", "return x.reshape("))
        assert lost({"torch_fc_code": broken}) == {"torch_fc": [*find(NOTEBOOK, "torch_fc").parts]}
        found = outcome("torch_fc", {"torch_fc_code": broken})
        assert "the cell torch_fc_code, line 4, is not Python" in found.errors[0].message

    def test_a_missing_relu_does_not_cost_the_gradients(self):
        wrong = edited_cell("torch_fc_code", ("F.relu(flatten(x) @ w1)", "flatten(x) @ w1"))
        assert lost({"torch_fc_code": wrong}) == {"torch_fc": ["scores"]}

    def test_ascent_does_not_cost_the_next_step(self):
        wrong = edited_cell("torch_sgd_step_code", ("p -= ", "p += "))
        assert lost({"torch_sgd_step_code": wrong}) == {"torch_sgd_step": ["parameters"]}

    def test_gradients_that_add_up_cost_the_next_step(self):
        wrong = edited_cell("torch_sgd_step_code", ("            p.grad = None\n", ""))
        assert lost({"torch_sgd_step_code": wrong}) == {"torch_sgd_step": ["next step"]}

    def test_default_weights_cost_the_weights(self):
        wrong = edited_cell("torch_modules_conv_code", ("(self.conv1, self.conv2, self.fc)", "()"))
        parts = ["first weights of ThreeLayerConvNet"]
        assert lost({"torch_modules_conv_code": wrong}) == {"torch_modules": parts}

    def test_missing_biases_cost_the_parameters(self):
        wrong = edited_cell("torch_sequential_code", ("5, padding=2", "5, padding=2, bias=False"))
        assert lost({"torch_sequential_code": wrong}) == {"torch_sequential": ["parameters"]}

    def test_the_mode_costs_the_mode(self):
        wrong = edited_cell("torch_accuracy_code", ("    net.eval()\n", ""))
        assert lost({"torch_accuracy_code": wrong}) == {"torch_accuracy": ["evaluation mode"]}

    def test_a_later_definition_wins(self):
        wrong = edited_cell("torch_accuracy_code", ("argmax", "argmin"))
        again = wrong + "\n" + edited_cell("torch_accuracy_code")
        assert lost({"torch_accuracy_code": again}) == {}


NAMES = {
    "torch_fc": ["flatten", "two_layer_fc"],
    "torch_convnet": ["three_layer_convnet"],
    "torch_weights": ["random_weight", "zero_weight"],
    "torch_sgd_step": ["sgd_step"],
    "torch_modules": ["TwoLayerFC", "ThreeLayerConvNet"],
    "torch_accuracy": ["check_accuracy"],
    "torch_sequential": ["sequential_convnet", "nesterov_sgd"],
}
RUBBISH = [
    "None", "3", "'text'", "()", "(1, 2)", "[1]", "{}", "object()", "float('nan')", "torch.zeros(())",
    "torch.full((3, 2), float('nan'))", "torch.zeros(2, 3, dtype=torch.bool)", "nn.Identity()",
    "nn.Sequential()", "torch.sparse_coo_tensor(size=(2, 3))", "type('T', (torch.Tensor,), {})()",
    "np.zeros((2, 3))",
]  # fmt: skip


def source_of(grade_id, returned):
    return "\n".join(f"def {name}(*args, **kwargs): return {returned}" for name in NAMES[grade_id])


@pytest.mark.parametrize("returned", [*RUBBISH, "args", "args[0]", "args[-1]", "1 / 0"])
@pytest.mark.parametrize("grade_id", CORE)
def test_rubbish_earns_nothing_and_is_survived(grade_id, returned):
    replaced = {CORE[grade_id]: source_of(grade_id, returned)}
    if grade_id == "torch_modules":
        replaced["torch_modules_conv_code"] = "pass"
    assert outcome(grade_id, replaced).fraction == 0


@pytest.mark.parametrize("grade_id", CORE)
def test_a_cell_without_an_answer_earns_nothing(grade_id):
    replaced = {
        CORE[grade_id]: source_of(grade_id, "None").replace("return None", "raise NotImplementedError()")
    }
    if grade_id == "torch_modules":
        replaced["torch_modules_conv_code"] = "pass"
    found = outcome(grade_id, replaced)
    assert found.fraction == 0
    assert found.errors


MADE_UP = {
    "torch_fc": "def flatten(x): return torch.zeros(len(x), x[0].numel())\n"
    "def two_layer_fc(x, params): return torch.zeros(len(x), params[1].shape[1]) * params[0].sum()",
    "torch_convnet": "def three_layer_convnet(x, params):\n"
    "    return 0 * (sum(p.sum() for p in params) + params[5].expand(len(x), -1))",
    "torch_sgd_step": "def sgd_step(model_fn, params, x, y, learning_rate): return 1.0",
    "torch_accuracy": "def check_accuracy(net, X, y): return 0.8",
}  # fmt: skip


@pytest.mark.parametrize("grade_id", MADE_UP)
def test_made_up_answers_earn_nothing(grade_id):
    assert outcome(grade_id, {CORE[grade_id]: MADE_UP[grade_id]}).fraction == 0


ABOUT = {"dataset": "shapes10", "mean": "[110.0, 120.0, 130.0]", "scale": "[50.0, 60.0, 70.0]"}


class TestBestNet:
    @pytest.fixture
    def net(self):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        net.append(nn.Dropout(0.5)).append(nn.Linear(196, 10))
        net[1].running_mean.uniform_(-1, 1)
        return net.eval()

    SOURCE = """
def build_net():
    net = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    return net.append(nn.Dropout(0.5)).append(nn.Linear(196, 10))
"""

    def found(self, net, source=SOURCE, about=None, drop=(), **others):
        arrays = {name: value.numpy() for name, value in net.state_dict().items() if name not in drop}
        files = {checks.FILE: {"arrays": arrays | others, "metadata": about or ABOUT}}
        return outcome("best_pytorch_net", {"torch_best_code": source}, files=files)

    def expected(self, net):
        rng = np.random.default_rng(number_from("seed", NOTEBOOK, "best_pytorch_net"))
        from handgrad import shapes10

        images, labels = shapes10.generate(1000, int(rng.integers(2**31)))
        x = (images - np.array([110.0, 120.0, 130.0])) / np.array([50.0, 60.0, 70.0])
        with torch.no_grad():
            scores = net(torch.from_numpy(x.transpose(0, 3, 1, 2)).float())
        return np.mean(scores.argmax(dim=1).numpy() == labels)

    def test_points_are_the_accuracy_on_the_scale(self, net):
        assert self.found(net).fraction == pytest.approx(self.expected(net), abs=0.0051)

    def test_a_compiled_network_counts(self, net):
        arrays = {f"_orig_mod.{name}": value.numpy() for name, value in net.state_dict().items()}
        found = self.found(net, drop=list(net.state_dict()), **arrays)
        assert found.fraction == pytest.approx(self.expected(net), abs=0.0051)

    @pytest.mark.parametrize(
        ("about", "says"),
        [
            ({"dataset": "mnist"}, "does not say which data set"),
            ({"mean": "[1, 2]"}, "mean in best_pytorch_net.safetensors should be a list of three"),
            ({"mean": "nonsense"}, "mean in best"),
            ({"mean": "[" * 100_000}, "mean in best"),
            ({"mean": "[NaN, 1, 2]"}, "mean in best"),
            ({"scale": "[0, 1, 1]"}, "scale in best_pytorch_net.safetensors should be positive"),
            ({"scale": '{"a": 1, "b": 2, "c": 3}'}, "scale in best"),
            ({"scale": "[1e999, 1, 1]"}, "scale in best"),
        ],
    )
    def test_a_file_that_says_nonsense_is_refused(self, net, about, says):
        found = self.found(net, about=ABOUT | about)
        assert found.fraction == 0
        assert says in found.errors[0].message

    def test_weights_of_another_network_are_refused(self, net):
        found = self.found(net, drop=["5.bias"])
        assert found.fraction == 0
        assert "Missing key(s)" in found.errors[0].message
        assert self.found(net, extra=np.zeros(3, dtype=np.float32)).fraction == 0
        assert self.found(net, **{"5.bias": np.zeros(9, dtype=np.float32)}).fraction == 0

    def test_numbers_that_are_not_finite_or_too_many_are_refused(self, net):
        found = self.found(net, **{"5.bias": np.full(10, np.nan, dtype=np.float32)})
        assert "5.bias in best_pytorch_net.safetensors is not finite" in found.errors[0].message
        found = self.found(net, large=np.zeros(5_000_001, dtype=np.float32))
        assert "more than 20 MB" in found.errors[0].message

    @pytest.mark.parametrize("returned", ["None", "3", "nn.Linear(3, 4)", "lambda x: x", "nn.Flatten()"])
    def test_what_is_no_such_network_earns_nothing(self, net, returned):
        assert self.found(net, f"def build_net(): return {returned}").fraction == 0

    def test_a_model_that_was_not_saved_is_missed(self):
        found = outcome("best_pytorch_net", files={})
        assert found.fraction == 0
        assert "was not handed in" in found.errors[0].message

    def test_without_cifar10_a_person_grades_it(self, net, tmp_path, monkeypatch):
        monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
        assert "a person grades it" in self.found(net, about=ABOUT | {"dataset": "cifar10"}).by_hand


@pytest.fixture(scope="module")
def tree(needs_sandbox, tmp_path_factory):
    tree = tmp_path_factory.mktemp("submission")
    for folder in [tree, *tree.parents]:
        if folder.stat().st_mode & 0o055 != 0o055 and folder != folder.parent:
            folder.chmod(folder.stat().st_mode | 0o755)
    path = REPOSITORY / "assignments" / "source" / "a2" / "6_pytorch.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "torch_fc_code":
            cell["source"] = "def flatten(x:\n"
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "torch_best_code":
            cell["source"] = TestBestNet.SOURCE
    (tree / "6_pytorch.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    torch.manual_seed(0)
    namespace = {"nn": nn}
    exec(TestBestNet.SOURCE, namespace)
    save_file(namespace["build_net"]().state_dict(), tree / checks.FILE, metadata=ABOUT)
    return tree


@pytest.fixture(scope="module")
def session(tree):
    with Session(tree, packages=["torch"]) as session:
        yield session


class TestInTheSandbox:
    """All checks in one sandbox that has imported PyTorch once, on a notebook with a broken cell."""

    @pytest.mark.parametrize("grade_id", [*CORE, "best_pytorch_net"])
    def test_right_cells_pass_beside_a_broken_one(self, session, grade_id):
        with session.student(seed=1) as student:
            found = run_check(find(NOTEBOOK, grade_id), student, "seed", SCALES)
        if grade_id == "torch_fc":
            assert found.fraction == 0
            assert "the cell torch_fc_code, line 1, is not Python" in found.errors[0].message
        elif grade_id == "best_pytorch_net":
            assert found.comparisons[0].message.endswith(
                "on 1000 hidden images; all points from 100% on, none up to 0%."
            )
        else:
            assert found.fraction == 1

    def test_errors_say_the_cell_and_the_line(self, session):
        with session.student(seed=1) as student:
            theirs = student.definitions("6_pytorch")
            with pytest.raises(StudentError, match=r"6_pytorch.ipynb cell torch_convnet_code, line 8"):
                theirs["three_layer_convnet"](1, [])
