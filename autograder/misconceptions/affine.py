"""What goes wrong in the affine layer."""

import numpy as np

from . import misconception

FORWARD = "handgrad.layers.affine.affine_forward"
BACKWARD = "handgrad.layers.affine.affine_backward"


def rows_of(x):
    return x.reshape(len(x), -1)


@misconception(
    "affine_without_bias",
    function=FORWARD,
    explanation="The biases are missing: out is the product of inputs and weights alone.",
    advice="Which argument does your function not use?",
)
def affine_without_bias(x, w, b):
    return rows_of(x) @ w, (x, w)


@misconception(
    "affine_bias_subtracted",
    function=FORWARD,
    explanation="The biases are subtracted; the layer adds them.",
    advice="Look at the sign in front of b.",
)
def affine_bias_subtracted(x, w, b):
    return rows_of(x) @ w - b, (x, w)


@misconception(
    "affine_bias_summed",
    function=FORWARD,
    explanation="The sum of all biases is added to every output; each output has a bias of its own.",
    advice="b has one number for each output. Let broadcasting add it to each row.",
)
def affine_bias_summed(x, w, b):
    return rows_of(x) @ w + b.sum(), (x, w)


@misconception(
    "affine_not_reshaped",
    function=FORWARD,
    explanation=(
        "The inputs are multiplied as they come; an image of several axes has to become one row first."
    ),
    advice="What is the shape of x for images, and what shape does the product with w need?",
)
def affine_not_reshaped(x, w, b):
    return np.dot(x, w) + b, (x, w)


@misconception(
    "affine_reshaped_transposed",
    function=FORWARD,
    explanation="The inputs are reshaped to (D, N) and transposed: that mixes numbers of different examples.",
    advice="reshape keeps the order in memory. After it, is row i made of the numbers of example i alone?",
)
def affine_reshaped_transposed(x, w, b):
    return x.reshape(-1, len(x)).T @ w + b, (x, w)


@misconception(
    "affine_column_order",
    function=FORWARD,
    explanation=(
        "The numbers of each example are read in column order (order='F'); the course reads them in row "
        "order."
    ),
    advice="Use the default order of reshape.",
)
def affine_column_order(x, w, b):
    return x.reshape(len(x), -1, order="F") @ w + b, (x, w)


def _backward(dx=lambda g: g, dw=lambda g: g, db=lambda dout: dout.sum(axis=0)):
    """A backward pass whose right gradients are spoilt by these functions."""

    def backward(dout, cache):
        x, w = cache
        return dx((dout @ w.T).reshape(x.shape)), dw(rows_of(x).T @ dout), db(dout)

    return backward


misconception(
    "affine_db_mean",
    function=BACKWARD,
    explanation="db is the mean over the batch; the gradient of a sum is the sum.",
    advice=(
        "The same b is added to every example, so every example adds to its gradient. The loss has averaged"
        " already."
    ),
)(_backward(db=lambda dout: dout.mean(axis=0)))

misconception(
    "affine_db_wrong_axis",
    function=BACKWARD,
    explanation="db is summed over the outputs of each example; it should be summed over the examples.",
    advice="db has the shape of b. Which axis of dout has to disappear?",
)(_backward(db=lambda dout: dout.sum(axis=1)))

misconception(
    "affine_db_total",
    function=BACKWARD,
    explanation="db is one number, the sum of all of dout; each bias has a gradient of its own.",
    advice="Give sum an axis, so that the result has the shape of b.",
)(_backward(db=lambda dout: np.sum(dout)))

misconception(
    "affine_db_not_summed",
    function=BACKWARD,
    explanation="db is dout itself; it should be one gradient for each bias, summed over the examples.",
    advice="b was broadcast over the examples. What is the backward pass of a broadcast?",
)(_backward(db=lambda dout: dout))

misconception(
    "affine_db_ones",
    function=BACKWARD,
    explanation="db is 1 everywhere: the local derivative alone, without what comes from above.",
    advice="The chain rule multiplies the local derivative with dout.",
)(_backward(db=lambda dout: np.ones(dout.shape[1])))

misconception(
    "affine_dw_mean",
    function=BACKWARD,
    explanation=(
        "dw is divided by the number of examples; the layer adds the examples' gradients and does not "
        "average."
    ),
    advice="The mean belongs to the loss, and is in dout already.",
)(lambda dout, cache: _backward(dw=lambda g: g / len(dout))(dout, cache))

misconception(
    "affine_all_divided_by_n",
    function=BACKWARD,
    explanation="All three gradients are divided by the number of examples; the loss has done that already.",
    advice="Whoever averages in the forward pass divides in the backward pass. Does this layer average?",
)(lambda dout, cache: _backward()(dout / len(dout), cache))

misconception(
    "affine_dx_not_reshaped",
    function=BACKWARD,
    explanation="dx is still in rows; it should have the shape of x.",
    advice="Undo at the end of the backward pass what the forward pass did first.",
)(_backward(dx=lambda g: g.reshape(len(g), -1)))

misconception(
    "affine_dx_column_order",
    function=BACKWARD,
    explanation="dx is put back into shape in another order than the numbers were taken out.",
    advice="The two reshapes have to use the same order.",
)(_backward(dx=lambda g: g.reshape(len(g), -1).reshape(g.shape, order="F")))

misconception(
    "affine_dx_divided_by_n",
    function=BACKWARD,
    explanation="dx is divided by the number of examples; the examples do not mix in dx at all.",
    advice="Each row of dx depends on its own row of dout alone.",
)(_backward(dx=lambda g: g / len(g)))

misconception(
    "affine_dw_transposed",
    function=BACKWARD,
    explanation="dw is transposed: (M, D), and should be (D, M) as w is.",
    advice=(
        "A gradient has the shape of what it is the gradient of. Swap the factors, and transpose the other "
        "one."
    ),
)(_backward(dw=lambda g: g.T))


@misconception(
    "affine_backward_x_not_reshaped",
    function=BACKWARD,
    explanation="dw is made from x as it came; its images have to become rows, as in the forward pass.",
    advice="What is x.T for an array of four axes?",
)
def affine_backward_x_not_reshaped(dout, cache):
    x, w = cache
    return (dout @ w.T).reshape(x.shape), np.dot(x.T, dout), dout.sum(axis=0)


@misconception(
    "affine_dx_weights_not_transposed",
    function=BACKWARD,
    explanation=(
        "dx multiplies with w, whose shape does not fit; the backward pass goes through w the other way."
    ),
    advice="(N, M) times what gives (N, D)?",
)
def affine_dx_weights_not_transposed(dout, cache):
    x, w = cache
    return (dout @ w).reshape(x.shape), rows_of(x).T @ dout, dout.sum(axis=0)
