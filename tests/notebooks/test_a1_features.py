"""The visible asserts of a1/4_features catch the usual mistakes in words, and pass code of any style."""

import numpy as np
import pytest
from cells import Cells, write

from handgrad import shapes10
from handgrad.classifiers import TwoLayerNet
from handgrad.features import color_histogram_hsv, extract_features, hog_feature

CELLS = Cells("a1/4_features", before=("gradients",))
SVM = "handgrad.classifiers.linear_classifier.LinearSVM"
SOFTMAX = "handgrad.classifiers.linear_classifier.Softmax"

SVM_CALL = "loss, dscores = svm_loss(X_batch @ self.W, y_batch)"
SOFTMAX_CALL = "loss, dscores = softmax_loss(X_batch @ self.W, y_batch)"
LOSS_TERM = "reg * np.sum(self.W**2)"
GRADIENT_TERM = "2 * reg * self.W"
RETURN = "return loss, dW"

BOTH = [
    # name of the mistake, edits, what the message must contain
    ("no L2 term", [("loss = loss + " + LOSS_TERM, "pass")], "the loss .* reg = 0.3 .*no 0.5"),
    ("L2 term with 0.5", [(LOSS_TERM, "0.5 * " + LOSS_TERM)], "the loss .* reg = 0.3 .*no 0.5"),
    (
        "L2 term and gradient with 0.5",
        [(LOSS_TERM, "0.5 * " + LOSS_TERM), (GRADIENT_TERM, "reg * self.W")],
        "the loss .* reg = 0.3 .*no 0.5",
    ),
    ("L2 term doubled", [(LOSS_TERM, "2 * " + LOSS_TERM)], "the loss .* reg = 0.3"),
    (
        "L2 term a mean over examples",
        [(LOSS_TERM, LOSS_TERM + " / len(X_batch)"), (GRADIENT_TERM, GRADIENT_TERM + " / len(X_batch)")],
        "the loss .* reg = 0.3 .*no 1 / N",
    ),
    ("L2 term without squares", [(LOSS_TERM, "reg * np.sum(np.abs(self.W))")], "the loss .* reg = 0.3"),
    ("L2 term a norm", [(LOSS_TERM, "reg * np.linalg.norm(self.W)")], "the loss .* reg = 0.3"),
    (
        "bias not regularised",
        [
            (LOSS_TERM, "reg * np.sum(self.W[:-1] ** 2)"),
            (GRADIENT_TERM, "2 * reg * np.vstack([self.W[:-1], 0 * self.W[-1:]])"),
        ],
        "the loss .* no row less",
    ),
    ("no L2 gradient", [(" + " + GRADIENT_TERM, "")], "dW .* reg = 0.3 .*derivative of reg"),
    ("L2 gradient halved", [(GRADIENT_TERM, "reg * self.W")], "dW .* reg = 0.3 .*derivative of reg"),
    ("L2 gradient doubled", [(GRADIENT_TERM, "4 * reg * self.W")], "dW .* reg = 0.3 .*derivative of reg"),
    (
        "bias missing in the L2 gradient",
        [(GRADIENT_TERM, "2 * reg * np.vstack([self.W[:-1], 0 * self.W[-1:]])")],
        "dW .* axis 0.*for every w",
    ),
    (
        "only the regularisation's gradient",
        [("X_batch.T @ dscores + ", "")],
        "dW .* reg = 0.0 is wrong.*Every number is 0",
    ),
    (
        "dW transposed",
        [(RETURN, "return loss, dW.T")],
        "dW .* It is the right one, transposed.*Which matrix product",
    ),
    ("dW a sum", [("X_batch.T @ dscores", "len(X_batch) * X_batch.T @ dscores")], "dW .* 6 times the right"),
    ("dW of the wrong sign", [(RETURN, "return loss, -dW")], "dW .* The sign is wrong everywhere"),
    ("step taken in loss", [(RETURN, "self.W -= 1e-13 * dW\n        " + RETURN)], "loss has changed W"),
    (
        "examples scaled in place",
        [(RETURN, "X_batch *= 1 + 1e-13\n        " + RETURN)],
        "loss has changed the examples X",
    ),
    ("labels changed", [(RETURN, "y_batch[:] = 0\n        " + RETURN)], "loss has changed the labels y"),
    ("nothing returned", [(RETURN, "pass")], None),
]

OWN_SVM = """scores = X_batch @ self.W
        N = len(y_batch)
        margins = np.maximum(0, scores - scores[np.arange(N), y_batch][:, None] + {margin})
        {zero}
        loss = margins.sum() / {n}
        dscores = (margins > 0).astype(float)
        dscores[np.arange(N), y_batch] -= {count}
        dscores /= {m}"""
OWN_SOFTMAX = """scores = X_batch @ self.W
        N = len(y_batch)
        {shift}
        e = np.exp(scores)
        p = e / {total}
        loss = -np.log(p[np.arange(N), y_batch]).{mean}()
        dscores = p.copy()
        dscores[np.arange(N), y_batch] -= 1
        dscores /= {m}"""
RIGHT_SVM = {
    "margin": "1",
    "zero": "margins[np.arange(N), y_batch] = 0",
    "n": "N",
    "count": "dscores.sum(axis=1)",
    "m": "N",
}
RIGHT_SOFTMAX = {
    "shift": "scores = scores - scores.max(axis=1, keepdims=True)",
    "total": "e.sum(axis=1, keepdims=True)",
    "mean": "mean",
    "m": "N",
}


def own_svm(**parts):
    return [(SVM_CALL, OWN_SVM.format(**(RIGHT_SVM | parts)))]


def own_softmax(**parts):
    return [(SOFTMAX_CALL, OWN_SOFTMAX.format(**(RIGHT_SOFTMAX | parts)))]


WITHOUT_TRUE_CLASS = "(e.sum(axis=1, keepdims=True) - e[np.arange(N), y_batch][:, None])"
WRONG = [
    *[(name, "linear-svm-loss", SVM, edits, message) for name, edits, message in BOTH],
    *[(name, "linear-softmax-loss", SOFTMAX, edits, message) for name, edits, message in BOTH],
    ("svm counts the true class", "linear-svm-loss", SVM, own_svm(zero="pass"), "over the wrong classes"),
    ("svm margin 0", "linear-svm-loss", SVM, own_svm(margin="0"), "the loss .* reg = 0.0 is wrong"),
    ("svm a sum", "linear-svm-loss", SVM, own_svm(n="1", m="1"), "the mean over the examples"),
    ("svm a mean over classes", "linear-svm-loss", SVM, own_svm(n="margins.size"), "the sum over the wrong"),
    ("svm gradient a sum", "linear-svm-loss", SVM, own_svm(m="1"), "dW .* 6 times the right one"),
    ("svm true class moves by 1", "linear-svm-loss", SVM, own_svm(count="1"), "dW .* reg = 0.0 is wrong"),
    (
        "softmax loss instead of the SVM's",
        "linear-svm-loss",
        SVM,
        [("svm_loss(", "softmax_loss(")],
        "over the wrong classes",
    ),
    (
        "SVM loss instead of softmax",
        "linear-softmax-loss",
        SOFTMAX,
        [("softmax_loss(", "svm_loss(")],
        "the loss .* reg = 0.0 is wrong",
    ),
    (
        "softmax without the true class",
        "linear-softmax-loss",
        SOFTMAX,
        own_softmax(total=WITHOUT_TRUE_CLASS),
        "is the correct class in the sum",
    ),
    (
        "softmax over the batch",
        "linear-softmax-loss",
        SOFTMAX,
        own_softmax(total="e.sum()"),
        "the loss .* reg = 0.0 is wrong",
    ),
    (
        "softmax without shift",
        "linear-softmax-loss",
        SOFTMAX,
        own_softmax(shift="pass"),
        "not finite.*largest score of each example",
    ),
    (
        "softmax a sum",
        "linear-softmax-loss",
        SOFTMAX,
        own_softmax(mean="sum", m="1"),
        "the mean over the examples",
    ),
    ("softmax gradient a sum", "linear-softmax-loss", SOFTMAX, own_softmax(m="1"), "dW .* 6 times the right"),
]


@pytest.mark.parametrize("mistake", WRONG, ids=lambda mistake: f"{mistake[0]} in {mistake[1]}")
def test_mistake_fails_with_a_helpful_message(mistake, monkeypatch):
    _, cell_id, target, edits, message = mistake
    write(monkeypatch, target, *edits)
    if message is None:  # unpacking None: Python's own words
        with pytest.raises(TypeError, match="unpack"):
            CELLS.run(cell_id)
    else:
        with np.errstate(all="ignore"), pytest.raises(AssertionError, match=message):
            CELLS.run(cell_id)


LOOPS = """loss, dscores = 0.0, np.zeros((len(X_batch), self.W.shape[1]))
        for i, (x, label) in enumerate(zip(X_batch, y_batch)):
            scores = x @ self.W
            for j in range(len(scores)):
                if j != label and scores[j] - scores[label] + 1 > 0:
                    loss += (scores[j] - scores[label] + 1) / len(X_batch)
                    dscores[i, j] += 1 / len(X_batch)
                    dscores[i, label] -= 1 / len(X_batch)"""
STABLE = """scores = X_batch @ self.W
        N = len(y_batch)
        scores -= scores.max(axis=1, keepdims=True)
        total = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        loss = np.mean(total[:, 0] - scores[np.arange(N), y_batch])
        dscores = np.exp(scores - total)
        dscores[np.arange(N), y_batch] -= 1
        dscores /= N"""

RIGHT = [
    ("reference", SVM, []),
    ("reference", SOFTMAX, []),
    ("own loss in vectors", SVM, own_svm()),
    ("own loss in loops", SVM, [(SVM_CALL, LOOPS)]),
    ("own loss without log of p", SOFTMAX, [(SOFTMAX_CALL, STABLE)]),
    ("loss a 0-d array", SVM, [(RETURN, "return np.array(loss), dW")]),
    ("loss a 0-d array", SOFTMAX, [(RETURN, "return np.array(loss), dW")]),
    ("in place", SOFTMAX, [(" + " + GRADIENT_TERM, "\n        dW += " + GRADIENT_TERM)]),
    ("einsum", SVM, [("X_batch.T @ dscores", "np.einsum('nd,nc->dc', X_batch, dscores)")]),
    ("a norm squared", SVM, [(LOSS_TERM, "reg * np.linalg.norm(self.W) ** 2")]),
    ("a list of two", SVM, [(RETURN, "return [loss, dW]")]),
]


@pytest.mark.parametrize("variant", RIGHT, ids=lambda variant: f"{variant[0]}, {variant[1].split('.')[-1]}")
def test_right_code_of_another_style_passes(variant, monkeypatch, capsys):
    _, target, edits = variant
    write(monkeypatch, target, *edits)
    CELLS.run("linear-svm-loss" if target == SVM else "linear-softmax-loss")
    out, err = capsys.readouterr()
    assert "passed" in out
    assert err == ""


# ---- the saved files


@pytest.fixture(scope="module")
def data():
    """A hundred raw images to validate on."""
    images, labels = shapes10.generate(100, seed=1)
    X = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
    return {"X_val": X, "y_val": labels, "dataset": "shapes10"}


@pytest.fixture
def saved(data):
    """What the notebook saves: an SVM that knows these images by heart, here by least squares."""
    X = extract_features(data["X_val"].transpose(0, 2, 3, 1), [hog_feature, color_histogram_hsv])
    mean, std = X.mean(axis=0), X.std(axis=0)
    X = np.hstack([(X - mean) / std, np.ones((100, 1))])
    W = np.linalg.lstsq(X, np.eye(10)[data["y_val"]], rcond=None)[0]
    return {"W": W, "feature_mean": mean, "feature_std": std, "dataset": "shapes10"}


def save(saved):
    """Write both files; the network computes just the scores of the SVM, by relu(x) - relu(-x) = x."""
    np.savez("best_svm_features.npz", **saved)
    net = TwoLayerNet(input_dim=154)
    if "W" in saved:
        W, bias, one = saved["W"][:-1], saved["W"][-1], np.eye(len(saved["W"]) - 1)
        net.params = {"W1": np.hstack([one, -one]), "W2": np.vstack([W, -W]), "b2": bias}
        net.params["b1"] = np.zeros(2 * len(one))
    net.save("best_features_net.npz", **{name: value for name, value in saved.items() if name != "W"})


FILES = ("best-svm-features", "best-features-net")


@pytest.mark.parametrize("cell_id", FILES)
def test_a_good_file_passes(cell_id, data, saved, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save(saved)
    CELLS.run(cell_id, data=data)
    out, err = capsys.readouterr()
    assert "1.000; the goal is 0." in out
    assert err == ""


BAD_FILES = [
    ("no mean", lambda saved: saved.pop("feature_mean"), "lacks {'feature_mean'}"),
    ("no standard deviation", lambda saved: saved.pop("feature_std"), "lacks {'feature_std'}"),
    ("other data", lambda saved: saved.update(dataset="cifar10"), "was trained on cifar10"),
    ("no bias, no hues", lambda saved: saved.update(W=saved["W"][10:]), r"shape \(145|takes 144 numbers"),
    ("NaN", lambda saved: saved.update(W=saved["W"] * np.nan), "not finite"),
    ("mean of another length", lambda saved: saved.update(feature_mean=np.zeros(155)), r"feature_mean .*155"),
    ("deviation 0", lambda saved: saved.update(feature_std=np.zeros(154)), "not positive"),
    ("classes exchanged", lambda saved: saved.update(W=np.roll(saved["W"], 1, axis=1)), "than guessing"),
]


@pytest.mark.parametrize("cell_id", FILES)
@pytest.mark.parametrize("mistake", BAD_FILES, ids=lambda mistake: mistake[0])
def test_a_bad_file_fails_with_a_helpful_message(mistake, cell_id, data, saved, tmp_path, monkeypatch):
    _, spoil, message = mistake
    monkeypatch.chdir(tmp_path)
    spoil(saved)
    save(saved)
    with pytest.raises(AssertionError, match=message):
        CELLS.run(cell_id, data=data)


def test_an_untrained_search_says_what_is_missing():
    with pytest.raises(AssertionError, match="Keep the best classifier of your search in best_svm"):
        exec(unsolved("svm-features-search"), {"np": np, "FAST": True})
    with pytest.raises(AssertionError, match="Keep the best network of your search in best_features_net"):
        exec(unsolved("features-net-search"), {"np": np, "FAST": True})


def unsolved(cell_id):
    """A solution cell as students find it."""
    before, _, rest = CELLS.source[cell_id].partition("### BEGIN SOLUTION\n")
    return before + rest.partition("### END SOLUTION\n")[2]
