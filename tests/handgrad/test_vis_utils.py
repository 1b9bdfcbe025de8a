"""Grids and plots."""

import subprocess
import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from handgrad.vis_utils import plot_history, show_images, show_net_weights, visualize_grid


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize(("n", "rows", "columns"), [(1, 1, 1), (3, 2, 2), (5, 2, 3), (9, 3, 3), (50, 7, 8)])
def test_grid_is_nearly_square_and_places_images_by_rows(rng, n, rows, columns):
    images = rng.normal(size=(n, 4, 5, 3))
    grid = visualize_grid(images, ubound=1.0, padding=2)
    assert grid.shape == (rows * 6 - 2, columns * 7 - 2, 3)
    i = n - 1
    top, left = i // columns * 6, i % columns * 7
    low, high = images[i].min(), images[i].max()
    np.testing.assert_allclose(grid[top : top + 4, left : left + 5], (images[i] - low) / (high - low))


def test_each_image_is_stretched_and_an_even_one_stays_dark(rng):
    images = np.stack(
        [rng.normal(size=(4, 4, 3)), np.full((4, 4, 3), 7.0), 1e-3 * rng.normal(size=(4, 4, 3))]
    )
    copy = images.copy()
    grid = visualize_grid(images)
    assert grid[:4, :4].max() == grid[5:, :4].max() == 255
    assert grid[:4, 5:].max() == 0
    assert grid.min() == 0
    np.testing.assert_array_equal(images, copy)


@pytest.mark.parametrize("shape", [(4, 4, 3), (0, 4, 4, 3)])
def test_grid_refuses_anything_but_images(shape):
    with pytest.raises(ValueError, match=r"shape \(N, H, W, C\)"):
        visualize_grid(np.ones(shape))


def test_history_has_titles_labels_and_all_the_points():
    solver = SimpleNamespace(
        loss_history=[2.3, 2.0, 1.8], train_acc_history=[0.1, 0.3], val_acc_history=[0.1, 0.2]
    )
    figure = plot_history(solver, title="Run 1")
    left, right = figure.axes
    assert (left.get_xlabel(), right.get_xlabel()) == ("step", "epoch")
    assert left.get_title()
    assert left.get_ylabel()
    assert right.get_title()
    assert right.get_ylabel()
    np.testing.assert_array_equal(left.lines[0].get_ydata(), solver.loss_history)
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["training", "validation"]
    np.testing.assert_array_equal(right.lines[1].get_ydata(), solver.val_acc_history)


def test_weights_are_shown_one_image_a_unit(rng):
    net = SimpleNamespace(params={"W1": rng.normal(size=(3 * 4 * 5, 6))})
    picture = show_net_weights(net, image_shape=(3, 4, 5)).axes[0].images[0].get_array()
    assert picture.shape == (2 * 7 - 3, 3 * 8 - 3, 3)
    unit = net.params["W1"][:, 4].reshape(3, 4, 5)
    red = (unit[0] - unit.min()) / (unit.max() - unit.min()) * 255
    np.testing.assert_array_equal(picture[7:11, 8:13, 0], red.astype(np.uint8))


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_images_are_shown_in_the_column_of_their_class(rng, axes):
    images, labels = rng.integers(256, size=(12, 8, 8, 3), dtype=np.uint8), np.arange(12) % 3
    figure = show_images(images.transpose(axes), labels, ["a", "b", "c"], per_class=2)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["a", "b", "c", "", "", ""]
    np.testing.assert_array_equal(figure.axes[4].images[0].get_array(), images[4])


def test_matplotlib_is_imported_only_to_draw():
    code = (
        "import handgrad.vis_utils, handgrad.solver, sys; print(*{'matplotlib', 'tqdm'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "\n"
