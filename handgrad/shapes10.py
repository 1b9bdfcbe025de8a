"""Shapes-10: ten classes of 32x32 colour images, generated from a seed.

Each image shows one shape of its class at a random place, in a random size, turn and colour, before a
textured background, among small distracting spots and under noise. A few weak cues are there on purpose:
shapes tend towards the middle, upright, darker than what is behind them, and towards a colour of their
class.

A seed gives the same images on every machine and with every version of NumPy: all random numbers come from
the raw output of PCG64, which NumPy promises not to change, and all arithmetic is +, -, *, / and sqrt on
single numbers, which IEEE 754 rounds in one way only. So no sums, matrix products, sines or exponentials
here.
"""

from __future__ import annotations

import numpy as np

CLASS_NAMES = (
    "disc", "ring", "square", "triangle", "cross", "star", "crescent", "bar", "arrow", "hourglass",
)  # fmt: skip

SIZE = 32  # pixels, height and width
CHUNK = 100  # images drawn at a time: they fit into the processor's cache
CLASS_COLOUR = 0.48  # share of the shapes that have a hue near their class's own
BRIGHTER = 0.3  # share of the images in which the shape is brighter than its background


def generate(num_images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw images.

    Args:
        num_images: N >= 1.
        seed: any integer; each seed gives other images.
    Returns:
        images: (N, 32, 32, 3) uint8.
        labels: (N,) int64 from 0 to 9, in random order; each class has N / 10 images, give or take one.
    Raises:
        ValueError: num_images is below 1.
    """
    if num_images < 1:
        raise ValueError(f"num_images must be at least 1, got {num_images}")
    draw = _Draw(seed)
    order = np.argsort(draw(num_images), kind="stable")
    labels = (np.arange(num_images) % len(CLASS_NAMES))[order].astype(np.int64)
    parts = [_images(labels[i : i + CHUNK], draw) for i in range(0, num_images, CHUNK)]
    return np.concatenate(parts), labels


class _Draw:
    """Random numbers from the raw bits of PCG64."""

    def __init__(self, seed: int) -> None:
        self.bits = np.random.PCG64(np.random.SeedSequence([abs(int(seed)), int(seed < 0)]))

    def __call__(self, *shape: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """float32 array, uniform from low to high: multiples of 2**-24, exact in float32."""
        n = int(np.prod(shape))
        halves = self.bits.random_raw(n // 2 + 1).astype("<u8").view("<u4")[:n].reshape(shape)
        unit = (halves >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        return np.float32(low) + unit * np.float32(high - low)


def _images(labels: np.ndarray, draw: _Draw) -> np.ndarray:
    """(N, 32, 32, 3) uint8 images for the labels (N,)."""
    N = len(labels)
    value = draw(N, low=0.3, high=0.75)
    contrast = draw(N, low=0.18, high=0.42)
    brighter = draw(N) < BRIGHTER
    shape_value = np.where(brighter, value + contrast, np.maximum(value - contrast, np.float32(0)))
    hue = draw(N)
    near_class = (labels / np.float32(10)).astype(np.float32) + draw(N, low=-0.06, high=0.06)
    hue = np.where(draw(N) < CLASS_COLOUR, near_class, hue)

    other_hue = hue + draw(N, low=0.1, high=0.9)
    image = _colour(other_hue, draw(N, low=0.1, high=0.7), value) + _texture(N, draw)
    for _ in range(2):
        _paint(image, _spot(N, draw), _colour(draw(N), draw(N), draw(N)))
    shape = _colour(hue, draw(N, low=0.4, high=0.9), shape_value) + np.float32(0.5) * _texture(N, draw)
    _paint(image, _shape(labels, draw), shape)
    image += draw(N, 3, SIZE, SIZE, low=-0.04, high=0.04)
    image = np.minimum(np.maximum(image, np.float32(0)), np.float32(1))
    return (image * np.float32(255) + np.float32(0.5)).astype(np.uint8).transpose(0, 2, 3, 1)


def _paint(image: np.ndarray, coverage: np.ndarray, colour: np.ndarray) -> None:
    """Lay colour over image (N, 3, 32, 32) where coverage (N, 32, 32), from 0 to 1, says so."""
    image += coverage[:, np.newaxis] * (colour - image)


def _colour(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """(N, 3, 1, 1) RGB of (N,) hue (1 is a full turn), saturation and value (0 to 1)."""
    k = (np.array([5, 3, 1], np.float32) + np.float32(6) * hue[:, np.newaxis]) % np.float32(6)
    dip = np.maximum(np.minimum(np.minimum(k, np.float32(4) - k), np.float32(1)), np.float32(0))
    rgb = value[:, np.newaxis] * (np.float32(1) - saturation[:, np.newaxis] * dip)
    return rgb[:, :, np.newaxis, np.newaxis]


def _texture(N: int, draw: _Draw) -> np.ndarray:
    """(N, 1, 32, 32) a patch of smooth noise plus stripes of a random width and direction, around 0."""
    smooth = _enlarge(draw(N, 4, 4, low=-0.15, high=0.15))
    y, x = _grid()
    turn_x, turn_y = _turn(draw(N, low=-1, high=1), draw(N, low=-1, high=1))
    along = turn_x * x + turn_y * y
    width = draw(N, 1, 1, low=4, high=12)
    phase = along / width + draw(N, 1, 1)
    wave = np.abs((phase - np.floor(phase)) - np.float32(0.5)) * np.float32(4) - np.float32(1)  # from -1 to 1
    return (smooth + draw(N, 1, 1, low=0, high=0.04) * wave)[:, np.newaxis]


def _enlarge(coarse: np.ndarray) -> np.ndarray:
    """(N, n, n) to (N, 32, 32), bilinear."""
    n = coarse.shape[1]
    place = (np.arange(SIZE, dtype=np.float32) + np.float32(0.5)) / np.float32(SIZE) * np.float32(n - 1)
    low = np.floor(place).astype(int)
    part = place - low.astype(np.float32)
    rows = coarse[:, low] + part[:, np.newaxis] * (coarse[:, low + 1] - coarse[:, low])
    return rows[:, :, low] + part * (rows[:, :, low + 1] - rows[:, :, low])


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each pixel's middle, from the middle of the image: (32, 1) and (1, 32)."""
    middle = np.arange(SIZE, dtype=np.float32) - np.float32(SIZE / 2 - 0.5)
    return middle[:, np.newaxis], middle[np.newaxis, :]


def _turn(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine (N, 1, 1) of the direction (a, b)."""
    length = np.sqrt(a * a + b * b) + np.float32(1e-6)
    return (a / length)[:, np.newaxis, np.newaxis], (b / length)[:, np.newaxis, np.newaxis]


def _spot(N: int, draw: _Draw) -> np.ndarray:
    """(N, 32, 32) coverage of a small spot anywhere."""
    y, x = _grid()
    v, u = y - draw(N, 1, 1, low=-16, high=16), x - draw(N, 1, 1, low=-16, high=16)
    return _coverage(draw(N, 1, 1, low=1, high=3) - np.sqrt(u * u + v * v))


def _coverage(depth: np.ndarray) -> np.ndarray:
    """Share of a pixel that lies inside, from how deep its middle does, in pixels."""
    return np.minimum(np.maximum(depth + np.float32(0.5), np.float32(0)), np.float32(1))


def _shape(labels: np.ndarray, draw: _Draw) -> np.ndarray:
    """(N, 32, 32) coverage of each label's shape, at a random place, in a random size and turn."""
    N = len(labels)
    y, x = _grid()
    radius = draw(N, 1, 1, low=7, high=13)
    off_x, off_y = (draw(N, 1, 1, low=-6.5, high=6.5) for _ in range(2))
    cosine, sine = _turn(np.ones(N, np.float32), draw(N, low=-0.6, high=0.6))
    x, y = (x - off_x) / radius, (y - off_y) / radius
    u, v = cosine * x + sine * y, cosine * y - sine * x
    depth = np.empty((N, SIZE, SIZE), np.float32)
    for label, shape in enumerate(_SHAPES):
        mine = labels == label
        depth[mine] = shape(u[mine], v[mine])
    return _coverage(depth * radius)


# The shapes of radius 1: depth below the edge at (u, v), positive inside. u points right, v down.


def _radius(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.sqrt(u * u + v * v)


def _box(u: np.ndarray, v: np.ndarray, width: float, height: float) -> np.ndarray:
    return np.minimum(np.float32(width) - np.abs(u), np.float32(height) - np.abs(v))


def _planes(u: np.ndarray, v: np.ndarray, corners: tuple, distance: float) -> np.ndarray:
    """(planes, N, H, W): depth below the edge lines with these normals."""
    return np.stack([np.float32(distance) - (np.float32(a) * u + np.float32(b) * v) for a, b in corners])


def _disc(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.float32(0.9) - _radius(u, v)


def _ring(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.float32(0.2) - np.abs(_radius(u, v) - np.float32(0.75))


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _box(u, v, 0.8, 0.8)


_THREE = ((0.0, 1.0), (0.8660254, -0.5), (-0.8660254, -0.5))


def _triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.minimum.reduce(_planes(u, v, _THREE, 0.55))


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(_box(u, v, 0.3, 0.95), _box(u, v, 0.95, 0.3))


_FIVE = ((0.0, 1.0), (0.95105652, 0.30901699), (0.58778525, -0.80901699), (-0.58778525, -0.80901699),
         (-0.95105652, 0.30901699))  # fmt: skip


def _star(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Inside at least four of five lines, so the depth is the second smallest of the five."""
    return np.sort(_planes(u, v, _FIVE, 0.36), axis=0)[1]


def _crescent(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.minimum(np.float32(1) - _radius(u, v), _radius(u - np.float32(0.5), v) - np.float32(0.8))


def _bar(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _box(u, v, 1.0, 0.3)


def _arrow(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Points right: a shaft, and a head from u = 0 to u = 1."""
    shaft = _box(u + np.float32(0.4), v, 0.6, 0.2)
    head = np.minimum(u, (np.float32(1) - u - np.abs(v)) * np.float32(0.70710678))
    return np.maximum(shaft, head)


def _hourglass(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.minimum(
        (np.abs(v) - np.abs(u)) * np.float32(0.70710678) + np.float32(0.07), _box(u, v, 0.9, 0.85)
    )


_SHAPES = (_disc, _ring, _square, _triangle, _cross, _star, _crescent, _bar, _arrow, _hourglass)
