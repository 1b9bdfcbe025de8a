"""What goes wrong in the gradients that are first derived on paper: autoencoder, swish, swish network."""

import numpy as np

from handgrad.layers import sigmoid_forward

from . import edited, misconception

AUTOENCODER = "handgrad.written_gradients.autoencoder_loss"
FORWARD = "handgrad.layers.activations.swish_forward"
BACKWARD = "handgrad.layers.activations.swish_backward"
NET = "handgrad.written_gradients.swish_net_loss"


# ---- the autoencoder

HALF = "loss = 0.5 * np.sum(error**2)"
RESTORE = "error = W.T @ code - x  # (n,)"
BACK = "dcode = W @ error  # (m,)"
DECODER = "dW = np.outer(code, error)  # the decoder's path: W.T multiplies code"
ENCODER = "dW += np.outer(dcode, x)  # the encoder's path: W multiplies x"


def _autoencoder(id, explanation, advice, *versions):
    register = misconception(id, function=AUTOENCODER, explanation=explanation, advice=advice)
    for edits in versions:
        register(edited(AUTOENCODER, *edits))


_autoencoder(
    "autoencoder_decoder_path_only",
    "dW has the decoder's path alone: W also stands in the encoder, and its path is missing.",
    "In how many places of the formula does W stand?",
    [(ENCODER, "")],
)
_autoencoder(
    "autoencoder_encoder_path_only",
    "dW has the encoder's path alone: W also stands in the decoder, and its path is missing.",
    "In how many places of the formula does W stand?",
    [(DECODER, "dW = 0 * W")],
)
_autoencoder(
    "autoencoder_decoder_path_twice",
    "dW is twice the decoder's path: the two paths are not equal.",
    "Follow each arrow that leaves W on its own; what is it multiplied with there?",
    [(ENCODER, "dW = 2 * dW")],
)
_autoencoder(
    "autoencoder_encoder_path_twice",
    "dW is twice the encoder's path: the two paths are not equal.",
    "Follow each arrow that leaves W on its own; what is it multiplied with there?",
    [(DECODER, "dW = np.outer(dcode, x)")],
)
_autoencoder(
    "autoencoder_paths_subtracted",
    "The two paths are subtracted from each other; the gradients of two paths add.",
    "What does the chain rule say when a quantity is used twice?",
    [("dW += np.outer", "dW -= np.outer")],
    [(DECODER, DECODER.replace("np.outer", "-np.outer"))],
)
_autoencoder(
    "autoencoder_paths_averaged",
    "dW is half of what it should be: the two paths are averaged, but their gradients add.",
    "What does the chain rule say when a quantity is used twice?",
    [(ENCODER, "dW = 0.5 * (dW + np.outer(dcode, x))")],
)
_autoencoder(
    "autoencoder_decoder_transposed",
    "The decoder's path is transposed: it has the shape of W.T, and should have that of W.",
    "The gradient of W.T is n x m. How does it become the gradient of W?",
    [(DECODER, "dW = np.outer(error, code)")],
    [(DECODER, "dW = np.outer(error, code)"), (ENCODER, "dW = dW + np.outer(dcode, x)")],
)
_autoencoder(
    "autoencoder_encoder_transposed",
    "The encoder's path is transposed: it should have the shape of W.",
    "Which of the two factors belongs to the rows of W?",
    [(ENCODER, "dW += np.outer(x, dcode)")],
)
_autoencoder(
    "autoencoder_gradient_transposed",
    "dW is transposed: it should have the shape of W.",
    "A gradient has the shape of what it is the gradient of.",
    [(ENCODER, "dW = (dW + np.outer(dcode, x)).T")],
)
_autoencoder(
    "autoencoder_error_not_sent_back",
    "The encoder's path takes the code in place of what comes back through the decoder.",
    "What is the gradient of the loss with respect to the code? The error has to pass W.T on its way back.",
    [(BACK, "dcode = code")],
)
_autoencoder(
    "autoencoder_reconstruction_for_error",
    "dW is made with the restored x; it should be made with the difference between it and x.",
    "What is the derivative of half the square of e?",
    [(DECODER, "error = W.T @ code\n    dW = np.outer(code, error)"), (BACK, "dcode = W @ (W.T @ code)")],
    [(DECODER, "dW = np.outer(code, W.T @ code)")],
    [(BACK, "dcode = W @ (W.T @ code)")],
)
_autoencoder(
    "autoencoder_encoder_path_of_error",
    "The encoder's path multiplies with the error; the encoder's input is x.",
    "What was W multiplied with in the forward pass?",
    [(ENCODER, "dW += np.outer(dcode, error)")],
)
_autoencoder(
    "autoencoder_decoder_path_of_x",
    "The decoder's path multiplies with x; what arrives at the decoder is the error.",
    "Which gradient arrives at the box that W.T belongs to?",
    [(DECODER, "dW = np.outer(code, x)")],
)
_autoencoder(
    "autoencoder_loss_without_half",
    "The loss lacks the factor 1/2: it is twice as large; your gradient has it.",
    "Compare your loss with the formula.",
    [(HALF, "loss = np.sum(error**2)")],
)
_autoencoder(
    "autoencoder_without_half",
    "The factor 1/2 is missing: loss and gradient are twice as large.",
    "Compare your loss with the formula.",
    [(HALF, "loss = np.sum(error**2)"), (BACK, "error = 2 * error\n    dcode = W @ error")],
)
_autoencoder(
    "autoencoder_gradient_double",
    "dW is twice as large as it should be.",
    "The derivative of the square of e is 2 e: what becomes of the factor 1/2?",
    [(BACK, "error = 2 * error\n    dcode = W @ error")],
)
_autoencoder(
    "autoencoder_mean",
    "The loss is a mean over the numbers of x; it should be half their sum of squares.",
    "np.mean divides by n.",
    [(HALF, "loss = np.mean(error**2)")],
    [(HALF, "loss = 0.5 * np.mean(error**2)")],
    [(HALF, "loss = np.mean(error**2)"), (BACK, "error = 2 * error / len(x)\n    dcode = W @ error")],
    [(HALF, "loss = 0.5 * np.mean(error**2)"), (BACK, "error = error / len(x)\n    dcode = W @ error")],
)
_autoencoder(
    "autoencoder_norm",
    "The loss is made with the length of the error; it should be made with its square.",
    "np.linalg.norm takes a square root at the end.",
    [(HALF, "loss = 0.5 * np.linalg.norm(error)")],
    [(HALF, "loss = np.linalg.norm(error)")],
)
_autoencoder(
    "autoencoder_absolute",
    "The loss adds absolute values; it should add squares.",
    "Read the formula of the loss again.",
    [(HALF, "loss = 0.5 * np.sum(np.abs(error))")],
    [(HALF, "loss = np.sum(np.abs(error))")],
)
_autoencoder(
    "autoencoder_square_of_sum",
    "The loss squares the sum of the errors; it should sum their squares.",
    "Square first, then sum.",
    [(HALF, "loss = 0.5 * np.sum(error) ** 2")],
)
_autoencoder(
    "autoencoder_loss_not_summed",
    "The loss is an array of squares; it should be one number, half their sum.",
    "What turns the squares of the numbers of e into the square of its length?",
    [(HALF, "loss = 0.5 * error**2")],
)
_autoencoder(
    "autoencoder_x_not_subtracted",
    "The loss is that of the restored x alone: x is not subtracted.",
    "How badly x is restored: what is compared with what?",
    [(HALF, "loss = 0.5 * np.sum((W.T @ code) ** 2)")],
    [(RESTORE, "error = W.T @ code")],
)
_autoencoder(
    "autoencoder_gradient_negated",
    "dW has the wrong sign: following it would raise the loss.",
    "The square of e forgets the sign of e, its derivative does not: which of the two is subtracted?",
    [(ENCODER, "dW = -(dW + np.outer(dcode, x))")],
)


# ---- swish, forward


def _forward(id, explanation, advice, *activations):
    register = misconception(id, function=FORWARD, explanation=explanation, advice=advice)
    for activation in activations:

        def forward(x, activation=activation):
            sigmoid, _ = sigmoid_forward(x)
            return activation(x, sigmoid), (x, sigmoid)

        register(forward)


_forward(
    "swish_sigmoid",
    "The outputs are the sigmoid alone; swish multiplies it with its input.",
    "Read the definition again: how many factors has it?",
    lambda x, s: s,
)
_forward(
    "swish_tuple",
    "sigmoid_forward returns two things, its output and a cache; x is multiplied with both.",
    "Give the two values that it returns a name each.",
    lambda x, s: x * np.array((s, s)),
)
_forward(
    "swish_sum",
    "x and its sigmoid are added; they should be multiplied.",
    "Read the definition again.",
    lambda x, s: x + s,
)
_forward(
    "swish_sign_of_exponent",
    "The exponent has the wrong sign: x is multiplied with the sigmoid of -x.",
    "What should swish be for a large positive x?",
    lambda x, s: x * (1 - s),
)
_forward(
    "swish_slope_of_sigmoid",
    "x is multiplied with the slope of the sigmoid; it should be multiplied with the sigmoid itself.",
    "Which of the two functions stands in the definition?",
    lambda x, s: x * s * (1 - s),
)
_forward(
    "swish_tanh",
    "x is multiplied with its hyperbolic tangent; it should be multiplied with its sigmoid.",
    "The sigmoid rises from 0 to 1, tanh from -1 to 1.",
    lambda x, s: x * np.tanh(x),
)
_forward(
    "swish_relu",
    "The outputs are those of a ReLU: swish is smooth, and below 0 for negative x.",
    "Plot your function next to the one in the notebook.",
    lambda x, s: np.maximum(0, x),
    lambda x, s: x * (x > 0) + 0.01 * x * (x <= 0),
)
_forward(
    "swish_squared",
    "x enters twice as a factor; swish is x times its sigmoid.",
    "Is what you multiply with already swish?",
    lambda x, s: x * x * s,
    lambda x, s: x * s * s,
)
_forward(
    "swish_sigmoid_of_swish",
    "The sigmoid is applied to something other than x.",
    "Each number times its own sigmoid.",
    lambda x, s: sigmoid_forward(x * s)[0],
    lambda x, s: x * sigmoid_forward(s)[0],
)
_forward(
    "swish_total",
    "x is multiplied with one number for all, from sums over x; each number has its own sigmoid.",
    "Which of your steps mixes the numbers of x with each other?",
    lambda x, s: x * s.mean(),
    lambda x, s: x * s.sum(),
    lambda x, s: x * (np.exp(x) / np.exp(x).sum()),
)
_forward(
    "swish_exponential_without_one",
    "The 1 in the denominator of the sigmoid is missing.",
    "At 0 the sigmoid is 1/2. What is yours?",
    lambda x, s: x / np.exp(-x),
    lambda x, s: x / (2 + np.exp(-x)),
)


def _overflowing(quotient):
    def swish(x):
        out = quotient(x)
        return out, (x, sigmoid_forward(x)[0])

    return swish


overflow = misconception(
    "swish_overflow",
    function=FORWARD,
    explanation="For large inputs the result is NaN: exp(1000) is infinite, and infinity by infinity is NaN.",
    advice="sigmoid_forward does not overflow, whatever the input. How does it do that?",
)
overflow(_overflowing(lambda x: x * np.exp(x) / (1 + np.exp(x))))
overflow(_overflowing(lambda x: x * (np.exp(x) / (np.exp(x) + 1))))
overflow(_overflowing(lambda x: x - x / (1 + np.exp(x)) + 0 * np.exp(x)))


# ---- swish, backward


def _backward(id, explanation, advice, *gradients):
    """Wrong backward passes: functions of dout, x, its sigmoid and its swish."""
    register = misconception(id, function=BACKWARD, explanation=explanation, advice=advice)
    for gradient in gradients:

        def backward(dout, cache, gradient=gradient):
            x, sigmoid = cache
            return gradient(dout, x, sigmoid, x * sigmoid)

        register(backward)


_backward(
    "swish_backward_first_term_only",
    "The slope is the sigmoid alone: the term in which the sigmoid is differentiated is missing.",
    "The derivative of a product has two terms.",
    lambda dout, x, s, swish: dout * s,
)
_backward(
    "swish_backward_second_term_only",
    "The slope has only the term in which the sigmoid is differentiated; x is a factor, too.",
    "The derivative of a product has two terms.",
    lambda dout, x, s, swish: dout * swish * (1 - s),
)
_backward(
    "swish_backward_slope_of_sigmoid",
    "The slope is that of the sigmoid, not that of swish.",
    "Swish is a product with x: what does that add to its derivative?",
    lambda dout, x, s, swish: dout * s * (1 - s),
)
_backward(
    "swish_backward_x_missing",
    "In the second term the factor x is missing.",
    "Differentiate one factor, and leave the other one standing.",
    lambda dout, x, s, swish: dout * (s + s * (1 - s)),
)
_backward(
    "swish_backward_without_dout",
    "dx is the slope of swish alone, without what comes from above.",
    "The chain rule multiplies the slope with dout.",
    lambda dout, x, s, swish: s + swish * (1 - s),
)
_backward(
    "swish_backward_hands_through",
    "dx is dout, unchanged: the slope of swish is missing.",
    "Do you use what the forward pass kept in the cache?",
    lambda dout, x, s, swish: dout.copy(),
)
_backward(
    "swish_backward_of_dout",
    "The slope is taken at dout; it should be taken at the inputs.",
    "Where is the tangent that you want the slope of? The forward pass has kept the place in the cache.",
    lambda dout, x, s, swish: dout * _slope(dout),
    lambda dout, x, s, swish: _slope(dout),
    lambda dout, x, s, swish: dout * sigmoid_forward(dout)[0],
)
_backward(
    "swish_backward_roles_swapped",
    "In the slope swish and sigmoid have changed their roles.",
    "At 0 the slope is 1/2, and far to the right it is 1. Try both in your formula.",
    lambda dout, x, s, swish: dout * (s + swish * (1 - swish)),
    lambda dout, x, s, swish: dout * (swish + s * (1 - s)),
    lambda dout, x, s, swish: dout * (swish + swish * (1 - s)),
    lambda dout, x, s, swish: dout * (s + s * (1 - swish)),
)
_backward(
    "swish_backward_sign",
    "A sign is wrong between the terms of the slope.",
    "Far to the right the slope is 1, and at 0 it is 1/2. Where does the minus sign belong?",
    lambda dout, x, s, swish: dout * (s - swish * (1 - s)),
    lambda dout, x, s, swish: dout * (swish - s * (1 - swish)),
    lambda dout, x, s, swish: dout * (s + swish * (1 + s)),
    lambda dout, x, s, swish: dout * (swish + s * (1 + swish)),
)
_backward(
    "swish_backward_negated",
    "dx has the wrong sign.",
    "Swish rises for positive inputs: which sign has its slope there?",
    lambda dout, x, s, swish: -dout * (s + swish * (1 - s)),
)
_backward(
    "swish_backward_slope_of_tanh",
    "The slope of the sigmoid is written as that of tanh, 1 minus the square.",
    "Derive the slope of the sigmoid once more; it has two sigmoids in it.",
    lambda dout, x, s, swish: dout * (s + x * (1 - s**2)),
)
_backward(
    "swish_backward_slope_without_one_minus",
    "The slope of the sigmoid lacks a factor.",
    "It is greatest at 0 and dies out on both sides. Does yours?",
    lambda dout, x, s, swish: dout * (s + swish),
    lambda dout, x, s, swish: dout * (s + x * (1 - s)),
    lambda dout, x, s, swish: dout * (s + swish * s),
)
_backward(
    "swish_backward_output",
    "dout is multiplied with the output of swish; it should be multiplied with its slope.",
    "How much does the output change when the input grows a little?",
    lambda dout, x, s, swish: dout * swish,
)
_backward(
    "swish_backward_relu",
    "dout passes where the input was positive, as for a ReLU; the slope of swish changes smoothly.",
    "Where is the slope of swish 0, and where is it 1?",
    lambda dout, x, s, swish: dout * (x > 0),
)
_backward(
    "swish_backward_dout_covers_one_term",
    "dout is multiplied with one term of the slope only.",
    "Look at the brackets.",
    lambda dout, x, s, swish: dout * swish + s * (1 - swish),
    lambda dout, x, s, swish: dout * s + swish * (1 - s),
)
_backward(
    "swish_backward_overflow",
    "For large inputs the slope is NaN: exp(1000) is infinite.",
    "The forward pass has a sigmoid that does not overflow; no further exponential is needed.",
    lambda dout, x, s, swish: dout * np.exp(x) * (1 + np.exp(x) + x) / (1 + np.exp(x)) ** 2,
    lambda dout, x, s, swish: dout * (1 + np.exp(-x) + x * np.exp(-x)) / (1 + np.exp(-x)) ** 2,
)


def _slope(x):
    s, _ = sigmoid_forward(x)
    return s + x * s * (1 - s)


# ---- the network

MEAN = "loss = -log_probs[examples, y].mean()"
DIVIDED = "dz2 /= N"
ONE = "dz2[examples, y] -= 1  # ... minus 1 at the correct class"
SHIFT = "z2.max(axis=1, keepdims=True)"
LOGS = "log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, C)"
DH1 = "dh1 = dz2 @ W2  # (N, H)"
DZ1 = "dz1 = swish_backward(dh1, cache)"
DW1 = '"W1": dz1.T @ X'
DB1 = '"b1": dz1.sum(axis=0)'
DW2 = '"W2": dz2.T @ h1'
DB2 = '"b2": dz2.sum(axis=0)'


def _net(id, explanation, advice, *versions):
    register = misconception(id, function=NET, explanation=explanation, advice=advice)
    for edits in versions:
        register(edited(NET, *edits))


_net(
    "swish_net_summed",
    "Loss and gradients are sums over the examples; they should be means.",
    "Otherwise the size of the batch would change the step size.",
    [(MEAN, MEAN.replace("mean", "sum")), (DIVIDED, "")],
)
_net(
    "swish_net_loss_summed",
    "The loss is the sum over the examples; it should be the mean.",
    "The gradients are those of the mean: do the same to the loss.",
    [(MEAN, MEAN.replace("mean", "sum"))],
)
_net(
    "swish_net_gradients_not_averaged",
    "The gradients are those of the sum of the examples' losses; the loss is their mean.",
    "Where does the 1/N enter, once and only once?",
    [(DIVIDED, "")],
)
_net(
    "swish_net_averaged_twice",
    "The gradients are divided by the number of examples twice.",
    "Where does the 1/N enter, once and only once?",
    [(DIVIDED, "dz2 /= N * N")],
)
_net(
    "swish_net_averaged_twice_in_one_layer",
    "The gradients of one layer are divided by the number of examples twice.",
    "Where does the 1/N enter, once and only once?",
    [(DW1, DW1 + " / N"), (DB1, DB1 + " / N")],
    [(DW2, DW2 + " / N"), (DB2, DB2 + " / N")],
    [(DW1, DW1 + " / N"), (DW2, DW2 + " / N")],
)
_net(
    "swish_net_biases_averaged",
    "A gradient of the biases is a mean over the examples; the 1/N is in it already, so it should be a sum.",
    "Every example shares the biases. What does the chain rule do with several paths?",
    [(DB1, DB1.replace("sum", "mean")), (DB2, DB2.replace("sum", "mean"))],
    [(DB1, DB1.replace("sum", "mean"))],
    [(DB2, DB2.replace("sum", "mean"))],
)
_net(
    "swish_net_biases_wrong_axis",
    "A gradient of the biases is summed over the units; it should be summed over the examples.",
    "It has the shape of the biases. Which axis has to disappear?",
    [(DB1, DB1.replace("axis=0", "axis=1")), (DB2, DB2.replace("axis=0", "axis=1"))],
    [(DB1, DB1.replace("axis=0", "axis=1"))],
    [(DB2, DB2.replace("axis=0", "axis=1"))],
)
_net(
    "swish_net_biases_total",
    "A gradient of the biases is one number; each bias has a gradient of its own.",
    "Give sum an axis, so that the result has the shape of the biases.",
    [(DB1, DB1.replace("axis=0", "")), (DB2, DB2.replace("axis=0", ""))],
    [(DB1, DB1.replace("axis=0", ""))],
    [(DB2, DB2.replace("axis=0", ""))],
)
_net(
    "swish_net_not_backward_through_swish",
    "The backward pass leaves out swish.",
    "Go back through every step that you went forward through, in reverse order.",
    [(DZ1, "dz1 = dh1")],
)
_net(
    "swish_net_relu_backward",
    "The backward pass goes through a ReLU; the forward pass went through swish.",
    "Which function belongs to swish_forward?",
    [(DZ1, "dz1 = dh1 * (z1 > 0)")],
)
_net(
    "swish_net_backward_of_product",
    "Swish's slope is taken from the gradient, or multiplied with it twice.",
    "swish_backward takes dout and the cache, and multiplies the two for you.",
    [(DZ1, "dz1 = dh1 * swish_backward(dh1, cache)")],
    [(DZ1, "dz1 = swish_backward(swish_backward(dh1, cache), cache)")],
)
_net(
    "swish_net_no_activation",
    "There is no swish between the two layers: two affine layers in a row are only one.",
    "Follow the four steps from x to z2; which one is missing?",
    [("h1, cache = swish_forward(z1)", "h1 = z1"), (DZ1, "dz1 = dh1")],
    [("h1, cache = swish_forward(z1)", "h1, cache = z1, swish_forward(z1)[1]")],
)
_net(
    "swish_net_sigmoid",
    "The hidden units are sigmoids; they should be swish.",
    "Each number times its own sigmoid.",
    [("h1, cache = swish_forward(z1)", "_, cache = swish_forward(z1)\n    h1 = 1 / (1 + np.exp(-z1))")],
)
_net(
    "swish_net_swish_on_scores",
    "The scores go through swish as well; the last layer is affine alone.",
    "Scores may be negative: softmax makes probabilities of any numbers.",
    [
        ("z2 = h1 @ W2.T + b2  # (N, C)", "z2, cache2 = swish_forward(h1 @ W2.T + b2)"),
        (DIVIDED, "dz2 = swish_backward(dz2 / N, cache2)"),
    ],
    [("z2 = h1 @ W2.T + b2  # (N, C)", "z2, _ = swish_forward(h1 @ W2.T + b2)")],
)
_net(
    "swish_net_without_biases",
    "A bias is missing in the forward pass.",
    "Which argument does your function not use?",
    [("X @ W1.T + b1", "X @ W1.T"), ("h1 @ W2.T + b2", "h1 @ W2.T")],
    [("X @ W1.T + b1", "X @ W1.T")],
    [("h1 @ W2.T + b2", "h1 @ W2.T")],
)
_net(
    "swish_net_gradient_of_z1",
    "The gradient of W2 is made with the hidden units before swish; W2 multiplies them after it.",
    "What was W2 multiplied with in the forward pass?",
    [(DW2, '"W2": dz2.T @ z1')],
)
_net(
    "swish_net_gradient_of_dh1",
    "The gradients of the first layer are made with the gradient after swish, not before it.",
    "Which quantity is the output of the first affine step?",
    [(DW1, '"W1": dh1.T @ X')],
    [(DB1, '"b1": dh1.sum(axis=0)')],
)
_net(
    "swish_net_weights_transposed",
    "A gradient of the weights is transposed.",
    "A gradient has the shape of what it is the gradient of. Swap the factors, and transpose the other one.",
    [(DW1, '"W1": X.T @ dz1'), (DW2, '"W2": h1.T @ dz2')],
    [(DW1, '"W1": X.T @ dz1')],
    [(DW2, '"W2": h1.T @ dz2')],
)
_net(
    "swish_net_inputs_not_transposed",
    "X is multiplied with W1 as it is, which fits only when all sizes are the same.",
    "Write the shapes below the product: whose axis of length D meets which?",
    [("X @ W1.T", "X @ W1"), ("h1 @ W2.T", "h1 @ W2")],
    [("X @ W1.T", "X @ W1")],
    [("h1 @ W2.T", "h1 @ W2")],
    [(DH1, "dh1 = dz2 @ W2.T")],
)
_net(
    "swish_net_one_missing",
    "The gradient of the scores is the probabilities; the right class's entry lacks the -1.",
    "The score of the right class also stands in the numerator.",
    [(ONE, "")],
)
_net(
    "swish_net_one_after_the_mean",
    "The 1 is subtracted after dividing by N, so it is N times too large.",
    "Both terms of the gradient belong to the mean.",
    [(ONE, ""), (DIVIDED, "dz2 /= N\n    dz2[examples, y] -= 1")],
)
_net(
    "swish_net_label_columns",
    "The 1 is subtracted in whole columns (dz2[:, y]); it belongs to one entry of each row.",
    "Index with the number of the example and its label, in pairs.",
    [(ONE, "dz2[:, y] -= 1")],
)
_net(
    "swish_net_gradients_negated",
    "All gradients have the wrong sign: following them would raise the loss.",
    "Raising the right class's score should lower the loss. What sign has its gradient?",
    [(DIVIDED, "dz2 /= -N")],
)
_net(
    "swish_net_loss_without_minus",
    "The loss has the wrong sign: it is negative, and would fall as the predictions get worse.",
    "The logarithm of a probability is negative.",
    [(MEAN, MEAN.replace("-log", "log"))],
)
_net(
    "swish_net_loss_over_classes_too",
    "The loss is divided by examples times classes; the mean is over the examples.",
    "How many losses are there in a batch: one for each example, or one for each score?",
    [(MEAN, "loss = -log_probs[examples, y].sum() / z2.size")],
)
_net(
    "swish_net_loss_of_all_classes",
    "The loss adds up the logarithms of all classes' probabilities; only the right class counts.",
    "Pick one probability from each row, with the labels.",
    [(MEAN, "loss = -log_probs.sum() / N")],
    [(MEAN, "loss = -log_probs[:, y].sum() / N")],
    [(MEAN, "loss = -log_probs.mean()")],
    [(MEAN, "loss = -log_probs[:, y].mean()")],
)
_net(
    "swish_net_loss_without_logarithm",
    "The logarithm of the loss is missing or another one.",
    "np.log is the natural logarithm; where does it stand in the formula?",
    [(MEAN, "loss = (1 - np.exp(log_probs[examples, y])).mean()")],
    [(MEAN, "loss = -np.exp(log_probs[examples, y]).mean()")],
    [(MEAN, MEAN + " / np.log(2)")],
    [(MEAN, MEAN + " / np.log(10)")],
)
_net(
    "swish_net_softmax_over_the_batch",
    "The probabilities sum to 1 over the examples; they should sum to 1 over the classes of each example.",
    "Which axis holds the classes?",
    [(LOGS, LOGS.replace("axis=1", "axis=0"))],
    [(SHIFT, SHIFT.replace("axis=1", "axis=0")), (LOGS, LOGS.replace("axis=1", "axis=0"))],
)
_net(
    "swish_net_softmax_over_everything",
    "The probabilities of all examples together sum to 1; those of each example should.",
    "Give the sum an axis: which one holds the classes?",
    [(LOGS, "log_probs = shifted - np.log(np.exp(shifted).sum())")],
    [(SHIFT, "z2.max()"), (LOGS, "log_probs = shifted - np.log(np.exp(shifted).sum())")],
)
_net(
    "swish_net_not_shifted",
    "Large scores overflow: exp(1000) is infinite, and infinity by infinity is NaN.",
    "Softmax stays the same when one number is subtracted from all scores of an example. Choose it well.",
    [(SHIFT, "0")],
)
_net(
    "swish_net_shifted_by_batch",
    (
        "The largest score of the whole batch is subtracted: an example whose scores are all far below it "
        "gets only zeros, and 0 / 0 is NaN."
    ),
    "Each example needs its own maximum.",
    [(SHIFT, "z2.max()")],
)
_net(
    "swish_net_log_of_zero",
    "For large scores a probability rounds to 0, and the loss becomes infinite: 0 has no logarithm.",
    "Write the logarithm of the quotient as a difference; then no probability is needed for the loss.",
    [(MEAN, "loss = -np.log(np.exp(log_probs[examples, y])).mean()")],
)
_net(
    "swish_net_guarded_log",
    "A small number keeps the logarithm away from 0: large losses come out too small.",
    "Write the logarithm of the quotient as a difference; then nothing has to be kept away from 0.",
    *[
        [(MEAN, f"loss = -np.log({guard}).mean()")]
        for size in ("1e-5", "1e-6", "1e-7", "1e-8", "1e-9", "1e-10", "1e-12", "1e-15", "1e-16", "1e-20")
        for guard in (
            f"np.exp(log_probs[examples, y]) + {size}",
            f"np.maximum(np.exp(log_probs[examples, y]), {size})",
        )
    ],
)
