"""What goes wrong in the fully connected network of any depth: first weights, layers, gradients, L2 terms."""

from . import edited, misconception

INIT = "handgrad.classifiers.fc_net.FullyConnectedNet.__init__"
LOSS = "handgrad.classifiers.fc_net.FullyConnectedNet.loss"


def _of(function, prefix):
    def register(id, explanation, advice, *versions):
        """Register a mistake; each version is a list of edits of the reference."""
        wrong = misconception(prefix + id, function=function, explanation=explanation, advice=advice)
        for version in versions:
            wrong(edited(function, *version))

    return register


_init, _net, _l2 = _of(INIT, "fc_init_"), _of(LOSS, "fc_"), _of(LOSS, "fc_l2_")


# ---- the first parameters

DRAW = "weight_scale * np.random.randn(dims[i - 1], dims[i])"
SIZE = "(dims[i - 1], dims[i])"
W_NAME, B_NAME = 'self.params[f"W{i}"]', 'self.params[f"b{i}"]'
ZEROS = B_NAME + " = np.zeros(dims[i])"
DIMS = "dims = [input_dim, *hidden_dims, num_classes]"
LAYERS = "for i in range(1, self.num_layers + 1):"

_init(
    "variance",
    "weight_scale is used as the variance of the weights; it is their standard deviation.",
    "A standard normal number times what has this standard deviation?",
    [(DRAW, "np.sqrt(weight_scale) * np.random.randn(dims[i - 1], dims[i])")],
)
_init(
    "scale_squared",
    "The weights are scaled twice: their standard deviation is the square of weight_scale.",
    "Multiply by weight_scale once, or hand it to the generator, not both.",
    [(DRAW, f"weight_scale * np.random.normal(0, weight_scale, {SIZE})")],
)
_init(
    "scale_ignored",
    "weight_scale is not used: the weights have a standard deviation of 1.",
    "Which argument does your function not use?",
    [(DRAW, "np.random.randn(dims[i - 1], dims[i])")],
)
_init(
    "scale_of_first_layer_only",
    "weight_scale is used for W1 alone; the other weights have a standard deviation of 1.",
    "All layers' weights are drawn the same way.",
    [(DRAW, "(weight_scale if i == 1 else 1) * np.random.randn(dims[i - 1], dims[i])")],
)
_init(
    "last_scale_ignored",
    "weight_scale is not used for the last layer: its weights have a standard deviation of 1.",
    "All layers' weights are drawn the same way.",
    [(DRAW, "(1 if i == self.num_layers else weight_scale) * np.random.randn(dims[i - 1], dims[i])")],
)
_init(
    "scale_hard_coded",
    "The standard deviation is a fixed number; it should be weight_scale, whatever that is.",
    "Which argument does your function not use?",
    [(DRAW, "1e-2 * np.random.randn(dims[i - 1], dims[i])")],
    [(DRAW, "1e-3 * np.random.randn(dims[i - 1], dims[i])")],
)
_init(
    "zeros",
    "All weights start at 0: then all units of a layer are the same, and stay so.",
    "Draw the weights at random; only the biases start at 0.",
    [(DRAW, f"np.zeros({SIZE})")],
)
_init(
    "constant",
    "All weights of a layer are the same number: then all its units are the same, and stay so.",
    "Draw as many random numbers as there are weights.",
    [(DRAW, f"np.full({SIZE}, weight_scale)")],
    [(DRAW, f"np.full({SIZE}, weight_scale * np.random.randn())")],
)
_init(
    "uniform",
    (
        "The weights are drawn evenly between 0 and weight_scale; they should come from a normal "
        "distribution around 0."
    ),
    "np.random.rand and np.random.randn differ in more than a letter.",
    [(DRAW, "weight_scale * np.random.rand(dims[i - 1], dims[i])")],
)
_init(
    "uniform_symmetric",
    "The weights are drawn evenly from an interval around 0; they should come from a normal distribution.",
    "Look for the normal distribution in np.random.",
    [(DRAW, f"np.random.uniform(-weight_scale, weight_scale, {SIZE})")],
    [(DRAW, f"3**0.5 * np.random.uniform(-weight_scale, weight_scale, {SIZE})")],
)
_init(
    "mean_is_scale",
    "weight_scale is the mean of the weights, and their standard deviation is 1.",
    "np.random.normal takes the mean first, then the standard deviation.",
    [(DRAW, f"np.random.normal(weight_scale, 1.0, {SIZE})")],
)
_init(
    "fan_in",
    "The weights are scaled by the square root of the number of inputs; here weight_scale alone decides.",
    "That is a good idea (Xavier, He), and another exercise.",
    [(DRAW, "np.random.randn(dims[i - 1], dims[i]) / np.sqrt(dims[i - 1])")],
    [(DRAW, "np.random.randn(dims[i - 1], dims[i]) * np.sqrt(2 / dims[i - 1])")],
    [(DRAW, DRAW + " / np.sqrt(dims[i - 1])")],
    [(DRAW, DRAW + " * np.sqrt(2 / dims[i - 1])")],
)
_init(
    "same_numbers",
    "Every layer gets the same random numbers: the generator is seeded anew for each.",
    "What does a seed do? Leave it to whoever makes the network.",
    [(W_NAME, "np.random.seed(0); " + W_NAME)],
)
_init(
    "transposed",
    "The weights are (outputs, inputs); they should be (inputs, outputs).",
    "affine_forward multiplies rows of x with w. Which shape does that need?",
    [(DRAW, "weight_scale * np.random.randn(dims[i], dims[i - 1])")],
)
_init(
    "random_biases",
    "The biases are random; they start at 0.",
    "Only the weights have to differ from each other.",
    [(ZEROS, B_NAME + " = weight_scale * np.random.randn(dims[i])")],
)
_init(
    "biases_not_zero",
    "The biases start at another number than 0.",
    "np.ones or np.zeros?",
    [(ZEROS, B_NAME + " = np.ones(dims[i])")],
    [(ZEROS, B_NAME + " = np.full(dims[i], weight_scale)")],
)
_init(
    "biases_of_inputs",
    "The biases are as many as the layer has inputs; each output has one.",
    "To what is a bias added, and how many of those are there?",
    [(ZEROS, B_NAME + " = np.zeros(dims[i - 1])")],
)
_init(
    "biases_as_columns",
    "The biases are columns (n, 1); added to rows of outputs they would make a square of them.",
    "affine_forward adds b to each row. Which shape does that need?",
    [(ZEROS, B_NAME + " = np.zeros((dims[i], 1))")],
)
_init(
    "last_layer_missing",
    "The last layer has no parameters.",
    "How many layers are there with L - 1 hidden ones, and which is the last number of your loop?",
    [(LAYERS, "for i in range(1, self.num_layers):")],
)
_init(
    "first_layer_missing",
    "The first layer has no parameters.",
    "Which is the first number of your loop, and what are the inputs of that layer?",
    [(W_NAME, f"if i > 1: {W_NAME}"), (B_NAME, f"if i > 1: {B_NAME}")],
)
_init(
    "counted_from_zero",
    "The names count the layers from 0; the first layer's are W1 and b1.",
    "Which names does your loop make in its first turn?",
    [(W_NAME, 'self.params[f"W{i - 1}"]'), (B_NAME, 'self.params[f"b{i - 1}"]')],
)
_init(
    "widths_alike",
    "All hidden layers are as wide as the first one; each has a width of its own in hidden_dims.",
    "Print the shapes for hidden layers of different widths.",
    [(DIMS, "dims = [input_dim, *[hidden_dims[0] for _ in hidden_dims], num_classes]")],
)
_init(
    "sizes_hard_coded",
    "The number of inputs or of classes is fixed; they are arguments.",
    "Which arguments does your function not use?",
    [(DIMS, "dims = [3072, *hidden_dims, num_classes]")],
    [(DIMS, "dims = [input_dim, *hidden_dims, 10]")],
)


# ---- the layers, forward

HIDDEN = 'hidden, affine_cache = affine_forward(hidden, self.params[f"W{i}"], self.params[f"b{i}"])'
RELU = "hidden, relu_cache = relu_forward(hidden)"
RELU_BACK = "dhidden = relu_backward(dhidden, relu_cache)"
SCORES = 'scores, scores_cache = affine_forward(hidden, self.params[f"W{L}"], self.params[f"b{L}"])'
RETURN_SCORES = "return scores"
DATA_LOSS = "loss, dscores = softmax_loss(scores, y)"
TURNS, DEPTH = "range(1, self.num_layers)", "L = self.num_layers"
LAST_BACK = 'dhidden, grads[f"W{L}"], grads[f"b{L}"] = affine_backward(dscores, scores_cache)'
FIRST_BACK = 'grads["W1"], grads["b1"] = X.reshape(len(X), -1).T @ dhidden, dhidden.sum(axis=0)'
L2_TURNS = "for i in range(1, L + 1):"
L2, DL2 = "loss += 0.5 * self.reg * np.sum(W**2)", 'grads[f"W{i}"] += self.reg * W'
RETURN = "return loss, grads\n"

_net(
    "relu_on_scores",
    "The scores go through a ReLU too; the last layer is affine alone.",
    "Scores may be negative: the softmax loss makes probabilities of any numbers.",
    [
        (SCORES, SCORES + "; scores, last_cache = relu_forward(scores)"),
        (DATA_LOSS, DATA_LOSS + "; dscores = relu_backward(dscores, last_cache)"),
    ],
    [(SCORES, SCORES + "; scores, last_cache = relu_forward(scores)")],  # not in the backward pass
)
_net(
    "no_hidden_relu",
    "There is no ReLU in the hidden layers: affine layers in a row are only one.",
    "Does your function use relu_forward at all?",
    [(RELU, "relu_cache = None"), (RELU_BACK, "pass")],
)
_net(
    "relu_not_in_last_hidden_layer",
    "The last hidden layer has no ReLU; only the layer of the scores has none.",
    "For which layers does your loop apply it? Write them down for three layers.",
    [
        (RELU, RELU + " if i < self.num_layers - 1 else (hidden, None)"),
        (RELU_BACK, "dhidden = relu_backward(dhidden, relu_cache) if i < L - 1 else dhidden"),
    ],
)
_net(
    "relu_not_in_first_layer",
    "The first hidden layer has no ReLU; only the layer of the scores has none.",
    "For which layers does your loop apply it? Write them down for three layers.",
    [
        (RELU, RELU + " if i > 1 else (hidden, None)"),
        (RELU_BACK, "dhidden = relu_backward(dhidden, relu_cache) if i > 1 else dhidden"),
    ],
)
_net(
    "relu_not_in_backward",
    "The backward pass leaves out the ReLUs.",
    "Go back through every layer that you went forward through, in reverse order.",
    [(RELU_BACK, "pass")],
)
_net(
    "relu_not_in_backward_of_first_layer",
    "The backward pass leaves out the ReLU of the first layer.",
    "What happens in your loop for i = 1?",
    [(RELU_BACK, "dhidden = relu_backward(dhidden, relu_cache) if i > 1 else dhidden")],
)
_net(
    "relu_by_sign_of_gradient",
    "The backward pass of the ReLU stops the negative gradients; it should stop those of negative inputs.",
    "Which of the numbers of the forward pass decides whether a gradient passes?",
    [(RELU_BACK, "dhidden = dhidden * (dhidden > 0)")],
)
_net(
    "hidden_biases_missing",
    "The biases of the hidden layers are not added.",
    "Which of the parameters does your function not use?",
    [(HIDDEN, HIDDEN.replace('self.params[f"b{i}"]', '0 * self.params[f"b{i}"]'))],
)
_net(
    "last_bias_missing",
    "The biases of the last layer are not added.",
    "Which of the parameters does your function not use?",
    [(SCORES, SCORES.replace('self.params[f"b{L}"]', '0 * self.params[f"b{L}"]'))],
)
_net(
    "depth_hard_coded",
    "The network has the same number of layers whatever hidden_dims is.",
    "Try it with one hidden layer, and with three.",
    [(TURNS, "range(1, 3)"), (DEPTH, "L = 3")],
    [(TURNS, "range(1, 2)"), (DEPTH, "L = 2")],
)
_net(
    "scores_are_probabilities",
    "Without labels the network returns probabilities; it should return the scores before the softmax.",
    "The softmax belongs to the loss.",
    [
        (
            RETURN_SCORES,
            "p = np.exp(scores - scores.max(axis=1, keepdims=True)); return p / p.sum(axis=1, keepdims=True)",
        )
    ],
)
_net(
    "scores_are_predictions",
    "Without labels the network returns the predicted classes; it should return all scores.",
    "Choosing the highest score is left to the caller.",
    [(RETURN_SCORES, "return scores.argmax(axis=1)")],
)
_net(
    "float64",
    "In a float32 network some numbers become float64: that takes twice the time and memory.",
    "Print the dtype of every array, from X to the scores and back. Which step changes it?",
    [("hidden, caches = X, []", "hidden, caches = X.astype(np.float64), []")],
    [
        (RETURN_SCORES, "return scores.astype(np.float64)"),
        (RETURN, "return loss, {name: g.astype(np.float64) for name, g in grads.items()}"),
    ],
)


# ---- the loss of the data, and the way back

_net(
    "loss_averaged_again",
    "The loss is divided by the number of examples once more; softmax_loss has done that.",
    "Who averages, and how often?",
    [(DATA_LOSS, DATA_LOSS + "; loss /= len(X)")],
    [(DATA_LOSS, DATA_LOSS + "; loss /= len(X); dscores /= len(X)")],
)
_net(
    "loss_summed",
    "The loss is multiplied by the number of examples; it is a mean over them.",
    "Who averages, and how often?",
    [(DATA_LOSS, DATA_LOSS + "; loss *= len(X)")],
)
_net(
    "gradients_averaged_again",
    "The gradients of the data are divided by the number of examples once more; softmax_loss has done that.",
    "Who averages, and how often?",
    [(DATA_LOSS, DATA_LOSS + "; dscores /= len(X)")],
)
_net(
    "gradients_summed",
    "The gradients are multiplied by the number of examples: they are those of a sum, the loss is a mean.",
    "Who averages, and how often?",
    [(DATA_LOSS, DATA_LOSS + "; dscores *= len(X)")],
)
_net(
    "bias_gradients_averaged",
    "The gradients of the biases are means over the examples; softmax_loss has averaged already.",
    "A bias is added to every example. What becomes of many gradients of one number?",
    [(RETURN, '[grads.update({f"b{i}": grads[f"b{i}"] / len(X)}) for i in range(1, L + 1)]; ' + RETURN)],
)
_net(
    "gradients_negative",
    "The gradients have the wrong sign: they point downhill. Turning around is the solver's task.",
    "Compare one gradient with a numerical one.",
    [(DATA_LOSS, DATA_LOSS + "; dscores *= -1")],
)
_net(
    "gradients_of_last_layer_missing",
    "grads has no entries for the last layer.",
    "grads has the same names as params: print both.",
    [
        (LAST_BACK, "dhidden = affine_backward(dscores, scores_cache)[0]"),
        (DL2, f'if f"W{{i}}" in grads: {DL2}'),
    ],
)
_net(
    "gradients_of_first_layer_missing",
    "grads has no entries for the first layer.",
    "grads has the same names as params: print both.",
    [(FIRST_BACK, "pass"), (DL2, f'if f"W{{i}}" in grads: {DL2}')],
)
_net(
    "gradients_of_hidden_biases_missing",
    "grads has no entries for the biases of the hidden layers.",
    "grads has the same names as params: print both.",
    [(RETURN, 'return loss, {name: g for name, g in grads.items() if name[0] != "b" or name == f"b{L}"}')],
)
_net(
    "gradients_under_other_names",
    "The names in grads are not those in params.",
    "Print the names of both.",
    [(RETURN, 'return loss, {"d" + name: gradient for name, gradient in grads.items()}')],
)
_net(
    "gradients_not_returned",
    "With labels the network returns the loss alone; the gradients are missing.",
    "Look at what the docstring promises with labels.",
    [(RETURN, "return loss")],
)
_net(
    "changes_params",
    "loss changes the parameters; only the solver may do that.",
    "An assignment such as *= or -= to an array of params changes params. Which line does that?",
    [(DL2, 'grads[f"W{i}"] += self.reg * W; W -= 1e-2 * grads[f"W{i}"]')],
    [(DL2, 'W *= self.reg; grads[f"W{i}"] += W')],
)


# ---- L2 terms: of the loss and of the gradients


def _both(loss, gradient):
    return [(L2, loss), (DL2, gradient)]


_l2(
    "missing",
    "The L2 term is missing, in the loss and in the gradients.",
    "Where does your function use self.reg?",
    _both("pass", "pass"),
)
_l2(
    "missing_in_loss",
    "The L2 term is in the gradients, and missing in the loss.",
    "The gradients should be those of the loss that you return.",
    [(L2, "pass")],
)
_l2(
    "missing_in_gradients",
    "The L2 term is in the loss, and missing in the gradients.",
    "What is the derivative of the term that you add to the loss?",
    [(DL2, "pass")],
)
for _id, _words, _condition in (
    ("without_last", "leaves out the last layer", "i < L"),
    ("without_first", "leaves out the first layer", "i > 1"),
    ("of_last_only", "has the weights of the last layer alone", "i == L"),
    ("of_first_only", "has the weights of the first layer alone", "i == 1"),
):
    _advice = (
        "The sum runs over the weights of all layers. For which i does your loop run, and what is inside?"
    )
    _only = f"if {_condition}: "
    _l2(
        _id,
        f"The L2 term {_words}, in the loss and in the gradients.",
        _advice,
        _both(_only + L2, _only + DL2),
    )
    _l2(f"loss_{_id}", f"The L2 term of the loss {_words}.", _advice, [(L2, _only + L2)])
    _l2(f"gradient_{_id}", f"The L2 term of the gradients {_words}.", _advice, [(DL2, _only + DL2)])
_l2(
    "without_half",
    "The factor 0.5 of the L2 term is missing: it is twice as large, in the loss and in the gradients.",
    "The course writes 0.5 * reg * (the sum of squares), so that its gradient is reg * W.",
    _both("loss += self.reg * np.sum(W**2)", 'grads[f"W{i}"] += 2 * self.reg * W'),
)
_l2(
    "loss_without_half",
    "The factor 0.5 of the L2 term is missing in the loss; your gradients have it.",
    "The derivative of W squared is 2 W: which factor makes it W?",
    [(L2, "loss += self.reg * np.sum(W**2)")],
)
_l2(
    "gradient_half",
    "The L2 term of the gradients is half as large as it should be.",
    "The derivative of W squared is 2 W: what becomes of the factor 0.5?",
    [(DL2, 'grads[f"W{i}"] += 0.5 * self.reg * W')],
)
_l2(
    "gradient_double",
    "The L2 term of the gradients is twice as large as it should be.",
    "The derivative of W squared is 2 W: what becomes of the factor 0.5?",
    [(DL2, 'grads[f"W{i}"] += 2 * self.reg * W')],
)
_B = 'self.params[f"b{i}"]'
_BIASES_LOSS = L2.replace("np.sum(W**2)", f"(np.sum(W**2) + np.sum({_B}**2))")
_BIASES_GRADIENT = f'{DL2}; grads[f"b{{i}}"] = grads[f"b{{i}}"] + self.reg * {_B}'
_l2(
    "biases_too",
    "The biases are regularised too; only the weights are.",
    "A bias shifts a unit and multiplies nothing: leave all of them out.",
    _both(_BIASES_LOSS, _BIASES_GRADIENT),
)
_l2(
    "biases_in_loss",
    "The L2 term of the loss has the biases in it; only the weights are regularised.",
    "The gradients should be those of the loss that you return.",
    [(L2, _BIASES_LOSS)],
)
_l2(
    "biases_in_gradients",
    "The gradients of the biases have an L2 term; only the weights are regularised.",
    "The gradients should be those of the loss that you return.",
    [(DL2, _BIASES_GRADIENT)],
)
_l2(
    "counted_again",
    "The L2 term of the loss counts the lower layers more than once: each turn adds the sum so far.",
    "Which lines belong into the loop, and which after it?",
    [(L2, "loss += 0.5 * self.reg * sum(np.sum(self.params[f'W{k}'] ** 2) for k in range(1, i + 1))")],
)
_l2(
    "same_layer_again",
    "The L2 term of the loss adds the same layer's weights in every turn.",
    "Does your loop use its i?",
    [(L2, 'loss += 0.5 * self.reg * np.sum(self.params["W1"]**2)')],
    [(L2, 'loss += 0.5 * self.reg * np.sum(self.params[f"W{L}"]**2)')],
)
_l2(
    "product",
    "The L2 term of the loss multiplies the layers' sums; it should add them.",
    "0.5 * reg * (one sum of squares + the next + ...).",
    [
        (
            L2,
            "if i == 1: loss += 0.5 * self.reg * np.prod("
            '[np.sum(self.params[f"W{k}"]**2) for k in range(1, L + 1)])',
        )
    ],
)
_l2(
    "square_of_sum",
    "The L2 term of the loss squares the sum of the weights; it should sum their squares.",
    "Square first, then sum.",
    [(L2, "loss += 0.5 * self.reg * np.sum(W)**2")],
)
_l2(
    "norm",
    "The L2 term of the loss adds the norms of the weights; it should add their squares.",
    "np.linalg.norm takes a square root at the end.",
    [(L2, "loss += 0.5 * self.reg * np.linalg.norm(W)")],
)
_l2(
    "l1",
    "The loss adds the absolute values of the weights, an L1 term; it should add their squares.",
    "Read the formula of the loss again.",
    [(L2, "loss += 0.5 * self.reg * np.abs(W).sum()")],
    _both("loss += self.reg * np.abs(W).sum()", 'grads[f"W{i}"] += self.reg * np.sign(W)'),
)
_l2(
    "mean",
    "The L2 term takes the mean of the squared weights; it should be their sum.",
    "np.sum or np.mean?",
    [(L2, "loss += 0.5 * self.reg * np.mean(W**2)")],
    _both("loss += 0.5 * self.reg * np.mean(W**2)", 'grads[f"W{i}"] += self.reg * W / W.size'),
)
_l2(
    "divided_by_n",
    "The L2 term is divided by the number of examples; it does not depend on them.",
    "Only the loss of the data is a mean over the batch.",
    _both(L2 + " / len(X)", DL2 + " / len(X)"),
    [(L2, L2 + " / len(X)")],
    [(DL2, DL2 + " / len(X)")],
)
_l2(
    "reg_squared",
    "The L2 term has reg squared, so that a small reg does next to nothing.",
    "How often do you multiply by reg?",
    [(L2, "loss += 0.5 * self.reg**2 * np.sum(W**2)")],
    [(DL2, 'grads[f"W{i}"] += self.reg**2 * W')],
    _both("loss += 0.5 * self.reg**2 * np.sum(W**2)", 'grads[f"W{i}"] += self.reg**2 * W'),
    _both("loss += 0.5 * np.sum((self.reg * W)**2)", 'grads[f"W{i}"] += self.reg * W'),
)
_l2(
    "gradient_scalar",
    "The gradients add reg times the sum of the weights, one number for all; each weight has its own.",
    "The derivative of the L2 term has the shape of W.",
    [(DL2, 'grads[f"W{i}"] += self.reg * np.sum(W)')],
)
_l2(
    "gradient_of_squares",
    "The gradients add reg times the squared weights: that is the term itself, not its derivative.",
    "What is the derivative of W squared?",
    [(DL2, 'grads[f"W{i}"] += self.reg * W**2')],
    [(DL2, 'grads[f"W{i}"] += 0.5 * self.reg * W**2')],
    [(DL2, 'grads[f"W{i}"] += 0.5 * self.reg * np.sum(W**2)')],
)
_l2(
    "gradient_subtracted",
    "The L2 term is subtracted from the gradients; it should be added.",
    "The gradient of a sum is the sum of the gradients.",
    [(DL2, 'grads[f"W{i}"] -= self.reg * W')],
)
_l2(
    "subtracted",
    "The L2 term is subtracted, in the loss and in the gradients; it should be added.",
    "Regularisation makes large weights expensive.",
    _both("loss -= 0.5 * self.reg * np.sum(W**2)", 'grads[f"W{i}"] -= self.reg * W'),
)
_l2(
    "replaces_gradients",
    "The L2 term takes the place of the gradients of the weights; it should be added to them.",
    "What does your last assignment to grads do with what was there?",
    [(DL2, 'grads[f"W{i}"] = self.reg * W')],
)
_l2(
    "replaces_loss",
    "The L2 term takes the place of the loss of the data; it should be added to it.",
    "What does your last assignment to the loss do with what was there?",
    [(L2, "loss = 0.5 * self.reg * np.sum(W**2)")],
    [(L2, "loss = (0.0 if i == 1 else loss) + 0.5 * self.reg * np.sum(W**2)")],
)
