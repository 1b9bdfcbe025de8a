"""What goes wrong in the three-layer convolutional network: initial weights, architecture, L2 terms."""

from . import edited, misconception

INIT = "handgrad.classifiers.cnn.ThreeLayerConvNet.__init__"
LOSS = "handgrad.classifiers.cnn.ThreeLayerConvNet.loss"


def _wrong(function, id, explanation, advice, *versions):
    """Register a mistake; each version is a list of edits of the reference."""
    register = misconception(f"conv_net_{id}", function=function, explanation=explanation, advice=advice)
    for version in versions:
        register(edited(function, *version))


def _init(id, explanation, advice, *versions):
    _wrong(INIT, id, explanation, advice, *versions)


def _loss(id, explanation, advice, *versions):
    _wrong(LOSS, id, explanation, advice, *versions)


# ---- the initial weights

POOLED = "pooled = num_filters * (H // 2) * (W // 2)"
SHAPES = {
    "W1": "(num_filters, C, filter_size, filter_size)",
    "W2": "(pooled, hidden_dim)",
    "W3": "(hidden_dim, num_classes)",
}


def _drawn(draw, *names):
    """Edits that draw these weights, or all, with `draw`, where SHAPE stands for the shape."""
    return [
        (f"weight_scale * np.random.randn{SHAPES[name]}", draw.replace("SHAPE", SHAPES[name]))
        for name in names or SHAPES
    ]


def _biases(how):
    return [(f"np.zeros({size})", how.format(size)) for size in ("num_filters", "hidden_dim", "num_classes")]


_init(
    "pooling_forgotten",
    "W2 has an input for every output of the convolution; the pooling lets only some of them through.",
    "How many numbers are left of an image after 2x2 pooling?",
    [(POOLED, "pooled = num_filters * H * W")],
)
_init(
    "pooled_in_one_direction",
    "W2 has half as many inputs as the convolution has outputs; the pooling halves height and width.",
    "How many numbers are left of an image after 2x2 pooling?",
    [(POOLED, "pooled = num_filters * (H * W // 2)")],
)
_init(
    "filters_forgotten_in_w2",
    "W2 has inputs for one image only; every filter makes one.",
    "What shape do the images have after the pooling?",
    [(POOLED, "pooled = (H // 2) * (W // 2)")],
)
_init(
    "channels_for_filters",
    "W2 counts the channels of the image; after the convolution there are as many channels as filters.",
    "What shape do the images have after the pooling?",
    [(POOLED, "pooled = C * (H // 2) * (W // 2)")],
)
_init(
    "no_padding",
    "W2 is sized as if the convolution had no border; here it keeps height and width.",
    "What does conv_param say, and what shape do the outputs of the convolution have with it?",
    [(POOLED, "pooled = num_filters * ((H - filter_size + 1) // 2) * ((W - filter_size + 1) // 2)")],
)
_init(
    "square_images",
    "The images are taken to be square in the shape of W2.",
    "Height and width may differ, and each is halved by the pooling.",
    [(POOLED, "pooled = num_filters * (H // 2) ** 2")],
    [(POOLED, "pooled = num_filters * (W // 2) ** 2")],
)
_init(
    "w1_without_channels",
    "A filter of W1 has one channel; it should have as many as the images.",
    "How many weights does a filter have for images of C channels?",
    [_drawn("weight_scale * np.random.randn(num_filters, 1, filter_size, filter_size)", "W1")[0]],
)
_init(
    "w1_three_channels",
    "A filter of W1 has always three channels; it should have as many as the images.",
    "Which line of yours has a number where an argument belongs?",
    [_drawn("weight_scale * np.random.randn(num_filters, 3, filter_size, filter_size)", "W1")[0]],
)
_init(
    "w1_axes_exchanged",
    "The axes of W1 are in another order than (filters, channels, height, width).",
    "What shape does the convolution expect its filters to have?",
    [_drawn("weight_scale * np.random.randn(C, num_filters, filter_size, filter_size)", "W1")[0]],
    [_drawn("weight_scale * np.random.randn(filter_size, filter_size, C, num_filters)", "W1")[0]],
)
_init(
    "filter_size_always_7",
    "The filters have always 7 x 7 pixels; they should have the size of the argument.",
    "Which line of yours has a number where an argument belongs?",
    [_drawn("weight_scale * np.random.randn(num_filters, C, 7, 7)", "W1")[0]],
)
_init(
    "transposed",
    "The weights of the affine layers are (outputs, inputs); they should be (inputs, outputs).",
    "affine_forward multiplies rows of x with w. Which shape does that need?",
    [
        _drawn("weight_scale * np.random.randn(hidden_dim, pooled)", "W2")[0],
        _drawn("weight_scale * np.random.randn(num_classes, hidden_dim)", "W3")[0],
    ],
)
_init(
    "bias_shapes",
    "A bias has the wrong size: there is one for each filter, each hidden unit and each class.",
    "A layer has as many biases as outputs; those of the convolution are its filters' images.",
    [("np.zeros(num_filters)", "np.zeros(C)")],
    [("np.zeros(hidden_dim)", "np.zeros(pooled)")],
    [("np.zeros(num_classes)", "np.zeros(hidden_dim)")],
    [("np.zeros(num_filters)", "np.zeros((num_filters, 1, 1))")],
    [("np.zeros(num_filters)", "np.zeros((num_filters, H, W))")],
)
_init(
    "variance",
    "weight_scale is used as the variance of the weights; it is their standard deviation.",
    "A standard normal number times what has this standard deviation?",
    _drawn("np.sqrt(weight_scale) * np.random.standard_normal(SHAPE)"),
)
_init(
    "scale_squared",
    "The weights are scaled twice: their standard deviation is the square of weight_scale.",
    "Multiply by weight_scale once, or hand it to the generator, not both.",
    _drawn("weight_scale * np.random.normal(0, weight_scale, SHAPE)"),
)
_init(
    "zeros",
    "All weights start at 0: then all filters are the same, and stay so.",
    "Draw the weights at random; only the biases start at 0.",
    _drawn("np.zeros(SHAPE)"),
)
_init(
    "constant",
    "All weights are the same number: then all filters are the same, and stay so.",
    "Draw as many random numbers as there are weights.",
    _drawn("np.full(SHAPE, weight_scale)"),
)
_init(
    "scale_ignored",
    "weight_scale is not used: the weights have a standard deviation of 1.",
    "Which argument does your function not use?",
    _drawn("np.random.standard_normal(SHAPE)"),
)
for _name in SHAPES:
    _init(
        f"scale_ignored_in_{_name.lower()}",
        f"weight_scale is not used for {_name}, whose weights have a standard deviation of 1.",
        "The weights of all three layers are drawn the same way.",
        _drawn("np.random.standard_normal(SHAPE)", _name),
    )
_init(
    "uniform",
    "The weights are drawn evenly between 0 and weight_scale; they should be normal, around 0.",
    "np.random.rand and np.random.randn differ in more than a letter.",
    _drawn("weight_scale * np.random.random(SHAPE)"),
)
_init(
    "uniform_symmetric",
    "The weights are drawn evenly from -weight_scale to weight_scale; they should be normal.",
    "Look for the normal distribution in np.random.",
    _drawn("np.random.uniform(-weight_scale, weight_scale, SHAPE)"),
)
_init(
    "mean_is_scale",
    "weight_scale is the mean of the weights, and their standard deviation is 1.",
    "np.random.normal takes the mean first, then the standard deviation.",
    _drawn("np.random.normal(weight_scale, 1.0, SHAPE)"),
)
_init(
    "fan_in",
    "The weights are scaled by the square root of the number of inputs; here weight_scale alone decides.",
    "That is a good idea (Xavier, He), and another exercise.",
    _drawn(
        "(lambda s: np.random.standard_normal(s) / np.sqrt(np.prod(s[1:]) if len(s) == 4 else s[0]))(SHAPE)"
    ),
)
_init(
    "random_biases",
    "The biases are random; they start at 0.",
    "Only the weights have to differ from each other.",
    _biases("weight_scale * np.random.randn({})"),
)
_init(
    "biases_one",
    "The biases are 1; they start at 0.",
    "np.ones or np.zeros?",
    _biases("np.ones({})"),
)

# ---- loss and gradients

CONV = "pooled, conv_cache = conv_relu_pool_forward(X, W1, b1, self.conv_param, self.pool_param)"
HIDDEN = "hidden, hidden_cache = affine_relu_forward(pooled, W2, b2)"
SCORES = "scores, scores_cache = affine_forward(hidden, W3, b3)"
SOFTMAX = "loss, dscores = softmax_loss(scores, y)"
L2 = "0.5 * self.reg * (np.vdot(W1, W1) + np.vdot(W2, W2) + np.vdot(W3, W3))"
ADDED = "    loss += " + L2
LAST_BACK = 'dhidden, grads["W3"], grads["b3"] = affine_backward(dscores, scores_cache)'
HIDDEN_BACK = 'dpooled, grads["W2"], grads["b2"] = affine_relu_backward(dhidden, hidden_cache)'
CONV_BACK = '_, grads["W1"], grads["b1"] = conv_relu_pool_backward(dpooled, conv_cache, need_dx=False)'
TERM = '    grads["{0}"] += self.reg * {0}\n'

# conv_relu_pool without its ReLU, and its backward pass
NO_RELU = (
    "from handgrad import fast_layers as fast; "
    "maps, conv_cache = fast.conv_forward_fast(X, W1, b1, self.conv_param); "
    "pooled, pool_cache = fast.max_pool_forward_fast(maps, self.pool_param)"
)
NO_RELU_BACK = (
    'dmaps = fast.max_pool_backward_fast(dpooled, pool_cache); _, grads["W1"], grads["b1"] = '
    "fast.conv_backward_fast(dmaps, conv_cache)"
)

DECAYED_BIASES = """\
    for name in ("b1", "b2", "b3"):
        grads[name] = grads[name] + self.reg * self.params[name]
    return loss, grads"""


def _terms(new):
    """Edits of the L2 terms of all three gradients."""
    return [(TERM.format(name), new.format(name)) for name in ("W1", "W2", "W3")]


_loss(
    "relu_on_scores",
    "The scores go through a ReLU too; the last layer is affine alone.",
    "Scores may be negative: the softmax loss makes probabilities of any numbers.",
    [
        (SCORES, "scores, scores_cache = affine_relu_forward(hidden, W3, b3)"),
        (LAST_BACK, LAST_BACK.replace("affine_backward", "affine_relu_backward")),
    ],
    [(SCORES, "scores, scores_cache = affine_forward(hidden, W3, b3); scores = np.maximum(scores, 0)")],
)
_loss(
    "no_hidden_relu",
    "There is no ReLU between the two affine layers: then the two are only one.",
    "conv - relu - pool - affine - relu - affine: count your layers.",
    [
        (HIDDEN, "hidden, hidden_cache = affine_forward(pooled, W2, b2)"),
        (HIDDEN_BACK, HIDDEN_BACK.replace("affine_relu_backward", "affine_backward")),
    ],
)
_loss(
    "no_relu_after_convolution",
    "There is no ReLU after the convolution.",
    "conv - relu - pool - affine - relu - affine: count your layers.",
    [(CONV, NO_RELU), (CONV_BACK, NO_RELU_BACK)],
)
_loss(
    "hidden_relu_not_in_backward",
    "The backward pass leaves out the ReLU between the affine layers.",
    "Go back through every layer that you went forward through, in reverse order.",
    [
        (
            HIDDEN_BACK,
            HIDDEN_BACK.replace(
                "affine_relu_backward(dhidden, hidden_cache)", "affine_backward(dhidden, hidden_cache[0])"
            ),
        )
    ],
)
_loss(
    "biases_left_out",
    "A layer computes without its biases.",
    "Which of the six parameters does your function not use?",
    *(
        [(call, call.replace(f", b{n}", f", 0 * b{n}")), (back, back + f'; grads["b{n}"] = 0 * b{n}')]
        for n, call, back in ((1, CONV, CONV_BACK), (2, HIDDEN, HIDDEN_BACK), (3, SCORES, LAST_BACK))
    ),
)
_loss(
    "scores_are_probabilities",
    "Without labels the network returns probabilities; it should return the scores before the softmax.",
    "The softmax belongs to the loss.",
    [
        (
            "return scores",
            "e = np.exp(scores - scores.max(axis=1, keepdims=True)); return e / e.sum(axis=1, keepdims=True)",
        )
    ],
    [("return scores", "return 1 / (1 + np.exp(-scores))")],
)
_loss(
    "scores_are_predictions",
    "Without labels the network returns the predicted classes; it should return all scores.",
    "Choosing the highest score is left to the caller.",
    [("return scores", "return scores.argmax(axis=1)")],
)
_loss(
    "scores_of_hidden",
    "The outputs of the hidden layer are returned in place of the scores.",
    "Which layer comes last?",
    [("return scores", "return hidden")],
)
_loss(
    "gradients_averaged_again",
    "The gradients of the data are divided by the number of examples once more; softmax_loss has done that.",
    "Who averages, and how often?",
    [(SOFTMAX, SOFTMAX + "; dscores = dscores / len(X)")],
)
_loss(
    "gradients_summed",
    "The gradients of the data are multiplied by the number of examples; the loss is a mean.",
    "Who averages, and how often?",
    [(SOFTMAX, SOFTMAX + "; dscores = dscores * len(X)")],
)
_loss(
    "loss_averaged_again",
    "The loss is divided by the number of examples once more; softmax_loss has done that.",
    "Who averages, and how often?",
    [(SOFTMAX, SOFTMAX + "; loss = loss / len(X)")],
)
_loss(
    "gradient_names_exchanged",
    "Two gradients are stored under each other's name.",
    "In which order does the backward pass of a layer return its gradients?",
    [
        (LAST_BACK, LAST_BACK.replace('grads["W3"], grads["b3"]', 'grads["b3"], grads["W3"]')),
        (TERM.format("W3"), ""),
    ],
    [
        (CONV_BACK, CONV_BACK.replace('grads["W1"], grads["b1"]', 'grads["b1"], grads["W1"]')),
        (TERM.format("W1"), ""),
    ],
)
_loss(
    "gradients_missing",
    "The gradients of a layer are missing in grads.",
    "grads has the keys of params: W1, b1, W2, b2, W3, b3.",
    *(
        [
            (
                "    return loss, grads",
                f'    del grads["b{n}"], grads["W{n}"]\n    return loss, grads',
            )
        ]
        for n in (1, 2, 3)
    ),
    *([("    return loss, grads", f'    del grads["b{n}"]\n    return loss, grads')] for n in (1, 2, 3)),
)
_loss(
    "l2_missing",
    "The L2 term is missing, in the loss and in the gradients.",
    "Where does your function use self.reg?",
    [(ADDED, ""), *_terms("")],
)
_loss(
    "l2_missing_in_loss",
    "The L2 term is in the gradients, and missing in the loss.",
    "The gradients should be those of the loss that you return.",
    [(ADDED, "")],
)
_loss(
    "l2_missing_in_gradients",
    "The L2 term is in the loss, and missing in the gradients.",
    "What is the derivative of the term that you add to the loss?",
    _terms(""),
)
for _name in ("W1", "W2", "W3"):
    _square = f"np.vdot({_name}, {_name})"
    _loss(
        f"l2_without_{_name.lower()}",
        f"The L2 term leaves out {_name}, in the loss and in the gradients.",
        "The sum runs over the weights of all three layers.",
        [(_square, "0"), (TERM.format(_name), "")],
    )
    _loss(
        f"l2_loss_without_{_name.lower()}",
        f"The L2 term of the loss leaves out {_name}.",
        "The sum runs over the weights of all three layers.",
        [(_square, "0")],
    )
    _loss(
        f"l2_gradient_without_{_name.lower()}",
        f"The gradient of {_name} lacks its L2 term.",
        f"{_name} stands in the loss twice: in the scores, and in the L2 term.",
        [(TERM.format(_name), "")],
    )
_loss(
    "l2_of_affine_layer_twice",
    "The L2 term of the loss adds one layer's weights twice, and another's not at all.",
    "Compare the three sums letter by letter.",
    *(
        [(f"np.vdot({lost}, {lost})", f"np.vdot({kept}, {kept})")]
        for lost, kept in (("W1", "W2"), ("W2", "W1"), ("W1", "W3"), ("W3", "W1"), ("W2", "W3"), ("W3", "W2"))
    ),
)
_loss(
    "l2_without_half",
    "The factor 0.5 of the L2 term is missing: it is twice as large, in the loss and in the gradients.",
    "The course writes 0.5 * reg * (the sum of squares), so that its gradient is reg * W.",
    [(L2, L2.removeprefix("0.5 * ")), *_terms('    grads["{0}"] += 2 * self.reg * {0}\n')],
)
_loss(
    "l2_loss_without_half",
    "The factor 0.5 of the L2 term is missing in the loss; your gradients have it.",
    "The derivative of W squared is 2 W: which factor makes it W?",
    [(L2, L2.removeprefix("0.5 * "))],
)
_loss(
    "l2_half_twice",
    "The L2 term of the loss is half as large as it should be.",
    "How often does the factor 0.5 stand in your term?",
    [(L2, "0.5 * " + L2)],
)
_loss(
    "l2_gradient_half",
    "The L2 term of the gradients is half as large as it should be.",
    "The derivative of W squared is 2 W: what becomes of the factor 0.5?",
    _terms('    grads["{0}"] += 0.5 * self.reg * {0}\n'),
)
_loss(
    "l2_gradient_double",
    "The L2 term of the gradients is twice as large as it should be.",
    "The derivative of W squared is 2 W: what becomes of the factor 0.5?",
    _terms('    grads["{0}"] += 2 * self.reg * {0}\n'),
)
_loss(
    "l2_half_for_one",
    "The factor 0.5 * reg covers the squares of W1 alone, or its 0.5 does.",
    "Look at the brackets of the L2 term.",
    [(L2, "0.5 * self.reg * np.vdot(W1, W1) + np.vdot(W2, W2) + np.vdot(W3, W3)")],
    [(L2, "self.reg * (0.5 * np.vdot(W1, W1) + np.vdot(W2, W2) + np.vdot(W3, W3))")],
)
_loss(
    "l2_biases_too",
    "The biases are regularised too; only the weights are.",
    "A bias shifts a unit and multiplies nothing: leave b1, b2 and b3 out.",
    [
        (L2, "0.5 * self.reg * sum(np.vdot(p, p) for p in self.params.values())"),
        (
            "    return loss, grads",
            DECAYED_BIASES,
        ),
    ],
)
_loss(
    "l2_biases_in_gradients",
    "The gradients of the biases have an L2 term; only the weights are regularised.",
    "The gradients should be those of the loss that you return.",
    [
        (
            "    return loss, grads",
            DECAYED_BIASES,
        )
    ],
)
_loss(
    "l2_product",
    "The L2 term of the loss multiplies the layers' sums; it should add them.",
    "0.5 * reg * (one sum of squares + the others).",
    [(L2, "0.5 * self.reg * np.vdot(W1, W1) * np.vdot(W2, W2) * np.vdot(W3, W3)")],
)
_loss(
    "l2_square_of_sum",
    "The L2 term of the loss squares the sum of the weights; it should sum their squares.",
    "Square first, then sum.",
    [(L2, "0.5 * self.reg * (W1.sum() ** 2 + W2.sum() ** 2 + W3.sum() ** 2)")],
)
_loss(
    "l2_norm",
    "The L2 term of the loss adds the norms of the weights; it should add their squares.",
    "np.linalg.norm takes a square root at the end.",
    [(L2, "0.5 * self.reg * sum(np.sqrt(np.vdot(W, W)) for W in (W1, W2, W3))")],
)
_loss(
    "l1_for_l2",
    "The loss adds the absolute values of the weights, an L1 term; it should add their squares.",
    "Read the formula of the loss again.",
    [(L2, "0.5 * self.reg * sum(np.abs(W).sum() for W in (W1, W2, W3))")],
    [(L2, "self.reg * sum(np.abs(W).sum() for W in (W1, W2, W3))")],
)
_loss(
    "l2_mean",
    "The L2 term of the loss takes the mean of the squared weights; it should be their sum.",
    "np.sum or np.mean?",
    [(L2, "0.5 * self.reg * sum(np.mean(W**2) for W in (W1, W2, W3))")],
)
_loss(
    "l2_divided_by_n",
    "The L2 term is divided by the number of examples; it does not depend on them.",
    "Only the loss of the data is a mean over the batch.",
    [(L2, L2 + " / len(X)"), *_terms('    grads["{0}"] += self.reg * {0} / len(X)\n')],
    [(L2, L2 + " / len(X)")],
)
_loss(
    "l2_gradient_scalar",
    "The gradients add reg times the sum of the weights, one number for all; each weight has its own.",
    "The derivative of the L2 term has the shape of W.",
    _terms('    grads["{0}"] += self.reg * {0}.sum()\n'),
)
_loss(
    "l2_gradient_of_squares",
    "The gradients add reg times the squared weights: that is the term itself, not its derivative.",
    "What is the derivative of W squared?",
    _terms('    grads["{0}"] += self.reg * {0} ** 2\n'),
    _terms('    grads["{0}"] += 0.5 * self.reg * {0} ** 2\n'),
)
_loss(
    "l2_gradient_subtracted",
    "The L2 term is subtracted from the gradients; it should be added.",
    "The gradient of a sum is the sum of the gradients.",
    _terms('    grads["{0}"] -= self.reg * {0}\n'),
)
_loss(
    "l2_gradient_replaces",
    "The gradients of the weights are their L2 terms alone: those of the data are overwritten.",
    "Is it = or += that you need?",
    _terms('    grads["{0}"] = self.reg * {0}\n'),
)
_loss(
    "l2_other_sign",
    "The L2 term is subtracted, in the loss and in the gradients; it should be added.",
    "Regularisation makes large weights expensive.",
    [(L2, "-" + L2), *_terms('    grads["{0}"] -= self.reg * {0}\n')],
)
