"""Runs in the sandbox, beside the student's definitions: arrays come in, tensors go to the student's code.

The checks send this file's text there; nothing here is trusted, and nothing here knows what is right. This
side of the sandbox never imports it.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

device = torch.device("cpu")


def flatten(x):
    return x.reshape(x.shape[0], -1)


def complete(theirs):
    """Put a right `flatten` in the place of a wrong one: it has cost its own points. Returns whether."""
    x = torch.arange(48.0).reshape(2, 3, 4, 2).permute(0, 3, 1, 2)
    try:
        wrong = not torch.equal(theirs["flatten"](x), flatten(x))
    except Exception:
        wrong = True
    if wrong:
        theirs["flatten"] = flatten
    return wrong


def tensor(value):
    """An array as a tensor, arrays in a list as tensors in a list; anything else as it is."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return [tensor(item) for item in value] if isinstance(value, list) else value


def array(value):
    """A tensor as an array; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach().cpu()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


def apply(function, *args):
    return array(function(*map(tensor, args)))


def gradients(function, x, params, cotangent):
    """The gradients of the sum of scores times cotangent; None for a parameter without one."""
    params = [p.requires_grad_() for p in tensor(params)]
    scores = function(tensor(x), list(params))
    if not isinstance(scores, torch.Tensor) or scores.shape != cotangent.shape or not scores.requires_grad:
        return (None,) * len(params)
    grads = torch.autograd.grad((scores * tensor(cotangent)).sum(), params, allow_unused=True)
    return tuple(map(array, grads))


# ---- weights


def made(function, shape, seed, *args):
    """A tensor that `function` makes, and in words what kind of tensor it is."""
    torch.manual_seed(seed)
    w = function(tuple(shape), *args)
    if not isinstance(w, torch.Tensor):
        return w, "no tensor"
    kind = f"{str(w.dtype).removeprefix('torch.')}, {'a leaf' if w.is_leaf else 'no leaf'}, "
    return array(w), kind + ("requires a gradient" if w.requires_grad else "requires no gradient")


class Devices(TorchFunctionMode):
    """Notes whether a device with a number reaches any function of PyTorch's."""

    noted = False

    def __torch_function__(self, function, types, args=(), kwargs=None):
        for value in (*args, *(kwargs or {}).values()):
            self.noted |= isinstance(value, (torch.device, str)) and str(value) == "cpu:0"
        return function(*args, **(kwargs or {}))


def made_there(function, shape):
    """Whether `function` makes its tensor on the given device, and what kind of tensor it is."""
    device = torch.device("cpu:0")
    with Devices() as devices:
        w = function(tuple(shape), device)
    return devices.noted, isinstance(w, torch.Tensor) and w.is_leaf and w.requires_grad


# ---- a step of training


def model(x, params):
    w1, b1, w2, b2 = params
    return F.linear(torch.tanh(F.linear(x.flatten(1), w1, b1)), w2, b2)


def trainable(arrays):
    return [p.requires_grad_() for p in tensor(arrays)]


def put(params, arrays):
    """Other numbers in the same tensors; their gradients stay."""
    with torch.no_grad():
        for p, new in zip(params, arrays, strict=True):
            p.data = tensor(new)


def step(sgd_step, params, x, y, learning_rate):
    """What a step returns, the tensors after it, and whether they are still parameters."""
    loss = array(sgd_step(model, list(params), tensor(x), tensor(y), learning_rate))
    kept = all(p.is_leaf and p.requires_grad for p in params)
    return (loss, kept, *map(array, params))


# ---- modules


def build(make, seed, *args):
    torch.manual_seed(seed)
    return make(*args)


def kind(net):
    """What a network is; "" for no module."""
    names = [("nn.Sequential", nn.Sequential), ("nn.Module", nn.Module)]
    return next((name for name, of in names if isinstance(net, of)), "")


def shapes(net):
    """The shapes of all parameters that the module knows of."""
    return [tuple(p.shape) for p in net.parameters()]


def weights(net):
    """All parameters, by shape in words."""
    return {"x".join(map(str, p.shape)): array(p) for p in net.parameters()}


def load(net, arrays):
    """Put arrays into the parameters of the same shape, which all differ."""
    found = {tuple(p.shape): p for p in net.parameters()}
    with torch.no_grad():
        for new in arrays:
            found[new.shape].copy_(tensor(new))


def scores(net, x, channels_last=False):
    x = tensor(x)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        return array(net(x))


class Witness(nn.Module):
    """Its scores are the first numbers of each image; it remembers how it was called."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes
        self.inner = nn.Dropout(0.5)
        self.trained, self.recorded, self.seen = False, False, 0

    def forward(self, x):
        self.trained |= self.training or self.inner.training
        self.recorded |= torch.is_grad_enabled()
        self.seen += len(x)
        return x.flatten(1)[:, : self.classes]


def accuracy(check_accuracy, X, y, classes):
    """What check_accuracy returns; whether it asked in training mode, and whether with gradients."""
    witness = Witness(classes).train()
    result = array(check_accuracy(witness, tensor(X), tensor(y)))
    return result, witness.trained, witness.recorded, witness.seen


def optimised(make_optimizer, learning_rate, start, gradients):
    """The parameters of a small network after each step with the given gradients."""
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).double()
    load(net, start)
    optimizer = make_optimizer(net, learning_rate)
    states = []
    for step_gradients in gradients:
        for p, gradient in zip(net.parameters(), tensor(step_gradients), strict=True):
            p.grad = gradient
        optimizer.step()
        states.append([array(p).copy() for p in net.parameters()])
    return tuple(np.concatenate([s.ravel() for s in state]) for state in states)


# ---- the best network


def restored(build_net, saved):
    """The student's network with saved weights, ready to predict."""
    net = build_net()
    if not isinstance(net, nn.Module):
        raise TypeError(f"build_net returns a {type(net).__name__}, not an nn.Module")
    prefix = "_orig_mod."  # of networks that torch.compile has wrapped
    if all(name.startswith(prefix) for name in saved) and not any(
        name.startswith(prefix) for name in net.state_dict()
    ):
        saved = {name.removeprefix(prefix): value for name, value in saved.items()}
    net.load_state_dict({name: tensor(value) for name, value in saved.items()})
    return net.float().eval()
