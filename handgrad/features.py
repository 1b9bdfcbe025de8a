"""Features of images: what to learn from when pixels alone are too little.

A feature function turns one image into a vector. `hog_feature` describes edges and forgets colour,
`color_histogram_hsv` describes colour and forgets where it is; `extract_features` lays their vectors side by
side for every image. Any function of one image will do, so write your own.

Notable:

- A feature function may have an attribute `batch`, a function that does the same for a stack of images,
  `batch(images, **settings) -> (N, F)`. `extract_features` uses it, on so many images at a time as stay in
  the processor's cache. The two functions here have one: that makes them more than thirty times as fast as
  the usual code (`benchmarks/features.py`). Give settings with `functools.partial(color_histogram_hsv,
  nbin=5)`: a partial can be looked into, a lambda cannot and runs one image at a time.
- Images of whole numbers from 0 to 255, of any dtype, take a fast path: HOG calculates in float32 on grey
  values that are exact there, and a pixel's hue is looked up in a table. All others are calculated in
  float64. The path is chosen for each image: its features do not depend on the images beside it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

CELL = 8  # pixels, height and width of a cell
ORIENTATIONS = 9  # bins of 180 / 9 = 20 degrees
GREY = (299, 587, 144)  # thousandths of red, green and blue; see hog_feature
CHUNK = 32 * 32 * 32  # pixels calculated at a time
# Between the bins lie 10, 30, 50 and 70 degrees either side of the horizontal.
SLOPES = np.tan(np.deg2rad([10.0, 30.0, 50.0, 70.0]))
# A gradient straight up or down is in the first or the last bin while it is weaker than this.
WEAK_UP, WEAK_DOWN = 5.805, 2.536


def hog_feature(im: np.ndarray) -> np.ndarray:
    """Histogram of oriented gradients: in each cell of 8x8 pixels, how much edge runs in which direction.

    Gradients are differences of a pixel's grey to its right and its lower neighbour (0 in the last column and
    row). Their directions arctan2(gy, gx) + 90 degrees fall into nine bins from 0 to 180, and each pixel
    counts with the length of its gradient; a bin holds the mean over the cell. Pixels beyond the last whole
    cell are left out. There is no normalisation of blocks.

    Three habits of the usual implementation are kept, so that results compare: grey is 0.299 red + 0.587
    green + 0.144 blue (0.114 would be the broadcasters' norm); gradients that point to the left count
    nowhere; and those that point exactly up or down count only if they are short (below 5.8 and 2.5),
    because it rounds the directions of longer ones to 0 and 180 degrees, which it leaves out.

    Source: Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005.

    Args:
        im: (H, W, 3) colours, or (H, W) grey; H >= 8 and W >= 8; integers or floats of any range.
    Returns:
        feature: (F,) float64, F = (W // 8) * (H // 8) * 9, so 144 for 32x32 pixels: cells from left to right,
            in each column of cells from top to bottom, and in each cell nine orientations.
    Raises:
        ValueError: im is not such an image, is too small, or holds NaN or infinity.
    """
    _check_images("im", im, 2)
    return _hog_batch(im[np.newaxis])[0]


def color_histogram_hsv(
    im: np.ndarray, nbin: int = 10, xmin: float = 0, xmax: float = 255, normalized: bool = True
) -> np.ndarray:
    """Histogram of the hues of an image: how much of each colour of the rainbow it has.

    Hue is the H of HSV, from red (0) over yellow, green, cyan, blue and magenta to red again (xmax). Grey
    pixels have no hue and count as red.

    Args:
        im: (H, W, 3) red, green and blue from 0 to xmax; integers or floats.
        nbin: bins of equal width, >= 1.
        xmin: hue where the first bin begins, in the unit of xmax; pixels with a lower hue are not counted.
        xmax: the largest value of a colour, and the hue where the last bin ends; above xmin and 0.
        normalized: True: the share of the counted pixels in each bin. False: the number of pixels times the
            width of a bin, (xmax - xmin) / nbin, as is usual.
    Returns:
        histogram: (nbin,) float64.
    Raises:
        ValueError: im is not such an image, a colour is outside 0 to xmax (as in images less their mean),
            or a setting is out of range.
    """
    _check_images("im", im, 2)
    return _hue_batch(im[np.newaxis], nbin, xmin, xmax, normalized)[0]


def extract_features(
    imgs: np.ndarray, feature_fns: Sequence[Callable[[np.ndarray], np.ndarray]], verbose: bool = False
) -> np.ndarray:
    """Lay the features of each image side by side.

    `hog_feature`, `color_histogram_hsv` and a `functools.partial` of them with named settings work on many
    images at once, and so does any function with an attribute `batch` (see the top of this file). Other
    functions, and every lambda, are called for one image at a time, with a copy of it. So write
    `partial(color_histogram_hsv, nbin=5)` rather than `lambda im: color_histogram_hsv(im, nbin=5)`.

    Args:
        imgs: (N, H, W, C) images; with C = 1 the functions get them as (H, W). Or (N, H, W).
        feature_fns: functions of one image that return a vector, always of the same length.
        verbose: print a line after every thousand images.
    Returns:
        features: (N, F) float64, F the sum of the lengths, in the order of feature_fns.
    Raises:
        ValueError: imgs are no images, there is no function, or a function does not return a vector.
    """
    _check_images("imgs", imgs, 3)
    if callable(feature_fns) or len(feature_fns) == 0:
        received = "a function" if callable(feature_fns) else "none"
        raise ValueError(f"feature_fns must be a list of at least one function, got {received}")
    if imgs.ndim == 4 and imgs.shape[3] == 1:
        imgs = imgs[..., 0]
    N, H, W = imgs.shape[:3]
    batches = [_batched(feature_fn) for feature_fn in feature_fns]
    step = max(1, CHUNK // (H * W))
    features = np.empty((N, 0))
    for start in range(0, N, step):
        chunk = np.ascontiguousarray(imgs[start : start + step])
        parts = [batch(chunk) for batch in batches]
        if start == 0:
            lengths = [part.shape[1] for part in parts]
            features = np.empty((N, sum(lengths)))
        if [part.shape[1] for part in parts] != lengths:
            raise ValueError(
                f"each function must return vectors of one length: {lengths} for the first images, "
                f"but {[part.shape[1] for part in parts]} from image {start} on"
            )
        stop = start + len(chunk)
        np.concatenate(parts, axis=1, out=features[start:stop], casting="same_kind")
        if verbose and start // 1000 < stop // 1000:
            print(f"features of {stop // 1000 * 1000} of {N} images")
    return features


def _batched(feature_fn: Callable) -> Callable[[np.ndarray], np.ndarray]:
    """A function of a stack of images that does what feature_fn does with one."""
    settings = {}
    inner = feature_fn
    if isinstance(feature_fn, functools.partial) and not feature_fn.args:
        inner, settings = feature_fn.func, feature_fn.keywords
    batch = getattr(inner, "batch", None)
    name = getattr(inner, "__name__", repr(inner))
    if batch is None:
        return functools.partial(_one_by_one, feature_fn, name)

    def checked(images: np.ndarray) -> np.ndarray:
        features = batch(images, **settings)
        if np.ndim(features) != 2 or len(features) != len(images):
            raise ValueError(
                f"{name}.batch must return shape ({len(images)}, F) for {len(images)} images, "
                f"got {np.shape(features)}"
            )
        return features

    return checked


def _one_by_one(feature_fn: Callable, name: str, images: np.ndarray) -> np.ndarray:
    vectors = [np.asarray(feature_fn(image.copy())) for image in images]
    for vector in vectors:
        if vector.ndim != 1 or vector.dtype.kind not in "biuf":
            raise ValueError(
                f"{name} must return a vector of numbers, got shape {vector.shape}, dtype {vector.dtype}"
            )
        if vector.shape != vectors[0].shape:
            raise ValueError(
                f"{name} must return vectors of one length, got {len(vectors[0])} and {len(vector)}"
            )
    return np.stack(vectors)


def _hog_batch(images: np.ndarray) -> np.ndarray:
    """`hog_feature` of a few images: (N, H, W, 3) or (N, H, W) -> (N, F)."""
    if images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)):
        raise ValueError(f"an image must have shape (H, W, 3) or (H, W), got {images.shape[1:]}")
    if min(images.shape[1:3]) < CELL:
        raise ValueError(f"an image must have at least {CELL}x{CELL} pixels, got {images.shape[1:3]}")
    return _two_paths(images, _hog_whole, _hog_exact)


def _hog_whole(images: np.ndarray) -> np.ndarray:
    """In thousandths a grey value is a whole number below 2**24, which float32 holds exactly."""
    if images.ndim == 3:
        return _hog_of_grey(images.astype(np.float32), 1)
    return _hog_of_grey(_weigh(images, GREY).reshape(images.shape[:3]), 1000)


def _hog_exact(images: np.ndarray) -> np.ndarray:
    images = images.astype(np.float64)
    if images.ndim == 3:
        return _hog_of_grey(images, 1)
    red, green, blue = (images[..., c] * (weight / 1000) for c, weight in enumerate(GREY))
    return _hog_of_grey(red + green + blue, 1)


def _hog_of_grey(grey: np.ndarray, unit: int) -> np.ndarray:
    """Histograms of grey images (N, H, W), a unit of brightness being so much; in the dtype of grey."""
    N, rows, columns = grey.shape[0], grey.shape[1] // CELL, grey.shape[2] // CELL
    gx, gy = np.zeros_like(grey), np.zeros_like(grey)
    np.subtract(grey[:, :, 1:], grey[:, :, :-1], out=gx[:, :, :-1])
    np.subtract(grey[:, 1:], grey[:, :-1], out=gy[:, :-1])
    gx, gy = (g[:, : rows * CELL, : columns * CELL] for g in (gx, gy))

    length = np.sqrt(gx * gx + gy * gy)
    straight = (gx == 0) & (gy > -WEAK_UP * unit) & (gy < WEAK_DOWN * unit)
    length *= (gx > 0) | straight

    # Instead of the angle: how many of the four slopes the gradient is as steep as. Comparisons of small
    # integers cost a fraction of what arctan2 does on processors without a vector version of it.
    steep = np.zeros(gx.shape, np.int8)
    height = np.abs(gy)
    for slope in SLOPES.astype(grey.dtype):
        steep += height >= gx * slope
    sign = 1 - 2 * (gy < 0).view(np.int8)
    index = _cells(N, rows, columns) + sign * steep  # bin 4 is the horizontal one, 0 points up, 8 down
    sums = np.bincount(index.ravel(), length.ravel(), minlength=N * rows * columns * ORIENTATIONS)
    return sums.reshape(N, -1) / (CELL * CELL * unit)


@functools.lru_cache(maxsize=8)
def _cells(N: int, rows: int, columns: int) -> np.ndarray:
    """For each pixel of N images the place of bin 4 of its cell in the features of all."""
    images = np.arange(N)[:, np.newaxis, np.newaxis]
    row = (np.arange(rows * CELL) // CELL)[:, np.newaxis]
    column = np.arange(columns * CELL) // CELL
    return ((images * columns + column) * rows + row) * ORIENTATIONS + ORIENTATIONS // 2


def _hue_batch(
    images: np.ndarray, nbin: int = 10, xmin: float = 0, xmax: float = 255, normalized: bool = True
) -> np.ndarray:
    """`color_histogram_hsv` of a few images: (N, H, W, 3) -> (N, nbin)."""
    if images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"an image must have shape (H, W, 3) to have hues, got {images.shape[1:]}")
    if not isinstance(nbin, int | np.integer) or nbin < 1:
        raise ValueError(f"nbin must be an integer, at least 1, got {nbin!r}")
    if not (xmin < xmax < np.inf and xmax > 0 and xmin > -np.inf):
        raise ValueError(f"xmax must be above xmin and above 0, got xmin {xmin} and xmax {xmax}")
    low, high = images.min(), images.max()
    if low < 0 or high > xmax:
        raise ValueError(f"colours must lie between 0 and xmax = {xmax}, got values from {low} to {high}")

    whole = functools.partial(_hue_whole, nbin=nbin, xmin=xmin, xmax=xmax)
    exact = functools.partial(_hue_exact, nbin=nbin, xmin=xmin, xmax=xmax)
    counts = _two_paths(images, whole, exact)
    if not normalized:
        return counts * ((xmax - xmin) / nbin)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _hue_whole(images: np.ndarray, nbin: int, xmin: float, xmax: float) -> np.ndarray:
    """Hue does not change when r, g and b grow by the same, so r - g and g - b tell it: 511 * 511 cases."""
    place = _weigh(images, (511, -510, -1)) + np.float32(255 * 512)
    bins = _hue_table(nbin, xmin, xmax).take(place.astype(np.intp))
    return _count(bins.reshape(len(images), -1), nbin)


def _hue_exact(images: np.ndarray, nbin: int, xmin: float, xmax: float) -> np.ndarray:
    hue = _hue(images.astype(np.float64) / xmax)
    return _count(_hue_bins(hue, nbin, xmin, xmax).reshape(len(images), -1), nbin)


@functools.lru_cache(maxsize=8)
def _hue_table(nbin: int, xmin: float, xmax: float) -> np.ndarray:
    """Bin of the hue, at (r - g + 255) * 511 + (g - b + 255); 0.26 MB for up to 255 bins."""
    differences = np.arange(-255.0, 256.0)
    red_green, green_blue = np.meshgrid(differences, differences, indexing="ij")
    blue = np.zeros_like(green_blue)
    hue = _hue(np.stack([red_green + green_blue, green_blue, blue], axis=-1))
    table = _hue_bins(hue, nbin, xmin, xmax).ravel().astype(np.min_scalar_type(nbin))
    table.flags.writeable = False
    return table


def _hue(colours: np.ndarray) -> np.ndarray:
    """Hue from 0 to 1 of colours (..., 3), 0 for grey ones."""
    r, g, b = colours[..., 0], colours[..., 1], colours[..., 2]
    largest = colours.max(axis=-1)
    spread = largest - colours.min(axis=-1)
    grey = spread == 0
    spread = np.where(grey, 1, spread)
    sixths = np.where(
        largest == b, 4 + (r - g) / spread, np.where(largest == g, 2 + (b - r) / spread, (g - b) / spread)
    )
    return np.where(grey, 0, sixths / 6 % 1)


def _hue_bins(hue: np.ndarray, nbin: int, xmin: float, xmax: float) -> np.ndarray:
    """Bins 0 ... nbin - 1 of hues from 0 to 1; nbin for a hue in none. The last bin has both its edges."""
    edges = np.linspace(xmin, xmax, nbin + 1)
    bins = np.searchsorted(edges, hue * xmax, side="right") - 1
    bins[hue * xmax == xmax] = nbin - 1
    return np.where(bins < 0, nbin, bins)


def _count(bins: np.ndarray, nbin: int) -> np.ndarray:
    """(N, pixels) bins -> (N, nbin) float64 numbers of pixels."""
    N = len(bins)
    index = bins + np.arange(0, N * (nbin + 1), nbin + 1)[:, np.newaxis]
    counts = np.bincount(index.ravel(), minlength=N * (nbin + 1))
    return counts.reshape(N, nbin + 1)[:, :nbin].astype(np.float64)


def _weigh(images: np.ndarray, weights: tuple[int, int, int]) -> np.ndarray:
    """Weighted sums of the three colours of all pixels in float32, exact for whole numbers.

    Reading every third number is slow. A matrix product reads them all in order; done for two pixels in a
    row it takes a quarter of the time, though half of what it multiplies by is 0.
    """
    pixels = np.asarray(images, dtype=np.float32).reshape(-1, 3)
    together = 2 if len(pixels) % 2 == 0 else 1
    return (pixels.reshape(-1, 3 * together) @ _blocks(weights, together)).ravel()


@functools.lru_cache(maxsize=8)
def _blocks(weights: tuple[int, int, int], together: int) -> np.ndarray:
    """(3 * together, together): the weights once for each pixel, down the diagonal."""
    return np.kron(np.eye(together), np.array(weights)[:, np.newaxis]).astype(np.float32)


def _two_paths(images: np.ndarray, whole_path: Callable, exact_path: Callable) -> np.ndarray:
    """Features of each image by the path that is right for it."""
    whole = _are_whole(images)
    if whole.all():
        return whole_path(images)
    if not whole.any():
        return exact_path(images)
    first = whole_path(images[whole])
    features = np.empty((len(images), first.shape[1]))
    features[whole] = first
    features[~whole] = exact_path(images[~whole])
    return features


def _are_whole(images: np.ndarray) -> np.ndarray:
    """(N,) whether an image holds only whole numbers from 0 to 255; NaN and infinity are refused."""
    N = len(images)
    if images.dtype == np.uint8:
        return np.ones(N, bool)
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"images must hold finite numbers, got values from {low} to {high}")
    whole = images == np.rint(images)
    if low < 0 or high > 255:
        whole &= (images >= 0) & (images <= 255)
    return whole.reshape(N, -1).all(axis=1)


def _check_images(name: str, images: np.ndarray, ndim: int) -> None:
    """Raise ValueError unless images are an array of numbers with `ndim` dimensions, or one more."""
    shape = "(H, W, 3) or (H, W)" if ndim == 2 else "(N, H, W, C) or (N, H, W)"
    if not isinstance(images, np.ndarray):
        raise ValueError(f"{name} must be a NumPy array of shape {shape}, got {type(images).__name__}")
    if images.dtype.kind not in "iuf":
        raise ValueError(f"{name} must hold integers or floating-point numbers, got dtype {images.dtype}")
    if images.ndim not in (ndim, ndim + 1) or images.size == 0:
        raise ValueError(f"{name} must have shape {shape} with no size 0, got {images.shape}")


hog_feature.batch = _hog_batch
color_histogram_hsv.batch = _hue_batch
