"""The visible asserts of a2/4_dropout catch the usual mistakes in words, and pass code of any style."""

import pytest
from cells import Cells, write

NOTEBOOK = Cells("a2/4_dropout")
FORWARD = "handgrad.layers.dropout.dropout_forward"
BACKWARD = "handgrad.layers.dropout.dropout_backward"
NET = "handgrad.classifiers.fc_net.FullyConnectedNet"

KEPT = "kept = random.rand(*x.shape) < p"
DRAWS = "(random if seeded else np.random.RandomState(0))."
TEST_MODE = "return x.copy(), (x.shape, None)"
AFTER_RELU = "                hidden, dropout_cache = dropout_forward(hidden, self.dropout_param)\n"

WRONG = [
    # name of the mistake, cell, function, edits, what the message must contain
    (
        "one row of draws for the whole batch",
        "dropout-forward",
        FORWARD,
        [(KEPT, "kept = np.broadcast_to(random.rand(*x.shape[1:]) < p, x.shape)")],
        "a draw of its own",
    ),
    (
        "one draw for each example",
        "dropout-forward",
        FORWARD,
        [(KEPT, "kept = np.broadcast_to(random.rand(len(x), *[1] * (x.ndim - 1)) < p, x.shape)")],
        "a draw of its own",
    ),
    (
        "one draw for all places of a channel",
        "dropout-forward",
        FORWARD,
        [(KEPT, "kept = np.broadcast_to(random.rand(*x.shape[:2], *[1] * (x.ndim - 2)) < p, x.shape)")],
        "share their draws",
    ),
    (
        "normal draws",
        "dropout-forward",
        FORWARD,
        [(KEPT, "kept = random.randn(*x.shape) < p")],
        "random.rand draws evenly",
    ),
    ("no division", "dropout-forward", FORWARD, [("dtype=x.dtype) / p", "dtype=x.dtype)")], "divide by p"),
    (
        "scaled at test time instead",
        "dropout-forward",
        FORWARD,
        [("dtype=x.dtype) / p", "dtype=x.dtype)"), (TEST_MODE, "return x * p, (x.shape, p)")],
        "divide by p",
    ),
    (
        "keep and drop mixed up",
        "dropout-forward",
        FORWARD,
        [("    # Your task", "    p = 1 - p\n    # Your task")],
        "probability to keep",
    ),
    (
        "drops a share p but divides by p",
        "dropout-forward",
        FORWARD,
        [(KEPT, "kept = random.rand(*x.shape) > p")],
        "probability to keep",
    ),
    (
        "divided by the share that is dropped",
        "dropout-forward",
        FORWARD,
        [("dtype=x.dtype) / p", "dtype=x.dtype) / (1 - p if p < 1 else 1)")],
        "divide by p",
    ),
    (
        "test mode divides",
        "dropout-forward",
        FORWARD,
        [(TEST_MODE, "return x / p, (x.shape, None)")],
        "Test mode changes nothing",
    ),
    (
        "test mode drops",
        "dropout-forward",
        FORWARD,
        [('if mode == "test":', 'if mode == "never":')],
        "Test mode changes nothing",
    ),
    (
        "the seed does not count",
        "dropout-forward",
        FORWARD,
        [(KEPT, "kept = np.random.rand(*x.shape) < p")],
        "same seed must give the same",
    ),
    (
        "always the same draws",
        "dropout-forward",
        FORWARD,
        [(KEPT, "kept = np.random.RandomState(0).rand(*x.shape) < p")],
        "Another seed",
    ),
    (
        "the same draws when there is no seed",
        "dropout-forward",
        FORWARD,
        [(KEPT, "seeded = random is not np.random\n    " + KEPT.replace("random.", DRAWS, 1))],
        "Without a seed, every call",
    ),
    (
        "input changed",
        "dropout-forward",
        FORWARD,
        [("    out = x * mask", "    x *= mask\n    out = x")],
        "changed its input x",
    ),
    ("nothing returned", "dropout-forward", FORWARD, [("return out, cache", "return None, cache")], "shape"),
    ("no division", "dropout-backward", BACKWARD, [("dout * mask", "dout * (mask > 0)")], "divided by p"),
    ("divided twice", "dropout-backward", BACKWARD, [("dout * mask", "dout * mask * mask")], "divided by p"),
    ("dout passed through", "dropout-backward", BACKWARD, [("dout * mask", "dout")], "was dropped has no"),
    (
        "new draws on the way back",
        "dropout-backward",
        BACKWARD,
        [("dout * mask", "dout * np.random.default_rng(0).permuted(mask)")],
        "dx in train mode",
    ),
    (
        "the draws of a seed that is not there",
        "dropout-backward",
        BACKWARD,
        [
            (
                "dout * mask",
                "dout * (mask if dout.shape != (30, 8) else "
                "(np.random.RandomState(10).rand(30, 8) < 0.4) / 0.4)",
            )
        ],
        "no new ones",
    ),
    (
        "test mode halves",
        "dropout-backward",
        BACKWARD,
        [("dout.copy()", "dout / 2")],
        "In test mode out is x",
    ),
    (
        "dropout forgotten",
        "dropout-net",
        NET,
        [
            (AFTER_RELU, "                pass\n"),
            ("dhidden = dropout_backward(dhidden, dropout_cache)", "pass"),
        ],
        "loss, dropout = 0.75",
    ),
    (
        "dropout in the last layer, too",
        "dropout-net",
        NET,
        [
            (
                "        if y is None:\n            return scores\n",
                "        if y is None:\n            return scores\n"
                "        scores = dropout_forward(scores, self.dropout_param)[0]\n",
            )
        ],
        "not after the scores",
    ),
    (
        "dropout in the first layer only",
        "dropout-net",
        NET,
        [
            (AFTER_RELU, AFTER_RELU.replace("                hidden", "                if i == 1: hidden")),
            (
                "                dhidden = dropout_backward(",
                "                if i == 1: dhidden = dropout_backward(",
            ),
        ],
        "every hidden layer",
    ),
    (
        "no dropout on the way back",
        "dropout-net",
        NET,
        [("dhidden = dropout_backward(dhidden, dropout_cache)", "pass")],
        "way back go through dropout",
    ),
    (
        "the cache of another layer on the way back",
        "dropout-net",
        NET,
        [
            (
                "dropout_backward(dhidden, dropout_cache)",
                "dropout_forward(dhidden, {**self.dropout_param, 'seed': 1})[0]",
            )
        ],
        "cache of the same layer",
    ),
    (
        "scores in train mode",
        "dropout-net",
        NET,
        [('mode = "test" if y is None else "train"', 'mode = "train"')],
        "in test mode",
    ),
    (
        "drops the same units in every step",
        "dropout-net",
        NET,
        [("if seed is not None:", "seed = seed or 3\n        if seed is not None:")],
        "drop anew",
    ),
]


@pytest.mark.parametrize("mistake", WRONG, ids=lambda mistake: f"{mistake[1]}: {mistake[0]}")
def test_mistake_fails_with_a_helpful_message(mistake, monkeypatch):
    _, cell_id, target, edits, message = mistake
    write(monkeypatch, target, *edits)
    with pytest.raises(AssertionError, match=message):
        NOTEBOOK.run(cell_id)


LOOP = """
    out, factors = [], []
    for row in x:
        keep = mode == "test" or random.rand(*row.shape) < p
        factors.append((1 / p if mode == "train" else 1) * np.ones(row.shape) * keep)
        out.append(row * factors[-1])
    return np.stack(out), [x.shape, np.stack(factors)]
    ### BEGIN SOLUTION (a2)
"""

RIGHT = [
    ("reference", FORWARD, []),
    ("the other end of the draws", FORWARD, [(KEPT, "kept = random.rand(*x.shape) > 1 - p - 1e-12")]),
    ("draws with uniform", FORWARD, [(KEPT, "kept = random.uniform(size=x.shape) < p")]),
    ("draws with binomial", FORWARD, [(KEPT, "kept = random.binomial(1, p, size=x.shape)")]),
    ("draws with choice", FORWARD, [(KEPT, "kept = random.choice([1, 0], size=x.shape, p=[p, 1 - p])")]),
    ("at most p", FORWARD, [(KEPT, "kept = random.rand(*x.shape) <= p")]),
    ("test mode gives x itself", FORWARD, [(TEST_MODE, "return x, [x.shape, None]")]),
    ("cache with more in it", FORWARD, [(TEST_MODE, "return x, (x.shape, np.ones(x.shape))")]),
    ("divided on the way out", FORWARD, [("out = x * mask", "out = np.where(kept, x, 0) / p")]),
    ("a loop over examples", FORWARD, [("    ### BEGIN SOLUTION (a2)\n", LOOP)]),
    ("dout in place", BACKWARD, [("dx = dout * mask", "dout *= mask\n    dx = dout")]),
    ("dout itself in test mode", BACKWARD, [("dout.copy()", "dout")]),
    ("asks for p instead of use_dropout", NET, [(
        "            if self.use_dropout:\n    " + AFTER_RELU[4:],
        "            if self.dropout_param['p'] < 1:\n    " + AFTER_RELU[4:],
    )]),
]  # fmt: skip


@pytest.mark.parametrize("variant", RIGHT, ids=lambda variant: variant[0])
def test_right_code_of_another_style_passes(variant, monkeypatch, capsys):
    name, target, edits = variant
    write(monkeypatch, target, *edits)
    cells = NOTEBOOK.graded
    if name != "reference":
        cells = {FORWARD: ["dropout-forward", "dropout-backward"], BACKWARD: ["dropout-backward"]}.get(
            target, ["dropout-net"]
        )
    for cell_id in cells:
        NOTEBOOK.run(cell_id)
    captured = capsys.readouterr()
    assert captured.out.count("passed") == len(cells)
    assert captured.err == ""


@pytest.mark.parametrize("skipped", range(1, 11))
def test_statistics_hold_whatever_is_drawn(skipped, monkeypatch):
    write(monkeypatch, FORWARD, (KEPT, f"random.rand(1000 * {skipped})\n    {KEPT}"))
    NOTEBOOK.run("dropout-forward")
