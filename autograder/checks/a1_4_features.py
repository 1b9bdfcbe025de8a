"""Hidden checks of a1/4_features: the losses of the linear classifiers, and two classifiers on features.

Notable:
- W is put in before every call, so that a loss that changes it spoils nothing but its own comparison.
- L2 terms are judged by the difference that `reg` makes, so that they fail alone.
- Features of the hidden images are computed on this side, once for a whole class. What turns them into scores
  or predictions is the student's.
"""

from __future__ import annotations

import numpy as np

from handgrad.classifiers import LinearSVM, Softmax
from handgrad.features import color_histogram_hsv, extract_features, hog_feature

from ..sandbox import StudentError
from . import for_notebook
from .accuracy import floats, measure
from .networks import difference, put

check = for_notebook("a1/4_features")

LINEAR = "handgrad.classifiers.linear_classifier."
LOSSES = "handgrad.layers.losses."
LAYERS = [
    "handgrad.layers.affine.affine_forward",
    "handgrad.layers.affine.affine_backward",
    "handgrad.layers.activations.relu_forward",
    "handgrad.layers.activations.relu_backward",
]
PARTS = {"loss": 1, "gradient": 1, "L2 term in the loss": 0.5, "L2 term in the gradient": 0.5}
REG = 0.7
FEATURES, CLASSES = 154, 10
SVM_FILE, NET_FILE = "best_svm_features.npz", "best_features_net.npz"


# ---- losses of linear classifiers


@check("linear_svm_loss", parts=PARTS, function=f"{LINEAR}LinearSVM.loss", uses=[f"{LOSSES}svm_loss"])
def check_linear_svm_loss(student, rng, expect):
    """Loss and gradient at reg = 0; then what reg adds to each."""
    _check_linear(student.classifiers.linear_classifier.LinearSVM(), LinearSVM(), rng, expect)


@check(
    "linear_softmax_loss",
    parts={**PARTS, "large scores": 0.3},
    function=f"{LINEAR}Softmax.loss",
    uses=[f"{LOSSES}softmax_loss"],
)
def check_linear_softmax_loss(student, rng, expect):
    """Loss and gradient at reg = 0; then what reg adds to each; then scores whose exponentials overflow."""
    classifier = student.classifiers.linear_classifier.Softmax()
    _check_linear(classifier, Softmax(), rng, expect)
    with expect.attempt("large scores"):
        _check_large_scores(classifier, rng, expect)


def _check_linear(classifier, reference, rng, expect):
    for N, D, C in ((9, 6, 4), (5, 7, 8), (5, 5, 5)):
        with expect.case(*(["for square matrices"] if N == D == C else [])):
            _check_one(classifier, reference, *_examples(rng, N, D, C), expect)


def _check_one(classifier, reference, X, y, W, expect):
    (N, D), C = X.shape, W.shape[1]
    expect.sizes = {"N": N, "C": C}
    sizes = f"for {N} examples, {D} numbers in each, {C} classes"
    own = {}
    with expect.attempt("loss", "gradient"):
        own[0.0] = _loss(classifier, W, X, y, 0.0, expect, "gradient")
        loss, dW = _loss(reference, W, X, y, 0.0)
        expect.number("loss", own[0.0][0], loss, what=f"loss at reg = 0 {sizes}")
        expect.gradients(
            {"dW": own[0.0][1]},
            reference={"dW": dW},
            forward=lambda dW: _loss(classifier, dW, X, y, 0.0)[0],
            at={"dW": W},
            out=own[0.0][0],
            right_out=loss,
            what=f"{{}} at reg = 0 {sizes}",
            parts={"dW": "gradient"},
        )
    with expect.attempt("L2 term in the loss", "L2 term in the gradient"):
        # Changed weights cost something here only if it takes reg to change them.
        spoilt = bool(own) and not expect.share("gradient")
        own[REG] = _loss(classifier, W, X, y, REG, expect, "" if spoilt else "L2 term in the gradient")
        added = [difference(a, b) for a, b in zip(own[REG], own.get(0.0, (None, None)), strict=True)]
        expect.number(
            "L2 term in the loss",
            added[0],
            REG * np.sum(W**2),
            what=f"what reg = {REG} adds to the loss {sizes}",
            tolerance=1e-3,
        )
        expect.gradients(
            {"dW": added[1]},
            reference={"dW": 2 * REG * W},
            forward=lambda dW: _l2_of_loss(classifier, dW, X, y),
            at={"dW": W},
            out=added[0],
            right_out=REG * np.sum(W**2),
            what=f"what reg = {REG} adds to {{}} {sizes}",
            parts={"dW": "L2 term in the gradient"},
            tolerance=1e-3,
        )


def _examples(rng, N, D, C):
    """Examples with a last column of ones, labels, and weights; no margin is within 0.02 of a kink."""
    y = rng.permutation(np.arange(N) % C)
    while True:
        X = rng.standard_normal((N, 2 * D))[:, ::2]
        X[:, -1] = 1
        W = np.asfortranarray(0.8 * rng.standard_normal((D, C)))
        scores = X @ W
        margins = scores - scores[np.arange(N), y][:, None] + 1
        far = np.abs(margins).min() > 0.02 and np.abs(margins - 1)[margins != 1].min() > 0.02
        if far and 0.3 < (margins > 0).mean() < 0.8:
            return X, y, W


def _loss(classifier, W, X, y, reg, expect=None, part=""):
    """Loss and gradient at these weights; with a part, whether the weights are still the same is judged."""
    classifier.W = W.copy(order="K")
    returned = classifier.loss(X, y, reg)
    if expect is None:
        return returned if isinstance(returned, tuple) else (None, None)
    values = expect.unpack(returned, "loss", "dW", of="loss")
    if part:
        after = classifier.W
        same = isinstance(after, np.ndarray) and after.shape == W.shape and np.allclose(after, W, atol=1e-6)
        expect.true(part, same, "W after a call of loss", "loss has changed W; only train may do that.")
    return values


def _l2_of_loss(classifier, W, X, y):
    return difference(_loss(classifier, W, X, y, REG)[0], _loss(classifier, W, X, y, 0.0)[0])


def _check_large_scores(classifier, rng, expect):
    """A number added to all scores of an example changes nothing, not even a loss that is wrong otherwise."""
    part, (N, D, C) = "large scores", (6, 5, 4)
    # Few binary digits, so that float32 holds the scores exactly.
    X = rng.integers(-8, 9, (N, D)) / 4
    W = rng.integers(-16, 17, (D, C)) / 16
    y = rng.permutation(np.arange(N) % C)
    X[:, -1] = np.where(np.arange(N) % 2, 1, -1)
    W[-1] = 0
    shifted = W.copy()
    shifted[-1] = 1e4
    own = expect.unpack(_at(classifier, W, X, y), "loss", "dW", of="loss")
    loss, dW = expect.unpack(_at(classifier, shifted, X, y), "loss", "dW", of="loss")

    def as_without(value):
        def judge(got):
            earned = expect.share("loss") or expect.share("gradient")
            same = isinstance(value, float | np.ndarray) and np.shape(value) == got.shape
            if earned and same and np.allclose(got, value, rtol=1e-4, atol=1e-4 * np.abs(value).max()):
                return "It is wrong, but just as for small scores: full points here."
            return ""

        return judge

    expect.sizes = {}
    right_loss, right_dW = _loss(Softmax(), W, X, y, 0.0)
    expect.number(part, loss, right_loss, what="loss for scores near +-10,000", unless=as_without(own[0]))
    expect.array(part, dW, right_dW, what="dW for scores near +-10,000", unless=as_without(own[1]))

    # Examples of one class have scores for it that are 10,000 below the others.
    far = W.copy()
    X[:, -1] = y == y[0]
    far[-1, y[0]] = -1e4
    loss, dW = expect.unpack(_at(classifier, far, X, y), "loss", "dW", of="loss")
    what = "loss for right classes 10,000 below the others"
    if expect.share("loss"):
        expect.number(part, loss, _loss(Softmax(), far, X, y, 0.0)[0], what=what)
    else:
        finite = isinstance(loss, float) and np.isfinite(loss)
        expect.true(part, finite, what, "It is not a finite number.")
    finite = isinstance(dW, np.ndarray) and dW.dtype.kind == "f" and np.isfinite(dW).all()
    expect.true(
        part, finite, "dW for right classes 10,000 below the others", "Its numbers are not all finite."
    )


def _at(classifier, W, X, y):
    classifier.W = W
    return classifier.loss(X, y, 0.0)


# ---- accuracy


@check(
    "best_svm_features",
    parts={"accuracy": 1},
    function="svm_features_search",
    recognise=False,
    saved=SVM_FILE,
)
def check_best_svm_features(student, rng, expect):
    """The saved weights in the student's LinearSVM, on features of images that nobody has trained on."""
    arrays = student.saved(SVM_FILE)
    saved = floats(arrays, {"W": (FEATURES + 1, CLASSES), **_SCALING}, file=SVM_FILE)
    svm = student.classifiers.linear_classifier.LinearSVM()
    svm.W = saved["W"]

    def scores(features):
        rows = _standardised(features, saved, SVM_FILE)
        return _one_hot(svm.predict(np.hstack([rows, np.ones((len(rows), 1))])), len(rows))

    measure(expect, "accuracy", arrays, rng, scores, file=SVM_FILE, features=_features)


@check(
    "best_features_net",
    parts={"accuracy": 1},
    function="features_net_search",
    uses=[*LAYERS, "handgrad.classifiers.fc_net.TwoLayerNet.loss"],
    recognise=False,
    saved=NET_FILE,
)
def check_best_features_net(student, rng, expect):
    """The saved weights in the student's network, on features of images that nobody has trained on."""
    arrays = student.saved(NET_FILE)
    hidden = np.size(arrays.get("b1", np.empty(0)))
    shapes = {"W1": (FEATURES, hidden), "b1": (hidden,), "W2": (hidden, CLASSES), "b2": (CLASSES,)}
    saved = floats(arrays, {**shapes, **_SCALING}, file=NET_FILE)
    net = student.classifiers.fc_net.TwoLayerNet(
        input_dim=FEATURES, hidden_dim=hidden, num_classes=CLASSES, weight_scale=1e-2, reg=0.0
    )
    put(net, {name: saved[name] for name in shapes})

    def scores(features):
        return net.loss(_standardised(features, saved, NET_FILE))

    measure(expect, "accuracy", arrays, rng, scores, file=NET_FILE, features=_features)


_SCALING = {"feature_mean": (FEATURES,), "feature_std": (FEATURES,)}


def _features(images):
    """Features (n, 154) of images (n, 3, 32, 32)."""
    return extract_features(images.transpose(0, 2, 3, 1), [hog_feature, color_histogram_hsv])


def _standardised(features, saved, file):
    if not (saved["feature_std"] > 0).all():
        raise StudentError("invalid", f"feature_std in {file} has a number that is not positive")
    return (features - saved["feature_mean"]) / saved["feature_std"]


def _one_hot(labels, N):
    """Scores that predict these labels; what is not N labels from 0 to 9 is handed on, and refused there."""
    if not isinstance(labels, np.ndarray) or labels.shape != (N,) or labels.dtype.kind not in "iu":
        return labels
    return np.eye(CLASSES)[labels] if labels.min() >= 0 and labels.max() < CLASSES else labels
