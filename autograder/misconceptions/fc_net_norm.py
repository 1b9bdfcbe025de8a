"""What goes wrong with normalisation in the fully connected network."""

from . import edited, misconception

INIT = "handgrad.classifiers.fc_net.FullyConnectedNet.__init__"
LOSS = "handgrad.classifiers.fc_net.FullyConnectedNet.loss"

# Lines of the reference.
BATCH = "hidden, norm_cache = batchnorm_forward(hidden, gamma, beta, self.bn_params[i - 1])"
LAYER = "hidden, norm_cache = layernorm_forward(hidden, gamma, beta, {})"
BATCH_BACK = 'dhidden, grads[f"gamma{i}"], grads[f"beta{i}"] = batchnorm_backward_alt(dhidden, norm_cache)'
LAYER_BACK = 'dhidden, grads[f"gamma{i}"], grads[f"beta{i}"] = layernorm_backward(dhidden, norm_cache)'
RELU = "hidden, relu_cache = relu_forward(hidden)"
RELU_BACK = "dhidden = relu_backward(dhidden, relu_cache)"
SCORES = 'scores, scores_cache = affine_forward(hidden, self.params[f"W{L}"], self.params[f"b{L}"])'
IF_BATCH = 'if self.normalization == "batchnorm":\n            gamma'
IF_LAYER = 'elif self.normalization == "layernorm":\n            gamma'
IF_BATCH_BACK = 'if self.normalization == "batchnorm":\n            dhidden'
IF_LAYER_BACK = 'elif self.normalization == "layernorm":\n            dhidden'
L2 = "loss += 0.5 * self.reg * np.sum(W**2)"


def _net(id, explanation, advice, *versions, function=LOSS):
    """Register a mistake; each version is a list of edits of the reference."""
    register = misconception("fc_norm_" + id, function=function, explanation=explanation, advice=advice)
    for version in versions:
        register(edited(function, *version))


_net(
    "fresh_bn_param",
    "Each call hands batchnorm_forward a new dictionary, so the running averages are forgotten.",
    "Where do the running averages live between two calls? A copy of that is another dictionary.",
    [(BATCH, BATCH.replace("self.bn_params[i - 1]", '{"mode": mode}'))],
    [(BATCH, BATCH.replace("self.bn_params[i - 1]", "dict(self.bn_params[i - 1])"))],
)
_net(
    "always_training",
    "Without labels batch norm stays in train mode; the scores should come from the running averages.",
    "Print the mode in bn_params when you ask for scores: does something set it?",
    [(BATCH, 'self.bn_params[i - 1]["mode"] = "train"\n            ' + BATCH)],
)
_net(
    "always_testing",
    "With labels batch norm is in test mode; training normalises with the statistics of the batch.",
    "Print the mode in bn_params in training: does something set it?",
    [(BATCH, 'self.bn_params[i - 1]["mode"] = "test"\n            ' + BATCH)],
)
_net(
    "after_relu",
    "The normalisation comes after the ReLU; here it stands between affine and ReLU.",
    "Read the order of the layers in the class's description again.",
    [
        (RELU, "if self.normalization is None: " + RELU),
        (BATCH, RELU + "; " + BATCH),
        (LAYER, RELU + "; " + LAYER),
        ("norm_cache = dropout_cache = None", "norm_cache = dropout_cache = relu_cache = None"),
        (RELU_BACK, "if self.normalization is None: " + RELU_BACK),
        (BATCH_BACK, BATCH_BACK + "; " + RELU_BACK),
        (LAYER_BACK, LAYER_BACK + "; " + RELU_BACK),
    ],
)
_net(
    "backward_order",
    "The backward pass goes through the normalisation before the ReLU, as the forward pass does.",
    "Back through every layer in reverse: which of the two comes last in the forward pass?",
    [
        (RELU_BACK, "if self.normalization is None: " + RELU_BACK),
        (BATCH_BACK, BATCH_BACK + "; " + RELU_BACK),
        (LAYER_BACK, LAYER_BACK + "; " + RELU_BACK),
    ],
)
_ZEROS = 'grads |= {f"{name}{i}": 0 * self.params[f"{name}{i}"] for name in ("gamma", "beta")}'
_net(
    "missing",
    "There is no normalisation in the hidden layers: the network is the same as without.",
    "Where does your function ask for self.normalization?",
    [(BATCH, "pass"), (LAYER, "pass"), (BATCH_BACK, "pass"), (LAYER_BACK, "pass")],
    [(BATCH, "pass"), (LAYER, "pass"), (BATCH_BACK, _ZEROS), (LAYER_BACK, _ZEROS)],
)
_net(
    "not_in_testing",
    "Without labels the normalisation is left out; scores need it as much as training does.",
    "The network that is used has to be the one that was trained.",
    [
        (BATCH, "if y is not None:\n                " + BATCH),
        (LAYER, "if y is not None:\n                " + LAYER),
    ],
)


def _only(condition):
    """Normalisation where the condition holds as well."""
    return [
        (line, line.replace("self.normalization", f"({condition}) and self.normalization"))
        for line in (IF_BATCH, IF_LAYER, IF_BATCH_BACK, IF_LAYER_BACK)
    ]


_net(
    "first_layer_only",
    "Only the first hidden layer is normalised; all hidden layers should be.",
    "Is the normalisation inside of the loop over the hidden layers?",
    _only("i == 1"),
)
_net(
    "not_in_first_layer",
    "The first hidden layer is not normalised; all hidden layers should be.",
    "Where does your loop begin, and what comes before it?",
    _only("i > 1"),
)
_NORMALISE = (
    "last = (lambda *a: batchnorm_forward(*a, self.__dict__.setdefault('_last', {}) | {'mode': 'train'}))"
    " if self.normalization == 'batchnorm' else (lambda *a: layernorm_forward(*a, {}))\n"
    "    if self.normalization:\n"
    "        scores, last_cache = last(scores, np.ones(scores.shape[1]), np.zeros(scores.shape[1]))"
)
_DSCORES = "loss, dscores = softmax_loss(scores, y)"
_BACK = (
    "\n    if self.normalization:\n"
    "        back = layernorm_backward if self.normalization == 'layernorm' else batchnorm_backward_alt\n"
    "        dscores = back(dscores, last_cache)[0]"
)
_net(
    "scores_too",
    "The scores are normalised too; the last layer is affine alone.",
    "Count the normalisations: there is one for each hidden layer. The last layer has no gamma and no beta.",
    [(SCORES, SCORES + "\n    " + _NORMALISE), (_DSCORES, _DSCORES + _BACK)],
)
_net(
    "layer_for_batch",
    'With "batchnorm" the network uses layer norm.',
    "Compare what each branch asks for with what it calls.",
    [
        (BATCH, LAYER + " "),
        (BATCH_BACK, LAYER_BACK + " "),
    ],
)
_net(
    "batch_for_layer",
    'With "layernorm" the network uses batch norm.',
    "Compare what each branch asks for with what it calls.",
    [
        (LAYER, 'hidden, norm_cache = batchnorm_forward(hidden, gamma, beta, {"mode": mode})'),
        (LAYER_BACK, BATCH_BACK + " "),
    ],
    [
        (LAYER, 'hidden, norm_cache = batchnorm_forward(hidden, gamma, beta, {"mode": "train"})'),
        (LAYER_BACK, BATCH_BACK + " "),
    ],
)
_net(
    "not_in_backward",
    "The backward pass leaves out the normalisation: the gradient goes from ReLU straight to affine.",
    "Go back through every layer that you went forward through, in reverse order.",
    [(line, line.replace("dhidden,", "_,", 1)) for line in (BATCH_BACK, LAYER_BACK)],
)
_net(
    "gradients_swapped",
    "The gradients of gamma and beta have changed places.",
    "In which order does the backward pass of the normalisation return its three gradients?",
    [
        (line, line.replace("gamma", "x").replace("beta", "gamma").replace("x{", "beta{"))
        for line in (BATCH_BACK, LAYER_BACK)
    ],
)
_net(
    "gradients_not_stored",
    "The gradients of gamma and beta are not returned: they are never learnt.",
    "grads has the keys of params, all of them.",
    [(line, "dhidden, _, _ = " + line.partition(" = ")[2]) for line in (BATCH_BACK, LAYER_BACK)],
    [(line, line + "\n            " + _ZEROS) for line in (BATCH_BACK, LAYER_BACK)],
)
_net(
    "gamma_beta_swapped",
    "gamma and beta are handed to the normalisation in the wrong order.",
    "Compare the call with the first line of the function that you call.",
    [(line, line.replace("gamma, beta", "beta, gamma")) for line in (BATCH, LAYER)],
)
_net(
    "gamma_beta_unused",
    "The hidden layers are normalised, but gamma and beta are not those of params.",
    "Which parameters does your call of the normalisation get?",
    [
        (line, line.replace("gamma, beta", "np.ones_like(gamma), np.zeros_like(beta)"))
        for line in (BATCH, LAYER)
    ],
)
_DECAY_LOSS = (
    '\n        loss += 0.5 * self.reg * sum(np.sum(self.params[f"{name}{i}"] ** 2)'
    ' for name in ("gamma", "beta") if f"{name}{i}" in self.params)'
)
_DECAY_GRADIENT = (
    '\n        for name in ("gamma", "beta"):\n'
    '            if f"{name}{i}" in grads:\n'
    '                grads[f"{name}{i}"] = grads[f"{name}{i}"] + self.reg * self.params[f"{name}{i}"]'
)
_net(
    "decayed",
    "gamma and beta are regularised too; only the weights are.",
    "With which start of the name does your sum run over the parameters? Weights begin with W.",
    [(L2, L2 + _DECAY_LOSS + _DECAY_GRADIENT)],
    [(L2, L2 + _DECAY_GRADIENT)],
    [(L2, L2 + _DECAY_LOSS)],
)
_net(
    "gamma_decayed",
    "gamma is regularised too; only the weights are.",
    "With which start of the name does your sum run over the parameters? Weights begin with W.",
    [
        (L2, L2 + (_DECAY_LOSS + _DECAY_GRADIENT).replace('("gamma", "beta")', '("gamma",)')),
    ],
)


# ---- parameters

GAMMA = 'self.params[f"gamma{i}"] = np.ones(dims[i])'
BETA = 'self.params[f"beta{i}"] = np.zeros(dims[i])'
CONDITION = "if normalization is not None and i < self.num_layers:"


def _init(id, explanation, advice, *versions):
    _net("init_" + id, explanation, advice, *versions, function=INIT)


_init(
    "sized_by_inputs",
    "gamma and beta are as wide as the layer's inputs; they should be as wide as its outputs.",
    "The normalisation comes after the affine layer. How many units does it get?",
    [(GAMMA, GAMMA.replace("dims[i]", "dims[i - 1]")), (BETA, BETA.replace("dims[i]", "dims[i - 1]"))],
)
_init(
    "matrices",
    "gamma and beta are matrices; there is one scale and one shift for each unit.",
    "What shapes does batchnorm_forward ask for?",
    [
        (GAMMA, GAMMA.replace("dims[i]", "(dims[i - 1], dims[i])")),
        (BETA, BETA.replace("dims[i]", "(dims[i - 1], dims[i])")),
    ],
)
_init(
    "single_numbers",
    "gamma and beta are single numbers; each unit has its own scale and shift.",
    "What shapes does batchnorm_forward ask for?",
    [(GAMMA, GAMMA.replace("dims[i]", "1")), (BETA, BETA.replace("dims[i]", "1"))],
)
_init(
    "gamma_zero",
    "gamma starts at 0: then every unit gives beta, whatever comes in, and nothing below is learnt.",
    "Which scale leaves the normalised numbers as they are?",
    [(GAMMA, GAMMA.replace("ones", "zeros"))],
)
_init(
    "beta_one",
    "beta starts at 1; it should start at 0.",
    "Which shift leaves the normalised numbers as they are?",
    [(BETA, BETA.replace("zeros", "ones"))],
)
_init(
    "swapped",
    "gamma starts at 0 and beta at 1: they have changed places.",
    "gamma is the scale, beta the shift. Which values leave the normalised numbers as they are?",
    [(GAMMA, GAMMA.replace("ones", "zeros")), (BETA, BETA.replace("zeros", "ones"))],
)
_init(
    "random",
    "gamma is drawn at random; it should start at 1.",
    "Weights have to differ from each other. Do scales?",
    [(GAMMA, GAMMA.replace("np.ones(dims[i])", "weight_scale * np.random.randn(dims[i])"))],
)
_init(
    "last_layer_too",
    "The last layer has a gamma and a beta too; the scores are not normalised.",
    "How many layers are hidden ones? range does not reach its end.",
    [(CONDITION, "if normalization is not None:")],
)
_init(
    "first_layer_without",
    "The first hidden layer has no gamma and no beta.",
    "Where does your loop over the hidden layers begin, and at which number do the names begin?",
    [(CONDITION, CONDITION.replace(":", " and i > 1:"))],
)
_init(
    "last_hidden_layer_without",
    "The last hidden layer has no gamma and no beta; only the scores are not normalised.",
    "How many hidden layers are there? range does not reach its end.",
    [(CONDITION, CONDITION.replace("self.num_layers", "self.num_layers - 1"))],
)
_init(
    "missing",
    "There is no gamma and no beta in params.",
    'What does normalization="batchnorm" change in the constructor?',
    [(CONDITION, "if False:")],
)
_init(
    "batchnorm_only",
    "gamma and beta are there for batch norm, but not for layer norm.",
    "Layer norm scales and shifts as well.",
    [(CONDITION, CONDITION.replace("is not None", "== 'batchnorm'"))],
)
