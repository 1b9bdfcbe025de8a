"""What goes wrong in modules: linear, ReLU, softmax, and the cross-entropy loss."""

from . import edited, misconception

LINEAR = "handgrad.modules.linear.Linear."
RELU = "handgrad.modules.activations.ReLU."
SOFTMAX = "handgrad.modules.activations.Softmax."
LOSS = "handgrad.modules.losses.CrossEntropyLoss."


def known(id, function, explanation, advice, *versions):
    """Register versions of a mistake: each a function, or what differs from the reference's source."""
    register = misconception(id, function=function, explanation=explanation, advice=advice)
    for version in versions:
        register(version if callable(version) else edited(function, *version))


# ---- the linear module, forward

OUT = "return rows @ self.weight.value + self.bias.value"

known(
    "modules_linear_no_bias",
    LINEAR + "forward",
    "The biases are not added.",
    "Which of the two parameters does your forward pass not use?",
    [(OUT, "return rows @ self.weight.value")],
)
known(
    "modules_linear_bias_subtracted",
    LINEAR + "forward",
    "The biases are subtracted; they should be added.",
    "Compare the sign in front of the bias with the formula.",
    [(OUT, "return rows @ self.weight.value - self.bias.value")],
)
known(
    "modules_linear_bias_summed",
    LINEAR + "forward",
    "The sum of all biases is added to every output; each output has its own.",
    "The biases have one number for each output. Let broadcasting add it.",
    [(OUT, "return rows @ self.weight.value + self.bias.value.sum()")],
)
known(
    "modules_linear_not_rows",
    LINEAR + "forward",
    "The examples are multiplied as they come; an image of several axes has to become one row first.",
    "What is the shape of x for images, and what shape does the product with the weights need?",
    [("x.reshape(x.shape[0], -1)", "x")],
)
known(
    "modules_linear_mixed_rows",
    LINEAR + "forward",
    "The examples are put into columns and transposed: that mixes the numbers of different examples.",
    "The order in memory stays when the shape changes. Is row i made of the numbers of example i alone?",
    [("x.reshape(x.shape[0], -1)", "x.reshape(-1, x.shape[0]).T")],
)
known(
    "modules_linear_column_order",
    LINEAR + "forward",
    "The numbers of each example are read in column order; the module reads them in row order.",
    "Leave the order of reshape as it is when nothing is said.",
    [("x.reshape(x.shape[0], -1)", 'x.reshape(x.shape[0], -1, order="F")')],
)
known(
    "modules_linear_weights_transposed",
    LINEAR + "forward",
    "The weights are transposed before the product; their shape (D, M) fits as it is.",
    "(N, D) times what gives (N, M)?",
    [(OUT, "return rows @ self.weight.value.T + self.bias.value")],
)
known(
    "modules_linear_mean",
    LINEAR + "forward",
    "The weighted sums are divided by a number of inputs or examples; the formula has no mean.",
    "Compare your line with the formula of the exercise, sign by sign.",
    [(OUT, "return rows @ self.weight.value / rows.shape[1] + self.bias.value")],
    [(OUT, "return rows @ self.weight.value / len(rows) + self.bias.value")],
)
known(
    "modules_linear_relu_inside",
    LINEAR + "forward",
    "Negative outputs are cut off; that is the work of another module.",
    "A linear module is a product and a sum, and nothing after them.",
    [(OUT, "return np.maximum(0, rows @ self.weight.value + self.bias.value)")],
)

# ---- the linear module, backward

DX = "return (dout @ self.weight.value.T).reshape(x.shape)"
DW = "rows.T @ dout"
DB = "dout.sum(axis=0)"

known(
    "modules_linear_divided_by_n",
    LINEAR + "backward",
    "The gradients of the parameters are divided by the number of examples; the loss has averaged already.",
    "Everything is simply added up here. Where is the mean taken?",
    [(DW, "rows.T @ dout / len(x)"), (DB, "dout.mean(axis=0)")],
)
known(
    "modules_linear_weight_divided_by_n",
    LINEAR + "backward",
    "weight.grad is divided by the number of examples; the loss has averaged already.",
    "Everything is simply added up here. Where is the mean taken?",
    [(DW, "rows.T @ dout / len(x)")],
)
known(
    "modules_linear_bias_mean",
    LINEAR + "backward",
    "bias.grad is the mean over the examples; the gradient of a sum is the sum.",
    "Every example uses the same bias, and every one adds to its gradient.",
    [(DB, "dout.mean(axis=0)")],
)
known(
    "modules_linear_bias_axis",
    LINEAR + "backward",
    "bias.grad is summed over the outputs of each example; it should be summed over the examples.",
    "bias.grad has the shape of the biases. Which axis of dout has to disappear?",
    [(DB, "dout.sum(axis=1)")],
)
known(
    "modules_linear_bias_total",
    LINEAR + "backward",
    "bias.grad is one number, the sum of all of dout; each bias has a gradient of its own.",
    "Say which axis the sum runs over.",
    [(DB, "dout.sum()")],
    [(DB, "np.full(dout.shape[1], dout.sum())")],
)
known(
    "modules_linear_bias_not_summed",
    LINEAR + "backward",
    "bias.grad is dout itself, a row for each example; each bias has one gradient.",
    "How many examples does one bias serve, and how do their gradients come together?",
    [(DB, "dout")],
)
known(
    "modules_linear_bias_ones",
    LINEAR + "backward",
    "bias.grad is the local derivative alone, without what comes from above.",
    "The chain rule multiplies the local derivative with dout.",
    [(DB, "np.ones(dout.shape[1])")],
    [(DB, "np.full(dout.shape[1], float(len(x)))")],
)
known(
    "modules_linear_bias_missing",
    LINEAR + "backward",
    "bias.grad is not set: it is 0 as at the beginning.",
    "Your backward pass owes three arrays. Which of the two parameters does it forget?",
    [("self.bias.grad = ", "db = ")],
)
known(
    "modules_linear_weight_missing",
    LINEAR + "backward",
    "weight.grad is not set: it is 0 as at the beginning.",
    "A local variable is gone when the function ends. Where should the gradient be kept?",
    [("self.weight.grad = ", "dw = ")],
)
known(
    "modules_linear_grads_missing",
    LINEAR + "backward",
    "Neither weight.grad nor bias.grad is set: they are 0 as at the beginning.",
    "A local variable is gone when the function ends. Where should the gradients be kept?",
    [("self.weight.grad = ", "dw = "), ("self.bias.grad = ", "db = ")],
)
known(
    "modules_linear_weight_transposed",
    LINEAR + "backward",
    "weight.grad is transposed: (M, D), and should be (D, M) as the weights are.",
    "A gradient has the shape of what it is the gradient of.",
    [(DW, "dout.T @ rows")],
)
known(
    "modules_linear_grads_added",
    LINEAR + "backward",
    "The gradients are added to what an earlier backward pass left; they should be set anew.",
    "Which operator writes, and which adds? What is in grad before?",
    [("self.weight.grad = ", "self.weight.grad += "), ("self.bias.grad = ", "self.bias.grad += ")],
    [
        ("self.weight.grad = ", "self.weight.grad = self.weight.grad + "),
        ("self.bias.grad = ", "self.bias.grad = self.bias.grad + "),
    ],
)
known(
    "modules_linear_weight_added",
    LINEAR + "backward",
    "weight.grad is added to what an earlier backward pass left; it should be set anew.",
    "Which operator writes, and which adds? What is in grad before?",
    [("self.weight.grad = ", "self.weight.grad += ")],
)
known(
    "modules_linear_dx_not_reshaped",
    LINEAR + "backward",
    "dx is still in rows; it should have the shape of x.",
    "Undo at the end of the backward pass what the forward pass did first.",
    [(DX, "return dout @ self.weight.value.T")],
)
known(
    "modules_linear_dx_column_order",
    LINEAR + "backward",
    "dx is put back into shape in another order than the numbers were taken out.",
    "Both changes of shape have to use the same order.",
    [(DX, 'return (dout @ self.weight.value.T).reshape(x.shape, order="F")')],
)
known(
    "modules_linear_dx_weights_not_transposed",
    LINEAR + "backward",
    "dx multiplies with the weights as they are; the way back goes through them from the other side.",
    "(N, M) times what gives (N, D)?",
    [(DX, "return (dout @ self.weight.value).reshape(x.shape)")],
)
known(
    "modules_linear_dx_divided_by_n",
    LINEAR + "backward",
    "dx is divided by the number of examples; the examples do not mix in dx at all.",
    "Each row of dx depends on its own row of dout alone.",
    [(DX, "return (dout @ self.weight.value.T).reshape(x.shape) / len(x)")],
)
known(
    "modules_linear_all_divided_by_n",
    LINEAR + "backward",
    "All three gradients are divided by the number of examples; the loss has averaged already.",
    "Everything is simply added up here. Where is the mean taken?",
    [
        (DX, "return (dout @ self.weight.value.T).reshape(x.shape) / len(x)"),
        (DW, "rows.T @ dout / len(x)"),
        (DB, "dout.mean(axis=0)"),
    ],
)
known(
    "modules_linear_dx_missing",
    LINEAR + "backward",
    "dx is not returned, so that the module below gets nothing.",
    "The parameters' gradients are kept in the module; what goes to the module below?",
    [(DX, "(dout @ self.weight.value.T).reshape(x.shape)")],
)
known(
    "modules_linear_three_returned",
    LINEAR + "backward",
    "Three gradients are returned; a module returns dx alone and keeps the others in its parameters.",
    "Read the docstring: what is set, and what is returned?",
    [
        (
            DX,
            "return (dout @ self.weight.value.T).reshape(x.shape), self.weight.grad, self.bias.grad",
        )
    ],
)
known(
    "modules_linear_backward_not_rows",
    LINEAR + "backward",
    "weight.grad is made from x as it came; its images have to become rows, as in the forward pass.",
    "What is x.T for an array of four axes?",
    [("x.reshape(x.shape[0], -1)", "x")],
)

# ---- ReLU

known(
    "modules_relu_absolute_value",
    RELU + "forward",
    "Negative numbers become positive; ReLU makes them 0.",
    "Compare what your module makes of -1 and of 1.",
    [("np.maximum(x, 0)", "np.abs(x)")],
)
known(
    "modules_relu_leaky",
    RELU + "forward",
    "Negative numbers keep a small slope: that is the leaky ReLU.",
    "The plain ReLU is exactly 0 there.",
    [("np.maximum(x, 0)", "np.maximum(x, 0.01 * x)")],
    [("np.maximum(x, 0)", "np.maximum(x, 0.1 * x)")],
)
known(
    "modules_relu_hands_through",
    RELU + "forward",
    "The outputs are the inputs: nothing is cut off.",
    "Is the result that you compute the one that you return?",
    [("np.maximum(x, 0)", "x")],
)
known(
    "modules_relu_minimum",
    RELU + "forward",
    "The positive numbers are cut off and the negative ones kept; it is the other way round.",
    "Minimum or maximum?",
    [("np.maximum(x, 0)", "np.minimum(x, 0)")],
)
known(
    "modules_relu_mask",
    RELU + "forward",
    "The outputs are 0 and 1: where x is positive, not how large it is.",
    "A comparison gives the mask; multiply it with something.",
    [("np.maximum(x, 0)", "(x > 0).astype(x.dtype)")],
)
known(
    "modules_relu_at_least_one",
    RELU + "forward",
    "Everything below 1 becomes 1; the threshold and floor of ReLU are 0.",
    "Look at the constant that you take the maximum with.",
    [("np.maximum(x, 0)", "np.maximum(x, 1)")],
)
known(
    "modules_relu_one_number",
    RELU + "forward",
    "The largest number of all is returned; ReLU works on each number alone.",
    "np.max finds the largest of many, np.maximum the larger of two.",
    [("np.maximum(x, 0)", "np.max(x, initial=0)")],
    [("np.maximum(x, 0)", "max(0.0, x.max())")],
)
known(
    "modules_relu_positive_only",
    RELU + "forward",
    "Only the positive numbers are returned, in a row; the negative ones should stay, as zeros.",
    "The output has the shape of x.",
    [("np.maximum(x, 0)", "x[x > 0]")],
)
known(
    "modules_relu_backward_hands_through",
    RELU + "backward",
    "dx is dout, unchanged; where the input was negative the output was constant, so nothing may pass.",
    "Do you use what the forward pass kept in the cache?",
    [("return dout * (x > 0)", "return dout")],
)
known(
    "modules_relu_backward_sign_of_dout",
    RELU + "backward",
    "The gradient passes where dout is positive; whether it passes depends on the input x.",
    "Whose sign decides about the slope?",
    [("dout * (x > 0)", "dout * (dout > 0)")],
    [("dout * (x > 0)", "np.maximum(dout, 0)")],
)
known(
    "modules_relu_backward_both_signs",
    RELU + "backward",
    "The gradient passes where both x and dout are positive; dout may have any sign.",
    "Whose sign decides about the slope?",
    [("dout * (x > 0)", "np.maximum(dout * (x > 0), 0)")],
)
known(
    "modules_relu_backward_mask",
    RELU + "backward",
    "dx is 0 and 1: the local slope alone, without what comes from above.",
    "The chain rule multiplies the local derivative with dout.",
    [("dout * (x > 0)", "(x > 0).astype(float)")],
)
known(
    "modules_relu_backward_negative",
    RELU + "backward",
    "The gradient passes where the input was negative; it is the other way round.",
    "Where is the slope of ReLU 1, and where 0?",
    [("dout * (x > 0)", "dout * (x < 0)")],
)
known(
    "modules_relu_backward_times_x",
    RELU + "backward",
    "dout is multiplied by the outputs of ReLU; it should be multiplied by its slope.",
    "What is the slope of a straight line through 0, and what its height?",
    [("dout * (x > 0)", "dout * np.maximum(x, 0)")],
)
known(
    "modules_relu_backward_forward_again",
    RELU + "backward",
    "dx is the output of the forward pass; dout is not used.",
    "What comes from above has to be in the result.",
    [("dout * (x > 0)", "np.maximum(x, 0)")],
)
known(
    "modules_relu_backward_sign",
    RELU + "backward",
    "Where the input was negative, the gradient passes with the other sign; nothing may pass there.",
    "The slope of ReLU is 1 or 0, never -1.",
    [("dout * (x > 0)", "dout * np.sign(x)")],
)

# ---- softmax, forward

SHIFT = "exps = np.exp(x - x.max(axis=1, keepdims=True))"
SUMS = "probs = exps / exps.sum(axis=1, keepdims=True)"
FLOOR = "probs = np.maximum(probs, np.finfo(x.dtype).tiny)"

known(
    "modules_softmax_no_shift",
    SOFTMAX + "forward",
    "Nothing is subtracted from the scores: exponentials of large ones overflow.",
    "What may be subtracted from all scores of an example, so that the largest becomes harmless?",
    [(SHIFT, "exps = np.exp(x)")],
)
known(
    "modules_softmax_shift_of_batch",
    SOFTMAX + "forward",
    "The largest score of the whole batch is subtracted; for other examples all exponentials may become 0.",
    "Each example has a largest score of its own.",
    [(SHIFT, "exps = np.exp(x - x.max())")],
)
known(
    "modules_softmax_shift_of_columns",
    SOFTMAX + "forward",
    "The largest score of each class is subtracted; only a constant for each example changes nothing.",
    "Which axis runs over the classes of one example?",
    [(SHIFT, "exps = np.exp(x - x.max(axis=0))")],
)
known(
    "modules_softmax_shift_too_small",
    SOFTMAX + "forward",
    "The smallest score is subtracted, or the mean: exponentials of scores far above it overflow.",
    "No exponential should be larger than 1, however far apart the scores of an example are.",
    [(SHIFT, "exps = np.exp(x - x.min(axis=1, keepdims=True))")],
    [(SHIFT, "exps = np.exp(x - x.mean(axis=1, keepdims=True))")],
)
known(
    "modules_softmax_shift_added",
    SOFTMAX + "forward",
    "The largest score is added; it should be subtracted.",
    "What is the largest exponent after your shift?",
    [(SHIFT, "exps = np.exp(x + x.max(axis=1, keepdims=True))")],
)
known(
    "modules_softmax_clipped_scores",
    SOFTMAX + "forward",
    "The scores are clipped so that nothing overflows: different large scores become the same.",
    "A shift of all scores of an example keeps their differences; clipping does not.",
    [(SHIFT, "exps = np.exp(np.clip(x, -500, 500))")],
    [(SHIFT, "exps = np.exp(np.clip(x, -700, 700))")],
)
known(
    "modules_softmax_over_batch",
    SOFTMAX + "forward",
    "Each class adds up to 1 over the examples; each example should add up to 1 over the classes.",
    "Which axis runs over the classes of one example?",
    [(SUMS, "probs = exps / exps.sum(axis=0)")],
    [
        (SHIFT, "exps = np.exp(x - x.max(axis=0))"),
        (SUMS, "probs = exps / exps.sum(axis=0)"),
    ],
)
known(
    "modules_softmax_total",
    SOFTMAX + "forward",
    "All numbers together add up to 1; each example should.",
    "The sum in the denominator runs over the classes of one example.",
    [(SUMS, "probs = exps / exps.sum()")],
)
known(
    "modules_softmax_not_normalised",
    SOFTMAX + "forward",
    "The exponentials are not divided by their sum.",
    "Probabilities of an example add up to 1. Do yours?",
    [(SUMS, "probs = exps")],
)
known(
    "modules_softmax_no_exponential",
    SOFTMAX + "forward",
    "The shifted scores themselves are divided by their sum; the exponential is missing.",
    "Scores may be negative, probabilities may not. What makes them positive?",
    [(SHIFT, "exps = x - x.max(axis=1, keepdims=True)")],
)
known(
    "modules_softmax_logarithm",
    SOFTMAX + "forward",
    "The logarithms of the probabilities are returned.",
    "The logarithm is the work of the loss.",
    [("return probs", "return np.log(probs)")],
)
known(
    "modules_softmax_no_floor",
    SOFTMAX + "forward",
    "Probabilities may be rounded to 0; those below the smallest normal number should be raised to it.",
    "Read in the docstring what holds for very small probabilities.",
    [(FLOOR, "probs = probs")],
)
known(
    "modules_softmax_high_floor",
    SOFTMAX + "forward",
    "The floor is too high, or a small number is added: probabilities that float64 can hold well are lost.",
    "The floor depends on the dtype: it is its smallest normal number, and only what is below changes.",
    *([(FLOOR, f"probs = np.maximum(probs, {floor})")] for floor in (1e-8, 1e-10, 1e-12, 1e-15)),
    [(FLOOR, "probs = np.maximum(probs, np.finfo(x.dtype).eps)")],
    *([(FLOOR, f"probs = np.clip(probs, {eps}, 1 - {eps})")] for eps in (1e-7, 1e-12)),
    [(FLOOR, "probs = probs + 1e-12")],
    [(FLOOR, "probs = probs + 1e-8")],
)
known(
    "modules_softmax_floor_of_float64",
    SOFTMAX + "forward",
    "The floor is that of float64 whatever the scores are: in float32 it is rounded to 0.",
    "Ask the dtype of the scores for its smallest normal number.",
    [(FLOOR, "probs = np.maximum(probs, np.finfo(np.float64).tiny).astype(x.dtype)")],
)
# ---- softmax, backward

MEAN = "mean_dout = (dout * probs).sum(axis=1, keepdims=True)"
JACOBIAN = "return probs * (dout - mean_dout)"

known(
    "modules_softmax_diagonal",
    SOFTMAX + "backward",
    "Only the diagonal of the Jacobian is used: each score is taken to move its own probability alone.",
    "A score moves all probabilities of its example, up or down.",
    [(JACOBIAN, "return dout * probs * (1 - probs)")],
)
known(
    "modules_softmax_off_diagonal_lost",
    SOFTMAX + "backward",
    "The term of the other classes is missing: dx is dout times the probabilities.",
    "The Jacobian has two terms. Where is the sum over the classes?",
    [(JACOBIAN, "return dout * probs")],
)
known(
    "modules_softmax_like_sigmoid_without_dout",
    SOFTMAX + "backward",
    "dx is p (1 - p), the derivative of a probability with respect to its own score; dout is not used.",
    "What comes from above has to be in the result.",
    [(JACOBIAN, "return probs * (1 - probs)")],
)
known(
    "modules_softmax_probs_minus_dout",
    SOFTMAX + "backward",
    "dx is the probabilities minus dout, as if the softmax and its loss were one; here they are two.",
    "The short formula with labels holds for both together. dout is not a label here.",
    [(JACOBIAN, "return probs - dout")],
    [(JACOBIAN, "return (probs - dout) / len(dout)")],
)
known(
    "modules_softmax_hands_through",
    SOFTMAX + "backward",
    "dx is dout, unchanged.",
    "Put the Jacobian of the docstring into the chain rule.",
    [(JACOBIAN, "return dout")],
)
known(
    "modules_softmax_sum_over_batch",
    SOFTMAX + "backward",
    "The sum of dout times probabilities runs over the examples; it should run over the classes of each.",
    "The sum is one number for each example.",
    [(MEAN, "mean_dout = (dout * probs).sum(axis=0, keepdims=True)")],
)
known(
    "modules_softmax_sum_over_all",
    SOFTMAX + "backward",
    "The sum of dout times probabilities runs over the whole batch; it should run over one example.",
    "The sum is one number for each example.",
    [(MEAN, "mean_dout = (dout * probs).sum()")],
)
known(
    "modules_softmax_plain_sum",
    SOFTMAX + "backward",
    "The sum over the classes is one of dout alone; each dout is weighted by its probability.",
    "Which average of the dout is it?",
    [(MEAN, "mean_dout = dout.sum(axis=1, keepdims=True)")],
)
known(
    "modules_softmax_plain_mean",
    SOFTMAX + "backward",
    "The plain mean of dout over the classes is subtracted; each dout is weighted by its probability.",
    "Which average of the dout is it?",
    [(MEAN, "mean_dout = dout.mean(axis=1, keepdims=True)")],
)
known(
    "modules_softmax_mean_of_products",
    SOFTMAX + "backward",
    "The products of dout and probability are averaged over the classes; they should be added up.",
    "The probabilities are the weights of the average already.",
    [(MEAN, "mean_dout = (dout * probs).mean(axis=1, keepdims=True)")],
)
known(
    "modules_softmax_sign",
    SOFTMAX + "backward",
    "The two terms are added; the second is subtracted.",
    "What does a higher score do to the other probabilities?",
    [(JACOBIAN, "return probs * (dout + mean_dout)")],
)
known(
    "modules_softmax_factor_lost",
    SOFTMAX + "backward",
    "The factor in front is missing: the sum is subtracted from dout, and that is all.",
    "How strongly does a score act whose own probability is small?",
    [(JACOBIAN, "return dout - mean_dout")],
)
known(
    "modules_softmax_second_factor_lost",
    SOFTMAX + "backward",
    "The sum over the classes is not multiplied by the probability of the score's own class.",
    "Look for the factors of the second term that do not depend on the class that is summed over.",
    [(JACOBIAN, "return probs * dout - mean_dout")],
)
known(
    "modules_softmax_divided_by_n",
    SOFTMAX + "backward",
    "dx is divided by the number of examples; the loss has averaged already.",
    "Each row of dx depends on its own row of dout alone.",
    [(JACOBIAN, "return probs * (dout - mean_dout) / len(dout)")],
)
known(
    "modules_softmax_scores_for_probabilities",
    SOFTMAX + "backward",
    "The Jacobian is made of something else than the probabilities that the forward pass returned.",
    "What is in the cache: scores, exponentials or probabilities?",
    [("probs = self.cache", "probs = np.log(self.cache)")],
)

# ---- the loss, forward

MEAN_LOSS = "return float(-np.log(probs[np.arange(len(y)), y]).mean())"
TINY = "probs = np.maximum(out, np.finfo(out.dtype).tiny)"


def loss_returns(expression):
    return [(MEAN_LOSS, f"return float({expression})")]


known(
    "modules_loss_summed",
    LOSS + "forward",
    "The loss is the sum over the examples; it should be their mean.",
    "Should the loss of equal probabilities depend on how many examples there are?",
    loss_returns("-np.log(probs[np.arange(len(y)), y]).sum()"),
)
known(
    "modules_loss_sign",
    LOSS + "forward",
    "The loss has the wrong sign: it is negative.",
    "Logarithms of probabilities are negative. What makes the loss positive?",
    loss_returns("np.log(probs[np.arange(len(y)), y]).mean()"),
)
known(
    "modules_loss_all_classes",
    LOSS + "forward",
    "The logarithms of all classes are added; only that of the correct class counts.",
    "The labels have to appear in the formula. Where are they in yours?",
    loss_returns("-np.log(probs).sum() / len(y)"),
    loss_returns("-np.log(probs).mean()"),
    loss_returns("-np.log(probs[:, y]).mean()"),
    loss_returns("-np.log(probs[:, y]).sum() / len(y)"),
)
known(
    "modules_loss_divided_by_classes",
    LOSS + "forward",
    "The loss is divided by the number of classes; the mean is taken over the examples alone.",
    "How many numbers do you add up, and by what do you divide?",
    loss_returns("-np.log(probs[np.arange(len(y)), y]).sum() / probs.size"),
    loss_returns("-np.log(probs[np.arange(len(y)), y]).sum() / probs.shape[1]"),
)
known(
    "modules_loss_no_logarithm",
    LOSS + "forward",
    "The mean probability is returned, or what is left to 1; the logarithm is missing.",
    "What does a network pay that is sure, and wrong?",
    loss_returns("-probs[np.arange(len(y)), y].mean()"),
    loss_returns("1 - probs[np.arange(len(y)), y].mean()"),
)
known(
    "modules_loss_mean_before_logarithm",
    LOSS + "forward",
    "The mean is taken before the logarithm; each example has a logarithm of its own.",
    "In which order stand the sum and the logarithm in the formula?",
    loss_returns("-np.log(probs[np.arange(len(y)), y].mean())"),
)
known(
    "modules_loss_entropy",
    LOSS + "forward",
    "The entropy of the probabilities is computed; the labels are not used.",
    "The labels have to appear in the formula. Where are they in yours?",
    loss_returns("-(probs * np.log(probs)).sum() / len(y)"),
)
known(
    "modules_loss_other_logarithm",
    LOSS + "forward",
    "The logarithm has the base 10 or 2; it should be the natural one.",
    "Whose derivative is 1 / p?",
    loss_returns("-np.log10(probs[np.arange(len(y)), y]).mean()"),
    loss_returns("-np.log2(probs[np.arange(len(y)), y]).mean()"),
)
known(
    "modules_loss_softmax_again",
    LOSS + "forward",
    "The softmax is taken once more; the loss is given probabilities already.",
    "What does the module before the loss return?",
    [(TINY, "probs = np.exp(out) / np.exp(out).sum(axis=1, keepdims=True)")],
)
known(
    "modules_loss_no_floor",
    LOSS + "forward",
    "A probability of 0 makes the loss infinite; it should count as the smallest normal number.",
    "Read in the docstring what holds for very small probabilities.",
    [(TINY, "probs = out")],
)
known(
    "modules_loss_high_floor",
    LOSS + "forward",
    "A probability of 0 counts as a much larger number than the smallest normal one.",
    "The floor depends on the dtype: it is its smallest normal number.",
    *([(TINY, f"probs = np.maximum(out, {floor})")] for floor in (1e-7, 1e-8, 1e-10, 1e-12, 1e-15)),
    [(TINY, "probs = np.maximum(out, np.finfo(out.dtype).eps)")],
    [(TINY, "probs = out + 1e-8")],
    [(TINY, "probs = out + 1e-10")],
    [(TINY, "probs = out + 1e-12")],
    [(TINY, "probs = out + 1e-15")],
)
known(
    "modules_loss_other_classes_too",
    LOSS + "forward",
    "The other classes' log(1 - p) are added: that is the loss of independent yes-or-no questions.",
    "Only the probability of the correct class is in the formula.",
    loss_returns(
        "-(np.log(probs[np.arange(len(y)), y]).sum() + np.log(np.maximum(1 - probs, 1e-300)).sum()"
        " - np.log(np.maximum(1 - probs[np.arange(len(y)), y], 1e-300)).sum()) / len(y)"
    ),
)

# ---- the loss, backward

DOUT = "dout[examples, y] = -1 / (N * probs[examples, y])"

known(
    "modules_loss_gradient_not_divided",
    LOSS + "backward",
    "The gradient is not divided by the number of examples, but the loss is their mean.",
    "Which factor does the mean leave in front?",
    [(DOUT, "dout[examples, y] = -1 / probs[examples, y]")],
)
known(
    "modules_loss_gradient_sign",
    LOSS + "backward",
    "The gradient has the wrong sign.",
    "What is the derivative of minus the logarithm? Which way should the right probability go?",
    [(DOUT, "dout[examples, y] = 1 / (N * probs[examples, y])")],
)
known(
    "modules_loss_gradient_of_scores",
    LOSS + "backward",
    "This is the gradient with respect to the scores, softmax and loss in one; here they are two modules.",
    "With respect to what does the docstring want the gradient? Whose work is the rest?",
    [
        (
            DOUT,
            "dout = probs / N; dout[examples, y] -= 1 / N",
        )
    ],
    [
        (
            DOUT,
            "dout = probs.copy(); dout[examples, y] -= 1",
        )
    ],
)
known(
    "modules_loss_gradient_all_classes",
    LOSS + "backward",
    "All classes get a gradient; the loss depends on the probability of the correct class alone.",
    "On which of the probabilities does the loss depend, as a formula?",
    [(DOUT, "dout = -1 / (N * probs)")],
    [(DOUT, "dout = -1 / probs")],
)
known(
    "modules_loss_gradient_no_reciprocal",
    LOSS + "backward",
    "The gradient does not depend on the probability; the derivative of the logarithm does.",
    "What is the derivative of -log p?",
    [(DOUT, "dout[examples, y] = -1 / N")],
    [(DOUT, "dout[examples, y] = -1")],
)
known(
    "modules_loss_gradient_not_inverted",
    LOSS + "backward",
    "The probability stands in the numerator; the derivative of the logarithm has it below.",
    "What is the derivative of -log p?",
    [(DOUT, "dout[examples, y] = -probs[examples, y] / N")],
)
known(
    "modules_loss_gradient_logarithm",
    LOSS + "backward",
    "The gradient holds the logarithms of the forward pass, not their derivatives.",
    "What is the derivative of -log p?",
    [(DOUT, "dout[examples, y] = -np.log(probs[examples, y]) / N")],
)
known(
    "modules_loss_gradient_divided_by_classes",
    LOSS + "backward",
    "The gradient is divided by the number of classes; the mean is taken over the examples.",
    "Which factor does the mean leave in front, and how many examples are there?",
    [(DOUT, "dout[examples, y] = -1 / (probs.shape[1] * probs[examples, y])")],
    [(DOUT, "dout[examples, y] = -1 / (probs.size * probs[examples, y])")],
)
known(
    "modules_loss_gradient_columns",
    LOSS + "backward",
    "Whole columns are written: every example gets a gradient at the labels of all of them.",
    "One entry in each row: the index has to name the row as well.",
    [(DOUT, "dout[:, y] = -1 / (N * probs[:, y])")],
)
known(
    "modules_loss_gradient_vector",
    LOSS + "backward",
    "There is one number for each example; the gradient has the shape of the probabilities, (N, C).",
    "What is the gradient of the probabilities of the other classes?",
    [(DOUT, "dout = -1 / (N * probs[examples, y])")],
)
known(
    "modules_loss_gradient_no_floor",
    LOSS + "backward",
    "A probability of 0 makes the gradient infinite, though your loss is finite there.",
    "Use the floor here as you did in the forward pass.",
    [
        (
            DOUT,
            "dout[examples, y] = -1 / (N * np.where(probs[examples, y] <= np.finfo(probs.dtype).tiny, 0, "
            "probs[examples, y]))",
        )
    ],
)
