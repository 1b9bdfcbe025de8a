"""What goes wrong in the losses of the linear classifiers: the L2 term, the gradient of W, loops by hand."""

import numpy as np

from handgrad.layers import softmax_loss, svm_loss

from . import misconception

LINEAR = "handgrad.classifiers.linear_classifier."
LOSSES = {"LinearSVM": svm_loss, "Softmax": softmax_loss}


def l2_loss(W, reg, N):
    return reg * np.sum(W**2)


def l2_gradient(W, reg, N):
    return 2 * reg * W


def classifier(data, l2=l2_loss, dl2=l2_gradient, of_loss=lambda loss, N: loss, of_gradient=None):
    """A right `loss` but for what is given here.

    Args:
        data: the loss of scores and labels, with its gradient.
        l2: the L2 term of the loss, from W, reg and the number of examples.
        dl2: what it adds to the gradient.
        of_loss: changes the loss of the data.
        of_gradient: the gradient of the data, from examples X, gradient of the scores, and W.
    """

    def loss(self, X_batch, y_batch, reg):
        W, N = self.W, len(X_batch)
        value, dscores = data(X_batch @ W, y_batch)
        dW = of_gradient(X_batch, dscores, W) if of_gradient else X_batch.T @ dscores
        return of_loss(value, N) + l2(W, reg, N), dW + dl2(W, reg, N)

    return loss


def _both(id, explanation, advice, *versions):
    """A mistake that either classifier may have: each version is what `classifier` takes."""
    for name, data in LOSSES.items():
        register = misconception(
            f"linear_{'svm' if name == 'LinearSVM' else 'softmax'}_{id}",
            function=f"{LINEAR}{name}.loss",
            explanation=explanation,
            advice=advice,
        )
        for spoilt in versions:
            register(classifier(**{"data": data, **spoilt}))


def _nothing(W, reg, N):
    return 0.0


# ---- the L2 term

_both(
    "l2_missing",
    "The L2 term is missing, in the loss and in the gradient.",
    "Which argument does your function not use?",
    {"l2": _nothing, "dl2": _nothing},
)
_both(
    "l2_missing_in_loss",
    "The L2 term is in the gradient, and missing in the loss.",
    "The gradient should be that of the loss that you return.",
    {"l2": _nothing},
)
_both(
    "l2_missing_in_gradient",
    "The L2 term is in the loss, and missing in the gradient.",
    "What is the derivative of the term that you add to the loss?",
    {"dl2": _nothing},
)
_both(
    "l2_half",
    "The L2 term has a factor 0.5, in the loss and in the gradient; here there is none.",
    "Some courses write 0.5 * reg, others reg. What does the docstring say?",
    {"l2": lambda W, reg, N: 0.5 * reg * np.sum(W**2), "dl2": lambda W, reg, N: reg * W},
)
_both(
    "l2_half_in_loss",
    "The L2 term of the loss has a factor 0.5; your gradient is right, and belongs to the term without it.",
    "Take the derivative of the term that stands in your loss: is it the one in your gradient?",
    {"l2": lambda W, reg, N: 0.5 * reg * np.sum(W**2)},
)
_both(
    "l2_half_in_gradient",
    "The L2 term of the gradient is half as large as it should be.",
    "What is the derivative of W squared?",
    {"dl2": lambda W, reg, N: reg * W},
)
_both(
    "l2_gradient_double",
    "The L2 term of the gradient is twice as large as it should be.",
    "What is the derivative of W squared?",
    {"dl2": lambda W, reg, N: 4 * reg * W},
)
_both(
    "l2_without_biases",
    "The L2 term leaves out the last row of W; here the biases are regularised with the weights.",
    "The docstring says: the sum of W**2, all of it.",
    {
        "l2": lambda W, reg, N: reg * np.sum(W[:-1] ** 2),
        "dl2": lambda W, reg, N: 2 * reg * np.vstack([W[:-1], 0 * W[-1:]]),
    },
    {"l2": lambda W, reg, N: reg * np.sum(W[:-1] ** 2)},
    {"dl2": lambda W, reg, N: 2 * reg * np.vstack([W[:-1], 0 * W[-1:]])},
)
_both(
    "l2_divided_by_n",
    "The L2 term is divided by the number of examples; it does not depend on them.",
    "Only the loss of the data is a mean over the batch: add the L2 term after dividing.",
    {"l2": lambda W, reg, N: l2_loss(W, reg, N) / N, "dl2": lambda W, reg, N: l2_gradient(W, reg, N) / N},
    {"l2": lambda W, reg, N: l2_loss(W, reg, N) / N},
    {"dl2": lambda W, reg, N: l2_gradient(W, reg, N) / N},
    {"l2": lambda W, reg, N: 0.5 * l2_loss(W, reg, N) / N, "dl2": lambda W, reg, N: reg * W / N},
)
_both(
    "l2_mean",
    "The L2 term takes the mean of the squared weights; it should be their sum.",
    "np.sum or np.mean?",
    {"l2": lambda W, reg, N: reg * np.mean(W**2)},
    {"l2": lambda W, reg, N: reg * np.mean(W**2), "dl2": lambda W, reg, N: 2 * reg * W / W.size},
)
_both(
    "l2_square_of_sum",
    "The L2 term of the loss squares the sum of the weights; it should sum their squares.",
    "Square first, then sum.",
    {"l2": lambda W, reg, N: reg * np.sum(W) ** 2},
    {"l2": lambda W, reg, N: 0.5 * reg * np.sum(W) ** 2},
)
_both(
    "l2_norm",
    "The L2 term of the loss is the norm of W; it should be the square of the norm.",
    "np.linalg.norm takes a square root at the end.",
    {"l2": lambda W, reg, N: reg * np.linalg.norm(W)},
    {"l2": lambda W, reg, N: 0.5 * reg * np.linalg.norm(W)},
    {
        "l2": lambda W, reg, N: reg * np.linalg.norm(W),
        "dl2": lambda W, reg, N: reg * W / np.linalg.norm(W),
    },
)
_both(
    "l1_for_l2",
    "The loss adds the absolute values of the weights, an L1 term; it should add their squares.",
    "Read the formula of the loss again.",
    {"l2": lambda W, reg, N: reg * np.abs(W).sum()},
    {"l2": lambda W, reg, N: reg * np.abs(W).sum(), "dl2": lambda W, reg, N: reg * np.sign(W)},
)
_both(
    "l2_sum",
    "The L2 term of the loss adds the weights themselves; it should add their squares.",
    "Can your term become negative? Weights of either sign should cost something.",
    {"l2": lambda W, reg, N: reg * np.sum(W)},
    {"l2": lambda W, reg, N: 0.5 * reg * np.sum(W)},
)
_both(
    "l2_gradient_scalar",
    "The gradient adds the sum of the weights, one number for all; each weight has its own.",
    "The derivative of the L2 term has the shape of W.",
    {"dl2": lambda W, reg, N: reg * np.sum(W)},
    {"dl2": lambda W, reg, N: 2 * reg * np.sum(W)},
    {"dl2": lambda W, reg, N: reg * np.sum(W**2)},
    {"dl2": lambda W, reg, N: 2 * reg * np.sum(W**2)},
)
_both(
    "l2_gradient_of_squares",
    "The gradient adds the squared weights: that is the term itself, not its derivative.",
    "What is the derivative of W squared?",
    {"dl2": lambda W, reg, N: reg * W**2},
    {"dl2": lambda W, reg, N: 2 * reg * W**2},
)
_both(
    "l2_gradient_without_reg",
    "The gradient adds 2 * W without reg: it does not depend on the strength of the regularisation.",
    "Which factors stand before the squares in the loss? They stay when you differentiate.",
    {"dl2": lambda W, reg, N: 2 * W},
)
_both(
    "l2_without_reg",
    "The squared weights are added to the loss without reg before them.",
    "With reg = 0 there should be no L2 term at all.",
    {"l2": lambda W, reg, N: np.sum(W**2)},
    {"l2": lambda W, reg, N: np.sum(W**2), "dl2": lambda W, reg, N: 2 * W},
)
_both(
    "l2_gradient_subtracted",
    "The L2 term is subtracted from the gradient; it should be added.",
    "The gradient of a sum is the sum of the gradients.",
    {"dl2": lambda W, reg, N: -2 * reg * W},
    {"dl2": lambda W, reg, N: -reg * W},
)
_both(
    "l2_subtracted",
    "The L2 term is subtracted, in the loss and in the gradient; it should be added.",
    "Regularisation makes large weights expensive.",
    {"l2": lambda W, reg, N: -reg * np.sum(W**2), "dl2": lambda W, reg, N: -2 * reg * W},
    {"l2": lambda W, reg, N: -reg * np.sum(W**2)},
)
_both(
    "l2_reg_twice",
    "The L2 term has the square of reg before it, in the loss or the gradient; it should be reg.",
    "Is reg multiplied in twice?",
    {"l2": lambda W, reg, N: reg**2 * np.sum(W**2), "dl2": lambda W, reg, N: 2 * reg**2 * W},
    {"dl2": lambda W, reg, N: 2 * reg**2 * W},
    {"l2": lambda W, reg, N: reg**2 * np.sum(W**2)},
)

# ---- the gradient of the data

_both(
    "averaged_again",
    "Loss and gradient of the data are divided by the number of examples once more; they are means already.",
    "Who averages, and how often?",
    {
        "of_loss": lambda loss, N: loss / N,
        "of_gradient": lambda X, dscores, W: X.T @ dscores / len(X),
    },
)
_both(
    "loss_averaged_again",
    "The loss of the data is divided by the number of examples once more; it is a mean already.",
    "Who averages, and how often?",
    {"of_loss": lambda loss, N: loss / N},
)
_both(
    "gradient_averaged_again",
    "The gradient of the data is divided by the number of examples once more; dscores is that of the mean.",
    "Who averages, and how often?",
    {"of_gradient": lambda X, dscores, W: X.T @ dscores / len(X)},
)
_both(
    "summed",
    "Loss and gradient of the data are sums over the examples; they should be means.",
    "Otherwise the size of the batch would change the step size, and the weight of the L2 term.",
    {"of_loss": lambda loss, N: loss * N, "of_gradient": lambda X, dscores, W: len(X) * X.T @ dscores},
)
_both(
    "loss_summed",
    "The loss of the data is the sum over the examples; it should be the mean.",
    "The gradient is that of the mean: do the same to the loss.",
    {"of_loss": lambda loss, N: loss * N},
)
_both(
    "gradient_summed",
    "The gradient of the data is the sum over the examples; the loss is a mean.",
    "What you do to the loss at the end, you do to its gradient.",
    {"of_gradient": lambda X, dscores, W: len(X) * X.T @ dscores},
)
_both(
    "all_divided_by_n",
    "The whole loss, with its L2 term, is divided by the number of examples once more.",
    "Who averages, and how often? The L2 term does not depend on the examples.",
    {
        "of_loss": lambda loss, N: loss / N,
        "of_gradient": lambda X, dscores, W: X.T @ dscores / len(X),
        "l2": lambda W, reg, N: l2_loss(W, reg, N) / N,
        "dl2": lambda W, reg, N: l2_gradient(W, reg, N) / N,
    },
)
_both(
    "gradient_of_scores",
    "dW is the gradient of the scores; the examples have to be multiplied in.",
    "Scores are X times W. What takes their gradient, (N, C), to that of W, (D, C)?",
    {"of_gradient": lambda X, dscores, W: dscores, "dl2": _nothing},
    {"of_gradient": lambda X, dscores, W: dscores.sum(axis=0) + 0 * W},
)
_both(
    "gradient_of_examples",
    "What is returned is the gradient of the examples; it should be that of W.",
    "Of the two factors of the scores, which one does training change?",
    {"of_gradient": lambda X, dscores, W: dscores @ W.T, "dl2": _nothing},
)
_both(
    "gradient_transposed",
    "dW is transposed: (C, D), and should be (D, C) as W is.",
    "A gradient has the shape of what it is the gradient of. Swap the factors, and transpose the other one.",
    {"of_gradient": lambda X, dscores, W: dscores.T @ X, "dl2": lambda W, reg, N: 2 * reg * W.T},
)
_both(
    "gradient_negated",
    "The gradient of the data has the wrong sign: training would raise the loss.",
    "train subtracts what you return. Does your dW point to higher or to lower losses?",
    {"of_gradient": lambda X, dscores, W: -X.T @ dscores},
    {"of_gradient": lambda X, dscores, W: -X.T @ dscores, "dl2": lambda W, reg, N: -2 * reg * W},
)
_both(
    "gradient_without_biases",
    "The last row of dW lacks the gradient of the data: the biases would not learn.",
    "The column of ones in X is a column like the others.",
    {"of_gradient": lambda X, dscores, W: np.vstack([X[:, :-1].T @ dscores, 0 * W[-1:]])},
)
_both(
    "gradient_zero",
    "The gradient is only that of the L2 term, or nothing: the examples are not in it.",
    "What does the loss of the data give you besides its value?",
    {"of_gradient": lambda X, dscores, W: 0 * W},
    {"of_gradient": lambda X, dscores, W: 0 * W, "dl2": _nothing},
)


def _changes_weights(data):
    def loss(self, X_batch, y_batch, reg):
        value, dscores = data(X_batch @ self.W, y_batch)
        value += reg * np.sum(self.W**2)
        dW = self.W
        dW *= 2 * reg
        dW += X_batch.T @ dscores
        return value, dW

    return loss


def _takes_a_step(data):
    def loss(self, X_batch, y_batch, reg):
        value, dW = classifier(data)(self, X_batch, y_batch, reg)
        self.W = self.W - 1e-3 * dW
        return value, dW

    return loss


def _without_biases(data):
    def loss(self, X_batch, y_batch, reg):
        W, X = self.W[:-1], X_batch[:, :-1]
        value, dscores = data(X @ W, y_batch)
        dW = np.vstack([X.T @ dscores, 0 * self.W[-1:]])
        return value + reg * np.sum(self.W**2), dW + 2 * reg * self.W

    return loss


def _multiplied(scores=np.matmul, dW=lambda X, dscores: X.T @ dscores):
    def of(data):
        def loss(self, X_batch, y_batch, reg):
            value, dscores = data(scores(X_batch, self.W), y_batch)
            return value + reg * np.sum(self.W**2), dW(X_batch, dscores) + 2 * reg * self.W

        return loss

    return of


def _returns(choose):
    def of(data):
        def loss(self, X_batch, y_batch, reg):
            return choose(self, X_batch, *classifier(data)(self, X_batch, y_batch, reg))

        return loss

    return of


for _id, _explanation, _advice, *_versions in [
    (
        "changes_weights",
        "The weights self.W are changed by loss; only train may do that.",
        "Return the gradient and leave the weights alone. += and *= change an array under all its names.",
        _changes_weights,
        _takes_a_step,
    ),
    (
        "not_a_pair",
        "What is returned is not a pair: it should be the loss and its gradient.",
        "What does the docstring say under Returns?",
        _returns(lambda self, X, value, dW: value),
        _returns(lambda self, X, value, dW: dW),
        _returns(lambda self, X, value, dW: X @ self.W),
        _returns(lambda self, X, value, dW: None),
        _returns(lambda self, X, value, dW: (value, dW, X @ self.W)),
    ),
    (
        "returned_the_wrong_way_round",
        "The gradient is returned first and the loss second; it is the other way round.",
        "What does the docstring say under Returns?",
        _returns(lambda self, X, value, dW: (dW, value)),
    ),
    (
        "scores_without_biases",
        "The scores leave out the last row of W, so there are no biases.",
        "The column of ones is part of X already: nothing needs to be split off.",
        _without_biases,
    ),
    (
        "shapes",
        "Arrays are multiplied or added whose shapes do not fit.",
        "Write its shape under each array: X (N, D), W (D, C), scores (N, C). What gives dW its (D, C)?",
        _multiplied(scores=lambda X, W: X @ W.T),
        _multiplied(scores=lambda X, W: W @ X),
        _multiplied(scores=lambda X, W: X * W),
        _multiplied(dW=lambda X, dscores: X @ dscores),
        _multiplied(dW=lambda X, dscores: dscores @ X.T),
        _multiplied(dW=lambda X, dscores: dscores @ X),
        _multiplied(dW=lambda X, dscores: X * dscores),
        _multiplied(dW=lambda X, dscores: dscores),
        _multiplied(dW=lambda X, dscores: dscores.T @ X),
    ),
]:
    for _name, _data in LOSSES.items():
        _register = misconception(
            f"linear_{'svm' if _name == 'LinearSVM' else 'softmax'}_{_id}",
            function=f"{LINEAR}{_name}.loss",
            explanation=_explanation,
            advice=_advice,
        )
        for _of in _versions:
            _register(_of(_data))


# ---- losses written by hand, instead of the layer's


def _one(name, id, explanation, advice, *losses):
    """Mistakes in the loss of the scores."""
    register = misconception(
        f"linear_{'svm' if name == 'LinearSVM' else 'softmax'}_{id}",
        function=f"{LINEAR}{name}.loss",
        explanation=explanation,
        advice=advice,
    )
    for data in losses:
        register(classifier(data))


def _hinge(margin=1.0, clamp=True, own=False, dscores=lambda violated, y: right_hinge_gradient(violated, y)):
    def data(scores, y):
        N = len(scores)
        margins = scores - scores[np.arange(N), y][:, None] + margin
        if clamp:
            margins = np.maximum(0, margins)
        if not own:
            margins[np.arange(N), y] = 0
        return margins.sum() / N, dscores(margins != 0, y) / N

    return data


def right_hinge_gradient(violated, y):
    """Gradient of the sum of the violated margins; the right class has none."""
    dscores = violated.astype(float)
    examples = np.arange(len(y))
    dscores[examples, y] = 0
    dscores[examples, y] = -dscores.sum(axis=1)
    return dscores


def _others_only(violated, y):
    dscores = violated.astype(float)
    dscores[np.arange(len(y)), y] = 0
    return dscores


def _right_class_once(violated, y):
    dscores = violated.astype(float)
    dscores[np.arange(len(y)), y] = -1
    return dscores


def _right_class_only(violated, y):
    return np.minimum(right_hinge_gradient(violated, y), 0)


_one(
    "LinearSVM",
    "softmax_loss",
    "This is the softmax loss; the SVM's is the hinge loss.",
    "Which of the two imported losses belongs to this class?",
    softmax_loss,
)
_one(
    "LinearSVM",
    "counts_true_class",
    "The right class is counted too: its margin to itself is always 1, so the loss is 1 too large.",
    "The sum runs over the other classes.",
    _hinge(own=True),
)
_one(
    "LinearSVM",
    "not_clamped",
    "Margins that are met count too, with a negative loss; they should count 0.",
    "Where is the maximum with 0?",
    _hinge(clamp=False),
    lambda scores, y: (_hinge(clamp=False)(scores, y)[0], svm_loss(scores, y)[1]),
)
_one(
    "LinearSVM",
    "no_margin",
    "The margin of 1 is missing: classes count only when they score higher than the right one.",
    "The right class has to win by 1.",
    _hinge(margin=0.0),
    lambda scores, y: (_hinge(margin=0.0)(scores, y)[0], svm_loss(scores, y)[1]),
)
_one(
    "LinearSVM",
    "true_class_not_pushed",
    "The right class's column of dW is missing: raising its score lowers every violated margin.",
    "The right class's score stands in each margin, with a minus sign.",
    _hinge(dscores=_others_only),
)
_one(
    "LinearSVM",
    "true_class_once",
    "Each example counts once in its right class's column of dW; it counts once for each violated margin.",
    "In how many margins does the right class's score stand?",
    _hinge(dscores=_right_class_once),
)
_one(
    "LinearSVM",
    "only_true_class_pushed",
    "Only the right classes' columns get a gradient; the classes that violate the margin need one too.",
    "Two scores stand in each violated margin.",
    _hinge(dscores=_right_class_only),
)


def _softmax(shift=True, one=True, log=np.log, all_classes=False):
    def data(scores, y):
        examples = np.arange(len(y))
        if shift:
            scores = scores - scores.max(axis=1, keepdims=True)
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        losses = -log(p).sum(axis=1) if all_classes else -log(p[examples, y])
        dscores = p.copy()
        if one:
            dscores[examples, y] -= 1
        return losses.mean(), dscores / len(y)

    return data


_one(
    "Softmax",
    "svm_loss",
    "This is the hinge loss of the SVM; it should be the cross-entropy of the softmax.",
    "Which of the two imported losses belongs to this class?",
    svm_loss,
)
_one(
    "Softmax",
    "overflow",
    "Large scores overflow, or their probabilities round to 0, whose logarithm is infinite.",
    "You have written a loss that can do it, for the network: use it here too.",
    _softmax(shift=False),
    _softmax(),
)
_one(
    "Softmax",
    "guarded_log",
    "A small number keeps the logarithm away from 0: large losses come out too small.",
    "You have written a loss that needs no such guard, for the network: use it here too.",
    *(
        _softmax(log=guard)
        for size in [10.0**-n for n in range(5, 21)] + [1e-100, 1e-300, 2.220446049250313e-16]
        for guard in (
            lambda p, size=size: np.log(p + size),
            lambda p, size=size: np.log(np.maximum(p, size)),
        )
    ),
)
_one(
    "Softmax",
    "gradient_without_one",
    "dW is made of the probabilities; the right class's entry lacks the -1.",
    "The score of the right class also stands in the numerator.",
    lambda scores, y: (softmax_loss(scores, y)[0], _softmax(one=False)(scores, y)[1]),
)
_one(
    "Softmax",
    "all_classes",
    "The loss adds up the logarithms of all classes' probabilities; only the right class counts.",
    "Pick one probability from each row, with the labels.",
    _softmax(all_classes=True),
    lambda scores, y: (_softmax(all_classes=True)(scores, y)[0], softmax_loss(scores, y)[1]),
)
_one(
    "Softmax",
    "log2",
    "The loss uses the logarithm to base 2 or 10; the gradient p - 1 belongs to the natural one.",
    "np.log is the natural logarithm.",
    lambda scores, y: (softmax_loss(scores, y)[0] / np.log(2), softmax_loss(scores, y)[1]),
    lambda scores, y: (softmax_loss(scores, y)[0] / np.log(10), softmax_loss(scores, y)[1]),
)
_one(
    "Softmax",
    "without_minus",
    "The loss has the wrong sign: it is negative, and would fall as the predictions get worse.",
    "The logarithm of a probability is negative.",
    lambda scores, y: (-softmax_loss(scores, y)[0], softmax_loss(scores, y)[1]),
    lambda scores, y: tuple(-v for v in softmax_loss(scores, y)),
)
