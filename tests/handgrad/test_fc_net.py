"""TwoLayerNet: start, scores, loss, gradients, saving and loading."""

import numpy as np
import pytest

from handgrad.classifiers import TwoLayerNet
from handgrad.gradient_check import eval_numerical_gradient, rel_error


@pytest.fixture
def course_net():
    net = TwoLayerNet(input_dim=5, hidden_dim=50, num_classes=7)
    net.params["W1"] = np.linspace(-0.7, 0.3, 250).reshape(5, 50)
    net.params["b1"] = np.linspace(-0.1, 0.9, 50)
    net.params["W2"] = np.linspace(-0.3, 0.4, 350).reshape(50, 7)
    net.params["b2"] = np.linspace(-0.9, 0.1, 7)
    return net


X = np.linspace(-5.5, 4.5, 15).reshape(5, 3).T
Y = np.array([0, 5, 1])


def test_parameters_start_as_asked():
    np.random.seed(0)
    net = TwoLayerNet(input_dim=300, hidden_dim=40, num_classes=7, weight_scale=0.01)
    shapes = {name: value.shape for name, value in net.params.items()}
    assert shapes == {"W1": (300, 40), "b1": (40,), "W2": (40, 7), "b2": (7,)}
    assert not net.params["b1"].any()
    assert not net.params["b2"].any()
    for name in ("W1", "W2"):
        assert net.params[name].std() == pytest.approx(0.01, rel=0.2)
        assert abs(net.params[name].mean()) < 0.002


def test_scores_are_the_course_values(course_net):
    expected = np.array(
        [
            [11.53165108, 12.2917344, 13.05181771, 13.81190102, 14.57198434, 15.33206765, 16.09215096],
            [12.05769098, 12.74614105, 13.43459113, 14.1230412, 14.81149128, 15.49994135, 16.18839143],
            [12.58373087, 13.20054771, 13.81736455, 14.43418138, 15.05099822, 15.66781506, 16.2846319],
        ]
    )
    assert np.abs(course_net.loss(X) - expected).max() < 1e-7


@pytest.mark.parametrize(("reg", "expected"), [(0.0, 3.4702243556), (1.0, 26.5948426952)])
def test_loss_is_the_course_value(course_net, reg, expected):
    course_net.reg = reg
    assert course_net.loss(X, Y)[0] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("reg", [0.0, 0.7])
def test_gradients_are_derivatives_of_the_loss(rng, reg):
    net = TwoLayerNet(input_dim=6, hidden_dim=5, num_classes=3, weight_scale=0.5, reg=reg)
    net.params = {name: rng.normal(size=value.shape) for name, value in net.params.items()}
    images, labels = rng.normal(size=(4, 2, 3)), rng.integers(3, size=4)
    _, grads = net.loss(images, labels)
    assert grads.keys() == net.params.keys()
    for name, value in net.params.items():
        expected = eval_numerical_gradient(lambda _: net.loss(images, labels)[0], value)
        assert rel_error(grads[name], expected) < 1e-6, name


def test_parameters_decide_the_dtype(rng):
    net = TwoLayerNet(input_dim=6, hidden_dim=5, num_classes=3, reg=np.float64(0.1))
    assert net.loss(rng.normal(size=(2, 6)).astype(np.float32)).dtype == np.float64
    net.params = {name: value.astype(np.float32) for name, value in net.params.items()}
    loss, grads = net.loss(rng.normal(size=(2, 6)), np.array([0, 1]))
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float32)}
    assert net.loss(np.ones((2, 6), np.uint8)).dtype == np.float32
    assert loss.dtype == np.float32


def test_loss_changes_neither_parameters_nor_data(rng):
    net = TwoLayerNet(input_dim=6, hidden_dim=5, num_classes=3, reg=0.1)
    before = {name: value.copy() for name, value in net.params.items()}
    images = rng.normal(size=(2, 6))
    copy = images.copy()
    net.loss(images, np.array([0, 1]))
    np.testing.assert_array_equal(images, copy)
    for name, value in net.params.items():
        np.testing.assert_array_equal(value, before[name])


def test_saved_parameters_come_back_with_the_extras(tmp_path, rng):
    net = TwoLayerNet(input_dim=6, hidden_dim=5, num_classes=3)
    mean_image = rng.normal(size=(1, 2, 3))
    net.save(tmp_path / "best.npz", mean_image=mean_image, dataset="shapes10")
    other = TwoLayerNet(input_dim=6, hidden_dim=9, num_classes=3)
    extra = other.load(tmp_path / "best.npz")
    assert extra.keys() == {"mean_image", "dataset"}
    np.testing.assert_array_equal(extra["mean_image"], mean_image)
    assert extra["dataset"].shape == ()
    assert str(extra["dataset"]) == "shapes10"
    assert other.params.keys() == net.params.keys()
    for name, value in net.params.items():
        np.testing.assert_array_equal(other.params[name], value)


def test_save_and_load_refuse_what_they_cannot_keep(tmp_path):
    net = TwoLayerNet(input_dim=6, hidden_dim=5, num_classes=3)
    with pytest.raises(ValueError, match="names of parameters"):
        net.save(tmp_path / "a.npz", W1=np.ones(3))
    with pytest.raises(ValueError, match="settings must be numbers or a string, got Python objects"):
        net.save(tmp_path / "a.npz", settings={"reg": 1})
    assert not (tmp_path / "a.npz").exists()
    np.savez(tmp_path / "b.npz", W1=np.ones(3))
    with pytest.raises(ValueError, match="lacks b1, W2, b2; it holds W1"):
        net.load(tmp_path / "b.npz")
