"""Modules: gradients, extreme scores, training, files and refusals."""

import numpy as np
import pytest

from handgrad.gradient_check import eval_numerical_gradient_array
from handgrad.modules import (
    SGD,
    CrossEntropyLoss,
    DataLoader,
    Linear,
    Module,
    ReLU,
    Sequential,
    Softmax,
    Trainer,
    get_classification_accuracy,
    make_spirals,
)
from handgrad.solver import DivergedError


def small_net(dtype=np.float64, hidden=7):
    np.random.seed(0)
    return Sequential([Linear(6, hidden, dtype), ReLU(), Linear(hidden, 3, dtype), Softmax()])


def spirals(num_per_class=40):
    x, y = make_spirals(num_per_class)
    n = len(x) // 4
    return DataLoader(x[2 * n :], y[2 * n :], x[:n], y[:n], x[n : 2 * n], y[n : 2 * n])


def trainer(**settings):
    np.random.seed(1)
    net = Sequential([Linear(2, 20), ReLU(), Linear(20, 3), Softmax()])
    settings = {"epoch": 5, "batch_size": 16, "validate_interval": 2, "verbose": False, "seed": 3} | settings
    optim = SGD(net, settings.pop("lr", 0.3), settings.pop("weight_decay", 1e-4))
    return Trainer(spirals(), optim, net, CrossEntropyLoss(), **settings)


@pytest.mark.parametrize("shape", [(1, 6), (5, 6), (4, 3, 2)])
@pytest.mark.parametrize("build", [lambda: Linear(6, 4), ReLU, small_net, lambda: Sequential([Linear(6, 2)])])
def test_backward_is_gradient_of_forward(rng, build, shape):
    module, x = build(), rng.normal(size=shape)
    for parameter in module.parameters:
        parameter.value = rng.normal(size=parameter.value.shape)
    before, dout = x.copy(), rng.normal(size=module.forward(x).shape)
    dx = module.backward(dout)
    np.testing.assert_array_equal(x, before)
    gradients = [(dx, x)] + [(p.grad, p.value) for p in module.parameters]
    for got, argument in gradients:
        expected = eval_numerical_gradient_array(lambda _: module.forward(x), argument, dout)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)


def test_softmax_and_loss_are_gradients_of_their_forward(rng):
    softmax, loss = Softmax(), CrossEntropyLoss()
    x, dout, y = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), rng.integers(4, size=5)
    probs = softmax.forward(x)
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    dx = softmax.backward(dout)
    expected = eval_numerical_gradient_array(softmax.forward, x, dout)
    np.testing.assert_allclose(dx, expected, rtol=1e-6, atol=1e-9)
    assert loss.forward(probs, y) == pytest.approx(-np.log(probs[np.arange(5), y]).mean())
    got = loss.backward()
    expected = eval_numerical_gradient_array(lambda p: np.array(loss.forward(p, y)), probs, np.array(1.0))
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scores_give_a_finite_loss_and_the_right_gradient(dtype):
    x = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4], [5, 5, 5]], dtype=dtype)
    y = np.array([1, 0, 2])
    softmax, loss = Softmax(), CrossEntropyLoss()
    probs = softmax.forward(x)
    value = loss.forward(probs, y)
    assert probs.min() == np.finfo(dtype).tiny
    assert value == pytest.approx((-2 * np.log(np.finfo(dtype).tiny) + np.log(3)) / 3, rel=1e-6)
    dx = softmax.backward(loss.backward())
    expected = np.array([[1, -1, 0], [-1, 0.5, 0.5], [1 / 3, 1 / 3, -2 / 3]]) / 3
    assert dx.dtype == dtype
    np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-7)


def test_a_probability_of_zero_gives_a_finite_loss():
    loss = CrossEntropyLoss()
    assert np.isfinite(loss.forward(np.array([[0.0, 1.0]], np.float32), np.array([0])))
    assert np.isfinite(loss.backward()).all()


def test_backward_sets_gradients_and_does_not_add(rng):
    net, x = small_net(), rng.normal(size=(4, 6))
    dout = rng.normal(size=net.forward(x).shape)
    net.backward(dout)
    first = [p.grad.copy() for p in net.parameters]
    net.backward(dout)
    for p, grad in zip(net.parameters, first, strict=True):
        np.testing.assert_array_equal(p.grad, grad)


def test_float32_net_stays_float32_with_float64_examples(rng):
    net, loss = small_net(np.float32), CrossEntropyLoss()
    out = net.forward(rng.normal(size=(4, 6)))
    loss.forward(out, np.array([0, 1, 2, 0]))
    dx = net.backward(loss.backward())
    SGD(net, np.float64(0.1), np.float64(0.1)).step()
    arrays = [out, dx] + [a for p in net.parameters for a in (p.value, p.grad)]
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}


def test_weights_are_drawn_in_a_scale_that_keeps_numbers_large_enough():
    np.random.seed(0)
    layer = Linear(800, 50)
    assert layer.weight.value.std() == pytest.approx(np.sqrt(2 / 800), rel=0.02)
    assert layer.weight.value.dtype == np.float64
    np.testing.assert_array_equal(layer.bias.value, np.zeros(50))


def test_sgd_decays_weights_but_not_biases():
    layer = Linear(2, 3)
    weight, bias = layer.weight.value, layer.bias.value
    kept = weight.copy()
    layer.weight.grad, layer.bias.grad = np.full((2, 3), 2.0), np.full(3, 4.0)
    optim = SGD(layer, 0.1, 0.5)
    optim.step()
    np.testing.assert_allclose(layer.weight.value, kept - 0.1 * (2 + 0.5 * kept))
    np.testing.assert_allclose(layer.bias.value, bias - 0.4)
    np.testing.assert_array_equal(weight, kept)
    optim.zero_grad()
    assert not layer.weight.grad.any()
    assert not layer.bias.grad.any()


def test_against_torch(rng):
    torch = pytest.importorskip("torch")
    net, loss = small_net(), CrossEntropyLoss()
    x, y = rng.normal(size=(5, 6)), rng.integers(3, size=5)
    leaves = [torch.tensor(p.value, requires_grad=True) for p in net.parameters]
    w1, b1, w2, b2 = leaves
    torch_x = torch.tensor(x, requires_grad=True)
    scores = torch.relu(torch_x @ w1 + b1) @ w2 + b2
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
    optim = torch.optim.SGD(
        [{"params": [w1, w2], "weight_decay": 0.3}, {"params": [b1, b2], "weight_decay": 0}], lr=0.1
    )
    expected.backward()
    assert loss.forward(net.forward(x), y) == pytest.approx(expected.item(), rel=1e-12)
    dx = net.backward(loss.backward())
    np.testing.assert_allclose(dx, torch_x.grad.numpy(), rtol=1e-9, atol=1e-13)
    for p, leaf in zip(net.parameters, leaves, strict=True):
        np.testing.assert_allclose(p.grad, leaf.grad.numpy(), rtol=1e-9, atol=1e-13)
    SGD(net, 0.1, 0.3).step()
    optim.step()
    for p, leaf in zip(net.parameters, leaves, strict=True):
        np.testing.assert_allclose(p.value, leaf.detach().numpy(), rtol=1e-9, atol=1e-13)


def test_batches_hold_every_example_once_beside_its_label():
    x, y = np.arange(10.0).reshape(10, 1), np.arange(10)
    data = DataLoader(x, y, x, y, x, y)
    parts = list(data.batches(4, np.random.default_rng(0)))
    assert [len(labels) for _, labels in parts] == [4, 4, 2]
    order = np.concatenate([labels for _, labels in parts])
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in parts])[:, 0], order)
    assert sorted(order) == list(range(10))
    assert list(order) != list(range(10))


def test_trainer_learns_spirals_and_keeps_the_best_parameters():
    run = trainer(epoch=100, validate_interval=1)
    errors, accuracy = run.train()
    assert errors[-1] < 0.5 * errors[0]
    assert max(accuracy) == run.best_val_acc > 0.9
    kept = get_classification_accuracy(run.net.predict(run.dataset.x_val), run.dataset.y_val)
    assert kept == run.best_val_acc


@pytest.mark.parametrize(("epoch", "interval", "count"), [(5, 2, 3), (4, 2, 2), (1, 10, 1), (3, 1, 3)])
def test_histories_have_an_entry_for_each_measurement(epoch, interval, count):
    run = trainer(epoch=epoch, validate_interval=interval)
    errors, accuracy = run.train()
    assert len(errors) == len(accuracy) == count
    assert len(run.loss_history) == epoch * 4  # 60 examples in batches of 16
    steps = 4 * min(interval, epoch)
    assert errors[0] == pytest.approx(np.mean(run.loss_history[:steps]))


def test_a_seed_repeats_the_training_and_verbose_prints(capsys):
    assert trainer().train() == trainer().train()
    assert capsys.readouterr().out == ""
    trainer(verbose=True).train()
    assert capsys.readouterr().out.count("val acc") == 3


def test_divergence_is_reported_in_words():
    with pytest.raises(DivergedError, match=r"The loss became nan .* learning rate 1e\+200 may be too high"):
        trainer(lr=1e200, epoch=20).train()


def test_accuracy_of_outputs_and_of_labels():
    out, y = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]), np.array([1, 0, 0, 0])
    assert get_classification_accuracy(out, y) == 0.75
    assert get_classification_accuracy(out.argmax(axis=1), y) == 0.75


def test_save_and_load(tmp_path, rng):
    net, x = small_net(), rng.normal(size=(4, 6))
    net.save(tmp_path / "best.npz", mean_image=np.arange(3.0))
    other = small_net()
    for p in other.parameters:
        p.value = p.value + 1
    extra = other.load(tmp_path / "best.npz")
    np.testing.assert_array_equal(other.forward(x), net.forward(x))
    assert list(extra) == ["mean_image"]
    with pytest.raises(ValueError, match=r"parameter_0_weight must have shape \(6, 8\), got \(6, 7\)"):
        small_net(hidden=8).load(tmp_path / "best.npz")
    with pytest.raises(ValueError, match=r"holds 4 parameters .* but the network has 2"):
        Sequential([Linear(6, 7)]).load(tmp_path / "best.npz")
    with pytest.raises(ValueError, match="are names of parameters"):
        net.save(tmp_path / "x.npz", parameter_9=np.ones(1))
    with pytest.raises(ValueError, match="tuning must be numbers or a string, got Python objects"):
        net.save(tmp_path / "x.npz", tuning={"lr": 1})


X, Y = np.ones((4, 6)), np.array([0, 1, 2, 0])
REFUSALS = [
    (lambda: Linear(0, 3), "in_features must be at least 1, got 0"),
    (lambda: Linear(3, 2.5), "out_features must be a whole number, got 2.5"),
    (lambda: Linear(3, 2, np.int64), "dtype must be a floating-point type, got int64"),
    (lambda: Linear(5, 2).forward(X), r"x must hold at least one example of 5 numbers.* got shape \(4, 6\)"),
    (lambda: Linear(6, 2).forward(X.astype(int)), "x must hold floating-point numbers, got dtype int64"),
    (lambda: Linear(6, 2).backward(X), "Linear.backward needs a forward pass before it"),
    (lambda: ReLU().backward(X), "ReLU.backward needs a forward pass before it"),
    (lambda: Softmax().backward(X), "Softmax.backward needs a forward pass before it"),
    (lambda: CrossEntropyLoss().backward(), "CrossEntropyLoss.backward needs a forward pass before it"),
    (lambda: Softmax().forward(np.ones(3)), r"x must have shape \(N, C\)"),
    (lambda: CrossEntropyLoss().forward(3 * X, Y), "is Softmax.. the last module"),
    (lambda: CrossEntropyLoss().forward(X, Y + 5), "must lie between 0 and 5, got labels from 5 to 7"),
    (lambda: Sequential([]), "at least one module, got none"),
    (lambda: Sequential([ReLU]), "takes modules, such as ReLU"),
    (lambda: SGD(Linear(1, 1), 0), "lr must be above 0 and finite, got 0"),
    (lambda: SGD(Linear(1, 1), 1, -1), "weight_decay must be at least 0 and finite, got -1"),
    (lambda: DataLoader(X, Y[:3], X, Y, X, Y), r"y_train must hold 4 integer labels, got dtype int64, shape"),
    (lambda: DataLoader(X, Y, X, list(Y), X, Y), "y_val must hold 4 integer labels, got list"),
    (lambda: DataLoader(X, Y, X, Y, X[:, :5], Y), r"x_test must hold examples of shape \(6,\)"),
    (lambda: DataLoader(X[:0], Y[:0], X, Y, X, Y), "x_train must have shape"),
    (lambda: list(DataLoader(X, Y, X, Y, X, Y).batches(0)), "batch_size must be at least 1, got 0"),
    (lambda: trainer(epoch=0), "epoch must be at least 1, got 0"),
    (lambda: trainer(validate_interval=0), "validate_interval must be at least 1, got 0"),
    (
        lambda: Trainer(spirals(), SGD(small_net(), 1), small_net(), CrossEntropyLoss(), 1, 1),
        "optim must be made for this net",
    ),
    (lambda: get_classification_accuracy(X, Y[:3]), r"got \(4, 6\) and \(3,\)"),
    (lambda: make_spirals(0), "num_per_class must be at least 1, got 0"),
    (lambda: make_spirals(noise=-1), "noise must be at least 0, got -1"),
]


@pytest.mark.parametrize(("call", "words"), REFUSALS)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("module", [Linear(6, 3), ReLU(), Softmax(), small_net()])
def test_backward_refuses_another_shape(module):
    module.forward(X)
    with pytest.raises(ValueError, match=r"dout must have shape \(4, \d\), got \(5, 2\)"):
        module.backward(np.ones((5, 2)))


def test_a_bare_module_has_no_parameters_and_no_passes():
    assert Module().parameters == []
    with pytest.raises(NotImplementedError, match="Module has no forward pass"):
        Module().forward(X)
    with pytest.raises(NotImplementedError, match="Module has no backward pass"):
        Module().backward(X)
