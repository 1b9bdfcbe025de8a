"""The visible asserts of a3/1_modules catch the usual mistakes in words, and pass code of any style."""

import pytest
from cells import Cells, write

CELLS = Cells("a3/1_modules", before=("gradients",))
MODULES = "handgrad.modules."
LINEAR, RELU, SOFTMAX = (
    MODULES + name for name in ("linear.Linear", "activations.ReLU", "activations.Softmax")
)
LOSS, SEQUENTIAL, SGD = (
    MODULES + name for name in ("losses.CrossEntropyLoss", "sequential.Sequential", "optim.SGD")
)
LOADER, TRAINER = MODULES + "data.DataLoader", MODULES + "trainer.Trainer"
ACCURACY = MODULES + "trainer.get_classification_accuracy"
REGION = "### BEGIN SOLUTION (a3)\n"

LINEAR_OUT = "rows @ self.weight.value + self.bias.value"
STEP_UPDATE = "parameter.value = parameter.value - self.lr * direction"
BACKWARD_AND_UPDATE = "        self.net.backward(self.loss_func.backward())\n        self.optim.step()\n"
ORDER = "order = rng.permutation(len(self.x_train))"
YIELD = "yield self.x_train[chosen], self.y_train[chosen]"

WRONG = [
    # name of the mistake, cell, function or class, edits, what the message must contain
    (
        "bias forgotten",
        "linear-forward",
        LINEAR,
        [(LINEAR_OUT, "rows @ self.weight.value")],
        "out is wrong at",
    ),
    (
        "columns first",
        "linear-forward",
        LINEAR,
        [
            (
                f"(N, D)\n        self.cache = x\n        return {LINEAR_OUT}",
                "(N, D)\n        self.cache = x\n"
                f'        rows = x.reshape(x.shape[0], -1, order="F")\n        return {LINEAR_OUT}',
            )
        ],
        "out is wrong at",
    ),
    (
        "input changed",
        "linear-forward",
        LINEAR,
        [("        self.cache = x\n", "        self.cache = x\n        x *= 1.0 + 1e-12\n")],
        "forward has changed x",
    ),
    (
        "bias added in place",
        "linear-forward",
        LINEAR,
        [
            (
                LINEAR_OUT,
                "rows @ np.multiply(self.weight.value, 1 + 1e-13, out=self.weight.value) + self.bias.value",
            )
        ],
        "changed the weights",
    ),
    (
        "dw a mean",
        "linear-backward",
        LINEAR,
        [("rows.T @ dout", "rows.T @ dout / len(x)")],
        r"1/10.* no mean",
    ),
    ("dw transposed", "linear-backward", LINEAR, [("rows.T @ dout", "dout.T @ rows")], "transposed"),
    (
        "dw added up",
        "linear-backward",
        LINEAR,
        [("self.weight.grad = rows", "self.weight.grad = self.weight.grad + rows")],
        "does not add",
    ),
    (
        "db added up",
        "linear-backward",
        LINEAR,
        [("self.bias.grad = dout", "self.bias.grad = self.bias.grad + dout")],
        "does not add",
    ),
    ("db a mean", "linear-backward", LINEAR, [("dout.sum(axis=0)", "dout.mean(axis=0)")], "1/10"),
    (
        "db over the wrong axis",
        "linear-backward",
        LINEAR,
        [("dout.sum(axis=0)", "dout.sum(axis=1)")],
        "has shape",
    ),
    (
        "dx in rows",
        "linear-backward",
        LINEAR,
        [("self.weight.value.T).reshape(x.shape)", "self.weight.value.T)")],
        "reshape it",
    ),
    ("dx not returned", "linear-backward", LINEAR, [("return (dout @", "_ = (dout @")], "got None"),
    (
        "one memory for all",
        "linear-backward",
        LINEAR,
        [("self.cache = x", "self.cache = Linear.seen = x"), ("x = self.cache", "x = Linear.seen")],
        "Another Linear",
    ),
    (
        "relu in place",
        "relu-module-forward",
        RELU,
        [("np.maximum(x, 0)", "np.maximum(x, 0, out=x)")],
        "its input x",
    ),
    ("relu leaky", "relu-module-forward", RELU, [("np.maximum(x, 0)", "np.maximum(x, 0.01 * x)")], "wrong"),
    ("slope at 0", "relu-module-backward", RELU, [("(x > 0)", "(x >= 0)")], "corner"),
    ("by the sign of dout", "relu-module-backward", RELU, [("(x > 0)", "(dout > 0)")], "sign of x alone"),
    ("passes all", "relu-module-backward", RELU, [("dout * (x > 0)", "dout * 1.0")], "dx"),
    (
        "one memory for all ReLUs",
        "relu-module-backward",
        RELU,
        [("self.cache = x", "self.cache = ReLU.seen = x"), ("x = self.cache", "x = ReLU.seen")],
        "that this module has seen",
    ),
    (
        "softmax without shift",
        "softmax-module-forward",
        SOFTMAX,
        [("x - x.max(axis=1, keepdims=True)", "x")],
        "Subtract",
    ),
    (
        "shift by the batch's largest",
        "softmax-module-forward",
        SOFTMAX,
        [("x.max(axis=1, keepdims=True)", "x.max()")],
        "each example",
    ),
    (
        "over the wrong axis",
        "softmax-module-forward",
        SOFTMAX,
        [("exps.sum(axis=1, keepdims=True)", "exps.sum(axis=0, keepdims=True)")],
        "add up to 1",
    ),
    (
        "no floor",
        "softmax-module-forward",
        SOFTMAX,
        [("np.maximum(probs, np.finfo(x.dtype).tiny)", "probs")],
        "raised to np.finfo",
    ),
    (
        "floor of another type",
        "softmax-module-forward",
        SOFTMAX,
        [("np.maximum(probs, np.finfo(x.dtype).tiny)", "np.maximum(probs, 2.3e-308).astype(x.dtype)")],
        "In float32, a probability is 0",
    ),
    (
        "floor too high",
        "softmax-module-forward",
        SOFTMAX,
        [("np.maximum(probs, np.finfo(x.dtype).tiny)", "np.maximum(probs, 1e-12)")],
        "floor is too high",
    ),
    (
        "softmax with cross-entropy",
        "softmax-module-backward",
        SOFTMAX,
        [("probs * (dout - mean_dout)", "dout")],
        "dx for x",
    ),
    (
        "softmax with one-hot",
        "softmax-module-backward",
        SOFTMAX,
        [("probs * (dout - mean_dout)", "probs - dout")],
        "dx for x",
    ),
    (
        "diagonal of the Jacobian only",
        "softmax-module-backward",
        SOFTMAX,
        [("probs * (dout - mean_dout)", "dout * probs * (1 - probs)")],
        "both cases of step 2",
    ),
    (
        "mean over the batch",
        "softmax-module-backward",
        SOFTMAX,
        [("(dout * probs).sum(axis=1, keepdims=True)", "(dout * probs).sum(axis=0, keepdims=True)")],
        "dx for x",
    ),
    (
        "plain mean of dout",
        "softmax-module-backward",
        SOFTMAX,
        [("(dout * probs).sum(", "dout.mean(")],
        "dx for x",
    ),
    ("loss a sum", "cross-entropy-forward", LOSS, [(".mean())", ".sum())")], "log C, whatever"),
    (
        "all probabilities",
        "cross-entropy-forward",
        LOSS,
        [("-np.log(probs[np.arange(len(y)), y]).mean()", "-np.log(probs).mean()")],
        "correct classes count",
    ),
    ("no logarithm", "cross-entropy-forward", LOSS, [("-np.log(probs[", "-(probs[")], "log C"),
    (
        "no floor in the loss",
        "cross-entropy-forward",
        LOSS,
        [("np.maximum(out, np.finfo(out.dtype).tiny)", "out.copy()")],
        "not finite.* counts as",
    ),
    (
        "a higher floor in the loss",
        "cross-entropy-forward",
        LOSS,
        [("np.maximum(out, np.finfo(out.dtype).tiny)", "out + 1e-12")],
        "counts as np.finfo",
    ),
    (
        "out changed",
        "cross-entropy-forward",
        LOSS,
        [
            (
                "        self.cache = (probs, y)\n",
                "        self.cache = (probs, y)\n        out *= 1 + 1e-12\n",
            )
        ],
        "changed its input",
    ),
    (
        "gradient without 1 / N",
        "cross-entropy-backward",
        LOSS,
        [("-1 / (N * probs[", "-1 / (1 * probs[")],
        "6 times the right one.*1 / N",
    ),
    (
        "gradient of the softmax, too",
        "cross-entropy-backward",
        LOSS,
        [
            ("dout = np.zeros_like(probs)", "dout = probs / N"),
            ("dout[examples, y] = -1 / (N * probs[examples, y])", "dout[examples, y] -= 1 / N"),
        ],
        "Only the probability of the correct",
    ),
    ("sign of the gradient", "cross-entropy-backward", LOSS, [("-1 / (N", "1 / (N")], "sign is wrong"),
    (
        "gradient floor",
        "cross-entropy-backward",
        LOSS,
        [("(N * probs[examples, y])", "(N * (probs[examples, y] + 1e-12))")],
        "counts as np.finfo",
    ),
    (
        "one memory for all losses",
        "cross-entropy-backward",
        LOSS,
        [
            ("self.cache = (probs, y)", "self.cache = CrossEntropyLoss.seen = (probs, y)"),
            ("probs, y = self.cache", "probs, y = CrossEntropyLoss.seen"),
        ],
        "has shape|self.cache",
    ),
    (
        "forward in reverse",
        "sequential-forward",
        SEQUENTIAL,
        [
            (
                "for module in self.modules:\n            x",
                "for module in reversed(self.modules):\n            x",
            )
        ],
        "order of the list",
    ),
    (
        "last module left out",
        "sequential-forward",
        SEQUENTIAL,
        [("for module in self.modules:\n            x", "for module in self.modules[:-1]:\n            x")],
        "order of the list",
    ),
    (
        "each on the first input",
        "sequential-forward",
        SEQUENTIAL,
        [
            (
                "            x = module.forward(x)\n        return x",
                "            out = module.forward(x)\n        return out",
            )
        ],
        "order of the list",
    ),
    (
        "backward in order",
        "sequential-backward",
        SEQUENTIAL,
        [("reversed(self.modules)", "self.modules")],
        "Start there",
    ),
    (
        "dout not passed on",
        "sequential-backward",
        SEQUENTIAL,
        [
            (
                "dout = module.backward(dout)\n        return dout",
                "dx = module.backward(dout)\n        return dx",
            )
        ],
        "Start there",
    ),
    (
        "list turned round",
        "sequential-backward",
        SEQUENTIAL,
        [
            (
                "        for module in reversed(self.modules):",
                "        self.modules.reverse()\n        for module in self.modules:",
            )
        ],
        "leave it as it is",
    ),
    (
        "argmax over examples",
        "sequential-predict",
        SEQUENTIAL,
        [("argmax(axis=1)", "argmax(axis=0)")],
        "One class for each",
    ),
    ("argmax of all", "sequential-predict", SEQUENTIAL, [("argmax(axis=1)", "argmax()")], "has shape"),
    ("highest value", "sequential-predict", SEQUENTIAL, [("argmax(axis=1)", "max(axis=1)")], "labels"),
    ("biases decayed", "sgd-step", SGD, [("if parameter.decay:", "if True:")], "not to be decayed"),
    (
        "decay by name",
        "sgd-step",
        SGD,
        [("if parameter.decay:", 'if parameter.name == "weight":')],
        "is to be decayed",
    ),
    ("nothing decayed", "sgd-step", SGD, [("if parameter.decay:", "if False:")], "is to be decayed"),
    (
        "decay without lr",
        "sgd-step",
        SGD,
        [
            (
                "direction = direction + self.weight_decay * parameter.value",
                "direction = direction + self.weight_decay * parameter.value / self.lr",
            )
        ],
        "is to be decayed",
    ),
    (
        "decay doubled",
        "sgd-step",
        SGD,
        [("direction + self.weight_decay", "direction + 2 * self.weight_decay")],
        "is to be decayed",
    ),
    (
        "upwards",
        "sgd-step",
        SGD,
        [("parameter.value - self.lr", "parameter.value + self.lr")],
        "after the first step",
    ),
    ("in place", "sgd-step", SGD, [(STEP_UPDATE, "parameter.value -= self.lr * direction")], "old array"),
    (
        "gradient changed",
        "sgd-step",
        SGD,
        [("direction = direction + self", "direction += self")],
        "changed a gradient",
    ),
    (
        "only the first parameter",
        "sgd-step",
        SGD,
        [(STEP_UPDATE, STEP_UPDATE + "\n            return")],
        "the bias after the first step",
    ),
    (
        "last batch dropped",
        "data-batches",
        LOADER,
        [("range(0, len(order), batch_size)", "range(0, len(order) - batch_size + 1, batch_size)")],
        "the batches have the sizes",
    ),
    (
        "with replacement",
        "data-batches",
        LOADER,
        [(ORDER, "order = rng.integers(len(self.x_train), size=len(self.x_train))")],
        "exactly once",
    ),
    (
        "labels in another order",
        "data-batches",
        LOADER,
        [(YIELD, "yield self.x_train[chosen], self.y_train[rng.permutation(chosen)]")],
        "label of another",
    ),
    (
        "labels not shuffled",
        "data-batches",
        LOADER,
        [(YIELD, "yield self.x_train[chosen], self.y_train[start : start + batch_size]")],
        "label of another",
    ),
    (
        "data shuffled",
        "data-batches",
        LOADER,
        [
            (
                ORDER,
                "order = np.arange(len(self.x_train))\n        both = rng.permutation(len(order))\n"
                "        self.x_train[:], self.y_train[:] = self.x_train[both], self.y_train[both]",
            )
        ],
        "changed the data",
    ),
    (
        "not shuffled",
        "data-batches",
        LOADER,
        [(ORDER, "order = np.arange(len(self.x_train))")],
        "shuffle them",
    ),
    (
        "shuffled within batches",
        "data-batches",
        LOADER,
        [
            (ORDER, "order = np.arange(len(self.x_train))"),
            (
                "        chosen = order[start : start + batch_size]",
                "        chosen = rng.permutation(order[start : start + batch_size])",
            ),
        ],
        "Neighbours stay",
    ),
    (
        "rng ignored",
        "data-batches",
        LOADER,
        [(ORDER, "order = np.random.permutation(len(self.x_train))")],
        "draw from rng",
    ),
    (
        "same order in each epoch",
        "data-batches",
        LOADER,
        [(ORDER, "order = np.random.default_rng(7).permutation(len(self.x_train))")],
        "draw anew",
    ),
    (
        "only outputs",
        "classification-accuracy",
        ACCURACY,
        [("out.argmax(axis=1) if out.ndim == 2 else out", "np.atleast_2d(out).argmax(axis=1)")],
        "holds labels|accuracy",
    ),
    (
        "over the wrong axis",
        "classification-accuracy",
        ACCURACY,
        [
            ("argmax(axis=1)", "argmax(axis=0)[: len(y)]"),
            ("(chosen == y).mean()", "(np.resize(chosen, len(y)) == y).mean()"),
        ],
        "highest output",
    ),
    (
        "in per cent",
        "classification-accuracy",
        ACCURACY,
        [("(chosen == y).mean()", "100 * (chosen == y).mean()")],
        "between 0 and 1",
    ),
    (
        "number of hits",
        "classification-accuracy",
        ACCURACY,
        [("(chosen == y).mean()", "(chosen == y).sum()")],
        "between 0 and 1",
    ),
    (
        "loss after the update",
        "trainer-step",
        TRAINER,
        [("        return loss\n", "        return self.loss_func.forward(self.net.forward(x), y)\n")],
        "before the update",
    ),
    ("no loss returned", "trainer-step", TRAINER, [("        return loss\n", "")], "is None"),
    (
        "no update",
        "trainer-step",
        TRAINER,
        [(BACKWARD_AND_UPDATE, BACKWARD_AND_UPDATE.replace("        self.optim.step()\n", ""))],
        "is as before the first step",
    ),
    (
        "update before the backward pass",
        "trainer-step",
        TRAINER,
        [
            (
                BACKWARD_AND_UPDATE,
                "        self.optim.step()\n        self.net.backward(self.loss_func.backward())\n",
            )
        ],
        "after the first step|as before",
    ),
    (
        "gradients set to zero",
        "trainer-step",
        TRAINER,
        [("        self.optim.step()\n", "        self.optim.zero_grad()\n        self.optim.step()\n")],
        "first step",
    ),
    (
        "two updates",
        "trainer-step",
        TRAINER,
        [("        self.optim.step()\n", "        self.optim.step()\n        self.optim.step()\n")],
        "One update",
    ),
]


@pytest.mark.parametrize("mistake", WRONG, ids=lambda mistake: f"{mistake[1]}: {mistake[0]}")
def test_mistake_fails_with_a_helpful_message(mistake, monkeypatch):
    _, cell_id, target, edits, message = mistake
    write(monkeypatch, target, *edits)
    with pytest.raises(AssertionError, match=f"(?s){message}"):
        CELLS.run(cell_id)


def test_every_grade_cell_has_a_mistake():
    assert {mistake[1] for mistake in WRONG} == set(CELLS.graded)


LOOPS = """
        rows = x.reshape(len(x), -1)
        out = np.zeros((len(x), len(self.bias.value)))
        for n in range(len(x)):
            for m in range(out.shape[1]):
                out[n, m] = (rows[n] * self.weight.value[:, m]).sum() + self.bias.value[m]
        self.cache = x
        return out
"""

JACOBIANS = """
        probs = self.cache
        dx = np.zeros_like(probs)
        for i, p in enumerate(probs):
            dx[i] = dout[i] @ (np.diag(p) - np.outer(p, p))
        return dx
"""

SHUFFLE = """order = np.arange(len(self.x_train))
        rng.shuffle(order)"""

RIGHT = [
    # name, function or class, edits
    ("reference", LINEAR, []),
    (
        "linear in loops",
        LINEAR,
        [("        rows = x.reshape(x.shape[0], -1)  # (N, D)\n        self.cache = x\n", LOOPS)],
    ),
    (
        "cache a dictionary",
        LINEAR,
        [
            ("self.cache = x", 'self.cache = {"x": x.copy(), "more": 1}'),
            ("x = self.cache", 'x = self.cache["x"]'),
        ],
    ),
    (
        "gradients written into the old arrays",
        LINEAR,
        [("self.weight.grad = ", "self.weight.grad[:] = "), ("self.bias.grad = ", "self.bias.grad[:] = ")],
    ),
    (
        "mask kept",
        RELU,
        [
            ("self.cache = x", "self.cache = x > 0"),
            (
                '        check_shape("dout", dout, x.shape)\n        return dout * (x > 0)',
                "        dout[~x] = 0\n        return dout",
            ),
        ],
    ),
    (
        "softmax through logarithms",
        SOFTMAX,
        [
            (
                "probs = exps / exps.sum(axis=1, keepdims=True)",
                "top = x - x.max(axis=1, keepdims=True)\n"
                "        probs = np.exp(top - np.log(np.exp(top).sum(axis=1, keepdims=True)))",
            )
        ],
    ),
    (
        "floor added",
        SOFTMAX,
        [("np.maximum(probs, np.finfo(x.dtype).tiny)", "probs + np.finfo(x.dtype).tiny")],
    ),
    (
        "Jacobians built",
        SOFTMAX,
        [("        probs = self.cache\n        check_shape", JACOBIANS + "        check_shape")],
    ),
    (
        "softmax with einsum",
        SOFTMAX,
        [("(dout * probs).sum(axis=1, keepdims=True)", "np.einsum('nc,nc->n', dout, probs)[:, None]")],
    ),
    (
        "loss with one-hot labels",
        LOSS,
        [
            (
                "-np.log(probs[np.arange(len(y)), y]).mean()",
                "-(np.eye(out.shape[1])[y] * np.log(probs)).sum() / len(y)",
            )
        ],
    ),
    (
        "floor in the backward pass",
        LOSS,
        [
            ("self.cache = (probs, y)", "self.cache = [out, y]"),
            (
                "probs, y = self.cache",
                "probs, y = self.cache\n        probs = np.clip(probs, np.finfo(probs.dtype).tiny, 1)",
            ),
        ],
    ),
    (
        "loss a NumPy number",
        LOSS,
        [
            (
                "float(-np.log(probs[np.arange(len(y)), y]).mean())",
                "-np.mean(np.log(probs[np.arange(len(y)), y]))",
            )
        ],
    ),
    (
        "indices backwards",
        SEQUENTIAL,
        [
            (
                "for module in reversed(self.modules):\n            dout = module",
                "for i in range(len(self.modules) - 1, -1, -1):\n            dout = self.modules[i]",
            )
        ],
    ),
    (
        "prediction in a loop",
        SEQUENTIAL,
        [("self.forward(x).argmax(axis=1)", "np.array([int(np.argmax(row)) for row in self.forward(x)])")],
    ),
    (
        "decay times a flag",
        SGD,
        [
            (
                "            if parameter.decay:\n"
                "                direction = direction + self.weight_decay * parameter.value\n",
                "            direction = direction + parameter.decay * self.weight_decay * parameter.value\n",
            )
        ],
    ),
    ("shuffled indices", LOADER, [(ORDER, SHUFFLE)]),
    (
        "accuracy in a loop",
        ACCURACY,
        [
            (
                "float((chosen == y).mean())",
                "sum(int(a == b) for a, b in zip(chosen, y, strict=True)) / len(y)",
            )
        ],
    ),
    (
        "gradients set to zero first",
        TRAINER,
        [
            (
                "        out = self.net.forward(x)\n        loss",
                "        self.optim.zero_grad()\n        out = self.net.forward(x)\n        loss",
            )
        ],
    ),
]


@pytest.mark.parametrize("variant", RIGHT, ids=lambda variant: variant[0])
def test_right_code_of_another_style_passes(variant, monkeypatch, capsys):
    _, target, edits = variant
    write(monkeypatch, target, *edits)
    for cell_id in CELLS.graded:
        CELLS.run(cell_id)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.count("passed") == len(CELLS.graded)


def test_large_scores_stop_at_the_floor(capsys):
    CELLS.run("numerics")
    assert capsys.readouterr().out.splitlines()[-1].split() == ["10000", "10000.0", "708.4", "87.3"]


def test_solution_parts_the_spirals():
    names = CELLS.run("toy-data", "toy-training", FAST=True)
    assert names["toy_trainer"].best_val_acc > 0.95
    assert names["straight_trainer"].best_val_acc < 0.65
