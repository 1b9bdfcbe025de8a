"""HOG, the hue histogram, and their extraction from many images."""

from functools import partial

import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv

from handgrad import shapes10
from handgrad.features import color_histogram_hsv, extract_features, hog_feature


def hog_by_angles(image):
    """The usual way, pixel by pixel."""
    grey = image.astype(float) @ [0.299, 0.587, 0.144] if image.ndim == 3 else image.astype(float)
    H, W = grey.shape
    out = np.zeros((W // 8, H // 8, 9))
    for i in range(H // 8 * 8):
        for j in range(W // 8 * 8):
            gx = grey[i, j + 1] - grey[i, j] if j + 1 < W else 0.0
            gy = grey[i + 1, j] - grey[i, j] if i + 1 < H else 0.0
            degrees = np.arctan2(gy, gx + 1e-15) * (180 / np.pi) + 90
            if 0 < degrees < 180:
                out[j // 8, i // 8, int(degrees // 20)] += np.hypot(gx, gy) / 64
    return out.ravel()


def hue_by_matplotlib(image, nbin=10, xmin=0, xmax=255, normalized=True):
    hue = rgb_to_hsv(image.astype(float) / xmax)[:, :, 0] * xmax
    counts, edges = np.histogram(hue, bins=np.linspace(xmin, xmax, nbin + 1), density=normalized)
    return counts * np.diff(edges)


@pytest.fixture(scope="module")
def shapes():
    return shapes10.generate(40, seed=5)[0]


@pytest.mark.parametrize("shape", [(32, 32, 3), (8, 24, 3), (21, 17, 3), (16, 40)])
@pytest.mark.parametrize("scale", [1, 1 / 255])
def test_hog_is_the_usual_one(rng, shape, scale):
    image = rng.integers(256, size=shape) * scale
    feature = hog_feature(image)
    assert feature.shape == (shape[1] // 8 * (shape[0] // 8) * 9,)
    assert feature.dtype == np.float64
    np.testing.assert_allclose(feature, hog_by_angles(image), rtol=2e-6, atol=1e-5 * scale)


def test_hog_of_drawn_images_is_the_usual_one(shapes):
    ours = extract_features(shapes, [hog_feature])
    usual = np.array([hog_by_angles(image) for image in shapes[:10]])
    apart = ~np.isclose(ours[:10], usual, rtol=1e-5, atol=1e-5)
    assert (
        apart.mean() < 0.01
    )  # gradients of different colours of one grey: their direction is rounding noise


@pytest.mark.parametrize(
    ("gx", "gy", "orientation"),
    [(5, 0, 4), (5, 5, 6), (5, -5, 2), (1, 9, 8), (1, -9, 0), (5, 1, 5), (5, -1, 3), (-5, 0, None)],
)
def test_an_even_slope_falls_into_one_bin(gx, gy, orientation):
    rows, columns = np.indices((24, 24))
    grey = 400.0 + gx * columns + gy * rows
    middle = hog_feature(grey).reshape(3, 3, 9)[1, 1]
    expected = np.zeros(9)
    if orientation is not None:
        expected[orientation] = np.hypot(gx, gy)
    np.testing.assert_allclose(middle, expected, rtol=1e-12)


@pytest.mark.parametrize(("gy", "orientation"), [(2, 8), (3, None), (-5, 0), (-6, None)])
@pytest.mark.parametrize("offset", [0, 0.25])
def test_straight_up_and_down_count_while_they_are_weak(gy, orientation, offset):
    grey = np.broadcast_to((100 + offset + gy * np.arange(16.0))[:, np.newaxis], (16, 16))
    first = hog_feature(grey).reshape(2, 2, 9)[0, 0]
    expected = np.zeros(9)
    if orientation is not None:
        expected[orientation] = abs(gy)
    np.testing.assert_allclose(first, expected, rtol=1e-6)
    np.testing.assert_allclose(hog_feature(grey), hog_by_angles(grey), rtol=1e-6)


def test_cells_go_down_the_columns():
    image = np.zeros((16, 24))
    image[10, 4] = 100  # in the second row of cells and the first column
    cells = hog_feature(image).reshape(3, 2, 9)
    assert cells[0, 1].any()
    cells[0, 1] = 0
    assert not cells.any()


def test_hue_of_pure_colours():
    hues = {"red": (9, 0, 0), "yellow": (9, 9, 0), "green": (0, 9, 0), "cyan": (0, 9, 9), "blue": (0, 0, 9)}
    for place, colour in enumerate([*hues.values(), (9, 0, 9)]):
        image = np.broadcast_to(np.array(colour, np.uint8), (3, 4, 3))
        np.testing.assert_array_equal(color_histogram_hsv(image, nbin=12), np.eye(12)[2 * place])
    grey = np.full((3, 4, 3), 7.0)
    np.testing.assert_array_equal(color_histogram_hsv(grey), np.eye(10)[0])


@pytest.mark.parametrize(
    "settings",
    [{}, {"nbin": 7}, {"normalized": False}, {"xmin": 100, "nbin": 3}, {"nbin": 300}, {"xmin": -50}],
)
@pytest.mark.parametrize("offset", [0, 0.3])
def test_hue_histogram_is_the_usual_one(rng, settings, offset):
    image = rng.integers(255, size=(40, 30, 3)) + offset
    histogram = color_histogram_hsv(image, **settings)
    usual = hue_by_matplotlib(image, **settings)
    assert histogram.dtype == np.float64
    assert histogram.shape == usual.shape
    # Whole numbers: hues on an edge may fall on its other side.
    pixel = usual.sum() / 1200 if settings.get("normalized", True) else 255 / 10
    apart = np.abs(histogram - usual).sum()
    assert apart < (1e-9 if offset else 40 * pixel)


def test_hue_does_not_depend_on_the_scale(rng):
    image = rng.random((20, 20, 3))
    np.testing.assert_allclose(
        color_histogram_hsv(image, xmax=1), color_histogram_hsv(image * 255), atol=1e-12
    )
    np.testing.assert_allclose(color_histogram_hsv(image), color_histogram_hsv(image, xmax=1), atol=1e-12)


def test_no_pixel_in_the_range_of_hues_gives_zeros():
    red = np.zeros((2, 2, 3))
    np.testing.assert_array_equal(color_histogram_hsv(red, nbin=4, xmin=10), np.zeros(4))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_whole_numbers_give_the_same_features_in_every_dtype(shapes, dtype):
    functions = [hog_feature, color_histogram_hsv]
    features = extract_features(shapes.astype(dtype), functions)
    assert features.shape == (40, 154)
    assert features.dtype == np.float64
    np.testing.assert_array_equal(features, extract_features(shapes, functions))


def test_both_paths_agree_up_to_the_edges_of_bins(shapes, rng):
    functions = [hog_feature, color_histogram_hsv]
    noise = 1e-9 * rng.random(shapes.shape)
    whole, other = (extract_features(images, functions) for images in (shapes, shapes * (1 - 1e-9) + noise))
    assert (~np.isclose(whole[:, :144], other[:, :144], rtol=1e-5, atol=1e-5)).mean() < 0.05
    assert np.abs(whole[:, 144:] - other[:, 144:]).sum(axis=1).mean() < 0.05  # of a sum of 1


def test_features_of_many_images_are_those_of_each(shapes, rng):
    images = shapes.astype(np.float64)
    images[::3] += rng.random(images[::3].shape)  # some that are not whole, in every chunk
    images = np.minimum(images, 255)
    functions = [hog_feature, partial(color_histogram_hsv, nbin=6)]
    together = extract_features(images, functions)
    for image, features in zip(images, together, strict=True):
        np.testing.assert_array_equal(features[:144], hog_feature(image))
        np.testing.assert_array_equal(features[144:], color_histogram_hsv(image, nbin=6))
    one_by_one = extract_features(images, [lambda im: hog_feature(im), lambda im: color_histogram_hsv(im, 6)])
    np.testing.assert_array_equal(together, one_by_one)


def test_memory_layouts_and_inputs_that_stay(shapes):
    planes = np.ascontiguousarray(shapes.transpose(0, 3, 1, 2)).astype(np.float32)
    planes.flags.writeable = False
    expected = extract_features(shapes, [hog_feature, color_histogram_hsv])
    for images in (planes.transpose(0, 2, 3, 1), np.asfortranarray(shapes), shapes.repeat(2, axis=0)[::2]):
        copy = images.copy()
        np.testing.assert_array_equal(
            extract_features(images, [hog_feature, color_histogram_hsv]), expected, strict=True
        )
        np.testing.assert_array_equal(images, copy)


def test_functions_of_ones_own(shapes, capsys):
    def brightness(image):
        image[...] = image / 2  # its own copy
        return np.array([image.mean()])

    def two(image):
        raise AssertionError("its batch is used")

    two.batch = lambda images, add=0: images.mean(axis=(1, 2, 3))[:, np.newaxis] + np.array([add, 1])
    images = np.tile(shapes.astype(np.float32), (30, 1, 1, 1))
    features = extract_features(images, [brightness, two, partial(two, add=3)], verbose=True)
    means = images.mean(axis=(1, 2, 3))
    expected = np.stack([means / 2, means, means + 1, means + 3, means + 1], axis=1)
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    assert capsys.readouterr().out == "features of 1000 of 1200 images\n"


def test_images_of_one_channel_are_grey(rng):
    images = rng.random((3, 16, 16, 1))
    expected = [hog_feature(image[:, :, 0]) for image in images]
    np.testing.assert_array_equal(extract_features(images, [hog_feature]), expected)
    np.testing.assert_array_equal(extract_features(images[..., 0], [hog_feature]), expected)
    np.testing.assert_array_equal(extract_features(images, [lambda im: np.array(im.shape)]), [[16, 16]] * 3)


IMAGE = np.ones((8, 8, 3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hog_feature([[1.0]]), "im must be a NumPy array .*got list"),
        (lambda: hog_feature(IMAGE > 0), "got dtype bool"),
        (lambda: hog_feature(np.ones(8)), r"im must have shape \(H, W, 3\) or \(H, W\).*got \(8,\)"),
        (lambda: hog_feature(np.ones((8, 0))), r"got \(8, 0\)"),
        (lambda: hog_feature(np.ones((3, 8, 8))), r"shape \(H, W, 3\) or \(H, W\), got \(3, 8, 8\)"),
        (lambda: hog_feature(np.ones((8, 7))), r"at least 8x8 pixels, got \(8, 7\)"),
        (lambda: hog_feature(IMAGE * np.nan), "finite numbers, got values from nan"),
        (lambda: hog_feature(IMAGE * np.inf), "finite numbers, got values from inf"),
        (lambda: color_histogram_hsv(np.ones((8, 8))), r"\(H, W, 3\) to have hues, got \(8, 8\)"),
        (lambda: color_histogram_hsv(-IMAGE), "between 0 and xmax = 255, got values from -1.0 to -1.0"),
        (lambda: color_histogram_hsv(IMAGE * 2, xmax=1), "between 0 and xmax = 1, got values from 2.0"),
        (lambda: color_histogram_hsv(IMAGE * np.nan), "finite numbers"),
        (lambda: color_histogram_hsv(IMAGE, nbin=0), "nbin must be an integer, at least 1, got 0"),
        (lambda: color_histogram_hsv(IMAGE, nbin=2.0), "nbin must be an integer, at least 1, got 2.0"),
        (lambda: color_histogram_hsv(IMAGE, xmin=255), "got xmin 255 and xmax 255"),
        (lambda: color_histogram_hsv(IMAGE, xmin=-2, xmax=-1), "got xmin -2 and xmax -1"),
        (lambda: extract_features(np.ones((0, 8, 8, 3)), [hog_feature]), r"no size 0, got \(0, 8, 8, 3\)"),
        (lambda: extract_features(np.ones((8, 8)), [hog_feature]), r"got \(8, 8\)"),
        (lambda: extract_features(IMAGE[np.newaxis], hog_feature), "list of at least one function, got a"),
        (lambda: extract_features(IMAGE[np.newaxis], []), "list of at least one function, got none"),
        (lambda: extract_features(IMAGE[np.newaxis], [np.sin]), r"sin must return a vector.*\(8, 8, 3\)"),
        (lambda: extract_features(IMAGE[np.newaxis], [lambda im: np.array(["a"])]), "dtype <U1"),
    ],
)
def test_wrong_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_vectors_of_changing_length_are_refused():
    images = np.arange(3, dtype=np.uint8)[:, np.newaxis, np.newaxis] * np.ones((1, 8, 8), np.uint8)
    with pytest.raises(ValueError, match="one length, got 1 and 2"):
        extract_features(images, [lambda im: np.ones(1 + im.max() // 2)])
    large = np.repeat(np.repeat(images, 32, axis=1), 32, axis=2)  # an image a chunk
    with pytest.raises(ValueError, match=r"\[1\] for the first images, but \[2\] from image 2 on"):
        extract_features(large, [lambda im: np.ones(1 + im.max() // 2)])


def test_a_batch_of_the_wrong_shape_is_refused():
    def feature(image):
        return np.ones(2)

    feature.batch = lambda images: np.ones((1, 2))
    with pytest.raises(ValueError, match=r"feature.batch must return shape \(3, F\) .*got \(1, 2\)"):
        extract_features(np.ones((3, 8, 8)), [feature])
