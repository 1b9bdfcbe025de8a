"""LinearSVM and Softmax: loss, gradient, training, predictions."""

import numpy as np
import pytest

from handgrad.classifiers import LinearClassifier, LinearSVM, Softmax
from handgrad.gradient_check import eval_numerical_gradient
from handgrad.solver import DivergedError

KINDS = [LinearSVM, Softmax]


def trained(rng, kind, D=4, C=3, dtype=np.float64):
    classifier = kind()
    classifier.W = rng.normal(size=(D, C)).astype(dtype)
    return classifier


def clusters(rng, N=300, C=3):
    y = rng.integers(C, size=N)
    return 3 * np.eye(C)[y] + 0.3 * rng.normal(size=(N, C)), y


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reg", [0.0, 0.7])
@pytest.mark.parametrize("shape", [(1, 4, 3), (5, 2, 6)])
def test_gradient_is_the_derivative(rng, kind, reg, shape):
    N, D, C = shape
    classifier = trained(rng, kind, D, C)
    X, y, W = rng.normal(size=(N, D)), rng.integers(C, size=N), classifier.W.copy()

    def loss_at(W):
        classifier.W = W
        return classifier.loss(X, y, reg)[0]

    expected = eval_numerical_gradient(loss_at, W.copy())
    classifier.W = W
    np.testing.assert_allclose(classifier.loss(X, y, reg)[1], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradient_are_those_of_pytorch(rng, kind):
    torch = pytest.importorskip("torch")
    classifier = trained(rng, kind, 7, 4)
    X, y = rng.normal(size=(6, 7)), rng.integers(4, size=6)
    W = torch.tensor(classifier.W, requires_grad=True)
    scores, labels = torch.tensor(X) @ W, torch.tensor(y)
    if kind is Softmax:
        expected = torch.nn.functional.cross_entropy(scores, labels)
    else:
        expected = 4 * torch.nn.functional.multi_margin_loss(scores, labels)  # it averages over the classes
    expected = expected + 0.3 * W.square().sum()
    expected.backward()
    loss, dW = classifier.loss(X, y, 0.3)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(dW, W.grad.numpy(), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_stays_and_inputs_too(rng, kind, dtype):
    X, y = clusters(rng)
    X = np.asfortranarray(X.astype(dtype))
    copies = X.copy(), y.copy()
    classifier = kind()
    history = classifier.train(X, y, num_iters=3)
    assert classifier.W.dtype == dtype
    assert classifier.loss(X, y, 0.1)[1].dtype == dtype
    assert all(type(loss) is float for loss in history)
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(y, copies[1])


@pytest.mark.parametrize("kind", KINDS)
def test_training_separates_what_can_be_separated(rng, kind):
    X, y = clusters(rng)
    np.random.seed(0)
    classifier = kind()
    history = classifier.train(X, y, learning_rate=0.1, reg=1e-4, num_iters=150, batch_size=50)
    assert len(history) == 150
    assert history[0] == pytest.approx(2.0 if kind is LinearSVM else np.log(3), abs=0.05)
    assert history[-1] < 0.2 * history[0]
    labels = classifier.predict(X)
    assert labels.shape == (300,)
    assert (labels == y).mean() > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_goes_against_the_gradient_of_a_batch(rng, kind):
    X, y = np.tile(rng.normal(size=(1, 4)), (9, 1)), np.full(9, 2)  # every batch is the same
    classifier = trained(rng, kind)
    W = classifier.W.copy()
    loss, dW = classifier.loss(X, y, 1e-5)
    assert classifier.train(X, y, num_iters=1) == pytest.approx([loss])
    np.testing.assert_allclose(classifier.W, W - 1e-3 * dW, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_drawn_once_and_training_goes_on(rng, kind):
    X, y = rng.normal(size=(50, 400)), rng.integers(10, size=50)
    y[0] = 9
    classifier = kind()
    np.random.seed(3)
    assert classifier.train(X, y, num_iters=0) == []
    first = classifier.W
    assert first.shape == (400, 10)
    assert first.std() == pytest.approx(0.001, rel=0.1)
    classifier.train(X, np.zeros(50, int), num_iters=1)
    assert classifier.W.shape == (400, 10)
    assert np.abs(classifier.W - first).max() < 0.01
    again = kind()
    np.random.seed(3)
    again.train(X, y, num_iters=0)
    np.testing.assert_array_equal(again.W, first)


def test_verbose_prints_every_hundredth_step(rng, capsys):
    X, y = clusters(rng)
    history = Softmax().train(X, y, num_iters=101, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"step 0 of 101: loss {history[0]:f}", f"step 100 of 101: loss {history[100]:f}"]
    Softmax().train(X, y, num_iters=2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", KINDS)
def test_divergence_stops_with_a_sentence(rng, kind):
    X, y = clusters(rng)
    with pytest.raises(
        DivergedError, match=r"at step \d+ of 500. The learning rate 10 may.*reg 100: try 1\."
    ):
        kind().train(X, y, learning_rate=10, reg=100.0, num_iters=500)


X, Y = np.ones((3, 4)), np.array([0, 1, 2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: c.train(X.astype(int), Y), "X must hold floating-point numbers, got dtype int64"),
        (lambda c: c.train(X[0], Y), r"X must have shape \(N, D\) .*got \(4,\)"),
        (lambda c: c.train(X[:0], Y[:0]), r"N >= 1 and D >= 1, got \(0, 4\)"),
        (lambda c: c.train(X[:, :3], Y), r"shape \(N, 4\) to fit W of shape \(4, 3\), got \(3, 3\)"),
        (lambda c: c.train(X, Y[:2]), r"y must have shape \(3,\)"),
        (lambda c: c.train(X, Y + 1), "between 0 and 2, got labels from 1 to 3"),
        (lambda c: type(c)().train(X, Y - 1), "got labels from -1 to 1"),
        (lambda c: c.train(X, Y, batch_size=0), "batch_size must be at least 1.*got 0, 100 and 1e-05"),
        (lambda c: c.train(X, Y, num_iters=-1), "got 200, -1 and"),
        (lambda c: c.train(X, Y, reg=-0.5), "got 200, 100 and -0.5"),
        (lambda c: c.predict(X[:, :3]), r"shape \(N, 4\) to fit W"),
        (lambda c: c.loss(X[:, :3], Y, 0.0), r"shape \(N, 4\) to fit W"),
        (lambda c: type(c)().predict(X), "has no weights W yet: call train first"),
        (lambda c: type(c)().loss(X, Y, 0.0), "has no weights W yet: call train first"),
    ],
)
def test_wrong_input_is_refused(rng, kind, call, words):
    with pytest.raises(ValueError, match=words):
        call(trained(rng, kind))


def test_the_base_class_has_no_loss():
    with pytest.raises(TypeError, match="use LinearSVM or Softmax"):
        LinearClassifier().train(X, Y)
