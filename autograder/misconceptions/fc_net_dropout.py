"""What goes wrong with dropout in the fully connected network."""

from . import edited, misconception

LOSS = "handgrad.classifiers.fc_net.FullyConnectedNet.loss"
FORWARD = (
    "if self.use_dropout:\n            hidden, dropout_cache = dropout_forward(hidden, self.dropout_param)"
)
BACKWARD = "if self.use_dropout:\n            dhidden = dropout_backward(dhidden, dropout_cache)"
SCORES = 'scores, scores_cache = affine_forward(hidden, self.params[f"W{L}"], self.params[f"b{L}"])\n'


def _net(id, explanation, advice, *versions):
    """Versions are edits of the reference's loss."""
    named = misconception(id, function=LOSS, explanation=explanation, advice=advice)
    for edits in versions:
        named(edited(LOSS, *edits))


def _only(condition):
    """Dropout where the condition holds as well."""
    return [
        (FORWARD, FORWARD.replace("self.use_dropout", f"self.use_dropout and {condition}")),
        (BACKWARD, BACKWARD.replace("self.use_dropout", f"self.use_dropout and {condition}")),
    ]


def _in_mode(mode):
    """Dropout in another mode; batch norm's is another mistake."""
    return [(FORWARD, FORWARD.replace("self.dropout_param)", f"self.dropout_param | {{'mode': {mode}}})"))]


_net(
    "net_dropout_missing",
    "In train mode nothing is dropped: dropout is not called, or in test mode.",
    "Where does your loop over the hidden layers call dropout, and with which mode?",
    _only("False"),
    _in_mode("'test'"),
)
_net(
    "net_dropout_not_in_backward",
    "The backward pass leaves out dropout.",
    "Go back through every layer that you went forward through, in reverse order.",
    [(BACKWARD, "")],
)
_net(
    "net_dropout_first_layer_only",
    "Only the first hidden layer has dropout; all hidden layers should.",
    "Is dropout inside of the loop over the hidden layers?",
    _only("i == 1"),
)
_net(
    "net_dropout_last_layer_only",
    "Only the last hidden layer has dropout; all hidden layers should.",
    "Is dropout inside of the loop over the hidden layers?",
    _only("i == self.num_layers - 1"),
)
_net(
    "net_dropout_not_after_first",
    "The first hidden layer has no dropout; all hidden layers should.",
    "Where does your loop begin, and what comes before it?",
    _only("i > 1"),
)
_net(
    "net_dropout_not_after_last",
    "The last hidden layer has no dropout; all hidden layers should.",
    "Only the scores go without. Where does your loop end?",
    _only("i < self.num_layers - 1"),
)
_net(
    "net_dropout_on_scores",
    "The scores go through dropout too: then a class wins or loses by lot.",
    "Dropout comes after each hidden ReLU. What comes after the last affine layer?",
    [
        (
            SCORES,
            SCORES
            + "    if self.use_dropout:\n"
            + "        scores, last_cache = dropout_forward(scores, self.dropout_param)\n",
        ),
        (
            "softmax_loss(scores, y)\n",
            "softmax_loss(scores, y)\n"
            + "    if self.use_dropout:\n"
            + "        dscores = dropout_backward(dscores, last_cache)\n",
        ),
    ],
)
_net(
    "net_dropout_on_images",
    "The images go through dropout before the first layer; only hidden units should.",
    "Dropout comes after each hidden ReLU. Is there anything before the first affine layer?",
    [
        (
            "hidden, caches = X, []",
            "X = dropout_forward(X, self.dropout_param)[0] if self.use_dropout else X\n"
            "    hidden, caches = X, []",
        )
    ],
    [
        (
            "hidden, caches = X, []",
            "X = dropout_forward(X, self.dropout_param)[0] if self.use_dropout else X\n"
            "    hidden, caches = X, []",
        ),
        *_only("i < self.num_layers - 1"),
    ],
)
_net(
    "net_dropout_in_test_mode",
    "Without labels the network drops units too; scores should be computed with all of them.",
    "Which mode does the layer get when y is None?",
    _in_mode("'train'"),
)
_net(
    "net_dropout_modes_swapped",
    "The modes are swapped: units are dropped without labels, and not with them.",
    "When should a network use all of its units?",
    _in_mode("'train' if y is None else 'test'"),
)
_net(
    "net_dropout_scaled_again",
    "What dropout returns is divided by p once more; the layer has done that.",
    "Who scales, and how often?",
    [
        (FORWARD, FORWARD + "\n            hidden = hidden / self.dropout_param['p']"),
        (BACKWARD, BACKWARD + " / self.dropout_param['p']"),
    ],
    [(FORWARD, FORWARD + "\n            hidden = hidden / self.dropout_param['p']")],
)
_net(
    "net_dropout_p_drops",
    "The layer gets 1 - p; it should get the probability to keep a unit, which the network has got.",
    "What does the argument dropout of the constructor mean, and what p of the layer?",
    [
        (
            FORWARD,
            FORWARD.replace("self.dropout_param", "{**self.dropout_param, 'p': 1 - self.dropout_param['p']}"),
        )
    ],
)
_net(
    "net_dropout_seed_lost",
    "The seed does not reach the layer: two calls with the same seed give different losses.",
    "Hand self.dropout_param itself to the layer, not a dictionary of your own.",
    [
        (
            FORWARD,
            FORWARD.replace("self.dropout_param", "{'p': self.dropout_param['p'], 'mode': mode}"),
        )
    ],
)
_net(
    "net_dropout_always_seeded",
    "Without a seed every step drops the same units; each should drop others.",
    "Where do your draws get their seed from, when the network has none?",
    [(FORWARD, FORWARD.replace("self.dropout_param", "{'seed': 0, **self.dropout_param}"))],
)
_net(
    "net_dropout_wrong_cache",
    "All layers go back through the dropout of the same layer.",
    "Keep a cache for each layer, and take that of the layer you are at.",
    [(BACKWARD, BACKWARD.replace("dropout_cache", "caches[-1][3]"))],
)
