"""How fast features are extracted: HOG and hue histogram, one image at a time and in batches.

The contender is written as such code usually is: a function of one image that calls arctan2, filters each
orientation by a running mean and asks Matplotlib for the hue. Contenders take turns in one process; the table
shows medians and ratios to the usual way. Images are CIFAR-10 when it has been downloaded, else Shapes-10.

    python benchmarks/features.py [--images 2000] [--rounds 7]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from functools import partial

import matplotlib
import numpy as np
from matplotlib.colors import rgb_to_hsv

from handgrad.data_utils import load_data
from handgrad.features import color_histogram_hsv, extract_features, hog_feature

try:
    from scipy.ndimage import uniform_filter
except ImportError:
    uniform_filter = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    data = load_data(num_training=options.images, subtract_mean=False)
    images = np.ascontiguousarray(data["X_train"].transpose(0, 2, 3, 1))
    doubles = images.astype(np.float64)  # what the usual code is given: its hue is float32 for float32
    floats = images + 0.25 * (images < 255)  # not whole numbers: the exact path

    functions = [hog_feature, partial(color_histogram_hsv, nbin=10)]
    contenders = {
        "usual, one image at a time": lambda: usual_extract(doubles, [usual_hog, usual_hue]),
        "ours, functions that cannot be batched": lambda: extract_features(
            images, [lambda im: hog_feature(im), lambda im: color_histogram_hsv(im)]
        ),
        "ours, numbers that are not whole": lambda: extract_features(floats, functions),
        "ours": lambda: extract_features(images, functions),
        "ours, HOG alone": lambda: extract_features(images, [hog_feature]),
        "ours, hue alone": lambda: extract_features(images, [color_histogram_hsv]),
    }
    usual, ours = contenders["usual, one image at a time"](), contenders["ours"]()
    apart = ~np.isclose(ours, usual, rtol=1e-5, atol=1e-4)
    seconds = take_turns(contenders, options.rounds)

    mean_filter = "SciPy's" if uniform_filter else "our own, SciPy being absent"
    print(f"{data['dataset']}, {len(images)} images, {options.rounds} rounds; running mean: {mean_filter}")
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, Matplotlib {matplotlib.__version__}, "
        f"{os.cpu_count()} cores\n"
    )
    print("| | images/s | times as fast |\n|---|---:|---:|")
    first = next(iter(seconds.values()))
    for name, value in seconds.items():
        print(f"| {name} | {len(images) / value:,.0f} | {first / value:.1f} |")
    shares = f"HOG {apart[:, :144].mean():.2%}, hue {apart[:, 144:].mean():.2%}"
    print(
        f"\nnumbers apart from the usual ones: {shares}; mean distance of hue histograms (each adds up to 1):"
    )
    print(f"{np.abs(ours - usual)[:, 144:].sum(axis=1).mean():.4f}, from hues on the edge of a bin")


def take_turns(contenders: dict, rounds: int) -> dict[str, float]:
    """Median seconds of each contender; one round of all of them is not counted."""
    times = {name: [] for name in contenders}
    for round_number in range(rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if round_number:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def usual_extract(images: np.ndarray, functions: list) -> np.ndarray:
    return np.array([np.concatenate([function(image) for function in functions]) for image in images])


def usual_hog(image: np.ndarray) -> np.ndarray:
    """9 orientations, cells of 8x8 pixels, by angles and a running mean."""
    grey = image @ np.array([0.299, 0.587, 0.144])
    across, down = np.zeros(grey.shape), np.zeros(grey.shape)
    across[:, :-1] = np.diff(grey, axis=1)
    down[:-1] = np.diff(grey, axis=0)
    strength = np.sqrt(across**2 + down**2)
    degrees = np.arctan2(down, across + 1e-15) * (180 / np.pi) + 90
    rows, columns = grey.shape[0] // 8, grey.shape[1] // 8
    histogram = np.zeros((columns, rows, 9))
    for orientation in range(9):
        inside = (degrees > 0) & (degrees >= 20 * orientation) & (degrees < 20 * (orientation + 1))
        histogram[:, :, orientation] = running_mean(np.where(inside, strength, 0))[4::8, 4::8].T
    return histogram.ravel()


def usual_hue(image: np.ndarray, bins: int = 10) -> np.ndarray:
    hue = rgb_to_hsv(image / 255)[:, :, 0] * 255
    density, edges = np.histogram(hue, bins=np.linspace(0, 255, bins + 1), density=True)
    return density * np.diff(edges)


def running_mean(image: np.ndarray) -> np.ndarray:
    """Mean over 8x8 pixels around each, 4 before it and 3 behind, the image mirrored at its edges."""
    if uniform_filter is not None:
        return uniform_filter(image, size=(8, 8))
    padded = np.pad(image, ((5, 3), (5, 3)), mode="symmetric")
    sums = padded.cumsum(axis=0).cumsum(axis=1)
    return (sums[8:, 8:] - sums[:-8, 8:] - sums[8:, :-8] + sums[:-8, :-8]) / 64


if __name__ == "__main__":
    main()
