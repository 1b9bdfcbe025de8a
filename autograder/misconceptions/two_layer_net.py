"""What goes wrong in the two-layer network: the initial weights, the architecture, the L2 terms."""

import numpy as np

from handgrad.layers import affine_backward, affine_forward, relu_backward, relu_forward, softmax_loss

from . import edited, misconception

INIT = "handgrad.classifiers.fc_net.TwoLayerNet.__init__"
LOSS = "handgrad.classifiers.fc_net.TwoLayerNet.loss"


# ---- the initial weights


def initial(W1=None, W2=None, b1=np.zeros, b2=np.zeros, transposed=False):
    """An __init__ that draws weights with W1(weight_scale, D, H) and W2(weight_scale, H, C)."""

    def normal(scale, *shape):
        return scale * np.random.randn(*shape)

    def __init__(self, input_dim=3072, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
        self.reg = float(reg)
        sizes = {"W1": (input_dim, hidden_dim), "W2": (hidden_dim, num_classes)}
        draws = {"W1": W1 or normal, "W2": W2 or normal}
        self.params = {
            name: draws[name](weight_scale, *(size[::-1] if transposed else size))
            for name, size in sizes.items()
        }
        self.params |= {"b1": b1(hidden_dim), "b2": b2(num_classes)}

    return __init__


def _init(id, explanation, advice, **spoilt):
    misconception(id, function=INIT, explanation=explanation, advice=advice)(initial(**spoilt))


def _both(draw):
    return {"W1": draw, "W2": draw}


_init(
    "init_variance",
    "weight_scale is used as the variance of the weights; it is their standard deviation.",
    "A standard normal number times what has this standard deviation?",
    **_both(lambda scale, *shape: np.sqrt(scale) * np.random.randn(*shape)),
)
_init(
    "init_scale_squared",
    "The weights are scaled twice: their standard deviation is the square of weight_scale.",
    "Multiply by weight_scale once, or hand it to the generator, not both.",
    **_both(lambda scale, *shape: scale * np.random.normal(0, scale, shape)),
)
_init(
    "init_zeros",
    "All weights start at 0: then all hidden units are the same, and stay so.",
    "Draw the weights at random; only the biases start at 0.",
    **_both(lambda scale, *shape: np.zeros(shape)),
)
_init(
    "init_constant",
    "All weights are the same number: then all hidden units are the same, and stay so.",
    "Draw as many random numbers as there are weights.",
    **_both(lambda scale, *shape: np.full(shape, scale)),
)
_init(
    "init_scale_ignored",
    "weight_scale is not used: the weights have a standard deviation of 1.",
    "Which argument does your function not use?",
    **_both(lambda scale, *shape: np.random.randn(*shape)),
)
_init(
    "init_second_scale_ignored",
    "weight_scale is used for W1 alone; W2 has a standard deviation of 1.",
    "Both layers' weights are drawn the same way.",
    W2=lambda scale, *shape: np.random.randn(*shape),
)
_init(
    "init_uniform",
    (
        "The weights are drawn evenly between 0 and weight_scale; they should come from a normal "
        "distribution around 0."
    ),
    "np.random.rand and np.random.randn differ in more than a letter.",
    **_both(lambda scale, *shape: scale * np.random.rand(*shape)),
)
_init(
    "init_uniform_symmetric",
    (
        "The weights are drawn evenly from -weight_scale to weight_scale; they should come from a normal "
        "distribution."
    ),
    "Look for the normal distribution in np.random.",
    **_both(lambda scale, *shape: np.random.uniform(-scale, scale, shape)),
)
_init(
    "init_mean_is_scale",
    "weight_scale is the mean of the weights, and their standard deviation is 1.",
    "np.random.normal takes the mean first, then the standard deviation.",
    **_both(lambda scale, *shape: np.random.normal(scale, 1.0, shape)),
)
_init(
    "init_fan_in",
    "The weights are scaled by the square root of the number of inputs; here weight_scale alone decides.",
    "That is a good idea (Xavier, He), and another exercise.",
    **_both(lambda scale, *shape: np.random.randn(*shape) / np.sqrt(shape[0])),
)
_init(
    "init_transposed",
    "The weights are (outputs, inputs); they should be (inputs, outputs).",
    "affine_forward multiplies rows of x with w. Which shape does that need?",
    transposed=True,
)
_init(
    "init_random_biases",
    "The biases are random; they start at 0.",
    "Only the weights have to differ from each other.",
    b1=lambda n: 0.01 * np.random.randn(n),
    b2=lambda n: 0.01 * np.random.randn(n),
)
_init(
    "init_biases_one",
    "The biases are 1; they start at 0.",
    "np.ones or np.zeros?",
    b1=np.ones,
    b2=np.ones,
)
init_bias_shapes = misconception(
    "init_bias_shapes",
    function=INIT,
    explanation="The biases have the wrong shape: each output of a layer has one, and the examples share it.",
    advice="A bias is added to each output of the layer: how many are there?",
)
for _shape in (lambda n: (n, 1), lambda n: 1, lambda n: (n, n), lambda n: ()):
    init_bias_shapes(
        initial(b1=lambda n, of=_shape: np.zeros(of(n)), b2=lambda n, of=_shape: np.zeros(of(n)))
    )


@init_bias_shapes
def init_biases_of_inputs(self, input_dim=3072, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
    initial()(self, input_dim, hidden_dim, num_classes, weight_scale, reg)
    self.params |= {"b1": np.zeros(input_dim), "b2": np.zeros(hidden_dim)}


init_reg_forgotten = misconception(
    "init_reg_forgotten",
    function=INIT,
    explanation="reg is lost: the network has another strength of regularisation than it was given.",
    advice="self.reg is set by the lines above your task; leave it as it is.",
)


@init_reg_forgotten
def init_reg_zero(self, input_dim=3072, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
    initial()(self, input_dim, hidden_dim, num_classes, weight_scale, 0.0)


# ---- loss and gradients


def network(
    hidden=affine_forward,
    nonlinear=True,
    last=None,
    returned=None,
    l2=lambda p, reg: 0.5 * reg * (np.sum(p["W1"] ** 2) + np.sum(p["W2"] ** 2)),
    dl2=lambda p, reg: {"W1": reg * p["W1"], "W2": reg * p["W2"]},
    data=lambda grads, p, N: grads,
):
    """A right `loss` but for what is given here.

    Args:
        nonlinear: whether there is a ReLU between the layers; "forward" or "backward": in that pass alone.
        last: (forward, backward) of a layer after the scores.
        returned: what is returned for the scores when there are no labels.
        l2: the L2 term of the loss, from the parameters and reg.
        dl2: what it adds to the gradients, by name.
        data: changes the gradients before the L2 terms are added.
    """

    def loss(self, X, y=None):
        p, N = self.params, len(X)
        X = np.asarray(X, dtype=p["W1"].dtype)
        h, cache1 = hidden(X, p["W1"], p["b1"])
        active, relu_cache = relu_forward(h) if nonlinear in (True, "forward") else (h, h)
        scores, cache2 = affine_forward(active, p["W2"], p["b2"])
        if last:
            scores, last_cache = last[0](scores)
        if y is None:
            return returned(scores) if returned else scores
        total, dscores = softmax_loss(scores, y)
        if last:
            dscores = last[1](dscores, last_cache)
        grads = {}
        dactive, grads["W2"], grads["b2"] = affine_backward(dscores, cache2)
        dh = relu_backward(dactive, relu_cache) if nonlinear in (True, "backward") else dactive
        _, grads["W1"], grads["b1"] = affine_backward(dh, cache1)
        grads = data(grads, p, N)
        for name, term in dl2(p, self.reg).items():
            grads[name] = grads[name] + term
        return total + l2(p, self.reg), grads

    return loss


def _loss(id, explanation, advice, **spoilt):
    misconception(id, function=LOSS, explanation=explanation, advice=advice)(network(**spoilt))


def squares(p, *names):
    return sum(np.sum(p[name] ** 2) for name in names)


relu_on_scores = misconception(
    "net_relu_on_scores",
    function=LOSS,
    explanation="The scores go through a ReLU too; the last layer is affine alone.",
    advice="Scores may be negative: the softmax loss makes probabilities of any numbers.",
)
relu_on_scores(network(last=(relu_forward, relu_backward)))
relu_on_scores(network(last=(relu_forward, lambda dout, cache: dout)))  # not in the backward pass
_loss(
    "net_no_hidden_relu",
    "There is no ReLU between the two layers: two affine layers in a row are only one.",
    "affine - relu - affine: count your layers.",
    nonlinear=False,
)
_loss(
    "net_relu_not_in_backward",
    "The backward pass leaves out the ReLU between the layers.",
    "Go back through every layer that you went forward through, in reverse order.",
    nonlinear="forward",
)
_loss(
    "net_scores_are_probabilities",
    "Without labels the network returns probabilities; it should return the scores before the softmax.",
    "The softmax belongs to the loss.",
    returned=lambda s: (
        np.exp(s - s.max(axis=1, keepdims=True))
        / np.exp(s - s.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
    ),
)
_loss(
    "net_scores_are_predictions",
    "Without labels the network returns the predicted classes; it should return all scores.",
    "Choosing the highest score is left to the caller.",
    returned=lambda s: s.argmax(axis=1),
)
_loss(
    "l2_missing",
    "The L2 term is missing, in the loss and in the gradients.",
    "Where does your function use self.reg?",
    l2=lambda p, reg: 0.0,
    dl2=lambda p, reg: {},
)
_loss(
    "l2_missing_in_loss",
    "The L2 term is in the gradients, and missing in the loss.",
    "The gradients should be those of the loss that you return.",
    l2=lambda p, reg: 0.0,
)
_loss(
    "l2_missing_in_gradients",
    "The L2 term is in the loss, and missing in the gradients.",
    "What is the derivative of the term that you add to the loss?",
    dl2=lambda p, reg: {},
)
for _kept, _lost, _which in (("W1", "W2", "second"), ("W2", "W1", "first")):
    _loss(
        f"l2_without_{_lost}",
        f"The L2 term leaves out {_lost}, in the loss and in the gradients.",
        "The sum runs over the weights of both layers.",
        l2=lambda p, reg, kept=_kept: 0.5 * reg * squares(p, kept),
        dl2=lambda p, reg, kept=_kept: {kept: reg * p[kept]},
    )
    _loss(
        f"l2_loss_without_{_lost}",
        f"The L2 term of the loss leaves out {_lost}.",
        "The sum runs over the weights of both layers.",
        l2=lambda p, reg, kept=_kept: 0.5 * reg * squares(p, kept),
    )
    _loss(
        f"l2_gradient_without_{_lost}",
        f"The gradient of {_lost} lacks its L2 term.",
        f"The {_which} layer's weights stand in the loss twice: in the scores, and in the L2 term.",
        dl2=lambda p, reg, kept=_kept: {kept: reg * p[kept]},
    )
    _loss(
        f"l2_twice_{_kept}",
        f"The L2 term of the loss adds {_kept} twice, and {_lost} not at all.",
        "Compare the two sums letter by letter.",
        l2=lambda p, reg, kept=_kept: reg * squares(p, kept),
    )
_loss(
    "l2_without_half",
    "The factor 0.5 of the L2 term is missing: it is twice as large, in the loss and in the gradients.",
    "The course writes 0.5 * reg * (the sum of squares), so that its gradient is reg * W.",
    l2=lambda p, reg: reg * squares(p, "W1", "W2"),
    dl2=lambda p, reg: {name: 2 * reg * p[name] for name in ("W1", "W2")},
)
_loss(
    "l2_loss_without_half",
    "The factor 0.5 of the L2 term is missing in the loss; your gradients have it.",
    "The derivative of W squared is 2 W: which factor makes it W?",
    l2=lambda p, reg: reg * squares(p, "W1", "W2"),
)
_loss(
    "l2_gradient_half",
    "The L2 term of the gradients is half as large as it should be.",
    "The derivative of W squared is 2 W: what becomes of the factor 0.5?",
    dl2=lambda p, reg: {name: 0.5 * reg * p[name] for name in ("W1", "W2")},
)
_loss(
    "l2_gradient_double",
    "The L2 term of the gradients is twice as large as it should be.",
    "The derivative of W squared is 2 W: what becomes of the factor 0.5?",
    dl2=lambda p, reg: {name: 2 * reg * p[name] for name in ("W1", "W2")},
)
_loss(
    "l2_half_for_one",
    "The factor 0.5 covers the squares of W1 alone; those of W2 count in full.",
    "Look at the brackets of the L2 term.",
    l2=lambda p, reg: 0.5 * reg * squares(p, "W1") + reg * squares(p, "W2"),
)
_loss(
    "l2_reg_for_one",
    "The squares of W2 are added without 0.5 * reg before them.",
    "Look at the brackets of the L2 term.",
    l2=lambda p, reg: 0.5 * reg * squares(p, "W1") + squares(p, "W2"),
)
_loss(
    "l2_biases_too",
    "The biases are regularised too; only the weights are.",
    "A bias shifts a unit and multiplies nothing: leave b1 and b2 out.",
    l2=lambda p, reg: 0.5 * reg * squares(p, "W1", "b1", "W2", "b2"),
    dl2=lambda p, reg: {name: reg * p[name] for name in p},
)
_loss(
    "l2_biases_in_gradients",
    "The gradients of the biases have an L2 term; only the weights are regularised.",
    "The gradients should be those of the loss that you return.",
    dl2=lambda p, reg: {name: reg * p[name] for name in p},
)
_loss(
    "l2_product",
    "The L2 term of the loss multiplies the two layers' sums; it should add them.",
    "0.5 * reg * (one sum of squares + the other).",
    l2=lambda p, reg: 0.5 * reg * squares(p, "W1") * squares(p, "W2"),
)
_loss(
    "l2_square_of_sum",
    "The L2 term of the loss squares the sum of the weights; it should sum their squares.",
    "Square first, then sum.",
    l2=lambda p, reg: 0.5 * reg * (np.sum(p["W1"]) ** 2 + np.sum(p["W2"]) ** 2),
)
_loss(
    "l2_norm",
    "The L2 term of the loss adds the norms of the weights; it should add their squares.",
    "np.linalg.norm takes a square root at the end.",
    l2=lambda p, reg: 0.5 * reg * (np.linalg.norm(p["W1"]) + np.linalg.norm(p["W2"])),
)
_loss(
    "l1_for_l2",
    "The loss adds the absolute values of the weights, an L1 term; it should add their squares.",
    "Read the formula of the loss again.",
    l2=lambda p, reg: 0.5 * reg * (np.abs(p["W1"]).sum() + np.abs(p["W2"]).sum()),
)
_loss(
    "l2_gradient_scalar",
    "The gradients add reg times the sum of the weights, one number for all; each weight has its own.",
    "The derivative of the L2 term has the shape of W.",
    dl2=lambda p, reg: {name: reg * np.sum(p[name]) for name in ("W1", "W2")},
)
_loss(
    "l2_gradient_of_squares",
    "The gradients add reg times the squared weights: that is the term itself, not its derivative.",
    "What is the derivative of W squared?",
    dl2=lambda p, reg: {name: reg * p[name] ** 2 for name in ("W1", "W2")},
)
_loss(
    "l2_gradient_subtracted",
    "The L2 term is subtracted from the gradients; it should be added.",
    "The gradient of a sum is the sum of the gradients.",
    dl2=lambda p, reg: {name: -reg * p[name] for name in ("W1", "W2")},
)
_loss(
    "l2_gradient_of_other_sign",
    "The L2 term is subtracted, in the loss and in the gradients; it should be added.",
    "Regularisation makes large weights expensive.",
    l2=lambda p, reg: -0.5 * reg * squares(p, "W1", "W2"),
    dl2=lambda p, reg: {name: -reg * p[name] for name in ("W1", "W2")},
)
l2_mean = misconception(
    "l2_mean",
    function=LOSS,
    explanation="The L2 term of the loss takes the mean of the squared weights; it should be their sum.",
    advice="np.sum or np.mean?",
)
for _gradients in (
    lambda p, reg: {name: reg * p[name] for name in ("W1", "W2")},
    lambda p, reg: {name: reg * p[name] / p[name].size for name in ("W1", "W2")},
):
    l2_mean(
        network(l2=lambda p, reg: 0.5 * reg * (np.mean(p["W1"] ** 2) + np.mean(p["W2"] ** 2)), dl2=_gradients)
    )
_loss(
    "gradients_summed",
    "The gradients of the data are sums over the examples; the loss is a mean.",
    "What you do to the loss at the end, you do to its gradients.",
    data=lambda grads, p, N: {name: N * g for name, g in grads.items()},
)
_loss(
    "gradients_negated",
    "The gradients of the data have the wrong sign: training would raise the loss.",
    "The solver subtracts what you return. Does it point to higher or to lower losses?",
    data=lambda grads, p, N: {name: -g for name, g in grads.items()},
)
_loss(
    "bias_gradients_missing",
    "The gradients of the biases are missing, or zero.",
    "Which parameters does the network have? Each of them learns.",
    data=lambda grads, p, N: {**grads, "b1": 0 * grads["b1"], "b2": 0 * grads["b2"]},
)
misconception(
    "net_gradient_of_inactive_units",
    function=LOSS,
    explanation="The gradient of W2 is made from the numbers before the ReLU; W2 multiplies those after it.",
    advice="Which array went into the second affine layer?",
)(edited(LOSS, ("# affine_relu_backward would", 'grads["W2"] = relu_cache.T @ dscores  #')))
misconception(
    "net_relu_masks_by_gradient",
    function=LOSS,
    explanation="The ReLU's backward pass keeps positive gradients; it should keep those of active units.",
    advice="A gradient may be negative. Which array decides?",
)(edited(LOSS, ("relu_backward(dhidden, relu_cache)", "dhidden * (dhidden > 0)")))
misconception(
    "net_inputs_not_rows",
    function=LOSS,
    explanation="Images are multiplied as they come; the numbers of each should be one row.",
    advice="Which shapes of X does the docstring allow? The affine layer that you wrote takes them all.",
)(
    edited(
        LOSS,
        ("affine_relu_forward(X, W1, b1)", "relu_forward(X @ W1 + b1)"),
        ("hidden, (_, relu_cache)", "hidden, relu_cache"),
    )
)
_loss(
    "gradients_averaged_again",
    "The gradients of the data are divided by the number of examples once more; softmax_loss has done that.",
    "Who averages, and how often?",
    data=lambda grads, p, N: {name: g / N for name, g in grads.items()},
)


def _of_loss(change):
    right = network()

    def loss(self, X, y=None):
        result = right(self, X, y)
        return result if y is None else (change(result[0], len(X)), result[1])

    return loss


misconception(
    "loss_averaged_again",
    function=LOSS,
    explanation="The loss is divided by the number of examples once more; softmax_loss has done that.",
    advice="Who averages, and how often?",
)(_of_loss(lambda value, N: value / N))
misconception(
    "net_loss_summed",
    function=LOSS,
    explanation="The loss of the network is multiplied with the number of examples; it is a mean already.",
    advice="softmax_loss has averaged: does the sum come back anywhere?",
)(_of_loss(lambda value, N: value * N))


def _exchanged():
    right = network()

    def loss(self, X, y=None):
        result = right(self, X, y)
        if y is None:
            return result
        names = {"W1": "W2", "b1": "b2", "W2": "W1", "b2": "b1"}
        return result[0], {name: result[1][other] for name, other in names.items()}

    return loss


misconception(
    "gradients_under_wrong_names",
    function=LOSS,
    explanation="The gradients of the two layers are under each other's names.",
    advice="Which layer comes first on the way back?",
)(_exchanged())


def _changes_weights(change):
    def loss(self, X, y=None):
        result = network()(self, X, y)
        if y is not None:
            change(self.params, result[1])
        return result

    return loss


net_changes_weights = misconception(
    "net_changes_weights",
    function=LOSS,
    explanation="The weights of the network are changed by its loss; only the solver may do that.",
    advice="Operators such as += change an array under all its names: is a gradient also a weight?",
)


@net_changes_weights
@_changes_weights
def net_weights_are_gradients(params, grads):
    for name in ("W1", "W2"):
        params[name][...] = grads[name]
        grads[name] = params[name]


@net_changes_weights
@_changes_weights
def net_takes_a_step(params, grads):
    for name in grads:
        params[name] = params[name] - 1e-3 * grads[name]


def _l2_divided(in_loss, in_gradients):
    def loss(self, X, y=None):
        N = len(X)
        return network(
            l2=lambda p, reg: 0.5 * reg * squares(p, "W1", "W2") / (N if in_loss else 1),
            dl2=lambda p, reg: {name: reg * p[name] / (N if in_gradients else 1) for name in ("W1", "W2")},
        )(self, X, y)

    return loss


l2_divided_by_n = misconception(
    "l2_divided_by_n",
    function=LOSS,
    explanation="The L2 term is divided by the number of examples; it does not depend on them.",
    advice="Only the loss of the data is a mean over the batch.",
)
for _which in ((True, True), (True, False), (False, True)):
    l2_divided_by_n(_l2_divided(*_which))
