"""Convolutional networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..layer_utils import (
    affine_relu_backward,
    affine_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
)
from ..layers import affine_backward, affine_forward, softmax_loss
from ._params import SavedParams

POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}


class ThreeLayerConvNet(SavedParams):
    """conv - relu - 2x2 max pool - affine - relu - affine - softmax, with L2 regularisation of the weights.

    The parameters are in the dictionary `params`: W1 (F, C, HH, HH) and b1 (F,) of F filters, W2 (F * H / 2 *
    W / 2, hidden) and b2, W3 (hidden, classes) and b3. The convolution has stride 1 and as much padding as
    keeps height and width. The network does not learn by itself: a `Solver` changes `params`.
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (3, 32, 32),
        num_filters: int = 32,
        filter_size: int = 7,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
        dtype: type = np.float32,
    ) -> None:
        """Draw the weights.

        Args:
            input_dim: (C, H, W) of an image; H and W are even, and may differ.
            num_filters: F, filters of the convolution.
            filter_size: height and width of a filter, odd.
            hidden_dim: units of the hidden affine layer.
            num_classes: classes.
            weight_scale: standard deviation of the normal distribution the weights are drawn from.
            reg: strength of the L2 regularisation.
            dtype: of the parameters and of all that is computed. float32 is fast; check gradients in float64.
        Raises:
            ValueError: a size is below 1, the filter size is even, or 2x2 windows do not tile the image.
        """
        C, H, W = input_dim
        if min(C, H, W, num_filters, hidden_dim, num_classes) < 1:
            raise ValueError(
                f"sizes must be at least 1, got input_dim {tuple(input_dim)}, num_filters {num_filters}, "
                f"hidden_dim {hidden_dim} and num_classes {num_classes}"
            )
        if filter_size < 1 or filter_size % 2 == 0:
            raise ValueError(f"filter_size must be odd, so that padding can keep the size, got {filter_size}")
        if H % 2 or W % 2:
            raise ValueError(f"2x2 pooling needs images of even height and width, got {H} x {W}")
        self.reg = float(reg)
        self.dtype = np.dtype(dtype)
        self.conv_param = {"stride": 1, "pad": (filter_size - 1) // 2}
        self.pool_param = dict(POOL)
        self.params: dict[str, np.ndarray] = {}
        # Your task: fill self.params. Weights are drawn with np.random from a normal distribution with mean 0
        # and standard deviation weight_scale, biases start at 0. Which size do images have after the pooling?
        ### BEGIN SOLUTION (a2)
        pooled = num_filters * (H // 2) * (W // 2)
        self.params["W1"] = weight_scale * np.random.randn(num_filters, C, filter_size, filter_size)
        self.params["b1"] = np.zeros(num_filters)
        self.params["W2"] = weight_scale * np.random.randn(pooled, hidden_dim)
        self.params["b2"] = np.zeros(hidden_dim)
        self.params["W3"] = weight_scale * np.random.randn(hidden_dim, num_classes)
        self.params["b3"] = np.zeros(num_classes)
        ### END SOLUTION
        self.params = {name: value.astype(self.dtype) for name, value in self.params.items()}

    def load(self, path: str | Path) -> dict[str, np.ndarray]:
        """Read parameters that `save` wrote; the padding follows the size of the file's filters.

        Args:
            path: the file.
        Returns:
            the extra arrays of the file, by name.
        Raises:
            ValueError: the file lacks a parameter.
        """
        extra = super().load(path)
        self.conv_param["pad"] = (self.params["W1"].shape[2] - 1) // 2
        return extra

    def loss(
        self, X: np.ndarray, y: np.ndarray | None = None
    ) -> np.ndarray | tuple[float, dict[str, np.ndarray]]:
        """Scores of the images, or the loss and its gradients.

        Args:
            X: (N, C, H, W) images; read in the dtype of the network.
            y: (N,) labels, integers from 0 to classes - 1; or None.
        Returns:
            without y: (N, classes) scores.
            with y: (loss, grads). loss = softmax loss + 0.5 * reg * (sum of W1**2 + sum of W2**2 + sum of
                W3**2); grads has the keys and shapes of `params`. Biases are not regularised.
        """
        X = np.asarray(X, dtype=self.dtype)
        # Your task: compute the scores with the layers that are imported above, self.conv_param and
        # self.pool_param. Without y, return them. With y, compute the loss and the gradient of each
        # parameter, and return loss, grads.
        ### BEGIN SOLUTION (a2)
        W1, b1, W2, b2, W3, b3 = (self.params[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
        pooled, conv_cache = conv_relu_pool_forward(X, W1, b1, self.conv_param, self.pool_param)
        hidden, hidden_cache = affine_relu_forward(pooled, W2, b2)
        scores, scores_cache = affine_forward(hidden, W3, b3)
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        # np.vdot(W, W) is np.sum(W**2) without an array of squares: four times as fast for W2.
        loss += 0.5 * self.reg * (np.vdot(W1, W1) + np.vdot(W2, W2) + np.vdot(W3, W3))

        grads = {}
        dhidden, grads["W3"], grads["b3"] = affine_backward(dscores, scores_cache)
        dpooled, grads["W2"], grads["b2"] = affine_relu_backward(dhidden, hidden_cache)
        _, grads["W1"], grads["b1"] = conv_relu_pool_backward(dpooled, conv_cache, need_dx=False)
        grads["W1"] += self.reg * W1
        grads["W2"] += self.reg * W2
        grads["W3"] += self.reg * W3
        return loss, grads
        ### END SOLUTION
