"""Hidden checks of a3/1_modules: modules, the loss, the container, the optimiser, batches and the trainer.

Notable:
- Modules, parameters and networks stay in the sandbox; here they are handles. A backward pass follows the
  student's own forward pass of the same module.
- What a network is made of gets its parameters here: no check depends on the numbers that `Linear` draws.
- `uses` names methods of other classes only: the reference would stand in for a class as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from handgrad.modules import (
    CrossEntropyLoss,
    ReLU,
    Softmax,
    get_classification_accuracy,
)

from ..sandbox import StudentError
from . import for_notebook
from .modules import (
    ACCURACY,
    DATA,
    FRAMEWORK,
    LAYERS,
    LAYERS_FORWARD,
    LINEAR,
    LOSS,
    RELU,
    SEQUENTIAL,
    SGD,
    SOFTMAX,
    TRAINER,
    Network,
    linear,
    numbers,
    put,
    reference_linear,
    same,
    value_of,
)

check = for_notebook("a3/1_modules")

AS_BEFORE = "It is wrong, but just as it is otherwise: full points here."


def reference_dx(module: Any, x: np.ndarray, dout: np.ndarray) -> np.ndarray:
    """dx of one of the reference's modules."""
    module.forward(x)
    return module.backward(dout)


# ---- the linear module


@check("linear_forward", parts={"out": 1}, function=f"{LINEAR}.forward")
def check_linear_forward(student, rng, expect):
    """The outputs, for images and for rows, in both dtypes."""
    for trait, x, w, b in _linear_inputs(rng):
        with expect.case(trait), expect.attempt("out"):
            out = linear(student, w, b).forward(x)
            expect.array("out", out, reference_linear(w, b).forward(x), what=f"out {trait}")


@check(
    "linear_backward",
    parts={"dx": 2, "weight.grad": 2, "bias.grad": 1, "second pass": 1},
    function=f"{LINEAR}.backward",
)
def check_linear_backward(student, rng, expect):
    """The three gradients; then those of a second pass, after another module's forward pass."""
    single = ("dx", "weight.grad", "bias.grad")
    for trait, x, w, b in _linear_inputs(rng):
        dout = rng.standard_normal((len(x), w.shape[1])).astype(w.dtype)
        expect.sizes = {"N": len(x), "M": w.shape[1]}
        with expect.case(trait), expect.attempt(*single):
            layer = linear(student, w, b)

            def forward(layer=layer, **at):
                put(layer, at["weight.grad"], at["bias.grad"])
                return layer.forward(at["dx"])

            out, right = layer.forward(x), reference_linear(w, b)
            right_out = right.forward(x)
            expect.gradients(
                _linear_gradients(layer, dout),
                reference=_linear_gradients(right, dout),
                forward=forward,
                at={"dx": x, "weight.grad": w, "bias.grad": b},
                out=out,
                right_out=right_out,
                cotangent=dout,
                what=f"{{}} {trait}",
            )
    expect.sizes = {}
    with expect.attempt("second pass"):
        _check_second_linear_pass(student, rng, expect, single)


def _check_second_linear_pass(student, rng, expect, parts):
    """What a module gives that has been used before is what a new one gives."""
    w, b = rng.standard_normal((6, 5)), rng.standard_normal(5)
    x, other_x = rng.standard_normal((2, 4, 6))
    dout, other_dout = rng.standard_normal((2, 4, 5))
    new, used = linear(student, w, b), linear(student, w, b)
    used.forward(other_x)
    _linear_gradients(used, other_dout)
    used.forward(-other_x)  # nothing goes back through this one
    used.forward(x)
    new.forward(x)
    own = _linear_gradients(new, dout)
    right = _linear_gradients(_after(reference_linear(w, b), x), dout)
    linear(student, w, b).forward(other_x)  # another module, with a memory of its own
    for name, got in _linear_gradients(used, dout).items():
        earned = any(expect.share(part) for part in parts)
        as_new = AS_BEFORE if earned and same(got, own[name]) else ""
        what = f"{name} of a second pass"
        expect.array("second pass", got, right[name], what=what, unless=lambda _, text=as_new: text)


def _linear_gradients(layer: Any, dout: np.ndarray) -> dict[str, Any]:
    """The backward pass of a student's module or of the reference's."""
    dx = layer.backward(dout)
    return {"dx": dx, "weight.grad": layer.weight.grad, "bias.grad": layer.bias.grad}


def _after(module: Any, x: np.ndarray) -> Any:
    """The reference's module after a forward pass."""
    module.forward(x)
    return module


def _linear_inputs(rng):
    """Images in memory with gaps; columns in Fortran order; rows; squares; one example; float32."""
    x = rng.standard_normal((5, 2, 3, 8))[..., ::2]
    yield "for images", x, rng.standard_normal((24, 7)), rng.standard_normal(7)
    x = np.asfortranarray(rng.standard_normal((4, 3, 5)))
    w = np.asfortranarray(rng.standard_normal((15, 6)))
    yield "for examples of two axes", x, w, rng.standard_normal(6)
    yield "for rows", rng.standard_normal((6, 9)), rng.standard_normal((9, 4)), rng.standard_normal(4)
    yield (
        "for square arrays",
        rng.standard_normal((5, 5)),
        rng.standard_normal((5, 5)),
        rng.standard_normal(5),
    )
    yield "for one example", rng.standard_normal((1, 7)), rng.standard_normal((7, 3)), rng.standard_normal(3)
    x, w, b = rng.standard_normal((4, 6)), rng.standard_normal((6, 3)), rng.standard_normal(3)
    yield "in float32", x, w.astype(np.float32), b.astype(np.float32)


# ---- ReLU


@check("relu_module_forward", parts={"out": 1}, function=f"{RELU}.forward")
def check_relu_module_forward(student, rng, expect):
    """The outputs, for arrays of one, two and four axes."""
    for x in _relu_inputs(rng):
        with expect.case(f"for {x.ndim} axes"), expect.attempt("out"):
            out = student.modules.ReLU().forward(x)
            expect.array("out", out, ReLU().forward(x), what=f"out for {x.ndim} axes")


@check("relu_module_backward", parts={"dx": 5, "second pass": 1}, function=f"{RELU}.backward")
def check_relu_module_backward(student, rng, expect):
    """The gradient; then that of a second pass, after another module's forward pass."""
    for x in _relu_inputs(rng):
        with expect.case(f"for {x.ndim} axes"), expect.attempt("dx"):
            dout = rng.standard_normal(x.shape)
            _check_dx(student.modules.ReLU, ReLU, x, dout, expect, what=f"for {x.ndim} axes")
    with expect.attempt("second pass"):
        x = rng.uniform(0.05, 2, (2, 4, 6)) * rng.choice([-1, 1], (2, 4, 6))
        _check_second_pass(student.modules.ReLU, ReLU, x, rng.standard_normal((4, 6)), expect)


def _relu_inputs(rng):
    """Numbers of both signs, from 0.05 to 2 away from 0."""
    for shape in ((5, 7), (3, 2, 4, 5), (9,)):
        yield np.asfortranarray(rng.uniform(0.05, 2, shape) * rng.choice([-1, 1], shape))


def _check_dx(students, reference, x, dout, expect, what):
    """The gradient that a new module without parameters gives."""
    module = students()
    out = module.forward(x)
    expect.gradients(
        {"dx": module.backward(dout)},
        reference={"dx": reference_dx(reference(), x, dout)},
        forward=lambda dx: students().forward(dx),
        at={"dx": x},
        out=out,
        right_out=reference().forward(x),
        cotangent=dout,
        what=f"{{}} {what}",
    )


def _check_second_pass(students, reference, xs, dout, expect):
    """A module without parameters that has been used before gives what a new one gives."""
    first, x = xs
    new, used = students(), students()
    used.forward(first)
    used.backward(dout)
    used.forward(-first)  # nothing goes back through this one
    used.forward(x)
    new.forward(x)
    own = new.backward(dout)
    students().forward(first)  # another module, with a memory of its own
    got = used.backward(dout)
    as_new = AS_BEFORE if expect.share("dx") and same(got, own) else ""
    right = reference_dx(reference(), x, dout)
    expect.array("second pass", got, right, what="dx of a second pass", unless=lambda _: as_new)


# ---- softmax


@check(
    "softmax_module_forward",
    parts={"out": 4, "large scores": 0.5, "floor": 0.5},
    function=f"{SOFTMAX}.forward",
)
def check_softmax_module_forward(student, rng, expect):
    """The probabilities; those of large scores; and the floor below which none may fall."""
    for N, C in ((7, 4), (4, 7), (5, 5), (1, 6)):
        with expect.case(*_traits(N, C)), expect.attempt("out"):
            x = 1.5 * rng.standard_normal((N, C))
            expect.sizes = {"N": N, "C": C}
            out = student.modules.Softmax().forward(x)
            expect.array("out", out, Softmax().forward(x), what=f"out for {N} examples, {C} classes")
    expect.sizes = {}
    with expect.attempt("large scores"):
        x = np.round(64 * rng.standard_normal((6, 4))) / 64  # so that the sums are exact
        x[0] = rng.permutation([0, -2e4, 3, -9e3])
        for shift in (400, 1e4):
            shifted = x + shift * rng.permutation([1, 1, 1, -1, -1, -1])[:, None]
            out = student.modules.Softmax().forward(shifted)
            what = f"out for scores near +-{shift:,.0f}"
            expect.array("large scores", out, Softmax().forward(x), what=what)
    with expect.attempt("floor"):
        for dtype in (np.float64, np.float32):
            gaps = [0, 40, 600, 730, 2e4] if dtype == np.float64 else [0, 15, 60, 95, 2e4]
            x = np.array([rng.permutation(gaps) for _ in range(3)], dtype=dtype)
            out = student.modules.Softmax().forward(-x)
            logs = np.log(out) if isinstance(out, np.ndarray) and out.dtype.kind == "f" else out
            what = f"logarithms of small probabilities in {np.dtype(dtype)}"
            expect.array("floor", logs, np.log(Softmax().forward(-x)), what=what)


@check(
    "softmax_module_backward",
    parts={"dx": 5, "large scores": 0.5, "second pass": 0.5},
    function=f"{SOFTMAX}.backward",
)
def check_softmax_module_backward(student, rng, expect):
    """The gradient; that of large scores; and that of a second pass."""
    for N, C in ((7, 4), (4, 7), (5, 5), (1, 6)):
        with expect.case(*_traits(N, C)), expect.attempt("dx"):
            x, dout = rng.standard_normal((N, C)), rng.standard_normal((N, C)) + 0.5
            expect.sizes = {"N": N, "C": C}
            what = f"for {N} examples, {C} classes"
            _check_dx(student.modules.Softmax, Softmax, x, dout, expect, what=what)
    expect.sizes = {}
    with expect.attempt("large scores"):
        _check_softmax_backward_of_large_scores(student, rng, expect)
    with expect.attempt("second pass"):
        x, dout = rng.standard_normal((2, 4, 6)), rng.standard_normal((4, 6))
        _check_second_pass(student.modules.Softmax, Softmax, x, dout, expect)


def _check_softmax_backward_of_large_scores(student, rng, expect):
    """Far from 0 the gradient is what it is near 0, unless the forward pass goes wrong there."""
    x = np.round(64 * rng.standard_normal((6, 4))) / 64
    shifted = x + 1e4 * rng.permutation([1, 1, 1, -1, -1, -1])[:, None]
    dout = rng.standard_normal(x.shape)
    module = student.modules.Softmax()
    out, got = module.forward(shifted), module.backward(dout)
    near = student.modules.Softmax()
    own_out, own = near.forward(x), near.backward(dout)
    reason = ""
    if expect.share("dx"):
        if not same(out, own_out):
            reason = "Your forward pass is wrong for such scores: this cannot be judged, full points here."
        elif same(got, own):
            reason = AS_BEFORE
    part, what = "large scores", "dx for scores near +-10,000"
    if reason:
        expect.true(part, True, what, reason)
    else:
        expect.array(part, got, reference_dx(Softmax(), x, dout), what=what)


def _traits(N: int, C: int) -> list[str]:
    return (["for as many examples as classes"] if N == C else []) + (["for one example"] if N == 1 else [])


# ---- the loss


@check("cross_entropy_forward", parts={"loss": 2.5, "probability of 0": 0.5}, function=f"{LOSS}.forward")
def check_cross_entropy_forward(student, rng, expect):
    """The loss; then that of right classes whose probability is 0."""
    for N, C in ((7, 4), (4, 7), (5, 5), (1, 6)):
        with expect.case(*_traits(N, C)), expect.attempt("loss"):
            out, y = _probabilities(rng, N, C)
            expect.sizes = {"N": N, "C": C}
            loss = student.modules.CrossEntropyLoss().forward(out, y)
            right = CrossEntropyLoss().forward(out, y)
            expect.number("loss", loss, right, what=f"loss for {N} examples, {C} classes")
    expect.sizes = {}
    with expect.attempt("probability of 0"):
        for dtype in (np.float64, np.float32):
            out, y, raised = _with_zeros(rng, dtype)
            loss = student.modules.CrossEntropyLoss().forward(out, y)
            own = student.modules.CrossEntropyLoss().forward(raised, y)
            # A loss that is wrong otherwise, such as a sum, shows the floor as well.
            wrong = not expect.share("loss") and same(loss, own) and abs(float(own)) > 20
            reason = AS_BEFORE if wrong else ""
            right = CrossEntropyLoss().forward(out, y)
            what = f"loss for probabilities of 0 in {np.dtype(dtype)}"
            expect.number("probability of 0", loss, right, what=what, unless=lambda _, text=reason: text)


@check(
    "cross_entropy_backward",
    parts={"dout": 5, "probability of 0": 0.5, "second pass": 0.5},
    function=f"{LOSS}.backward",
)
def check_cross_entropy_backward(student, rng, expect):
    """The gradient; that for a probability of 0; and that of a second pass."""
    for N, C in ((7, 4), (4, 7), (5, 5), (1, 6)):
        with expect.case(*_traits(N, C)), expect.attempt("dout"):
            out, y = _probabilities(rng, N, C)
            expect.sizes = {"N": N, "C": C}
            loss_func = student.modules.CrossEntropyLoss()
            loss = loss_func.forward(out, y)
            expect.gradients(
                {"dout": loss_func.backward()},
                reference={"dout": _loss_gradient(CrossEntropyLoss(), out, y)},
                forward=lambda dout, y=y: student.modules.CrossEntropyLoss().forward(dout, y),
                at={"dout": out},
                out=loss,
                right_out=CrossEntropyLoss().forward(out, y),
                what=f"{{}} for {N} examples, {C} classes",
            )
    expect.sizes = {}
    with expect.attempt("probability of 0"):
        _check_gradient_at_zero(student, rng, expect)
    with expect.attempt("second pass"):
        _check_second_loss(student, rng, expect)


def _check_gradient_at_zero(student, rng, expect):
    """A probability of 0 counts as the smallest normal number, unless the forward pass goes wrong there."""
    part = "probability of 0"
    out, y, raised = _with_zeros(rng, np.float64)
    loss_func = student.modules.CrossEntropyLoss()
    what = "dout for probabilities of 0"
    if numbers(loss_func.forward(out, y)) is None and expect.share("dout"):
        expect.true(
            part, True, what, "Your loss is no number there: this cannot be judged, full points here."
        )
        return
    tiny = np.finfo(np.float64).tiny
    got, own = loss_func.backward(), _loss_gradient(student.modules.CrossEntropyLoss(), raised, y)
    right = _loss_gradient(CrossEntropyLoss(), out, y)
    reason = AS_BEFORE if expect.share("dout") and same(got, own) else ""
    got = got * tiny if isinstance(got, np.ndarray) and got.dtype.kind == "f" else got
    expect.array(part, got, right * tiny, what=f"{what}, times the floor", unless=lambda _: reason)


def _check_second_loss(student, rng, expect):
    """A loss that has been used before gives what a new one gives."""
    (first, y_first), (out, y) = _probabilities(rng, 5, 4), _probabilities(rng, 5, 4)
    used, other = student.modules.CrossEntropyLoss(), student.modules.CrossEntropyLoss()
    _loss_gradient(used, first, y_first)
    used.forward(out, y)
    own = _loss_gradient(student.modules.CrossEntropyLoss(), out, y)
    other.forward(first, y_first)
    got = used.backward()
    reason = AS_BEFORE if expect.share("dout") and same(got, own) else ""
    right = _loss_gradient(CrossEntropyLoss(), out, y)
    expect.array("second pass", got, right, what="dout of a second pass", unless=lambda _: reason)


def _loss_gradient(loss_func: Any, out: np.ndarray, y: np.ndarray) -> Any:
    loss_func.forward(out, y)
    return loss_func.backward()


def _probabilities(rng, N, C):
    """Probabilities well above 0, and labels that are not the most probable classes only."""
    out = np.exp(0.7 * rng.standard_normal((N, C)))
    y = rng.permutation(np.arange(max(N, C)) % C)[:N]
    return np.asfortranarray(out / out.sum(axis=1, keepdims=True)), y


def _with_zeros(rng, dtype):
    """Probabilities of which two right classes have 0, the labels, and the same raised to the floor."""
    out, y = _probabilities(rng, 5, 4)
    out[[1, 3], y[[1, 3]]] = 0
    out = (out / out.sum(axis=1, keepdims=True)).astype(dtype)
    return out, y, np.maximum(out, np.finfo(dtype).tiny)


# ---- modules in a row

# The shape of an example, and modules: a number is a linear module with so many outputs.
NETWORKS = [
    ((2, 3), ["ReLU"]),
    ((4,), [4, "ReLU", 4]),
    ((7,), [5, "ReLU", 3]),
    ((2, 1, 3), [6, "ReLU", 5, "ReLU", 4, "Softmax"]),
]


@check("sequential_forward", parts={"out": 1}, function=f"{SEQUENTIAL}.forward", uses=LAYERS_FORWARD)
def check_sequential_forward(student, rng, expect):
    """The outputs of networks of one to six modules."""
    for shape, kinds in NETWORKS:
        network = Network(rng, shape, kinds)
        trait = f"for a network of {len(kinds)} modules" if len(kinds) > 1 else "for a single module"
        traits = ["where all sizes are equal"] if kinds == [4, "ReLU", 4] else []
        with expect.case(trait, *traits), expect.attempt("out"):
            net, _ = network.students(student)
            expect.array(
                "out", net.forward(network.x), network.reference().forward(network.x), what=f"out {trait}"
            )


@check(
    "sequential_backward",
    parts={"dx": 1.5, "gradients of the parameters": 2, "second pass": 0.5},
    function=f"{SEQUENTIAL}.backward",
    uses=LAYERS,
)
def check_sequential_backward(student, rng, expect):
    """dx and the gradients of all parameters; then once more through the same network."""
    core = ("dx", "gradients of the parameters")
    for shape, kinds in NETWORKS[1:]:
        network = Network(rng, shape, kinds)
        x, dout = network.x, rng.standard_normal((len(network.x), network.outputs))
        right = _right_gradients(network, dout)
        with (
            expect.case(*(["where all sizes are equal"] if kinds == [4, "ReLU", 4] else [])),
            expect.attempt(*core),
        ):
            net, modules = network.students(student)
            out, got = _own_gradients(net, modules, network, dout)
            right_out = network.reference().forward(x)
            if not same(out, right_out):
                outside = _gradients_after_all_modules(net, modules, network, dout)
                if out is None or all(same(outside[name], right[name]) for name in right):
                    got = outside

            def forward(net=net, modules=modules, network=network, **at):
                network.put(modules, at)
                return net.forward(at["x"])

            named = {name: "dx" if name == "x" else core[1] for name in right}
            expect.gradients(
                got,
                reference=right,
                forward=forward,
                at={"x": x, **network.parameters},
                out=out,
                right_out=right_out,
                cotangent=dout,
                what=f"gradient of {{}} in a network of {len(kinds)} modules",
                parts=named,
            )
    with expect.attempt("second pass"):
        net, modules = network.students(student)
        own, again = (_gradients_after_all_modules(net, modules, network, dout) for _ in range(2))
        earned = any(expect.share(part) for part in core)
        for name in right:
            reason = AS_BEFORE if earned and same(again[name], own[name]) else ""
            what = f"gradient of {name} in a second pass"
            expect.array(
                "second pass", again[name], right[name], what=what, unless=lambda _, text=reason: text
            )


def _right_gradients(network: Network, dout: np.ndarray) -> dict[str, np.ndarray]:
    net = network.reference()
    net.forward(network.x)
    return {"x": net.backward(dout), **network.gradients(net.modules)}


def _own_gradients(net, modules, network, dout) -> tuple[Any, dict[str, Any]]:
    """The student's outputs, and the gradients after that forward pass; nothing where one of them fails."""
    try:
        out = net.forward(network.x)
        return out, {"x": net.backward(dout), **network.gradients(modules)}
    except StudentError:
        return None, {}


def _gradients_after_all_modules(net, modules, network, dout) -> dict[str, Any]:
    """The student's gradients, after every module has been seen to make its forward pass.

    A `Sequential.forward` that skips a module leaves it without a memory, and a right backward pass in
    trouble.
    """
    try:
        net.forward(network.x)
    except StudentError:
        pass
    x = network.x
    for module in modules:
        x = module.forward(x)
    return {"x": net.backward(dout), **network.gradients(modules)}


@check("sequential_predict", parts={"labels": 1}, function=f"{SEQUENTIAL}.predict", uses=LAYERS_FORWARD)
def check_sequential_predict(student, rng, expect):
    """The classes of scores and of probabilities."""
    for shape, kinds, N, C in (
        ((5,), [8, "ReLU", 4], 9, 4),
        ((2, 3), [8, "ReLU", 7, "Softmax"], 5, 7),
        ((4,), [8, "ReLU", 5], 5, 5),
        ((3,), [6, "ReLU", 4], 1, 4),
    ):
        network, right = _network_of_several_classes(rng, shape, kinds, N)
        with expect.case(*_traits(N, C)), expect.attempt("labels"):
            net, _ = network.students(student)
            labels = net.predict(network.x)
            what = f"labels of {N} examples, {C} classes"
            _check_labels(labels, right, _own_choice(net, network.x), what, expect)


def _network_of_several_classes(rng, shape, kinds, N):
    """A network that chooses several classes, and these; no two of its outputs are nearly equal."""
    while True:
        network = Network(rng, shape, kinds, N)
        out = network.reference().forward(network.x)
        labels, ordered = out.argmax(axis=1), np.sort(out, axis=1)
        if len(set(labels)) >= min(N, 3) and (ordered[:, -1] - ordered[:, -2]).min() > 0.01:
            return network, labels


def _own_choice(net: Any, x: np.ndarray) -> np.ndarray | None:
    """The classes with the highest of the student's outputs, if these are rows of different numbers."""
    try:
        out = net.forward(x)
    except StudentError:
        return None
    if numbers(out) is None or out.ndim != 2 or (len(x) > 1 and np.ptp(out.argmax(axis=1)) == 0):
        return None
    return out.argmax(axis=1)


def _check_labels(labels, right, own, what, expect):
    """Whole numbers; a list of them passes."""
    try:
        labels = np.asarray(labels.value() if hasattr(labels, "value") else labels)
    except ValueError:
        labels = None
    if labels is None or labels.dtype.kind not in "iu":
        dtype = "something else" if labels is None or labels.dtype.kind in "OUS" else f"dtype {labels.dtype}"
        expect.true(
            "labels", False, what, f"They should be an array of integers, one a class; it is {dtype}."
        )
        expect.remember("labels", what, labels)
        return
    reason = ""
    if own is not None and np.array_equal(labels, own):
        reason = (
            "These are the highest outputs of your forward pass, which is wrong itself: full points here."
        )
    expect.array("labels", labels.astype(float), right, what=what, unless=lambda _: reason)


# ---- the optimiser


@check(
    "sgd_step",
    parts={"step": 2, "decay of weights": 1, "no decay of biases": 0.4, "decay flag": 0.3, "old arrays": 0.3},
    function=f"{SGD}.step",
)
def check_sgd_step(student, rng, expect):
    """Steps without decay; what decay adds; parameters with other names and flags; the arrays of before."""
    optimised = _Optimised(student)
    with expect.attempt("step"):
        for lr in (0.3, 0.02):
            optim = student.modules.SGD(optimised.net, lr, 0.0)
            for number in ("first", "second"):
                values, grads = optimised.draw(rng)
                optim.step()
                for name, got in optimised.read().items():
                    right = values[name] - lr * grads[name]
                    expect.array("step", got, right, what=f"{name} after the {number} step, lr = {lr}")
    with expect.attempt(*dict.fromkeys(DECAY_PARTS.values())):
        for lr, weight_decay in ((0.3, 0.5), (0.02, 4.0)):
            _check_decay(student, optimised, rng, lr, weight_decay, expect)
    with expect.attempt("old arrays"):
        values, grads = optimised.draw(rng)
        kept = optimised.shallow_copies()
        student.modules.SGD(optimised.net, 0.1, 0.3).step()
        earned = bool(expect.share("step") or expect.share("decay of weights"))
        for name, old in kept.items():
            for what, got, right in (
                (f"old array of {name}", value_of(old), values[name]),
                (f"gradient of {name}", optimised.parameters[name].grad, grads[name]),
            ):
                intact = isinstance(got, np.ndarray) and np.array_equal(got, right)
                message = "step has written into it." if earned else "The steps themselves are wrong."
                expect.true("old arrays", intact and earned, what, message)


def _check_decay(student, optimised, rng, lr, weight_decay, expect):
    """Decay is a gradient of weight_decay * value, also in a step that is wrong itself."""
    values, grads = optimised.draw(rng)
    whole = {name: grads[name] + weight_decay * DECAYED[name] * values[name] for name in values}
    student.modules.SGD(optimised.net, lr, weight_decay).step()
    results, own = optimised.read(), {}
    if not expect.share("step"):
        student_step = {}
        for way, gradients in {"as a gradient": whole, "without": grads}.items():
            optimised.put(values, gradients)
            student.modules.SGD(optimised.net, lr, 0.0).step()
            student_step[way] = optimised.read()
        if any(not same(results[n], student_step["without"][n], 1e-9) for n in values if DECAYED[n]):
            own = student_step["as a gradient"]
    for name, got in results.items():
        reason = AS_BEFORE if same(got, own.get(name)) else ""
        what = f"{name} after a step with lr = {lr}, weight_decay = {weight_decay}"
        part, right = DECAY_PARTS[name], values[name] - lr * whole[name]
        expect.array(part, got, right, what=what, unless=lambda _, text=reason: text)


SHAPES = {"weight": (6, 5), "bias": (5,), "gain": (5, 3), "offset": (3,)}
DECAYED = {"weight": True, "bias": False, "gain": False, "offset": True}
DECAY_PARTS = {
    "weight": "decay of weights",
    "bias": "no decay of biases",
    "gain": "decay flag",
    "offset": "decay flag",
}


class _Optimised:
    """A student's network with a usual pair of parameters, and one of other names, shapes and flags."""

    def __init__(self, student: Any):
        self._student = student
        layers = [student.modules.Linear(*SHAPES[name]) for name in ("weight", "gain")]
        self.net = student.modules.Sequential([layers[0], student.modules.ReLU(), layers[1]])
        handles = [handle for layer in layers for handle in (layer.weight, layer.bias)]
        self.parameters = dict(zip(SHAPES, handles, strict=True))
        for name in ("gain", "offset"):
            self.parameters[name].name = name
            self.parameters[name].decay = DECAYED[name]

    def draw(self, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Put in new values and gradients."""
        values = {name: rng.standard_normal(shape) + 0.5 for name, shape in SHAPES.items()}
        grads = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
        self.put(values, grads)
        return values, grads

    def put(self, values: Mapping[str, np.ndarray], grads: Mapping[str, np.ndarray]) -> None:
        """Replace values and gradients."""
        for name, parameter in self.parameters.items():
            parameter.value, parameter.grad = values[name], grads[name]

    def read(self) -> dict[str, Any]:
        """The parameters as the student has left them."""
        return {name: value_of(parameter) for name, parameter in self.parameters.items()}

    def shallow_copies(self) -> dict[str, Any]:
        """Parameters with the same arrays, which show later whether somebody wrote into these."""
        return {name: self._student.call("copy.copy", p) for name, p in self.parameters.items()}


# ---- batches


@check(
    "data_batches",
    parts={"every example once": 1.5, "sizes": 1, "labels": 1.5, "random order": 0.6, "order from rng": 0.4},
    function=f"{DATA}.batches",
)
def check_data_batches(student, rng, expect):
    """Which examples come, in batches of which sizes, with which labels; then in which order."""
    core = ("every example once", "sizes", "labels")
    for N, size in ((23, 5), (20, 4), (7, 7), (6, 10), (5, 1)):
        traits = ["for a last batch that is smaller"] if N % size else []
        with expect.case(*traits), expect.attempt(*core):
            data = _Data(rng, N)
            batches = data.batches(student, size, int(rng.integers(1000)))
            _check_batches(data, batches, size, f"of {N} in batches of {size}", expect)
    with expect.attempt("random order", "order from rng"):
        data, size = _Data(rng, 120), 15
        loader, seeds = data.loader(student), rng.permutation(1000)[:2]
        generator = student.call("numpy.random.default_rng", int(seeds[0]))
        first = data.order(data.drain(student, loader, size, generator))
        second = data.order(data.drain(student, loader, size, generator))
        again, other = (data.order(data.batches(student, size, int(seed))) for seed in seeds)
        without = data.order(data.batches(student, size, None))
        _check_order(first, second, again, other, without, size, expect)


def _check_batches(data, batches, size, what, expect):
    N = len(data.y)
    sizes = [len(y) if y.ndim else 0 for _, y in batches]
    expected = [size] * (N // size) + [N % size] * (N % size > 0)
    paired = all(x.shape == (n, *data.x.shape[1:]) for (x, _), n in zip(batches, sizes, strict=True))
    message = f"They are {sizes[:30]}, expected {expected}."
    if not paired:
        message = "The shapes of x and y in a batch do not fit together, or not to those of the data."
    expect.true("sizes", paired and sizes == expected, f"sizes {what}", message)
    expect.remember("sizes", "sizes", np.array(sizes))
    order = data.order(batches)
    once = sorted(order) == list(range(N))
    counts = np.bincount([n for n in order if n >= 0], minlength=N)
    message = (
        f"{np.sum(counts == 0)} of {N} examples do not come, {np.sum(counts > 1)} come more than once, and "
        f"{order.count(-1)} rows are none of the examples."
    )
    expect.true("every example once", once, f"examples {what}", message)
    expect.remember("every example once", "count", float(len(order)))
    labels = np.concatenate([y.ravel() for _, y in batches]) if batches else np.empty(0)
    known = len(labels) == len(order) > 0 and min(order) >= 0
    right = known and np.array_equal(labels, data.y[order])
    message = "Some examples come with the label of another one." if known else "They cannot be compared."
    expect.true("labels", right, f"labels {what}", message)
    in_order = len(labels) == N and np.array_equal(labels, data.y)
    expect.remember("labels", "in the order of the data", float(in_order))


def _check_order(first, second, again, other, without, size, expect):
    """Random, anew in each epoch, and decided by the generator."""
    N = len(first)
    whole = N > 0 and all(sorted(order) == list(range(N)) for order in (first, second, again, other))
    words = {
        "random order": {
            "every example comes": (whole, "Some do not come, or come twice."),
            "examples are shuffled": (first != sorted(first), "They come in the order in which they lie."),
            "neighbours are parted": (
                all(np.ptp(first[i : i + size]) > N / 3 for i in range(0, N - size + 1, size)),
                "They stay together in a batch: shuffle all the examples.",
            ),
            "another order in the next epoch": (first != second, "Two epochs have the same order."),
            "without rng": (
                N > 0 and sorted(without) == list(range(N)) and without != sorted(without),
                "With rng=None, the examples do not all come, or in the order in which they lie.",
            ),
        },
        "order from rng": {
            "every example comes": (whole, "Some do not come, or come twice."),
            "the same order with the same seed": (first == again, "With the same seed comes another order."),
            "another order with another seed": (first != other, "With another seed comes the same order."),
        },
    }
    for part, conditions in words.items():
        for what, (condition, message) in conditions.items():
            expect.true(part, condition, what, message)


class _Data:
    """Examples that are all different, and labels that are, too."""

    def __init__(self, rng: np.random.Generator, N: int):
        self.x = rng.permutation(6 * N).astype(float).reshape(N, 2, 3)
        self.y = 1000 + rng.permutation(N)
        self._number = {row.tobytes(): n for n, row in enumerate(self.x)}

    def loader(self, student: Any) -> Any:
        """A student's DataLoader."""
        few = slice(0, 2)
        other = (self.x[few], self.y[few])
        return student.modules.DataLoader(self.x, self.y, *other, *other)

    def batches(self, student: Any, size: int, seed: int | None) -> list[tuple[np.ndarray, np.ndarray]]:
        """The batches of a new DataLoader, with a generator of this seed."""
        generator = None if seed is None else student.call("numpy.random.default_rng", seed)
        return self.drain(student, self.loader(student), size, generator)

    def drain(self, student: Any, loader: Any, size: int, generator: Any) -> list:
        """One epoch, or as much of it as there should be and a little more."""
        name = "DataLoader.batches"
        try:
            made = loader.batches(size, generator)
            if made is None:
                raise StudentError("invalid", f"{name} must yield batches; it returned None.")
            some = student.call("itertools.islice", made, len(self.y) + 5)
            batches = student.call("builtins.list", some).value()
        except StudentError as error:
            error.call = name
            raise
        for batch in batches:
            pair = isinstance(batch, tuple | list) and len(batch) == 2
            if not pair or not all(isinstance(part, np.ndarray) and part.ndim for part in batch):
                raise StudentError("invalid", f"{name} must yield pairs of arrays, x and y.")
        return [tuple(batch) for batch in batches]

    def order(self, batches: list[tuple[np.ndarray, np.ndarray]]) -> list[int]:
        """The numbers of the examples that came; -1 for what is none."""
        rows = [np.asarray(row, dtype=np.float64) for x, _ in batches for row in x]
        return [self._number.get(row.tobytes(), -1) if row.shape == (2, 3) else -1 for row in rows]


# ---- the trainer


@check("classification_accuracy", parts={"outputs": 2, "labels": 1}, function=ACCURACY)
def check_classification_accuracy(student, rng, expect):
    """The share of right choices, for outputs and for labels."""
    for N, C in ((11, 4), (5, 7), (6, 6), (1, 3)):
        out = rng.standard_normal((N, C)) - 2
        right = rng.permutation(N) < (N + 3) // 4
        y = np.where(right, out.argmax(axis=1), (out.argmax(axis=1) + 1) % C)
        expect.sizes = {"N": N, "C": C}
        accuracy = student.modules.get_classification_accuracy
        with expect.case(*_traits(N, C)):
            for part, given in (("outputs", out), ("labels", out.argmax(axis=1))):
                with expect.attempt(part):
                    what = f"accuracy of {N} examples, {C} classes"
                    expect.number(part, accuracy(given, y), get_classification_accuracy(given, y), what=what)


@check("trainer_step", parts={"loss": 1.5, "parameters": 2.5}, function=f"{TRAINER}.step", uses=FRAMEWORK)
def check_trainer_step(student, rng, expect):
    """The loss of a batch and the parameters after it, for two batches."""
    lr, weight_decay = 0.5, 0.3
    network = Network(rng, (2, 3), [5, "ReLU", 4, "Softmax"], N=9)
    net, modules = network.students(student)
    examples, labels = rng.standard_normal((12, 2, 3)), rng.integers(4, size=12)
    data = student.modules.DataLoader(*[examples, labels] * 3)
    optim, loss_func = student.modules.SGD(net, lr, weight_decay), student.modules.CrossEntropyLoss()
    trainer = student.modules.Trainer(data, optim, net, loss_func, 1, 9, verbose=False, seed=1)
    for number, N in (("first", 9), ("second", 7)):
        # Each step starts from given parameters: what one does wrong is not blamed on the next.
        network.put(modules, network.parameters)
        x, y = (network.x if N == 9 else examples[:N]), rng.permutation(np.arange(N) % 4)
        right_loss, right = _right_step(network, x, y, lr, weight_decay)
        loss = trainer.step(x, y)
        expect.number("loss", loss, right_loss, what=f"loss of the {number} step")
        for n in network.linear:
            for name in ("weight", "bias"):
                got = value_of(getattr(modules[n], name))
                what = f"{name} {n} after the {number} step"
                expect.array("parameters", got, right[f"{name} {n}"], what=what)


def _right_step(network, x, y, lr, weight_decay):
    net, loss_func = network.reference(), CrossEntropyLoss()
    loss = loss_func.forward(net.forward(x), y)
    net.backward(loss_func.backward())
    grads = network.gradients(net.modules)
    return loss, {
        name: value - lr * (grads[name] + (weight_decay * value if name.startswith("weight") else 0))
        for name, value in network.parameters.items()
    }
