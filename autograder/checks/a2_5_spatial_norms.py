"""Hidden checks of a2/5_convolutional_networks, the normalisation half: spatial batch norm and group norm.

Notable:
- Every channel and every image has a mean and a deviation of its own, so that statistics over the wrong axes
  show; images are not square, N, C, G and C / G differ.
- Spatial batch norm may stand on the student's batchnorm functions, group norm on layernorm: those are judged
  in the notebook on batch norm, and the reference stands in for wrong ones.
- eps is small: inside or outside of the root makes no difference.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from handgrad.layers import (
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)

from . import for_notebook
from .expect import is_right
from .networks import dictionary, first

check = for_notebook("a2/5_convolutional_networks")

NORM = "handgrad.layers.norm."
BATCHNORM = [f"{NORM}batchnorm_forward", f"{NORM}batchnorm_backward", f"{NORM}batchnorm_backward_alt"]
LAYERNORM = [f"{NORM}layernorm_forward", f"{NORM}layernorm_backward"]


# ---- spatial batch norm


@check(
    "spatial_batchnorm_forward",
    parts={"out in train mode": 2, "out in test mode": 1, "running averages": 1},
    function=f"{NORM}spatial_batchnorm_forward",
    uses=BATCHNORM,
)
def check_spatial_batchnorm_forward(student, rng, expect):
    """Outputs in both modes, and what a step of training keeps."""
    name = "spatial_batchnorm_forward"
    for trait, shape in BATCHES:
        x, gamma, beta = _images(rng, shape), *_channels(rng, shape[1])
        running = _running(rng, shape[1])
        with expect.case(trait):
            with expect.attempt("out in train mode", "running averages"):
                param = {"mode": "train", "momentum": rng.uniform(0.6, 0.8), "eps": 1e-5}
                param |= running if shape != BATCHES[0][1] else {}  # else it is the first step of training
                # A dictionary of the student's process: what is put into it can be seen.
                kept = student.call("builtins.dict", **param)
                out, _ = expect.unpack(
                    student.layers.spatial_batchnorm_forward(x, gamma, beta, kept), "out", "cache", of=name
                )
                right, _ = spatial_batchnorm_forward(x, gamma, beta, param)
                expect.array("out in train mode", out, right, what=f"out in train mode {trait}")
                found = dictionary(kept, of=name)
                for key in running:
                    expect.array("running averages", found.get(key), param[key], what=f"{key} {trait}")
            with expect.attempt("out in test mode"):
                param = {"mode": "test", **running}
                out, _ = expect.unpack(
                    student.layers.spatial_batchnorm_forward(x, gamma, beta, param), "out", "cache", of=name
                )
                right, _ = spatial_batchnorm_forward(x, gamma, beta, param)
                expect.array("out in test mode", out, right, what=f"out in test mode {trait}")


@check(
    "spatial_batchnorm_backward",
    parts={"dx": 2, "dgamma": 1, "dbeta": 1, "test mode": 1},
    function=f"{NORM}spatial_batchnorm_backward",
    uses=BATCHNORM,
)
def check_spatial_batchnorm_backward(student, rng, expect):
    """The three gradients, in train mode and in test mode."""
    for trait, shape in BATCHES:
        with expect.case(trait), expect.attempt("dx", "dgamma", "dbeta"):
            _check_batchnorm_gradients(student, rng, expect, "train", trait, shape, {})
    for trait, shape in BATCHES[1:]:
        with expect.case(trait), expect.attempt("test mode"):
            running, parts = _running(rng, shape[1]), dict.fromkeys(("dx", "dgamma", "dbeta"), "test mode")
            _check_batchnorm_gradients(student, rng, expect, "test", trait, shape, running, parts)


def _check_batchnorm_gradients(student, rng, expect, mode, trait, shape, running, parts=None):
    N, C, H, W = shape
    x, gamma, beta, dout = _images(rng, shape), *_channels(rng, C), rng.standard_normal(shape)

    def forward(dx, dgamma, dbeta, mode=mode):
        param = {"mode": mode, **running}
        return student.layers.spatial_batchnorm_forward(dx, dgamma, dbeta, param)

    out, cache = expect.unpack(forward(x, gamma, beta), "out", "cache", of="spatial_batchnorm_forward")
    returned = student.layers.spatial_batchnorm_backward(dout, cache)
    right_out, right_cache = spatial_batchnorm_forward(x, gamma, beta, {"mode": mode, **running})
    right = spatial_batchnorm_backward(dout, right_cache)
    expect.sizes = {"N": N, "C": C, "H": H, "W": W}
    expect.gradients(
        dict(zip(NAMES, expect.unpack(returned, *NAMES, of="spatial_batchnorm_backward"), strict=True)),
        reference=dict(zip(NAMES, right, strict=True)),
        forward=lambda **at: first(forward(**at)),
        at={"dx": x, "dgamma": gamma, "dbeta": beta},
        out=out,
        right_out=right_out,
        cotangent=dout,
        what=f"{{}} in {mode} mode {trait}",
        parts=parts,
        vouched=not is_right(out, right_out)
        and _normalises(functools.partial(forward, mode="train"), x, gamma),
    )


# ---- group norm


@check(
    "group_norm_forward",
    parts={"out": 9, "images of one colour": 1},
    function=f"{NORM}spatial_groupnorm_forward",
    uses=LAYERNORM,
)
def check_group_norm_forward(student, rng, expect):
    """The outputs, for groups of several channels, for one group, and for groups of one channel."""
    for trait, shape, G in GROUPS:
        x, gamma, beta = _images(rng, shape), *_channels(rng, shape[1], images=True)
        with expect.case(trait):
            returned = student.layers.spatial_groupnorm_forward(x, gamma, beta, G, {"eps": 1e-5})
            out, _ = expect.unpack(returned, "out", "cache", of="spatial_groupnorm_forward")
            right, _ = spatial_groupnorm_forward(x, gamma, beta, G, {"eps": 1e-5})
            expect.array("out", out, right, what=f"out {trait}")
    part = "images of one colour"
    if not expect.share("out"):
        return
    with expect.attempt(part):
        x = _images(rng, (3, 4, 2, 5))
        x[1] = rng.standard_normal()
        gamma, beta = _channels(rng, 4, images=True)
        returned = student.layers.spatial_groupnorm_forward(x, gamma, beta, 2, {"eps": 1e-5})
        out, _ = expect.unpack(returned, "out", "cache", of="spatial_groupnorm_forward")
        expect.array(part, out, spatial_groupnorm_forward(x, gamma, beta, 2, {"eps": 1e-5})[0])


@check(
    "group_norm_backward",
    parts={"dx": 2, "dgamma": 1, "dbeta": 1},
    function=f"{NORM}spatial_groupnorm_backward",
    uses=LAYERNORM,
)
def check_group_norm_backward(student, rng, expect):
    """The three gradients, for groups of several channels, for one group, and for groups of one channel."""
    for trait, shape, G in GROUPS:
        N, C, H, W = shape
        x, gamma, beta = _images(rng, shape), *_channels(rng, C, images=True)
        dout = rng.standard_normal(shape)

        def forward(dx, dgamma, dbeta, G=G):
            return student.layers.spatial_groupnorm_forward(dx, dgamma, dbeta, G, {})

        with expect.case(trait):
            out, cache = expect.unpack(
                forward(x, gamma, beta), "out", "cache", of="spatial_groupnorm_forward"
            )
            right_out, right_cache = spatial_groupnorm_forward(x, gamma, beta, G, {})
            if G == C and is_right(out, np.broadcast_to(beta, shape)):
                continue  # each pixel normalised for itself: it has cost its points, and leaves no gradient
            returned = student.layers.spatial_groupnorm_backward(dout, cache)
            dx, *per_channel = expect.unpack(returned, *NAMES, of="spatial_groupnorm_backward")
            right = spatial_groupnorm_backward(dout, right_cache)
            expect.sizes = {"N": N, "C": C, "H": H, "W": W, "G": G}
            expect.gradients(
                dict(zip(NAMES, (dx, *(_as_images(value, C) for value in per_channel)), strict=True)),
                reference=dict(zip(NAMES, right, strict=True)),
                forward=lambda forward=forward, **at: first(forward(**at)),
                at={"dx": x, "dgamma": gamma, "dbeta": beta},
                out=out,
                right_out=right_out,
                cotangent=dout,
                what=f"{{}} {trait}",
                vouched=not is_right(out, right_out) and _normalises(forward, x, gamma),
            )


def _normalises(forward: Any, x: np.ndarray, gamma: np.ndarray) -> bool:
    """Whether a forward pass normalises, over whatever sets of numbers: then its gradient can be judged.

    Without gamma and beta the outputs have mean 0 and variance 1 in all, also when x is scaled and shifted.
    """
    ones, zeros = np.ones_like(gamma), np.zeros_like(gamma)
    outs = [first(forward(images, ones, zeros)) for images in (x, 3 * x + 1, x**2)]
    if not all(isinstance(out, np.ndarray) and out.shape == x.shape for out in outs):
        return False
    normal = abs(outs[0].mean()) < 1e-3 and abs(np.mean(outs[0] ** 2) - 1) < 0.1
    return normal and np.abs(outs[1] - outs[0]).max() < 1e-2 and not is_right(outs[2], outs[0])


# ---- inputs

NAMES = ("dx", "dgamma", "dbeta")
BATCHES = [
    ("for square images, as many as channels", (4, 4, 3, 3)),
    ("for 4 images of 3 channels, 2 x 5 pixels", (4, 3, 2, 5)),
    ("for 5 images of 2 channels, 4 x 3 pixels", (5, 2, 4, 3)),
]
LEAST_DEVIATION = 0.3  # of an image's channel
GROUPS = [
    ("with a single group", (3, 4, 2, 5), 1),
    ("with groups of a single channel", (4, 3, 4, 2), 3),
    ("for square images", (2, 6, 3, 3), 2),
    ("with 2 groups of 3 channels", (4, 6, 3, 5), 2),
    ("with 4 groups of 3 channels", (2, 12, 3, 2), 4),
]


def _images(rng, shape):
    """Images, in Fortran order, in which each image and each channel has its own mean and deviation.

    Neighbouring channels are so far apart that no few numbers of a pixel are nearly alike: a mistaken
    statistic over them alone would have no numerical gradient. No deviation is near the root of eps: inside
    of the root or outside, it makes no difference.
    """
    N, C = shape[:2]
    x = rng.standard_normal(shape) * rng.uniform(0.4, 1.2, (1, C, 1, 1)) * rng.uniform(0.7, 1.4, (N, 1, 1, 1))
    planes = {"axis": (2, 3), "keepdims": True}
    centred = x - x.mean(**planes)
    x += centred * np.maximum(LEAST_DEVIATION / centred.std(**planes) - 1, 0)
    x += 3 * (np.arange(C) % 3 - 1).reshape(1, C, 1, 1) + rng.standard_normal((1, C, 1, 1)) / 2
    return np.asfortranarray(x + rng.standard_normal((N, 1, 1, 1)))


def _channels(rng, C, images=False):
    """gamma and beta: all different, of both signs, and no gamma near 0."""
    shape = (1, C, 1, 1) if images else (C,)
    gamma = rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)
    return gamma, rng.standard_normal(shape)


def _running(rng, C):
    """Running averages that are not those of the batch."""
    return {"running_mean": 2 * rng.standard_normal(C), "running_var": rng.uniform(0.5, 4, C)}


def _as_images(value: Any, C: int) -> Any:
    """(C,), (1, C) and (C, 1, 1) are accepted where (1, C, 1, 1) is asked."""
    if isinstance(value, np.ndarray) and value.shape in ((C,), (1, C), (C, 1, 1)):
        return value.reshape(1, C, 1, 1)
    return value
