"""What goes wrong in the rectified linear units."""

import numpy as np

from . import misconception

FORWARD = "handgrad.layers.activations.relu_forward"
BACKWARD = "handgrad.layers.activations.relu_backward"

misconception(
    "relu_absolute_value",
    function=FORWARD,
    explanation="Negative numbers become positive; ReLU makes them 0.",
    advice="Compare what your function makes of -1 and of 1.",
)(lambda x: (np.abs(x), x))

misconception(
    "relu_leaky",
    function=FORWARD,
    explanation="Negative numbers keep a small slope: that is the leaky ReLU, with 0.01.",
    advice="The plain ReLU is exactly 0 there.",
)(lambda x: (np.where(x > 0, x, 0.01 * x), x))

misconception(
    "relu_hands_through",
    function=FORWARD,
    explanation="The outputs are the inputs: nothing is cut off.",
    advice="Is the result that you compute the one that you return?",
)(lambda x: (x.copy(), x))

misconception(
    "relu_minimum",
    function=FORWARD,
    explanation="The positive numbers are cut off and the negative ones kept; it is the other way round.",
    advice="Minimum or maximum?",
)(lambda x: (np.minimum(0, x), x))

misconception(
    "relu_mask_returned",
    function=FORWARD,
    explanation="The outputs are 0 and 1: where x is positive, not how large it is.",
    advice="A comparison gives the mask; multiply it with something.",
)(lambda x: ((x > 0).astype(x.dtype), x))

misconception(
    "relu_at_least_one",
    function=FORWARD,
    explanation="Everything below 1 becomes 1; the threshold and floor of ReLU are 0.",
    advice="Look at the constant that you take the maximum with.",
)(lambda x: (np.maximum(1, x), x))


@misconception(
    "relu_backward_hands_through",
    function=BACKWARD,
    explanation=(
        "dx is dout, unchanged; where the input was negative the output was constant, so nothing may pass."
    ),
    advice="Do you use what the forward pass kept in the cache?",
)
def relu_backward_hands_through(dout, cache):
    return dout.copy()


@misconception(
    "relu_backward_masks_by_dout",
    function=BACKWARD,
    explanation="dout passes where dout is positive; it should pass where the input was.",
    advice="A gradient may be negative. Which array decides?",
)
def relu_backward_masks_by_dout(dout, cache):
    return dout * (dout > 0)


@misconception(
    "relu_backward_mask_returned",
    function=BACKWARD,
    explanation="dx is 0 and 1: the local derivative alone, without dout.",
    advice="The chain rule multiplies the local derivative with what comes from above.",
)
def relu_backward_mask_returned(dout, cache):
    return (cache > 0).astype(dout.dtype)


@misconception(
    "relu_backward_times_output",
    function=BACKWARD,
    explanation="dout is multiplied with the output of the layer; the derivative of ReLU is 0 or 1.",
    advice="How much does the output change when a positive input grows a little?",
)
def relu_backward_times_output(dout, cache):
    return dout * np.maximum(cache, 0)


@misconception(
    "relu_backward_inverted",
    function=BACKWARD,
    explanation="dout passes where the input was negative; it is the other way round.",
    advice="Check the direction of the comparison.",
)
def relu_backward_inverted(dout, cache):
    return dout * (cache <= 0)


@misconception(
    "relu_backward_leaky",
    function=BACKWARD,
    explanation="A hundredth of dout passes where the input was negative: that is the leaky ReLU's gradient.",
    advice="The plain ReLU is constant there.",
)
def relu_backward_leaky(dout, cache):
    return np.where(cache > 0, dout, 0.01 * dout)


@misconception(
    "relu_backward_of_input",
    function=BACKWARD,
    explanation="dx is the positive part of the input; dout is not in it.",
    advice="The backward pass takes dout and says how much of it each input gets.",
)
def relu_backward_of_input(dout, cache):
    return np.maximum(cache, 0)
