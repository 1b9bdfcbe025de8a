"""What goes wrong in the two-layer network in one class: scores, loss, gradients, predictions, training."""

import numpy as np

from . import edited, misconception

LOSS = "handgrad.classifiers.neural_net.TwoLayerNet.loss"
PREDICT = "handgrad.classifiers.neural_net.TwoLayerNet.predict"
TRAIN = "handgrad.classifiers.neural_net.TwoLayerNet.train"

HIDDEN = "hidden = np.maximum(0, X @ W1 + b1)  # (N, H)"
SCORES = "scores = hidden @ W2 + b2  # (N, C)"
SHIFT = "scores.max(axis=1, keepdims=True)"
LOGS = "log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, C)"
DATA = "-log_probs[examples, y].mean()"
L2 = "l2 * (np.sum(W1**2) + np.sum(W2**2))"
ONE = "dscores[examples, y] -= 1"
DIVIDED = "dscores /= N"
DHIDDEN = "dhidden = dscores @ W2.T  # (N, H)"
MASK = "dhidden[hidden <= 0] = 0  # nothing passes a unit that is off"
DW1, DW2 = "X.T @ dhidden", "hidden.T @ dscores"
DB1, DB2 = "dhidden.sum(axis=0)", "dscores.sum(axis=0)"
DL1, DL2 = "2 * l2 * W1", "2 * l2 * W2"


def _loss(id, explanation, advice, *versions):
    register = misconception(f"neural_net_{id}", function=LOSS, explanation=explanation, advice=advice)
    for edits in versions:
        register(edited(LOSS, *edits))


# ---- scores

_loss(
    "no_hidden_relu",
    "There is no ReLU between the two layers: two affine layers in a row are only one.",
    "affine - ReLU - affine: where is the maximum with 0?",
    [(HIDDEN, "hidden = X @ W1 + b1"), (MASK, "")],
    [(HIDDEN, "hidden = X @ W1 + b1")],
)
_loss(
    "relu_on_scores",
    "The scores go through a ReLU too; the last layer is affine alone.",
    "Scores may be negative. What would max(0, s) do to a class that the network wants to rule out?",
    [(SCORES, "scores = np.maximum(0, hidden @ W2 + b2)")],
    [(SCORES, "scores = np.maximum(0, hidden @ W2 + b2)"), (DIVIDED, "dscores *= (scores > 0) / N")],
)
_loss(
    "without_biases",
    "A bias is missing in the scores.",
    "Which of the four parameters does your function not use?",
    [("X @ W1 + b1", "X @ W1"), ("hidden @ W2 + b2", "hidden @ W2")],
    [("X @ W1 + b1", "X @ W1")],
    [("hidden @ W2 + b2", "hidden @ W2")],
)
_loss(
    "bias_after_relu",
    "The first bias is added after the ReLU; it belongs to what the ReLU cuts off.",
    "Look at the brackets: a = x W1 + b1, and then h.",
    [("np.maximum(0, X @ W1 + b1)", "np.maximum(0, X @ W1) + b1")],
)
_loss(
    "sigmoid",
    "The hidden units are sigmoids or tanh; this network has ReLUs.",
    "Which function stands between the two layers in the formula?",
    [("np.maximum(0, X @ W1 + b1)", "1 / (1 + np.exp(-(X @ W1 + b1)))")],
    [("np.maximum(0, X @ W1 + b1)", "np.tanh(X @ W1 + b1)")],
)
_loss(
    "relu_leaky_or_absolute",
    "Hidden units are not 0 where they should be off: that is no ReLU.",
    "Hidden units are at least 0, and 0 for everything negative.",
    [("np.maximum(0, X @ W1 + b1)", "np.abs(X @ W1 + b1)")],
    [("np.maximum(0, X @ W1 + b1)", "np.maximum(0.01 * (X @ W1 + b1), X @ W1 + b1)")],
    [("np.maximum(0, X @ W1 + b1)", "np.minimum(0, X @ W1 + b1)")],
    [("np.maximum(0, X @ W1 + b1)", "np.maximum(1, X @ W1 + b1)")],
)
_loss(
    "relu_mask_as_hidden",
    "The hidden units are 0 and 1: where they are on, not how much.",
    "A comparison gives a mask; multiply it with something.",
    [("np.maximum(0, X @ W1 + b1)", "(X @ W1 + b1 > 0).astype(X.dtype)")],
)
_loss(
    "weights_not_unpacked",
    "The weights are taken from self.params as they are stored, which fits one convention only.",
    "W1 and W2 at the top of the function have the same shapes in both conventions.",
    [("X @ W1 + b1", 'X @ self.params["W1"] + b1'), ("hidden @ W2 + b2", 'hidden @ self.params["W2"] + b2')],
    [
        ("X @ W1 + b1", 'X @ self.params["W1"].T + b1'),
        ("hidden @ W2 + b2", 'hidden @ self.params["W2"].T + b2'),
    ],
)
_loss(
    "scores_are_probabilities",
    "Without labels the network returns probabilities; it should return the scores before the softmax.",
    "The softmax belongs to the loss.",
    [(SCORES, SCORES + "\n    if y is None:\n        e = np.exp(scores - scores.max(1, keepdims=True))\n"
      "        return e / e.sum(1, keepdims=True)")],
)  # fmt: skip
_loss(
    "scores_are_predictions",
    "Without labels the network returns the predicted classes; it should return all scores.",
    "Choosing the highest score is left to predict.",
    [(SCORES, SCORES + "\n    if y is None:\n        return scores.argmax(axis=1).astype(float)")],
    [(SCORES, SCORES + "\n    if y is None:\n        return scores.argmax(axis=1)")],
    [(SCORES, SCORES + "\n    if y is None:\n        return scores.max(axis=1)")],
)

# ---- the loss of the data

_loss(
    "summed",
    "Loss and gradients are sums over the examples; they should be means.",
    "Otherwise the size of the batch would change the step size.",
    [(DATA, DATA.replace("mean", "sum")), (DIVIDED, "")],
)
_loss(
    "loss_summed",
    "The loss is the sum over the examples; it should be the mean.",
    "The gradients are those of the mean: do the same to the loss.",
    [(DATA, DATA.replace("mean", "sum"))],
)
_loss(
    "gradients_not_averaged",
    "The gradients are those of the sum of the examples' losses; the loss is their mean.",
    "What you do to the loss at the end, you do to its gradients.",
    [(DIVIDED, "")],
)
_loss(
    "gradients_averaged_twice",
    "Gradients are divided by the number of examples twice.",
    "What factor turns the derivative of one example's loss into that of the mean? It belongs in one place.",
    [(DIVIDED, "dscores /= N * N")],
    [(DW1, DW1 + " / N"), (DW2, DW2 + " / N")],
    [(DW1, DW1 + " / N")],
    [(DW2, DW2 + " / N")],
    [(MASK, MASK.replace("  #", "\n    dhidden /= N  #"))],
)
_loss(
    "loss_over_classes_too",
    "The loss is divided by examples times classes; the mean is over the examples.",
    "How many losses are there in a batch: one for each example, or one for each score?",
    [(DATA, "-log_probs[examples, y].sum() / scores.size")],
)
_loss(
    "loss_of_all_classes",
    "The loss adds up the logarithms of all classes' probabilities; only the right class counts.",
    "Pick one probability from each row, with the labels.",
    [(DATA, "-log_probs.sum() / N")],
    [(DATA, "-log_probs.mean()")],
    [(DATA, "-log_probs[:, y].sum() / N")],
    [(DATA, "-log_probs[:, y].mean()")],
)
_loss(
    "loss_without_minus",
    "The loss has the wrong sign: it is negative, and would fall as the predictions get worse.",
    "The logarithm of a probability is negative.",
    [(DATA, DATA[1:])],
)
_loss(
    "loss_without_logarithm",
    "The loss lacks the logarithm; it is made with the probabilities themselves.",
    "Read the formula of the loss again.",
    [(DATA, "(1 - np.exp(log_probs[examples, y])).mean()")],
    [(DATA, "-np.exp(log_probs[examples, y]).mean()")],
)
_loss(
    "loss_other_logarithm",
    "The loss uses the logarithm to base 2 or 10; the formula means the natural one.",
    "np.log is the natural logarithm.",
    [(DATA, DATA + " / np.log(2)")],
    [(DATA, DATA + " / np.log(10)")],
)
_loss(
    "loss_of_best_class",
    "The loss takes the most probable class; it should take the right one.",
    "Where do the labels y enter your loss?",
    [(DATA, "-log_probs.max(axis=1).mean()")],
)
_loss(
    "loss_of_scores",
    "The loss is minus the right class's score; the logarithm of the sum over the classes is missing.",
    "Write the logarithm of the quotient as a difference of two terms. Where is the second one?",
    [(DATA, "-scores[examples, y].mean()")],
    [(DATA, "-shifted[examples, y].mean()")],
)
_loss(
    "loss_per_example",
    "The loss is an array with one number for each example; it should be their mean.",
    "How wrong are the scores, in one number?",
    [(DATA, "-log_probs[examples, y]")],
)
_loss(
    "hinge_loss",
    "The loss is that of a support vector machine; this network has the softmax loss.",
    "Read the formula of the loss: which probabilities are in it?",
    [
        (
            DATA,
            "((np.maximum(0, scores - scores[examples, y][:, None] + 1)).sum() / N - 1)",
        )
    ],
)
_loss(
    "shift_put_back",
    "The shift is taken from one of the loss's two terms only: the largest score is missing in the other.",
    "A constant changes no probability if it is subtracted from the scores in both terms.",
    [(DATA, "(np.log(np.exp(shifted).sum(axis=1)) - scores[examples, y]).mean()")],
    [(DATA, "(np.log(np.exp(scores).sum(axis=1)) - shifted[examples, y]).mean()")],
)
_loss(
    "softmax_over_the_batch",
    "The probabilities sum to 1 over the examples; they should sum to 1 over the classes of each example.",
    "Which axis holds the classes?",
    [(SHIFT, SHIFT.replace("axis=1", "axis=0")), (LOGS, LOGS.replace("axis=1", "axis=0"))],
)
_loss(
    "softmax_over_everything",
    "The probabilities of all examples together sum to 1; those of each example should.",
    "Give the sum an axis: which one holds the classes?",
    [(LOGS, "log_probs = shifted - np.log(np.exp(shifted).sum())")],
    [(SHIFT, "scores.max()"), (LOGS, "log_probs = shifted - np.log(np.exp(shifted).sum())")],
)
_loss(
    "not_shifted",
    "Large scores overflow: exp(1000) is infinite, and infinity by infinity is NaN.",
    "Softmax stays the same when one number is subtracted from all scores of an example. Choose it well.",
    [(SHIFT, "0")],
)
_loss(
    "shifted_by_batch",
    (
        "The largest score of the whole batch is subtracted: an example whose scores are all far below it "
        "gets only zeros, and 0 / 0 is NaN."
    ),
    "Does one constant do for the whole batch, if one example has huge scores and another does not?",
    [(SHIFT, "scores.max()")],
)
_loss(
    "scores_clipped",
    "Large scores are cut off, so that nothing overflows; but then they are other scores, with another loss.",
    "Softmax stays the same when one number is subtracted from all scores of an example. Choose it well.",
    *[[(SCORES, f"scores = np.clip(hidden @ W2 + b2, -{size}, {size})")] for size in (100, 500, 700)],
)
_loss(
    "log_of_zero",
    "For large scores a probability rounds to 0, and the loss becomes infinite: 0 has no logarithm.",
    "Write the logarithm of the quotient as a difference; then no probability is needed for the loss.",
    [(DATA, "-np.log(np.exp(log_probs[examples, y])).mean()")],
)
_loss(
    "guarded_log",
    "A small number keeps the logarithm away from 0: large losses come out too small.",
    "Write the logarithm of the quotient as a difference; then nothing has to be kept away from 0.",
    *[
        [(DATA, f"-np.log({guard}).mean()")]
        for size in ("1e-5", "1e-6", "1e-7", "1e-8", "1e-9", "1e-10", "1e-12", "1e-15", "1e-16", "1e-20")
        for guard in (
            f"np.exp(log_probs[examples, y]) + {size}",
            f"np.maximum(np.exp(log_probs[examples, y]), {size})",
        )
    ],
)

# ---- the gradients of the data

_loss(
    "one_missing",
    "The gradient of the scores is the probabilities; the right class's entry lacks the -1.",
    "Over the classes of an example the gradient sums to 0. Does yours?",
    [(ONE, "")],
)
_loss(
    "one_after_the_mean",
    "The 1 is subtracted after dividing by N, so it is N times too large.",
    "Both terms of the gradient belong to the mean.",
    [(ONE, ""), (DIVIDED, "dscores /= N\n    dscores[examples, y] -= 1")],
)
_loss(
    "label_columns",
    "The 1 is subtracted in whole columns (dscores[:, y]); it belongs to one entry of each row.",
    "Index with the number of the example and its label, in pairs.",
    [(ONE, "dscores[:, y] -= 1")],
)
_loss(
    "gradients_negated",
    "The gradients have the wrong sign: following them would raise the loss.",
    "Raising the right class's score should lower the loss. What sign has its gradient?",
    [(DIVIDED, "dscores /= -N")],
)
_loss(
    "gradients_of_scores",
    "The gradients are made with the scores; they should be made with the probabilities.",
    "Differentiate the logarithm of the sum: what you get has a name in the exercise before.",
    [("dscores = np.exp(log_probs)", "dscores = scores.copy()")],
    [("dscores = np.exp(log_probs)", "dscores = np.exp(shifted)")],
    [("dscores = np.exp(log_probs)", "dscores = log_probs.copy()")],
)
_loss(
    "relu_not_in_backward",
    "The backward pass leaves out the ReLU: gradients flow through hidden units that were off.",
    "What does the a of a unit get that was off, and would still be off after a tiny nudge?",
    [(MASK, "")],
)
_loss(
    "relu_masks_by_gradient",
    "The gradient passes where it is positive itself; it should pass where the hidden unit was on.",
    "Whose sign decides, that of a or that of the gradient which arrives?",
    [(MASK, "dhidden[dhidden <= 0] = 0")],
)
_loss(
    "relu_inverted",
    "The gradient passes where the hidden unit was off; it is the other way round.",
    "Check the direction of the comparison.",
    [(MASK, "dhidden[hidden > 0] = 0")],
)
_loss(
    "relu_times_output",
    "The gradient is multiplied with the hidden units; the derivative of a ReLU is 0 or 1.",
    "How much does the output change when a positive input grows a little?",
    [(MASK, "dhidden = dhidden * hidden")],
)
_loss(
    "relu_masks_by_weights_or_scores",
    "The mask of the ReLU is taken before or beside the hidden units it belongs to.",
    "Which array is 0 exactly where a unit was off?",
    [(MASK, "dhidden[X @ W1 <= 0] = 0")],
)
_loss(
    "hidden_before_relu",
    "The gradient of W2 is made with the hidden units before the ReLU; W2 multiplies them after it.",
    "With what is W2 multiplied in the scores?",
    [(DW2, "(X @ W1 + b1).T @ dscores")],
)
_loss(
    "biases_averaged",
    "A gradient of the biases is a mean over the examples; the 1/N is in it already, so it should be a sum.",
    "Every example shares the biases. What does the chain rule do with several paths?",
    [(DB1, DB1.replace("sum", "mean")), (DB2, DB2.replace("sum", "mean"))],
    [(DB1, DB1.replace("sum", "mean"))],
    [(DB2, DB2.replace("sum", "mean"))],
)
_loss(
    "biases_wrong_axis",
    "A gradient of the biases is summed over the units; it should be summed over the examples.",
    "It has the shape of the biases. Which axis has to disappear?",
    [(DB1, DB1.replace("axis=0", "axis=1")), (DB2, DB2.replace("axis=0", "axis=1"))],
    [(DB1, DB1.replace("axis=0", "axis=1"))],
    [(DB2, DB2.replace("axis=0", "axis=1"))],
)
_loss(
    "biases_total",
    "A gradient of the biases is one number; each bias has a gradient of its own.",
    "Give sum an axis, so that the result has the shape of the biases.",
    [(DB1, DB1.replace("axis=0", "")), (DB2, DB2.replace("axis=0", ""))],
    [(DB1, DB1.replace("axis=0", ""))],
    [(DB2, DB2.replace("axis=0", ""))],
)
_loss(
    "biases_not_summed",
    "A gradient of the biases has a row for each example; the examples share the biases, so the rows add up.",
    "The gradient has the shape of the biases.",
    [(DB1, "dhidden"), (DB2, "dscores")],
    [(DB1, "dhidden")],
    [(DB2, "dscores")],
)
_loss(
    "biases_forgotten",
    "A gradient of the biases is zero or missing.",
    "The biases learn as well: with what are they multiplied in the scores?",
    [(f'"b1": {DB1},', ""), (f'"b2": {DB2},', "")],
    [(DB1, "np.zeros_like(b1)"), (DB2, "np.zeros_like(b2)")],
    [(f'"b1": {DB1},', "")],
    [(f'"b2": {DB2},', "")],
)
_loss(
    "gradient_transposed",
    "A gradient of the weights is transposed.",
    "It has the shape of W1 or W2 at the top of the function. Swap the factors, and transpose the other one.",
    [
        (DW1 + " + " + DL1, "(X.T @ dhidden + 2 * l2 * W1).T"),
        (DW2 + " + " + DL2, "(hidden.T @ dscores + 2 * l2 * W2).T"),
    ],
    [(DW1 + " + " + DL1, "(X.T @ dhidden + 2 * l2 * W1).T")],
    [(DW2 + " + " + DL2, "(hidden.T @ dscores + 2 * l2 * W2).T")],
)
_loss(
    "gradients_turned_again",
    "The gradients are turned into the shapes of the convention, which the given code does once more.",
    "Read the two lines below your region.",
    [
        (
            "if TURNED[self.convention]:",
            "if TURNED[self.convention]:\n        grads = {name: grad.T for name, grad in grads.items()}\n"
            "    if TURNED[self.convention]:",
        )
    ],
    [(DW1 + " + " + DL1, '(X.T @ dhidden + 2 * l2 * W1).reshape(self.params["W1"].shape)')],
)
_loss(
    "parameters_changed",
    "loss changes the parameters, and so everything that is computed after it; only train may do that.",
    "Which of your lines assigns to W1 or W2 itself?",
    [(DATA, "-log_probs[examples, y].mean() * 1.0"), (DHIDDEN, DHIDDEN + "\n    W1 *= 0.9\n    W2 *= 0.9")],
)

# ---- the L2 terms


def _terms(*, loss=L2, W1=DL1, W2=DL2):
    """Edits of the L2 terms of the loss and of the two gradients."""
    pairs = ((L2, loss), (DL1, W1), (DL2, W2))
    return [(old, new) for old, new in pairs if old != new]


def _both(term):
    """An L2 term for the gradients of both weights, written with W."""
    return {"W1": term.replace("W", "W1"), "W2": term.replace("W", "W2")}


def _squares(factor):
    return f"{factor} * (np.sum(W1**2) + np.sum(W2**2))"


_loss(
    "l2_missing",
    "The L2 term is missing, in the loss and in the gradients.",
    "Where does your function use l2?",
    _terms(loss="0", **_both("0")),
)
_loss(
    "l2_missing_in_loss",
    "The L2 term is in the gradients, and missing in the loss.",
    "The gradients should be those of the loss that you return.",
    _terms(loss="0"),
)
_loss(
    "l2_missing_in_gradients",
    "The L2 term is in the loss, and missing in the gradients.",
    "What is the derivative of the term that you add to the loss?",
    _terms(**_both("0")),
)
for _kept, _lost in (("W1", "W2"), ("W2", "W1")):
    _loss(
        f"l2_without_{_lost}",
        f"The L2 term leaves out {_lost}, in the loss and in the gradients.",
        "The sum runs over the weights of both layers.",
        _terms(loss=f"l2 * np.sum({_kept}**2)", **{_lost: "0"}),
    )
    _loss(
        f"l2_loss_without_{_lost}",
        f"The L2 term of the loss leaves out {_lost}.",
        "The sum runs over the weights of both layers.",
        _terms(loss=f"l2 * np.sum({_kept}**2)"),
    )
    _loss(
        f"l2_gradient_without_{_lost}",
        f"The gradient of {_lost} lacks its L2 term.",
        "The weights stand in the loss twice: in the scores, and in the L2 term.",
        _terms(**{_lost: "0"}),
    )
    _loss(
        f"l2_loss_twice_{_kept}",
        f"The L2 term of the loss adds {_kept} twice, and {_lost} not at all.",
        "Compare the two sums letter by letter.",
        _terms(loss=f"l2 * (np.sum({_kept}**2) + np.sum({_kept}**2))"),
    )
_loss(
    "l2_half_again",
    "The L2 term has a factor 0.5 too many: l2 has the half in it where the convention asks for it.",
    "Look at how l2 is made from reg, above your region.",
    _terms(loss=_squares("0.5 * l2"), **_both("l2 * W")),
)
_loss(
    "l2_loss_half_again",
    "The L2 term of the loss has a factor 0.5 more than it should; that of the gradients is right.",
    "Look at how l2 is made from reg, above your region.",
    _terms(loss=_squares("0.5 * l2")),
)
_loss(
    "l2_of_reg",
    "The L2 term is made with reg; with l2 it is right in both conventions.",
    "Look at how l2 is made from reg, above your region.",
    _terms(loss=_squares("reg"), **_both("2 * reg * W")),
)
_loss(
    "l2_loss_of_reg",
    "The L2 term of the loss is made with reg, that of the gradients with l2: they do not fit each other.",
    "Look at how l2 is made from reg, above your region.",
    _terms(loss=_squares("reg")),
)
_loss(
    "l2_half_of_reg",
    "The L2 term is 0.5 * reg times the squares in both conventions; with l2 it is right in both.",
    "Look at how l2 is made from reg, above your region.",
    _terms(loss=_squares("0.5 * reg"), **_both("reg * W")),
)
_loss(
    "l2_loss_half_of_reg",
    "The L2 term of the loss is 0.5 * reg times the squares in both conventions; the gradients are right.",
    "Look at how l2 is made from reg, above your region.",
    _terms(loss=_squares("0.5 * reg")),
)
_loss(
    "l2_loss_twice",
    "The L2 term of the loss is twice as large as it should be.",
    "It is one term for the network. Is it added more than once?",
    _terms(loss=_squares("2 * l2")),
)
_loss(
    "l2_twice",
    "The L2 term is twice as large as it should be, in the loss and in the gradients.",
    "It is one term for the network. Is it added more than once?",
    _terms(loss=_squares("2 * l2"), **_both("4 * l2 * W")),
)
_loss(
    "l2_gradient_half",
    "The L2 term of the gradients is half as large as it should be.",
    "What is the derivative of l2 * w squared with respect to w?",
    _terms(**_both("l2 * W")),
    _terms(W1="l2 * W1"),
    _terms(W2="l2 * W2"),
)
_loss(
    "l2_gradient_reg",
    "The L2 term of the gradients is reg * W, which is the derivative in one convention only.",
    "What is the derivative of l2 * w squared with respect to w?",
    _terms(**_both("reg * W")),
)
_loss(
    "l2_gradient_twice_reg",
    "The L2 term of the gradients is 2 * reg * W, which is the derivative in one convention only.",
    "What is the derivative of l2 * w squared with respect to w?",
    _terms(**_both("2 * reg * W")),
)
_loss(
    "l2_gradient_double",
    "The L2 term of the gradients is twice as large as it should be.",
    "What is the derivative of l2 * w squared with respect to w?",
    _terms(**_both("4 * l2 * W")),
)
_loss(
    "l2_brackets",
    "The factor l2 covers the squares of W1 alone; those of W2 are added without it.",
    "Look at the brackets of the L2 term.",
    _terms(loss="l2 * np.sum(W1**2) + np.sum(W2**2)"),
)
_loss(
    "l2_without_reg",
    "The squares of the weights are added without reg.",
    "How strong the regularisation is, the caller decides: where is l2?",
    _terms(loss="np.sum(W1**2) + np.sum(W2**2)", **_both("2 * W")),
    _terms(loss="np.sum(W1**2) + np.sum(W2**2)"),
    _terms(**_both("2 * W")),
)
_loss(
    "l2_biases_too",
    "The biases are regularised too; only the weights are.",
    "The biases shift scores and do not make the network more crooked: leave b1 and b2 out.",
    [
        (L2, "l2 * (np.sum(W1**2) + np.sum(W2**2) + np.sum(b1**2) + np.sum(b2**2))"),
        (DB1, DB1 + " + 2 * l2 * b1"),
        (DB2, DB2 + " + 2 * l2 * b2"),
    ],
    [(L2, "l2 * (np.sum(W1**2) + np.sum(W2**2) + np.sum(b1**2) + np.sum(b2**2))")],
)
_loss(
    "l2_biases_in_gradients",
    "The gradients of the biases have an L2 term; only the weights are regularised.",
    "The gradients should be those of the loss that you return.",
    [(DB1, DB1 + " + 2 * l2 * b1"), (DB2, DB2 + " + 2 * l2 * b2")],
)
_loss(
    "l2_product",
    "The L2 term of the loss multiplies the two layers' sums; it should add them.",
    "One sum of squares + the other.",
    _terms(loss="l2 * np.sum(W1**2) * np.sum(W2**2)"),
)
_loss(
    "l2_square_of_sum",
    "The L2 term of the loss squares the sum of the weights; it should sum their squares.",
    "Square first, then sum.",
    _terms(loss="l2 * (np.sum(W1)**2 + np.sum(W2)**2)"),
)
_loss(
    "l2_sum_without_square",
    "The L2 term of the loss adds the weights; it should add their squares.",
    "Read the formula of the loss again.",
    _terms(loss="l2 * (np.sum(W1) + np.sum(W2))"),
)
_loss(
    "l2_norm",
    "The L2 term of the loss adds the norms of the weights; it should add their squares.",
    "np.linalg.norm takes a square root at the end.",
    _terms(loss="l2 * (np.linalg.norm(W1) + np.linalg.norm(W2))"),
)
_loss(
    "l2_absolute",
    "The loss adds the absolute values of the weights, an L1 term; it should add their squares.",
    "Read the formula of the loss again.",
    _terms(loss="l2 * (np.abs(W1).sum() + np.abs(W2).sum())"),
)
_loss(
    "l2_matrix_square",
    "The L2 term of the loss uses a matrix product; it should square every weight by itself.",
    "Multiplying with * and with @ are two things.",
    _terms(loss="l2 * (np.sum(W1 @ W1.T) + np.sum(W2 @ W2.T))"),
)
_loss(
    "l2_mean",
    "The L2 term of the loss takes the mean of the squared weights; it should be their sum.",
    "np.sum or np.mean?",
    _terms(loss="l2 * (np.mean(W1**2) + np.mean(W2**2))"),
)
_loss(
    "l2_gradient_scalar",
    "The gradients add a multiple of the sum of the weights, one number for all; each weight has its own.",
    "The derivative of the L2 term has the shape of W.",
    _terms(**_both("2 * l2 * np.sum(W)")),
    _terms(**_both("l2 * np.sum(W)")),
    _terms(**_both("reg * np.sum(W)")),
)
_loss(
    "l2_gradient_of_squares",
    "The gradients add the squared weights: that is the term itself, not its derivative.",
    "What is the derivative of w squared?",
    _terms(**_both("l2 * W**2")),
    _terms(**_both("2 * l2 * W**2")),
    _terms(**_both("l2 * np.sum(W**2)")),
)
_loss(
    "l2_gradient_constant",
    "The gradients add a number that does not depend on the weights.",
    "What is the derivative of l2 * w squared with respect to w?",
    _terms(**_both("2 * l2")),
    _terms(**_both("l2")),
    _terms(**_both("reg")),
)
_loss(
    "l2_gradient_swapped",
    "The L2 terms of the gradients take the wrong weights.",
    "Which weights belong to which gradient?",
    _terms(W1="2 * l2 * np.resize(W2, W1.shape)", W2="2 * l2 * np.resize(W1, W2.shape)"),
    _terms(W2="2 * l2 * W1"),
)
_loss(
    "l2_gradient_subtracted",
    "The L2 term is subtracted from the gradients; it should be added.",
    "The gradient of a sum is the sum of the gradients.",
    _terms(**_both("-2 * l2 * W")),
)
_loss(
    "l2_subtracted",
    "The L2 term is subtracted, in the loss and in the gradients; it should be added.",
    "Regularisation makes large weights expensive.",
    _terms(loss=_squares("-l2"), **_both("-2 * l2 * W")),
    _terms(loss=_squares("-l2")),
)
_loss(
    "l2_divided_by_n",
    "The L2 term is divided by the number of examples; it does not depend on them.",
    "Only the loss of the data is a mean over the batch.",
    _terms(loss=_squares("l2 / N"), **_both("2 * l2 / N * W")),
    _terms(loss=_squares("l2 / N")),
    _terms(**_both("2 * l2 / N * W")),
)
_loss(
    "l2_times_n",
    "The L2 term is added for each example; it is one term for the network.",
    "Is it inside the loop, or the sum, over the examples?",
    _terms(loss=_squares("N * l2"), **_both("2 * N * l2 * W")),
    _terms(loss=_squares("N * l2")),
)


# ---- predictions


def _predict(id, explanation, advice, *predictions):
    """Wrong predictions, from the network, the examples and their scores."""
    register = misconception(f"predict_{id}", function=PREDICT, explanation=explanation, advice=advice)
    for prediction in predictions:
        register(lambda self, X, prediction=prediction: prediction(self, X, self.loss(X)))


_predict(
    "wrong_axis",
    "The highest score is searched over the examples; it should be searched over the classes.",
    "One class for each example: which axis has to disappear?",
    lambda net, X, s: np.argmax(s, axis=0),
)
_predict(
    "no_axis",
    "The highest score of all examples together is searched; each example has its own.",
    "One class for each example: which axis has to disappear?",
    lambda net, X, s: np.argmax(s),
)
_predict(
    "maximum",
    "The highest scores are returned; it should be the classes that have them.",
    "What is the difference between max and argmax?",
    lambda net, X, s: np.max(s, axis=1),
)
_predict(
    "scores",
    "All scores are returned; it should be the class of the highest one.",
    "One whole number for each example.",
    lambda net, X, s: s,
)
_predict(
    "lowest",
    "The class with the lowest score is returned; it should be that with the highest.",
    "Which of the classes does the network think most probable?",
    lambda net, X, s: np.argmin(s, axis=1),
)
_predict(
    "largest_in_size",
    "The score that is farthest from 0 is taken; a very negative score rules a class out.",
    "Scores may be negative. Does their sign still count?",
    lambda net, X, s: np.argmax(np.abs(s), axis=1),
    lambda net, X, s: np.argmax(s**2, axis=1),
)
_predict(
    "counted_from_one",
    "The classes are counted from 1; they are counted from 0.",
    "Which numbers do the labels have?",
    lambda net, X, s: np.argmax(s, axis=1) + 1,
)
_predict(
    "floats",
    "The classes are right, but they are floating-point numbers.",
    "Which dtype has the array that you fill?",
    lambda net, X, s: np.argmax(s, axis=1).astype(float),
)
_predict(
    "one_hot",
    "The result has a 1 in the column of the class; it should be the number of the class.",
    "One whole number for each example.",
    lambda net, X, s: (s == s.max(axis=1, keepdims=True)).astype(int),
    lambda net, X, s: s == s.max(axis=1, keepdims=True),
)
_predict(
    "column",
    "The result is a column, (N, 1); it should have the shape (N,).",
    "Compared with labels (N,), a column makes a table of N times N comparisons.",
    lambda net, X, s: np.argmax(s, axis=1, keepdims=True),
)
_predict(
    "hidden_units",
    "The unit of the hidden layer is returned, not the class.",
    "Which layer holds the scores?",
    lambda net, X, s: np.argmax(np.maximum(0, X @ net._weights()[0] + net._weights()[1]), axis=1),
)
_predict(
    "sorted",
    "The classes are sorted by their scores, and the wrong end is taken.",
    "np.argsort begins with the lowest.",
    lambda net, X, s: np.argsort(s, axis=1)[:, -2],
    lambda net, X, s: np.argsort(s, axis=1)[:, 1],
)
_predict(
    "one_class_for_all",
    "Every example gets the same class.",
    "Do all rows of the scores have a part in your result?",
    lambda net, X, s: np.full(len(X), np.argmax(s[0])),
    lambda net, X, s: np.full(len(X), np.argmax(s.mean(axis=0))),
    lambda net, X, s: np.zeros(len(X), dtype=int),
)
_predict(
    "without_relu",
    "The scores are computed anew, without the ReLU.",
    "self.loss gives the scores.",
    lambda net, X, s: np.argmax(
        (X @ net._weights()[0] + net._weights()[1]) @ net._weights()[2] + net._weights()[3], axis=1
    ),
)
_predict(
    "without_biases",
    "The scores are computed anew, without the biases.",
    "self.loss gives the scores.",
    lambda net, X, s: np.argmax(np.maximum(0, X @ net._weights()[0]) @ net._weights()[2], axis=1),
    lambda net, X, s: np.argmax(
        np.maximum(0, X @ net._weights()[0] + net._weights()[1]) @ net._weights()[2], axis=1
    ),
    lambda net, X, s: np.argmax(
        np.maximum(0, X @ net._weights()[0]) @ net._weights()[2] + net._weights()[3], axis=1
    ),
)
_predict(
    "one_convention",
    "The scores are computed anew, with the weights as one convention stores them.",
    "self.loss gives the scores, in both conventions.",
    lambda net, X, s: np.argmax(
        np.maximum(0, X @ net.params["W1"] + net.params["b1"]) @ net.params["W2"] + net.params["b2"], axis=1
    ),
    lambda net, X, s: np.argmax(
        np.maximum(0, X @ net.params["W1"].T + net.params["b1"]) @ net.params["W2"].T + net.params["b2"],
        axis=1,
    ),
)


# ---- training

CHOSEN = "chosen = np.random.choice(len(X), batch_size)"
BATCH = "X_batch, y_batch = X[chosen], y[chosen]"
CALL = "loss, grads = self.loss(X_batch, y_batch, reg)"
STEP = "self.params[name] = w - learning_rate * grads[name]"
ITEMS = "for name, w in self.params.items():"


def _train(id, explanation, advice, *versions):
    register = misconception(f"train_{id}", function=TRAIN, explanation=explanation, advice=advice)
    for edits in versions:
        register(edited(TRAIN, *edits))


_train(
    "uphill",
    "The steps go along the gradient, uphill; they should go against it.",
    "The gradient says in which direction each parameter would make things worse.",
    [(STEP, STEP.replace("w - ", "w + "))],
)
_train(
    "learning_rate_ignored",
    "The steps do not use the learning rate.",
    "Which argument does your step not use?",
    [(STEP, "self.params[name] = w - grads[name]")],
    [(STEP, "self.params[name] = w - 1e-3 * grads[name]")],
)
_train(
    "weights_only",
    "The biases stay as they are; they learn as well.",
    "Take the step with all four parameters.",
    [(STEP, f"if name[0] == 'W': {STEP}")],
)
_train(
    "biases_only",
    "The weights stay as they are; only the biases learn.",
    "Take the step with all four parameters.",
    [(STEP, f"if name[0] == 'b': {STEP}")],
)
_train(
    "one_layer",
    "Only one of the two layers learns.",
    "Take the step with all four parameters.",
    [(STEP, f"if name[1] == '1': {STEP}")],
    [(STEP, f"if name[1] == '2': {STEP}")],
)
_train(
    "one_parameter",
    "Only one of the four parameters learns.",
    "Which lines are inside your loop over the parameters?",
    [(ITEMS, "for name, w in list(self.params.items())[-1:]:")],
    [(ITEMS, "for name, w in list(self.params.items())[:1]:")],
)
_train(
    "not_stored",
    "The parameters do not change: the result of the step is computed and thrown away.",
    "Where does the network find its parameters in the next step?",
    [(STEP, "w = w - learning_rate * grads[name]")],
    [(STEP, "pass")],
)
_train(
    "replaced",
    "The parameters are replaced by the step; it should be subtracted from them.",
    "Where do the old parameters enter?",
    [(STEP, "self.params[name] = -learning_rate * grads[name]")],
    [(STEP, "self.params[name] = learning_rate * grads[name]")],
    [(STEP, "self.params[name] = grads[name]")],
)
_train(
    "multiplied",
    "The parameters are multiplied with the step; it should be subtracted from them.",
    "Compare your step with the formula.",
    [(STEP, "self.params[name] = w * (1 - learning_rate * grads[name])")],
    [(STEP, "self.params[name] = w * learning_rate * grads[name]")],
)
_train(
    "divided_by_batch",
    "The steps are divided by the batch size; the loss is a mean already.",
    "Who averages, and how often?",
    [(STEP, "self.params[name] = w - learning_rate * grads[name] / batch_size")],
    [(STEP, "self.params[name] = w - learning_rate * grads[name] / len(X)")],
)
_train(
    "decay_each_step",
    "The learning rate shrinks after every step; it should shrink after every epoch.",
    "Given code takes care of the decay; read on below your region.",
    [(STEP, STEP + "\n        learning_rate *= learning_rate_decay")],
    [(STEP, STEP + "\n        if step % steps_per_epoch: learning_rate *= learning_rate_decay")],
)
_train(
    "no_decay",
    "The learning rate stays the same; it should shrink after every epoch.",
    "Given code takes care of the decay. Have you changed it, or do you use another number?",
    [("        learning_rate *= learning_rate_decay", "        pass")],
)
_train(
    "decay_in_step",
    "The step is multiplied with the decay as well; given code applies it to the learning rate.",
    "Given code takes care of the decay; read on below your region.",
    [(STEP, "self.params[name] = w - learning_rate * learning_rate_decay * grads[name]")],
)
_train(
    "without_reg",
    "Training takes no notice of reg.",
    "To which function does reg go, and is it still there?",
    [(CALL, "loss, grads = self.loss(X_batch, y_batch)")],
)
_train(
    "reg_twice",
    "The weights are regularised in the step once more; the gradients have that term already.",
    "What do the gradients that loss returns consist of?",
    [(STEP, "self.params[name] = w - learning_rate * (grads[name] + reg * w)")],
    [(STEP, "self.params[name] = w - learning_rate * (grads[name] + 2 * reg * w * (w.ndim - 1))")],
)
_train(
    "one_example",
    "The batch is one example, batch_size times or alone.",
    "Draw as many numbers as the batch has examples.",
    [(CHOSEN, "chosen = np.full(batch_size, np.random.choice(len(X)))")],
    [(CHOSEN, "chosen = np.random.choice(len(X), 1)")],
)
_train(
    "same_batch",
    "Every step sees the same batch: a new one has to be drawn in each.",
    "What does a fixed seed inside the loop do?",
    [(CHOSEN, "np.random.seed(0)\n        " + CHOSEN)],
    [(CHOSEN, "chosen = np.random.RandomState(1).choice(len(X), batch_size)")],
)
_train(
    "first_examples",
    "The batch is the first examples of the data; it should be drawn at random.",
    "Which numbers can your random draw give?",
    [(CHOSEN, "chosen = np.arange(batch_size) % len(X)")],
    [(CHOSEN, "chosen = np.random.choice(min(batch_size, len(X)), batch_size)")],
)
_train(
    "in_order",
    "The batches go through the data in order; they should be drawn at random.",
    "Is there anything random in your batches?",
    [(CHOSEN, "chosen = np.arange((step - 1) * batch_size, step * batch_size) % len(X)")],
)
_train(
    "whole_data",
    "Every step uses all the examples; a batch has batch_size of them.",
    "Do you use what you have drawn?",
    [(BATCH, "X_batch, y_batch = X, y")],
    [(CHOSEN, "chosen = np.random.permutation(len(X))")],
)
_train(
    "batch_of_other_size",
    "A batch does not have batch_size examples.",
    "What is the second argument of your random draw?",
    [(CHOSEN, "chosen = np.random.choice(len(X), len(X))")],
    [(CHOSEN, "chosen = np.random.choice(len(X), max(batch_size // 2, 1))")],
    [(CHOSEN, "chosen = np.random.choice(len(X), 2 * batch_size)")],
    [(CHOSEN, "chosen = np.unique(np.random.choice(len(X), batch_size))")],
)
_train(
    "last_example_never",
    "One example never comes up: the draw stops before the last, or begins after the first.",
    "Do the limits of your draw belong to it?",
    [(CHOSEN, "chosen = np.random.choice(max(len(X) - 1, 1), batch_size)")],
    [(CHOSEN, "chosen = np.random.randint(min(1, len(X) - 1), len(X), batch_size)")],
)
_train(
    "labels_apart",
    "The labels of a batch are not those of its examples.",
    "An example and its label belong together: how often do you draw?",
    [(BATCH, "X_batch, y_batch = X[chosen], y[np.random.choice(len(X), batch_size)]")],
    [(BATCH, "X_batch, y_batch = X[chosen], y[np.arange(batch_size) % len(X)]")],
    [(BATCH, "X_batch, y_batch = X[chosen], y[np.sort(chosen)]")],
)
_train(
    "labels_not_drawn",
    "The labels are all those of the data; the batch has only some of its examples.",
    "An example and its label belong together.",
    [(BATCH, "X_batch, y_batch = X[chosen], y")],
)
_train(
    "refuses_large_batches",
    "A batch that is larger than the data is refused: the same example may come twice.",
    "Read what np.random.choice does with and without replacement.",
    [(CHOSEN, "chosen = np.random.choice(len(X), batch_size, replace=False)")],
)
