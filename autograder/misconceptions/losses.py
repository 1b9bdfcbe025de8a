"""What goes wrong in the softmax and the SVM loss."""

import numpy as np

from . import misconception

SOFTMAX = "handgrad.layers.losses.softmax_loss"
SVM = "handgrad.layers.losses.svm_loss"


def softmax(x):
    """Probabilities (N, C) and their logarithms."""
    shifted = x - x.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return np.exp(logs), logs


def right_softmax(x, y):
    """Probabilities, each example's loss, and the gradient of the sum of the losses."""
    p, logs = softmax(x)
    examples = np.arange(len(x))
    dx = p.copy()
    dx[examples, y] -= 1
    return p, -logs[examples, y], dx


@misconception(
    "softmax_summed",
    function=SOFTMAX,
    explanation="Loss and gradient are sums over the examples; they should be means.",
    advice="Otherwise the size of the batch would change the step size.",
)
def softmax_summed(x, y):
    _, losses, dx = right_softmax(x, y)
    return losses.sum(), dx


@misconception(
    "softmax_loss_summed",
    function=SOFTMAX,
    explanation="The loss is the sum over the examples; it should be the mean.",
    advice="The gradient is that of the mean: do the same to the loss.",
)
def softmax_loss_summed(x, y):
    _, losses, dx = right_softmax(x, y)
    return losses.sum(), dx / len(x)


@misconception(
    "softmax_gradient_not_averaged",
    function=SOFTMAX,
    explanation="dx is the gradient of the sum of the examples' losses; the loss is their mean.",
    advice="What you do to the loss at the end, you do to its gradient.",
)
def softmax_gradient_not_averaged(x, y):
    _, losses, dx = right_softmax(x, y)
    return losses.mean(), dx


@misconception(
    "softmax_mean_over_classes_too",
    function=SOFTMAX,
    explanation="The loss is divided by examples times classes; the mean is over the examples.",
    advice="How many losses are there in a batch: one for each example, or one for each score?",
)
def softmax_mean_over_classes_too(x, y):
    _, losses, dx = right_softmax(x, y)
    return losses.sum() / x.size, dx / x.size


@misconception(
    "softmax_loss_over_classes_too",
    function=SOFTMAX,
    explanation="The loss is divided by examples times classes; the mean is over the examples.",
    advice="How many losses are there in a batch: one for each example, or one for each score?",
)
def softmax_loss_over_classes_too(x, y):
    _, losses, dx = right_softmax(x, y)
    return losses.sum() / x.size, dx / len(x)


@misconception(
    "softmax_not_shifted",
    function=SOFTMAX,
    explanation="Large scores overflow: exp(1000) is infinite, and infinity by infinity is NaN.",
    advice=(
        "Softmax stays the same when one number is subtracted from all scores of an example. Choose it well."
    ),
)
def softmax_not_shifted(x, y):
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(x)), y]).mean()
    p[np.arange(len(x)), y] -= 1
    return loss, p / len(x)


@misconception(
    "softmax_shifted_by_batch",
    function=SOFTMAX,
    explanation=(
        "The largest score of the whole batch is subtracted: an example whose scores are all far below "
        "it gets only zeros, and 0 / 0 is NaN."
    ),
    advice="Each example needs its own maximum; keepdims=True keeps the shapes right.",
)
def softmax_shifted_by_batch(x, y):
    return softmax_not_shifted(x - x.max(), y)


@misconception(
    "softmax_shifted_by_class",
    function=SOFTMAX,
    explanation=(
        "Each class's largest score is subtracted from its column: that changes the scores of an example "
        "against each other."
    ),
    advice="What may be subtracted is one number for each example. Along which axis is it the maximum?",
)
def softmax_shifted_by_class(x, y):
    return softmax_not_shifted(x - x.max(axis=0), y)


@misconception(
    "softmax_divided_by_classes",
    function=SOFTMAX,
    explanation="Loss and gradient are divided by the number of classes; the mean is over the examples.",
    advice="Which axis of x holds the examples?",
)
def softmax_divided_by_classes(x, y):
    _, losses, dx = right_softmax(x, y)
    return losses.sum() / x.shape[1], dx / x.shape[1]


@misconception(
    "softmax_log_of_zero",
    function=SOFTMAX,
    explanation=(
        "For large scores a probability rounds to 0, and the loss becomes infinite: its logarithm does not "
        "exist."
    ),
    advice="Write the logarithm of the quotient as a difference; then no probability is needed for the loss.",
)
def softmax_log_of_zero(x, y):
    p, _, dx = right_softmax(x, y)
    return -np.log(p[np.arange(len(x)), y]).mean(), dx / len(x)


softmax_guarded = misconception(
    "softmax_guarded_log",
    function=SOFTMAX,
    explanation=(
        "A small number keeps the logarithm away from 0: large losses come out too small, "
        "and the gradient no longer is that of the loss."
    ),
    advice="Write the logarithm of the quotient as a difference; then nothing has to be kept away from 0.",
)


def _guarded(guard):
    def loss(x, y):
        p, _, dx = right_softmax(x, y)
        return -np.log(guard(p[np.arange(len(x)), y])).mean(), dx / len(x)

    return loss


for _size in [10.0**-n for n in range(5, 21)] + [1e-100, 1e-300, 2.220446049250313e-16]:
    softmax_guarded(_guarded(lambda p, size=_size: p + size))
    softmax_guarded(_guarded(lambda p, size=_size: np.maximum(p, size)))
    softmax_guarded(_guarded(lambda p, size=_size: np.clip(p, size, 1 - size)))


@misconception(
    "softmax_log2",
    function=SOFTMAX,
    explanation="The loss uses the logarithm to base 2; the gradient p - 1 belongs to the natural one.",
    advice="np.log is the natural logarithm.",
)
def softmax_log2(x, y):
    _, losses, dx = right_softmax(x, y)
    return losses.mean() / np.log(2), dx / len(x)


@misconception(
    "softmax_log10",
    function=SOFTMAX,
    explanation="The loss uses the logarithm to base 10; the gradient p - 1 belongs to the natural one.",
    advice="np.log is the natural logarithm.",
)
def softmax_log10(x, y):
    _, losses, dx = right_softmax(x, y)
    return losses.mean() / np.log(10), dx / len(x)


@misconception(
    "softmax_best_class",
    function=SOFTMAX,
    explanation="The loss takes the most probable class; it should take the right one.",
    advice="Where do the labels y enter your loss?",
)
def softmax_best_class(x, y):
    _, logs = softmax(x)
    return -logs.max(axis=1).mean(), right_softmax(x, y)[2] / len(x)


@misconception(
    "softmax_all_classes",
    function=SOFTMAX,
    explanation="The loss adds up the logarithms of all classes' probabilities; only the right class counts.",
    advice="Pick one probability from each row, with the labels.",
)
def softmax_all_classes(x, y):
    _, logs = softmax(x)
    return -logs.sum() / len(x), right_softmax(x, y)[2] / len(x)


@misconception(
    "softmax_without_minus",
    function=SOFTMAX,
    explanation="The loss has the wrong sign: it is negative, and would fall as the predictions get worse.",
    advice="The logarithm of a probability is negative.",
)
def softmax_without_minus(x, y):
    _, losses, dx = right_softmax(x, y)
    return -losses.mean(), dx / len(x)


@misconception(
    "softmax_no_logarithm",
    function=SOFTMAX,
    explanation=(
        "The loss is the mean probability that is missing to 1; it should be minus the mean logarithm."
    ),
    advice="Read the formula of the loss again.",
)
def softmax_no_logarithm(x, y):
    p, _, dx = right_softmax(x, y)
    return (1 - p[np.arange(len(x)), y]).mean(), dx / len(x)


@misconception(
    "softmax_scores_for_logs",
    function=SOFTMAX,
    explanation=(
        "The loss is minus the right class's score; the logarithm of the sum over the classes is missing."
    ),
    advice="What is log(exp(a) / (exp(a) + exp(b)))?",
)
def softmax_scores_for_logs(x, y):
    return -x[np.arange(len(x)), y].mean(), right_softmax(x, y)[2] / len(x)


@misconception(
    "softmax_gradient_without_one",
    function=SOFTMAX,
    explanation="dx is the probabilities; the right class's entry lacks the -1.",
    advice="The score of the right class also stands in the numerator.",
)
def softmax_gradient_without_one(x, y):
    p, losses, _ = right_softmax(x, y)
    return losses.mean(), p / len(x)


@misconception(
    "softmax_gradient_negated",
    function=SOFTMAX,
    explanation="dx has the wrong sign: following it would raise the loss.",
    advice="Raising the right class's score should lower the loss. What sign has its gradient?",
)
def softmax_gradient_negated(x, y):
    _, losses, dx = right_softmax(x, y)
    return losses.mean(), -dx / len(x)


@misconception(
    "softmax_one_after_the_mean",
    function=SOFTMAX,
    explanation="The 1 is subtracted after dividing by N, so it is N times too large.",
    advice="Both terms of the gradient belong to the mean.",
)
def softmax_one_after_the_mean(x, y):
    p, losses, _ = right_softmax(x, y)
    dx = p / len(x)
    dx[np.arange(len(x)), y] -= 1
    return losses.mean(), dx


@misconception(
    "softmax_label_columns",
    function=SOFTMAX,
    explanation="The 1 is subtracted in whole columns (dx[:, y]); it belongs to one entry of each row.",
    advice="Index with the number of the example and its label, in pairs.",
)
def softmax_label_columns(x, y):
    p, losses, _ = right_softmax(x, y)
    p[:, y] -= 1
    return losses.mean(), p / len(x)


@misconception(
    "softmax_over_the_batch",
    function=SOFTMAX,
    explanation=(
        "The probabilities sum to 1 over the examples; they should sum to 1 over the classes of each example."
    ),
    advice="Which axis holds the classes?",
)
def softmax_over_the_batch(x, y):
    p = softmax(x.T)[0].T
    loss = -np.log(p[np.arange(len(x)), y]).mean()
    p[np.arange(len(x)), y] -= 1
    return loss, p / len(x)


# ---- SVM


def hinge(x, y, margin=1.0, clamp=True, own=False):
    """Margins (N, C); 0 for the right class unless `own`."""
    examples = np.arange(len(x))
    margins = x - x[examples, y][:, None] + margin
    if clamp:
        margins = np.maximum(0, margins)
    if not own:
        margins[examples, y] = 0
    return margins


def hinge_gradient(x, y, violated):
    """Gradient of the sum of the violated margins."""
    dx = violated.astype(float)
    examples = np.arange(len(x))
    dx[examples, y] = 0
    dx[examples, y] = -dx.sum(axis=1)
    return dx


def right_svm(x, y):
    margins = hinge(x, y)
    return margins.sum(), hinge_gradient(x, y, margins > 0)


@misconception(
    "svm_counts_true_class",
    function=SVM,
    explanation=(
        "The right class is counted too: its margin to itself is always 1, so the loss is 1 too large."
    ),
    advice="The sum runs over the other classes.",
)
def svm_counts_true_class(x, y):
    return hinge(x, y, own=True).sum() / len(x), right_svm(x, y)[1] / len(x)


@misconception(
    "svm_gradient_counts_true_class",
    function=SVM,
    explanation=(
        "The right class is counted too: the loss is 1 too large, and so its entry in the gradient is off "
        "by one."
    ),
    advice="The sum runs over the other classes, in the loss and in the gradient.",
)
def svm_gradient_counts_true_class(x, y):
    margins = hinge(x, y, own=True)
    dx = (margins > 0).astype(float)
    dx[np.arange(len(x)), y] = -dx.sum(axis=1)
    return margins.sum() / len(x), dx / len(x)


@misconception(
    "svm_true_class_gradient_off_by_one",
    function=SVM,
    explanation="In the gradient the right class counts itself: its entry is off by one violated margin.",
    advice="Set the right class's margin to 0 before you count.",
)
def svm_true_class_gradient_off_by_one(x, y):
    return right_svm(x, y)[0] / len(x), svm_gradient_counts_true_class(x, y)[1]


@misconception(
    "svm_not_clamped",
    function=SVM,
    explanation="Margins that are met count too, with a negative loss; they should count 0.",
    advice="Where is the maximum with 0?",
)
def svm_not_clamped(x, y):
    dx = hinge_gradient(x, y, np.ones(x.shape))
    return hinge(x, y, clamp=False).sum() / len(x), dx / len(x)


@misconception(
    "svm_loss_not_clamped",
    function=SVM,
    explanation="In the loss, margins that are met count too, with a negative sign; they should count 0.",
    advice="Where is the maximum with 0?",
)
def svm_loss_not_clamped(x, y):
    return hinge(x, y, clamp=False).sum() / len(x), right_svm(x, y)[1] / len(x)


@misconception(
    "svm_gradient_all_classes",
    function=SVM,
    explanation="The gradient counts all other classes; only violated margins push.",
    advice="A margin that is met adds nothing to the loss, so nothing to its gradient.",
)
def svm_gradient_all_classes(x, y):
    return right_svm(x, y)[0] / len(x), hinge_gradient(x, y, np.ones(x.shape)) / len(x)


@misconception(
    "svm_summed",
    function=SVM,
    explanation="Loss and gradient are sums over the examples; they should be means.",
    advice="Otherwise the size of the batch would change the step size.",
)
def svm_summed(x, y):
    return right_svm(x, y)


@misconception(
    "svm_loss_summed",
    function=SVM,
    explanation="The loss is the sum over the examples; it should be the mean.",
    advice="The gradient is that of the mean: do the same to the loss.",
)
def svm_loss_summed(x, y):
    loss, dx = right_svm(x, y)
    return loss, dx / len(x)


@misconception(
    "svm_gradient_not_averaged",
    function=SVM,
    explanation="dx is the gradient of the sum of the examples' losses; the loss is their mean.",
    advice="What you do to the loss at the end, you do to its gradient.",
)
def svm_gradient_not_averaged(x, y):
    loss, dx = right_svm(x, y)
    return loss / len(x), dx


@misconception(
    "svm_mean_over_classes_too",
    function=SVM,
    explanation="Loss and gradient are divided by examples times classes; the mean is over the examples.",
    advice="np.mean without an axis divides by all entries.",
)
def svm_mean_over_classes_too(x, y):
    loss, dx = right_svm(x, y)
    return loss / x.size, dx / x.size


@misconception(
    "svm_loss_over_classes_too",
    function=SVM,
    explanation="The loss is divided by examples times classes; the mean is over the examples.",
    advice="np.mean without an axis divides by all entries.",
)
def svm_loss_over_classes_too(x, y):
    loss, dx = right_svm(x, y)
    return loss / x.size, dx / len(x)


@misconception(
    "svm_divided_by_classes",
    function=SVM,
    explanation="Loss and gradient are divided by the number of classes; the mean is over the examples.",
    advice="Which axis of x holds the examples?",
)
def svm_divided_by_classes(x, y):
    loss, dx = right_svm(x, y)
    return loss / x.shape[1], dx / x.shape[1]


@misconception(
    "svm_only_true_class_gradient",
    function=SVM,
    explanation="Only the right class's score gets a gradient; those that violate the margin need one too.",
    advice="Two scores stand in each violated margin.",
)
def svm_only_true_class_gradient(x, y):
    loss, dx = right_svm(x, y)
    return loss / len(x), np.minimum(dx, 0) / len(x)


@misconception(
    "svm_no_true_class_gradient",
    function=SVM,
    explanation=(
        "The right class's column of the gradient is missing: raising its score lowers every violated margin."
    ),
    advice="The right class's score stands in each margin, with a minus sign.",
)
def svm_no_true_class_gradient(x, y):
    margins = hinge(x, y)
    return margins.sum() / len(x), (margins > 0) / len(x)


@misconception(
    "svm_true_class_once",
    function=SVM,
    explanation="The right class's gradient counts -1; it counts -1 for each violated margin.",
    advice="In how many margins does the right class's score stand?",
)
def svm_true_class_once(x, y):
    margins = hinge(x, y)
    dx = (margins > 0).astype(float)
    dx[np.arange(len(x)), y] = -1
    return margins.sum() / len(x), dx / len(x)


@misconception(
    "svm_no_margin",
    function=SVM,
    explanation="The margin of 1 is missing: classes count only when they score higher than the right one.",
    advice="The right class has to win by 1.",
)
def svm_no_margin(x, y):
    margins = hinge(x, y, margin=0.0)
    return margins.sum() / len(x), hinge_gradient(x, y, margins > 0) / len(x)


@misconception(
    "svm_reversed",
    function=SVM,
    explanation="The difference is the wrong way round: the loss grows as the right class wins.",
    advice="Which score should be the higher one, and what should the loss be then?",
)
def svm_reversed(x, y):
    margins = hinge(-x, y)
    return margins.sum() / len(x), -hinge_gradient(x, y, margins > 0) / len(x)


@misconception(
    "svm_worst_class_only",
    function=SVM,
    explanation="Only the most violated margin of each example counts; all of them should.",
    advice="The loss of an example is a sum over the other classes.",
)
def svm_worst_class_only(x, y):
    margins = hinge(x, y)
    worst = (margins == margins.max(axis=1, keepdims=True)) & (margins > 0)
    return margins.max(axis=1).sum() / len(x), hinge_gradient(x, y, worst) / len(x)


@misconception(
    "svm_squared",
    function=SVM,
    explanation="The margins are squared: that is another loss, the squared hinge.",
    advice="Read the formula of the loss again.",
)
def svm_squared(x, y):
    margins = hinge(x, y)
    return (margins**2).sum() / len(x), hinge_gradient(x, y, 2 * margins) / len(x)
