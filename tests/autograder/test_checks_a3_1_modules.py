"""The checks of a3/1_modules: one bug costs one loss, rubbish earns nothing, two oracles agree."""

import numpy as np
import pytest

from autograder.checks import LocalStudent, find
from autograder.checks import a3_1_modules as checks
from autograder.checks.expect import sentence
from autograder.checks.modules import Network
from autograder.checks.running import run_check
from autograder.course import REPOSITORY, Assignment, Course
from autograder.misconceptions import edited
from handgrad.modules import CrossEntropyLoss, Linear, ReLU, Sequential, Softmax

NOTEBOOK = "a3/1_modules"
LAYERS = "handgrad.modules.activations."
LINEAR = "handgrad.modules.linear.Linear."
LOSS = "handgrad.modules.losses.CrossEntropyLoss."
SEQUENTIAL = "handgrad.modules.sequential.Sequential."
SGD = "handgrad.modules.optim.SGD.step"
BATCHES = "handgrad.modules.data.DataLoader.batches"
STEP = "handgrad.modules.trainer.Trainer.step"
ALL = [
    "linear_forward", "linear_backward", "relu_module_forward", "relu_module_backward",
    "softmax_module_forward", "softmax_module_backward", "cross_entropy_forward", "cross_entropy_backward",
    "sequential_forward", "sequential_backward", "sequential_predict", "sgd_step", "data_batches",
    "classification_accuracy", "trainer_step",
]  # fmt: skip


def outcome(grade_id, replaced=None, seed="seed"):
    return run_check(find(NOTEBOOK, grade_id), LocalStudent(replaced), seed)


def lost(replaced, grade_ids, seed="seed"):
    """The failed parts of each of these checks that is not passed."""
    found = {grade_id: outcome(grade_id, replaced, seed).failed_parts for grade_id in grade_ids}
    return {grade_id: parts for grade_id, parts in found.items() if parts}


def pair(name):
    """The cells of a module's forward and backward passes."""
    return [f"{name}_forward", f"{name}_backward"]


def test_every_automatic_grade_cell_has_a_check():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a3").grade_cells
    automatic = {cell.grade_id for cell in cells if cell.kind == "auto" and cell.notebook == "1_modules"}
    assert automatic == set(ALL)
    assert all(find(NOTEBOOK, grade_id) for grade_id in ALL)


def test_no_check_uses_methods_of_the_class_it_is_about():
    """The reference would stand in for the class as a whole, and earn the points."""
    for grade_id in ALL:
        check = find(NOTEBOOK, grade_id)
        owner = check.function.rpartition(".")[0]
        assert not [name for name in check.uses if name.rpartition(".")[0] == owner]


@pytest.mark.parametrize("grade_id", ALL)
def test_the_reference_passes_on_twenty_seeds(grade_id):
    for seed in range(20):
        found = outcome(grade_id, seed=str(seed))
        assert found.fraction == 1
        assert not [part for part in found.parts if not any(c.part == part for c in found.comparisons)]


@pytest.mark.parametrize(
    "returned",
    [None, 3, "text", np.zeros((2, 3)), (), (1, 2), [1], {}, object, np.nan, np.array(["a"])],
    ids=repr,
)
@pytest.mark.parametrize("grade_id", ALL)
def test_rubbish_earns_nothing_and_is_survived(grade_id, returned):
    found = outcome(grade_id, {find(NOTEBOOK, grade_id).function: lambda *args: returned})
    assert found.fraction == 0
    assert found.failed_parts


def zeros(self, *args):
    return np.zeros(args[0].shape)


@pytest.mark.parametrize(
    "replaced",
    [
        {LINEAR + "forward": lambda self, x: np.zeros((len(x), self.bias.value.size))},
        {LINEAR + "backward": zeros},
        {LAYERS + "ReLU.forward": lambda self, x: x, LAYERS + "ReLU.backward": lambda self, dout: dout},
        {LAYERS + "Softmax.forward": lambda self, x: np.full(x.shape, 1 / x.shape[1])},
        {LAYERS + "Softmax.backward": zeros},
        {LAYERS + "Softmax.forward": zeros, LAYERS + "Softmax.backward": zeros},
        {LOSS + "forward": lambda self, out, y: 1.0, LOSS + "backward": lambda self: np.ones((7, 4))},
        {LOSS + "forward": lambda self, out, y: float(np.sum(out**2))},
        {SEQUENTIAL + "forward": lambda self, x: x, SEQUENTIAL + "backward": lambda self, dout: dout},
        {SEQUENTIAL + "predict": lambda self, x: np.zeros(len(x), dtype=int)},
        {SGD: lambda self: None},
        {SGD: lambda self: self.zero_grad()},
        {"handgrad.modules.trainer.get_classification_accuracy": lambda out, y: 0.5},
        {STEP: lambda self, x, y: 2.3},
    ],
    ids=" ".join,
)
def test_made_up_answers_earn_nothing(replaced):
    for grade_id in ALL:
        if find(NOTEBOOK, grade_id).function in replaced and grade_id != "relu_module_forward":
            assert outcome(grade_id, replaced).fraction == 0


# ---- one bug, one loss


class TestOneBugOneLoss:
    """What is lost is exactly what a bug breaks; a backward pass may be that of a wrong forward pass."""

    def test_linear_with_doubled_weights(self):
        def forward(self, x):
            self.cache = x
            return 2 * x.reshape(len(x), -1) @ self.weight.value + self.bias.value

        def backward(self, dout):
            rows = self.cache.reshape(len(dout), -1)
            self.weight.grad, self.bias.grad = 2 * rows.T @ dout, dout.sum(axis=0)
            return 2 * (dout @ self.weight.value.T).reshape(self.cache.shape)

        wrong = {LINEAR + "forward": forward, LINEAR + "backward": backward}
        assert lost(wrong, pair("linear")) == {"linear_forward": ["out"]}

    @pytest.mark.parametrize(
        ("old", "new", "parts"),
        [
            ("rows.T @ dout", "1.01 * rows.T @ dout", ["weight.grad"]),
            ("dout.sum(axis=0)", "dout.mean(axis=0)", ["bias.grad"]),
            ("return (dout @ self.weight.value.T)", "return -(dout @ self.weight.value.T)", ["dx"]),
            ("self.weight.grad = ", "self.weight.grad += ", ["second pass"]),
        ],
    )
    def test_one_wrong_gradient_costs_its_part(self, old, new, parts):
        wrong = {LINEAR + "backward": edited(LINEAR + "backward", (old, new))}
        assert lost(wrong, pair("linear")) == {"linear_backward": parts}

    def test_a_memory_shared_by_all_modules(self):
        shared = {}

        def forward(self, x):
            self.cache = shared["x"] = x
            return np.maximum(x, 0)

        wrong = {
            LAYERS + "ReLU.forward": forward,
            LAYERS + "ReLU.backward": lambda self, dout: dout * (shared["x"] > 0),
        }
        assert lost(wrong, pair("relu_module")) == {"relu_module_backward": ["second pass"]}

    @pytest.mark.parametrize(
        ("name", "line", "cell"),
        [
            (LINEAR, "self.cache = x", "linear"),
            (LAYERS + "ReLU.", "self.cache = x", "relu_module"),
            (LAYERS + "Softmax.", "self.cache = probs", "softmax_module"),
            (LOSS, "self.cache = (probs, y)", "cross_entropy"),
        ],
    )
    def test_nothing_remembered_costs_the_backward_pass(self, name, line, cell):
        wrong = {name + "forward": edited(name + "forward", (line, ""))}
        assert list(lost(wrong, pair(cell))) == [f"{cell}_backward"]
        assert outcome(f"{cell}_backward", wrong).fraction == 0

    def test_relu_leaky_both_ways(self):
        def forward(self, x):
            self.cache = x
            return np.where(x > 0, x, 0.1 * x)

        wrong = {
            LAYERS + "ReLU.forward": forward,
            LAYERS + "ReLU.backward": lambda self, dout: dout * np.where(self.cache > 0, 1.0, 0.1),
        }
        assert lost(wrong, pair("relu_module")) == {"relu_module_forward": ["out"]}

    @pytest.mark.parametrize(
        ("old", "new", "parts"),
        [
            ("x - x.max(axis=1, keepdims=True)", "x", ["large scores"]),
            ("np.maximum(probs, np.finfo(x.dtype).tiny)", "probs", ["floor"]),
        ],
    )
    def test_softmax_that_is_wrong_for_extreme_scores(self, old, new, parts):
        name = LAYERS + "Softmax.forward"
        wrong = {name: edited(name, (old, new))}
        assert lost(wrong, pair("softmax_module")) == {"softmax_module_forward": parts}

    def test_softmax_of_doubled_scores_both_ways(self):
        def forward(self, x):
            exps = np.exp(2 * (x - x.max(axis=1, keepdims=True)))
            self.cache = np.maximum(exps / exps.sum(axis=1, keepdims=True), np.finfo(x.dtype).tiny)
            return self.cache

        def backward(self, dout):
            return 2 * Softmax.backward(self, dout)

        wrong = {LAYERS + "Softmax.forward": forward, LAYERS + "Softmax.backward": backward}
        found = lost(wrong, pair("softmax_module"))
        assert found == {"softmax_module_forward": ["out", "large scores", "floor"]}

    def test_loss_summed_both_ways(self):
        wrong = {
            LOSS + "forward": lambda self, out, y: len(y) * CrossEntropyLoss.forward(self, out, y),
            LOSS + "backward": lambda self: len(self.cache[1]) * CrossEntropyLoss.backward(self),
        }
        assert lost(wrong, pair("cross_entropy")) == {"cross_entropy_forward": ["loss"]}

    def test_loss_without_floor(self):
        tiny = "np.maximum(out, np.finfo(out.dtype).tiny)"
        wrong = {LOSS + "forward": edited(LOSS + "forward", (tiny, "out"))}
        assert lost(wrong, pair("cross_entropy")) == {"cross_entropy_forward": ["probability of 0"]}

    @pytest.mark.parametrize(
        "modules", ["self.modules[:-1]", "self.modules[1:]", "self.modules[:1]", "reversed(self.modules)"]
    )
    def test_a_forward_pass_through_the_wrong_modules(self, modules):
        wrong = {SEQUENTIAL + "forward": edited(SEQUENTIAL + "forward", ("self.modules:", f"{modules}:"))}
        found = lost(wrong, ["sequential_forward", "sequential_backward"])
        assert found == {"sequential_forward": ["out"]}

    def test_a_container_that_skips_a_module_both_ways(self):
        last = {"forward": "self.modules[:-1]", "backward": "self.modules[-2::-1]"}
        wrong = {
            SEQUENTIAL + "forward": edited(SEQUENTIAL + "forward", ("self.modules:", f"{last['forward']}:")),
            SEQUENTIAL + "backward": edited(
                SEQUENTIAL + "backward", ("reversed(self.modules):", f"{last['backward']}:")
            ),
        }
        assert outcome("sequential_forward", wrong).fraction == 0
        assert outcome("sequential_backward", wrong).fraction < 1  # another shape goes back: two mistakes

    def test_predictions_of_a_wrong_forward_pass(self):
        doubled = edited(SEQUENTIAL + "forward", ("return x", "return -x"))
        found = lost({SEQUENTIAL + "forward": doubled}, ["sequential_forward", "sequential_predict"])
        assert found == {"sequential_forward": ["out"]}

    def test_a_list_turned_round_for_good(self):
        change = (
            "for module in reversed(self.modules):",
            "self.modules.reverse()\n    for module in self.modules:",
        )
        wrong = {SEQUENTIAL + "backward": edited(SEQUENTIAL + "backward", change)}
        assert lost(wrong, ["sequential_forward", "sequential_backward"]) == {
            "sequential_backward": ["second pass"]
        }

    @pytest.mark.parametrize(
        ("old", "new", "parts"),
        [
            ("self.lr * direction", "2 * self.lr * direction", ["step"]),
            ("- self.lr * direction", "+ self.lr * direction", ["step"]),
            (
                "direction + self.weight_decay",
                "direction - self.weight_decay",
                ["decay of weights", "decay flag"],
            ),
            ("if parameter.decay:", "if True:", ["no decay of biases", "decay flag"]),
            ("if parameter.decay:", 'if parameter.name == "weight":', ["decay flag"]),
            ("parameter.value = parameter.value - ", "parameter.value -= ", ["old arrays"]),
            ("direction = direction + ", "direction += ", ["old arrays"]),
        ],
    )
    def test_an_optimiser_with_one_mistake(self, old, new, parts):
        assert lost({SGD: edited(SGD, (old, new))}, ["sgd_step"]) == {"sgd_step": parts}

    @pytest.mark.parametrize(
        ("old", "new", "parts"),
        [
            (
                "rng.permutation(len(self.x_train))",
                "np.arange(len(self.x_train))",
                ["random order", "order from rng"],
            ),
            ("= rng.perm", "= np.random.perm", ["order from rng"]),
            ("self.y_train[chosen]", "self.y_train[start : start + batch_size]", ["labels"]),
            ("len(order), b", "len(order) + 1, b", ["sizes"]),
        ],
    )
    def test_batches_with_one_mistake(self, old, new, parts):
        assert lost({BATCHES: edited(BATCHES, (old, new))}, ["data_batches"]) == {"data_batches": parts}

    def test_a_step_that_returns_nothing_has_learnt_all_the_same(self):
        wrong = {STEP: edited(STEP, ("return loss", ""))}
        assert lost(wrong, ["trainer_step"]) == {"trainer_step": ["loss"]}


def test_a_generator_without_end_is_stopped():
    def batches(self, batch_size, rng=None):
        while True:
            yield self.x_train[:batch_size], self.y_train[:batch_size]

    assert outcome("data_batches", {BATCHES: batches}).fraction < 0.4


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda self, batch_size, rng=None: None, "it returned None"),
        (lambda self, batch_size, rng=None: iter([1, 2]), "must yield pairs"),
        (lambda self, batch_size, rng=None: iter([(1, 2)]), "must yield pairs"),
        (lambda self, batch_size, rng=None: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_batches_that_are_none_are_told_so(wrong, says):
    found = outcome("data_batches", {BATCHES: wrong})
    assert found.fraction == 0
    assert says in found.errors[0].message
    assert "DataLoader.batches" in sentence(found.errors[0])


def test_what_is_right_only_for_rows_is_told_so():
    wrong = {LINEAR + "backward": edited(LINEAR + "backward", (".reshape(x.shape)", ".reshape(len(x), -1)"))}
    found = outcome("linear_backward", wrong)
    assert found.failed_parts == ["dx"]
    shapes = [c.expected_shape for c in found.comparisons if not c.passed]
    assert all(len(shape) > 2 for shape in shapes)


# ---- the second oracle


torch = pytest.importorskip("torch")


def tensor(array):
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64, requires_grad=True)


def torch_network(network, x):
    """The network of `Network` in PyTorch: input, parameters, output."""
    x, parameters = tensor(x), {name: tensor(value) for name, value in network.parameters.items()}
    h = x
    for n, kind in enumerate(network.kinds):
        if kind == "ReLU":
            h = torch.relu(h)
        elif kind == "Softmax":
            h = torch.softmax(h, dim=1)
        else:
            h = h.reshape(len(h), -1) @ parameters[f"weight {n}"] + parameters[f"bias {n}"]
    return x, parameters, h


class TestSecondOracle:
    """The reference, on inputs of the checks, against PyTorch in float64."""

    @pytest.mark.parametrize("case", range(6))
    def test_linear(self, rng, case):
        _, x, w, b = list(checks._linear_inputs(rng))[case]
        dout = rng.standard_normal((len(x), w.shape[1]))
        layer = checks.reference_linear(w, b)
        out, theirs = layer.forward(x), [tensor(x), tensor(w), tensor(b)]
        expected = theirs[0].reshape(len(x), -1) @ theirs[1] + theirs[2]
        expected.backward(torch.tensor(dout))
        assert np.allclose(out, expected.detach(), atol=1e-5)
        got = checks._linear_gradients(layer, dout)
        for value, right in zip(got.values(), theirs, strict=True):
            assert np.allclose(value, right.grad, atol=1e-5)

    @pytest.mark.parametrize(
        ("ours", "theirs"), [(ReLU, torch.relu), (Softmax, lambda x: torch.softmax(x, 1))]
    )
    def test_modules_without_parameters(self, rng, ours, theirs):
        for scale in (1, 1e3):
            x, dout = scale * rng.standard_normal((2, 6, 4))
            module, value = ours(), tensor(x)
            expected = theirs(value)
            expected.backward(torch.tensor(dout))
            assert np.allclose(module.forward(x), expected.detach())
            assert np.allclose(module.backward(dout), value.grad)

    @pytest.mark.parametrize(("N", "C"), [(7, 4), (1, 6)])
    def test_loss(self, rng, N, C):
        out, y = checks._probabilities(rng, N, C)
        loss, value = CrossEntropyLoss(), tensor(out)
        expected = torch.nn.functional.nll_loss(torch.log(value), torch.tensor(y))
        expected.backward()
        assert loss.forward(out, y) == pytest.approx(expected.item())
        assert np.allclose(loss.backward(), value.grad)

    @pytest.mark.parametrize(("shape", "kinds"), checks.NETWORKS)
    def test_networks(self, rng, shape, kinds):
        network = Network(rng, shape, kinds)
        x, parameters, expected = torch_network(network, network.x)
        assert np.allclose(network.reference().forward(network.x), expected.detach())
        dout = rng.standard_normal(expected.shape)
        expected.backward(torch.tensor(dout))
        for name, right in checks._right_gradients(network, dout).items():
            assert np.allclose(right, (x if name == "x" else parameters[name]).grad)

    def test_training_step(self, rng):
        network = Network(rng, (2, 3), [5, "ReLU", 4, "Softmax"], N=9)
        y = rng.integers(4, size=9)
        _, parameters, out = torch_network(network, network.x)
        groups = [
            {"params": [p for name, p in parameters.items() if name.startswith(kind)], "weight_decay": decay}
            for kind, decay in (("weight", 0.3), ("bias", 0.0))
        ]
        expected = torch.nn.functional.nll_loss(torch.log(out), torch.tensor(y))
        expected.backward()
        torch.optim.SGD(groups, lr=0.5).step()
        loss, right = checks._right_step(network, network.x, y, 0.5, 0.3)
        assert loss == pytest.approx(expected.item())
        for name, value in right.items():
            assert np.allclose(value, parameters[name].detach())


def test_the_reference_is_what_the_names_say():
    """The checks import the reference's classes under the names that students replace."""
    for path, found in {
        checks.LINEAR: Linear, checks.RELU: ReLU, checks.SOFTMAX: Softmax, checks.LOSS: CrossEntropyLoss,
        checks.SEQUENTIAL: Sequential,
    }.items():  # fmt: skip
        assert path == f"{found.__module__}.{found.__qualname__}"
