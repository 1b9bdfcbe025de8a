"""The checks of a2/2_fully_connected_nets pass what is right in any style, and one bug costs one loss."""

import numpy as np
import pytest

from autograder.checks import LocalStudent, find
from autograder.checks import a2_2_fully_connected_nets as checks
from autograder.checks.running import number_from, run_check
from autograder.course import REPOSITORY, Assignment, Course, Scale
from autograder.misconceptions import edited, registered
from autograder.variants import a2_2_fully_connected_nets as variants
from handgrad import optim, shapes10
from handgrad.classifiers import FullyConnectedNet
from handgrad.gradient_check import eval_numerical_gradient

NOTEBOOK = "a2/2_fully_connected_nets"
SCALES = {"shapes10": Scale(zero=0.0, full=1.0), "cifar10": Scale(zero=0.0, full=1.0)}
NETS = ["fc_net_init", "fc_net_loss", "fc_net_gradients"]
RULES = ["optim_momentum", "optim_nesterov_adagrad", "optim_rmsprop", "optim_adam"]
OVERFIT = ["fc_overfit_three", "fc_overfit_five"]
INIT, LOSS = checks.NET + ".__init__", checks.NET + ".loss"
THREE, FIVE = (f"{name}_settings" for name in OVERFIT)


def outcome(grade_id, replaced=None, seed="seed", files=None):
    return run_check(find(NOTEBOOK, grade_id), LocalStudent(replaced, files=files), seed, SCALES)


def _decisive(found):
    """The failed parts, without the one that is compared only where steps are right."""
    failed = found.failed_parts
    wrong_steps = any("next_w" in part for part in failed)
    return [part for part in failed if not (wrong_steps and part == "numbers without gradient")]


def lost(replaced, seed="seed"):
    """The failed parts of each check that is not passed."""
    found = {grade_id: _decisive(outcome(grade_id, replaced, seed)) for grade_id in NETS + RULES}
    return {grade_id: parts for grade_id, parts in found.items() if parts}


def costs(id, version=0):
    """What a registered mistake costs."""
    known = registered()[id]
    return lost({known.function: known.versions[version]})


def test_every_automatic_grade_cell_has_a_check():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a2").grade_cells
    automatic = {c.grade_id for c in cells if c.kind == "auto" and c.notebook == "2_fully_connected_nets"}
    assert automatic == {*NETS, *RULES, *OVERFIT, "best_fully_connected_net"}
    assert all(find(NOTEBOOK, grade_id) for grade_id in automatic)


@pytest.mark.parametrize("grade_id", NETS + RULES + OVERFIT)
def test_the_reference_passes_on_many_seeds(grade_id):
    for seed in range(3 if grade_id in OVERFIT else 20):  # hidden images take their time
        student = LocalStudent(seed=number_from(str(seed)))
        assert run_check(find(NOTEBOOK, grade_id), student, str(seed)).fraction == 1


# ---- the second oracle


class TestSecondOracle:
    """What the checks take for right is what PyTorch computes."""

    @pytest.mark.parametrize("number", range(4))
    def test_networks(self, number):
        torch = pytest.importorskip("torch")
        made = list(checks._networks(np.random.default_rng(5)))[number]
        params = {
            name: torch.tensor(p.copy(order="C"), requires_grad=True) for name, p in made.params.items()
        }
        out, L = torch.tensor(made.X.reshape(len(made.X), -1)), len(made.hidden_dims) + 1
        for i in range(1, L + 1):
            out = out @ params[f"W{i}"] + params[f"b{i}"]
            out = torch.relu(out) if i < L else out
        reference = checks._reference(made, checks.REG)
        assert np.allclose(reference.loss(made.X), out.detach().numpy())
        squares = sum((params[f"W{i}"] ** 2).sum() for i in range(1, L + 1))
        loss = torch.nn.functional.cross_entropy(out, torch.tensor(made.y)) + 0.5 * checks.REG * squares
        loss.backward()
        got, grads = reference.loss(made.X, made.y)
        assert got == pytest.approx(loss.item())
        assert all(np.allclose(grads[name], p.grad.numpy()) for name, p in params.items())

    def test_a_network_by_numerical_gradients(self):
        made = next(iter(checks._networks(np.random.default_rng(5))))
        net = checks._reference(made, checks.REG)
        _, grads = net.loss(made.X, made.y)
        for name in ("W1", "b1", "W2", "b2"):

            def changed(value, name=name):
                return checks.first(
                    FullyConnectedNet.loss(with_params(net, {**made.params, name: value}), made.X, made.y)
                )

            assert np.allclose(
                grads[name], eval_numerical_gradient(changed, made.params[name].copy()), atol=1e-7
            )

    @pytest.mark.parametrize(
        ("rule", "other"),
        [
            ("sgd_momentum", lambda t, p: t.optim.SGD(p, lr=0.2, momentum=0.7)),
            ("sgd_nesterov_momentum", lambda t, p: t.optim.SGD(p, lr=0.2, momentum=0.7, nesterov=True)),
            ("adagrad", lambda t, p: t.optim.Adagrad(p, lr=0.2, eps=1e-8)),
            ("rmsprop", lambda t, p: t.optim.RMSprop(p, lr=0.2, alpha=0.8)),
            ("adam", lambda t, p: t.optim.Adam(p, lr=0.2, betas=(0.7, 0.95))),
        ],
    )
    def test_update_rules(self, rng, rule, other):
        torch = pytest.importorskip("torch")
        w = rng.standard_normal((3, 4))
        parameter = torch.tensor(w, requires_grad=True)
        stepper = other(torch, [parameter])
        config = {"learning_rate": 0.2, **checks._RULES[rule][0]}
        for _ in range(4):
            dw = checks._away_from_zero(rng, w.shape, 0.7, 2)
            w, config = getattr(optim, rule)(w, dw, config)
            parameter.grad = torch.tensor(dw)
            stepper.step()
            assert np.allclose(w, parameter.detach().numpy(), rtol=1e-6)

    def test_turned_images_train_as_the_images_do(self):
        """The first layer's weights turned along with the images: the same losses in every step."""
        images, labels = shapes10.generate(100, 3)
        X = images.reshape(100, -1) - images.reshape(100, -1).mean(axis=0)
        X, y = X[:50], labels[:50]
        turned, same = checks._rows(3)
        assert (same == y).all()
        assert np.allclose(turned @ turned.T, X @ X.T)
        _, _, directions = np.linalg.svd(X, full_matrices=False)
        nets = [FullyConnectedNet([20, 20], input_dim=n, dtype=np.float64) for n in (3072, 50)]
        rng = np.random.default_rng(1)
        start = {name: 0.03 * rng.standard_normal(p.shape) for name, p in nets[0].params.items()}
        nets[0].params, nets[1].params = dict(start), {**start, "W1": directions @ start["W1"]}
        losses = []
        for net, inputs in zip(nets, (X, turned), strict=True):
            for _ in range(5):
                loss, grads = net.loss(inputs, y)
                net.params = {name: p - 3e-3 * grads[name] for name, p in net.params.items()}
                losses.append(loss)
        assert np.allclose(losses[:5], losses[5:])


def with_params(net, params):
    net.params = params
    return net


# ---- one bug, one loss

HIDDEN_L2, LAST_L2 = "L2 term of the hidden layers", "L2 term of the last layer"
HIDDEN_DL2, LAST_DL2 = (
    "L2 term in the gradients of the hidden layers",
    "L2 term in the gradients of the last layer",
)


class TestOneBugOneLoss:
    @pytest.mark.parametrize(
        ("id", "parts"),
        [
            ("fc_relu_on_scores", {"fc_net_loss": ["scores"]}),
            ("fc_no_hidden_relu", {"fc_net_loss": ["scores"]}),
            ("fc_relu_not_in_backward", {"fc_net_gradients": ["gradients of the hidden layers"]}),
            ("fc_loss_averaged_again", {"fc_net_loss": ["loss"]}),
            ("fc_loss_summed", {"fc_net_loss": ["loss"]}),
            ("fc_scores_are_predictions", {"fc_net_loss": ["scores", "float32 numbers"]}),
            ("fc_l2_missing_in_loss", {"fc_net_loss": [HIDDEN_L2, LAST_L2]}),
            ("fc_l2_missing_in_gradients", {"fc_net_gradients": [LAST_DL2, HIDDEN_DL2]}),
            ("fc_l2_loss_without_last", {"fc_net_loss": [LAST_L2]}),
            ("fc_l2_gradient_without_first", {"fc_net_gradients": [HIDDEN_DL2]}),
            ("fc_l2_without_last", {"fc_net_loss": [LAST_L2], "fc_net_gradients": [LAST_DL2]}),
            ("fc_l2_without_half", {"fc_net_loss": [HIDDEN_L2, LAST_L2]}),
            ("fc_l2_biases_too", {"fc_net_loss": [HIDDEN_L2, LAST_L2]}),
            ("fc_l2_divided_by_n", {"fc_net_loss": [HIDDEN_L2, LAST_L2]}),
            ("fc_changes_params", {"fc_net_gradients": [HIDDEN_DL2]}),
            ("momentum_velocity_not_stored", {"optim_momentum": ["velocity"]}),
            ("momentum_old_velocity", {"optim_momentum": ["next_w"]}),
            ("nesterov_plain_momentum", {"optim_nesterov_adagrad": ["Nesterov's next_w"]}),
            ("adagrad_cache_not_stored", {"optim_nesterov_adagrad": ["AdaGrad's cache"]}),
            ("adagrad_no_root", {"optim_nesterov_adagrad": ["AdaGrad's next_w"]}),
            ("rmsprop_old_cache", {"optim_rmsprop": ["next_w"]}),
            ("adam_no_correction", {"optim_adam": ["next_w"]}),
            ("adam_corrected_kept", {"optim_adam": ["m and v"]}),
            ("adam_t_not_kept", {"optim_adam": ["t"]}),
            ("adam_float64", {"optim_adam": ["float32 numbers"]}),
        ],
    )
    def test_a_mistake_costs_its_parts(self, id, parts):
        assert costs(id) == parts

    def test_gradients_of_a_loss_divided_twice(self):
        """Gradients of the student's own loss are right, even where that is not the loss of the scores."""
        assert costs("fc_loss_averaged_again", version=1) == {"fc_net_loss": ["loss"]}

    def test_a_config_that_loses_its_settings(self):
        def forgetful(w, dw, config=None):
            next_w, config = optim.rmsprop(w, dw, config)
            return next_w, {"cache": config["cache"]}

        assert lost({"handgrad.optim.rmsprop": forgetful}) == {"optim_rmsprop": ["next_w", "cache"]}

    def test_another_parameter_for_every_step(self):
        """A velocity in a variable of the module is none in config."""
        kept = {}

        def global_velocity(w, dw, config=None):
            next_w, config = optim.sgd_momentum(w, dw, {**(config or {}), **kept})
            kept["velocity"] = config.pop("velocity")
            return next_w, config

        assert outcome("optim_momentum", {"handgrad.optim.sgd_momentum": global_velocity}).fraction == 0

    def test_only_three_layers(self):
        wrong = edited(LOSS, ("range(1, self.num_layers)", "range(1, 3)"), ("L = self.num_layers", "L = 3"))
        found = outcome("fc_net_loss", {LOSS: wrong})
        assert found.fraction < 0.1
        assert found.pattern() == "scores is right only for 3 layers."


# ---- nothing for nothing


def made_up_loss(self, X, y=None):
    if y is None:
        return np.zeros((len(X), self.params[f"b{self.num_layers}"].size), dtype=self.dtype)
    return 0.0, {name: np.zeros_like(p) for name, p in self.params.items()}


def constant_loss(self, X, y=None):
    if y is None:
        return np.ones((len(X), self.params[f"b{self.num_layers}"].size), dtype=self.dtype)
    return np.log(10), {name: p.copy() for name, p in self.params.items()}


@pytest.mark.parametrize("loss", [made_up_loss, constant_loss])
@pytest.mark.parametrize("grade_id", NETS[1:])
def test_made_up_losses_earn_nothing(grade_id, loss):
    assert outcome(grade_id, {LOSS: loss}).fraction == 0


RULE_NAMES = ["sgd_momentum", "sgd_nesterov_momentum", "adagrad", "rmsprop", "adam"]


@pytest.mark.parametrize(
    "rule",
    [
        lambda w, dw, config=None: (w, config),
        lambda w, dw, config=None: (np.zeros_like(w), {}),
        lambda w, dw, config=None: (w, {**(config or {}), "velocity": w, "cache": w, "m": w, "v": w, "t": 0}),
        lambda w, dw, config=None: (w + dw, optim.sgd(w, dw, {})[1]),
    ],
    ids=["nothing happens", "zeros", "config of w", "uphill"],
)
@pytest.mark.parametrize("grade_id", RULES)
def test_made_up_steps_earn_nothing(grade_id, rule):
    assert outcome(grade_id, {f"handgrad.optim.{name}": rule for name in RULE_NAMES}).fraction == 0


def test_plain_gradient_descent_earns_nothing():
    def plain(w, dw, config=None):
        return w - (config or {}).get("learning_rate", 1e-2) * dw, config or {}

    replaced = {f"handgrad.optim.{name}": plain for name in RULE_NAMES}
    assert [outcome(grade_id, replaced).fraction for grade_id in RULES[:3]] == [0, 0, 0]
    assert _decisive(outcome("optim_adam", replaced)) == ["next_w", "m and v", "t"]  # it leads downhill


RUBBISH = [
    None,
    3,
    "text",
    np.zeros((2, 3)),
    np.full((6, 5), np.nan),
    (),
    (1, 2),
    (1, 2, 3),
    [1],
    {},
    object,
]
RUBBISH += [(np.nan, {}), ("text", {"W1": "text"}), (None, None), ({}, {}), (1.0, [np.zeros(3)])]


@pytest.mark.parametrize("returned", RUBBISH, ids=repr)
@pytest.mark.parametrize("grade_id", NETS[1:] + RULES)
def test_rubbish_earns_nothing_and_is_survived(grade_id, returned):
    replaced = {name: lambda *args: returned for name in find(NOTEBOOK, grade_id).functions}
    found = outcome(grade_id, replaced)
    assert found.fraction == 0
    assert set(found.failed_parts) == set(found.parts)


RUBBISH_PARAMS = [None, 3, [], {}, {"W1": "text"}, {"W1": np.array(["a"])}, {"W1": np.zeros((90, 110))}]
RUBBISH_PARAMS += [{"b1": np.zeros(3)}, {"W1": None, "b1": np.full(110, np.nan)}]


@pytest.mark.parametrize("params", RUBBISH_PARAMS, ids=repr)
def test_rubbish_parameters_earn_nothing(params):
    def init(self, *args, **kwargs):
        self.params = params

    assert outcome("fc_net_init", {INIT: init}).fraction == 0


def test_a_network_that_cannot_be_made_is_survived():
    def init(self, *args, **kwargs):
        raise NotImplementedError("FullyConnectedNet.__init__")

    for grade_id in NETS:
        found = outcome(grade_id, {INIT: init})
        assert found.fraction == 0
        assert found.errors[0].kind == "not_attempted"


# ---- 50 images by heart


def learnt(settings, depth, seed="seed", replaced=None):
    cell, name, grade_id = {
        3: (THREE, "three_layers", OVERFIT[0]),
        5: (FIVE, "five_layers", OVERFIT[1]),
    }[depth]
    return outcome(grade_id, {cell: f"{name} = {settings}", **(replaced or {})}, seed)


# Corners of the region in which the notebook's training reaches 100 %, on Shapes-10.
GOOD = {
    3: [(0.015, 5e-3), (0.02, 1e-2), (0.03, 5e-4), (0.04, 5e-3), (0.06, 3e-4), (0.08, 2e-3), (0.16, 1e-3)],
    5: [(0.04, 1e-2), (0.05, 5e-3), (0.06, 2e-3), (0.08, 5e-4), (0.08, 5e-3), (0.11, 3e-4), (0.16, 2e-4)],
}
# And of what does not get near it.
BAD = {
    3: [
        (1e-2, 1e-4),
        (1e-2, 5e-4),
        (2e-2, 1e-4),
        (1e-3, 1e-3),
        (0.06, 2e-2),
        (0.16, 5e-3),
        (1, 1e-3),
        (0.05, 1),
    ],
    5: [(1e-2, 1e-3), (1e-2, 1e-2), (2e-2, 1e-2), (3e-2, 1e-3), (5e-2, 1e-4), (0.11, 2e-2), (0.16, 5e-3)],
}


@pytest.mark.parametrize(("depth", "pair"), [(depth, pair) for depth in (3, 5) for pair in GOOD[depth]])
def test_good_settings_pass(depth, pair):
    settings = dict(zip(("weight_scale", "learning_rate"), pair, strict=True))
    for seed in ("seed", "another"):
        assert learnt(settings, depth, seed).fraction == 1


@pytest.mark.parametrize(("depth", "pair"), [(depth, pair) for depth in (3, 5) for pair in BAD[depth]])
def test_bad_settings_fail_and_are_told_why(depth, pair):
    settings = dict(zip(("weight_scale", "learning_rate"), pair, strict=True))
    found = learnt(settings, depth)
    assert found.fraction == 0
    assert found.comparisons[0].message.rpartition("enough. ")[2]


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ((1e-2, 1e-3), "stayed where it was"),
        ((0.3, 1e-2), "did not stay finite"),
        ((0.05, 2e-4), "not far enough"),
    ],
)
def test_the_loss_is_described(pair, says):
    settings = dict(zip(("weight_scale", "learning_rate"), pair, strict=True))
    assert says in learnt(settings, 5).comparisons[0].message


def test_settings_that_fit_the_students_own_network_pass():
    """Gradients divided by N once more have cost points; the rate that makes up for it costs none."""
    wrong = registered()["fc_gradients_averaged_again"].versions[0]
    settings = {"weight_scale": 3e-2, "learning_rate": 25 * 3e-3}
    assert learnt(settings, 3).fraction == 0
    assert learnt(settings, 3, replaced={LOSS: wrong}).fraction == 1


@pytest.mark.parametrize(
    "settings",
    [
        "None", "3", "[1e-2, 1e-3]", "{}", "{'weight_scale': 1e-2}",
        "{'weight_scale': 'a', 'learning_rate': 1}",
        "{'weight_scale': 1e-2, 'learning_rate': True}",
        "{'weight_scale': -1e-2, 'learning_rate': 1e-3}",
        "{'weight_scale': 1e-2, 'learning_rate': np.nan}", "{'weight_scale': 1e-2, 'learning_rate': np.inf}",
        "{'weight_scale': np.ones(2), 'learning_rate': 1e-3}", "(", "unknown",
    ],
)  # fmt: skip
def test_what_is_no_settings_earns_nothing(settings):
    found = learnt(settings, 3)
    assert found.fraction == 0
    assert found.errors


# ---- the best network

FILE = "best_fully_connected_net.npz"
BEST = "best_fully_connected_net"


def saved_net(rng, hidden_dims=(12, 9), normalization=None):
    """What the notebook saves of a network."""
    net = FullyConnectedNet(list(hidden_dims), normalization=normalization)
    arrays = {name: rng.standard_normal(p.shape).astype(np.float32) for name, p in net.params.items()}
    for i, units in enumerate(hidden_dims, start=1):
        if normalization == "batchnorm":
            arrays[f"running_mean{i}"] = 30 * rng.standard_normal(units).astype(np.float32)
            arrays[f"running_var{i}"] = rng.uniform(500, 900, units).astype(np.float32)
    arrays |= {"mean_image": np.full((3, 32, 32), 120, dtype=np.float32), "dataset": np.array("shapes10")}
    return arrays | {"hidden_dims": np.array(hidden_dims), "normalization": np.array(normalization or "none")}


class TestBestNetwork:
    @pytest.fixture
    def model(self, rng):
        return saved_net(rng)

    def found(self, model, replaced=None):
        return outcome(BEST, replaced, files={FILE: model})

    def expected(self, model, seed="seed"):
        """The accuracy that the saved weights have on the hidden images, computed here in another way."""
        rng = np.random.default_rng(number_from(seed, NOTEBOOK, BEST))
        images, labels = shapes10.generate(checks.COUNT, int(rng.integers(2**31)))
        h = (images.transpose(0, 3, 1, 2) - model["mean_image"]).reshape(len(images), -1)
        L, kind = len(model["hidden_dims"]) + 1, str(model["normalization"])
        for i in range(1, L + 1):
            h = h @ model[f"W{i}"] + model[f"b{i}"]
            if i == L:
                break
            if kind == "batchnorm":
                h = (h - model[f"running_mean{i}"]) / np.sqrt(model[f"running_var{i}"] + 1e-5)
            if kind == "layernorm":
                h = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-5)
            if kind != "none":
                h = h * model[f"gamma{i}"] + model[f"beta{i}"]
            h = np.maximum(h, 0)
        return np.mean(h.argmax(axis=1) == labels)

    @pytest.mark.parametrize(
        ("hidden_dims", "normalization"),
        [((12, 9), None), ((), None), ((7,), "batchnorm"), ((8, 6, 5), "batchnorm"), ((8, 6), "layernorm")],
    )
    def test_points_are_the_accuracy_on_the_scale(self, rng, hidden_dims, normalization):
        model = saved_net(rng, hidden_dims, normalization)
        assert self.found(model).fraction == pytest.approx(self.expected(model), abs=0.0071)

    def test_float64_and_row_biases_count(self, model):
        plain = self.found(model).fraction
        model = {name: a.astype(np.float64) if a.dtype.kind == "f" else a for name, a in model.items()}
        model["b1"] = model["b1"][None]
        assert self.found(model).fraction == pytest.approx(plain, abs=0.011)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"dataset": np.array("mnist")}, "does not say which data set"),
            (
                {"hidden_dims": np.array([9, 12])},
                "W1 in best_fully_connected_net.npz should be floats of shape",
            ),
            ({"hidden_dims": np.array([12])}, "W2 in best"),
            ({"hidden_dims": np.array([12, 9, 9])}, "W3 in best"),
            ({"hidden_dims": np.array([10**9, 10**9])}, "hidden_dims in best"),
            ({"hidden_dims": np.array([12.0, 9.0])}, "hidden_dims in best"),
            ({"hidden_dims": np.array([0, 9])}, "hidden_dims in best"),
            ({"hidden_dims": np.array([-12, 9])}, "hidden_dims in best"),
            ({"hidden_dims": np.array(12)}, "hidden_dims in best"),
            ({"hidden_dims": np.array([[12, 9]])}, "hidden_dims in best"),
            ({"hidden_dims": np.array(["12", "9"])}, "hidden_dims in best"),
            ({"hidden_dims": np.full(10**5, 9)}, "hidden_dims in best"),
            ({"normalization": np.array("instancenorm")}, "normalization in best"),
            ({"normalization": np.array(["none"])}, "normalization in best"),
            ({"normalization": np.array(1)}, "normalization in best"),
            ({"normalization": np.array("batchnorm")}, "gamma1 in best"),
            ({"W2": np.full((12, 9), np.nan)}, "W2 in best"),
            ({"b2": np.zeros(9, dtype=int)}, "b2 in best"),
            ({"b3": np.zeros(9)}, "b3 in best"),
            ({"mean_image": np.zeros((32, 32, 3))}, "mean_image in best"),
            ({"W1": np.array("text")}, "W1 in best"),
        ],
    )
    def test_a_network_that_does_not_fit_is_refused_in_words(self, model, change, says):
        found = self.found(model | change)
        assert found.fraction == 0
        assert says in found.errors[0].message

    @pytest.mark.parametrize("name", ["hidden_dims", "normalization", "W1", "b3", "mean_image", "dataset"])
    def test_what_is_missing_is_named(self, model, name):
        del model[name]
        assert self.found(model).fraction == 0

    @pytest.mark.parametrize("change", [{"running_var1": np.full(7, -1.0)}, {"running_mean1": np.zeros(6)}])
    def test_running_statistics_are_checked(self, rng, change):
        found = self.found(saved_net(rng, (7,), "batchnorm") | change)
        assert found.fraction == 0
        assert f"{next(iter(change))[:11]}" in found.errors[0].message

    def test_a_network_that_was_not_saved_is_missed(self):
        found = outcome(BEST, files={})
        assert found.fraction == 0
        assert "was not handed in" in found.errors[0].message

    def test_predictions_that_are_no_scores_earn_nothing(self, model):
        assert self.found(model, {LOSS: lambda self, X, y=None: np.zeros((len(X), 9))}).fraction == 0
        assert self.found(model, {LOSS: lambda self, X, y=None: "cat"}).fraction == 0

    def test_the_students_own_network_predicts(self, model):
        """One in another style as well as the reference."""
        plain = self.found(model).fraction
        assert self.found(model, {LOSS: variants.loss_by_hand}).fraction == pytest.approx(plain, abs=0.011)

    def test_without_cifar10_a_person_grades_it(self, model, tmp_path, monkeypatch):
        monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
        found = self.found(model | {"dataset": np.array("cifar10")})
        assert "a person grades it" in found.by_hand
        assert found.fraction == 0
