"""Fully connected networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..layer_utils import affine_relu_backward, affine_relu_forward  # noqa: F401
from ..layers import (
    affine_backward,
    affine_forward,
    batchnorm_backward_alt,
    batchnorm_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    relu_backward,
    relu_forward,
    softmax_loss,
)
from ._params import SavedParams


class TwoLayerNet(SavedParams):
    """affine - relu - affine - softmax, with L2 regularisation of the weights.

    The parameters are in the dictionary `params`: W1 (D, H), b1 (H,), W2 (H, C), b2 (C,), for D inputs,
    H hidden units and C classes. The network does not learn by itself: a `Solver` changes `params`.
    """

    def __init__(
        self,
        input_dim: int = 3 * 32 * 32,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
    ) -> None:
        """Draw the weights.

        Args:
            input_dim: D, numbers in an example.
            hidden_dim: H, hidden units.
            num_classes: C, classes.
            weight_scale: standard deviation of the normal distribution the weights are drawn from.
            reg: strength of the L2 regularisation.
        """
        self.reg = float(reg)
        self.params: dict[str, np.ndarray] = {}
        # Your task: fill self.params. The weights W1 and W2 are drawn with np.random from a normal
        # distribution with mean 0 and standard deviation weight_scale; the biases b1 and b2 start at 0.
        ### BEGIN SOLUTION (a1)
        self.params["W1"] = weight_scale * np.random.randn(input_dim, hidden_dim)
        self.params["b1"] = np.zeros(hidden_dim)
        self.params["W2"] = weight_scale * np.random.randn(hidden_dim, num_classes)
        self.params["b2"] = np.zeros(num_classes)
        ### END SOLUTION

    def loss(
        self, X: np.ndarray, y: np.ndarray | None = None
    ) -> np.ndarray | tuple[float, dict[str, np.ndarray]]:
        """Scores of the examples, or the loss and its gradients.

        Args:
            X: (N, d_1, ..., d_k) examples, d_1 * ... * d_k = D; read in the dtype of the parameters.
            y: (N,) labels, integers from 0 to C - 1; or None.
        Returns:
            without y: (N, C) scores.
            with y: (loss, grads). loss = softmax loss + 0.5 * reg * (sum of W1**2 + sum of W2**2);
                grads has the keys and shapes of `params`. Biases are not regularised.
        """
        X = np.asarray(X, dtype=self.params["W1"].dtype)
        # Your task: compute the scores with the layers that are imported above. Without y, return them.
        # With y, compute the loss and the gradient of each parameter, and return loss, grads.
        ### BEGIN SOLUTION (a1)
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        hidden, (_, relu_cache) = affine_relu_forward(X, W1, b1)
        scores, scores_cache = affine_forward(hidden, W2, b2)
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        loss += 0.5 * self.reg * (np.sum(W1**2) + np.sum(W2**2))

        grads = {}
        dhidden, grads["W2"], grads["b2"] = affine_backward(dscores, scores_cache)
        # affine_relu_backward would do, but half of its time is for the gradient of the images.
        dhidden = relu_backward(dhidden, relu_cache)
        grads["W1"], grads["b1"] = X.reshape(len(X), -1).T @ dhidden, dhidden.sum(axis=0)
        grads["W1"] += self.reg * W1
        grads["W2"] += self.reg * W2
        return loss, grads
        ### END SOLUTION


class FullyConnectedNet(SavedParams):
    """{affine - [batch or layer norm] - relu - [dropout]} x (L - 1) - affine - softmax.

    The weights are L2-regularised.
    The parameters are in the dictionary `params`: W1, b1, W2, b2, ..., WL, bL, where Wi is (inputs, outputs)
    of layer i, and with a normalisation gamma1, beta1, ..., gamma(L-1), beta(L-1), each as wide as layer i
    has outputs. The network does not learn by itself: a `Solver` changes `params`.
    """

    def __init__(
        self,
        hidden_dims: Sequence[int],
        input_dim: int = 3 * 32 * 32,
        num_classes: int = 10,
        dropout: float = 1,
        normalization: str | None = None,
        reg: float = 0.0,
        weight_scale: float = 1e-2,
        dtype: type = np.float32,
        seed: int | None = None,
    ) -> None:
        """Draw the weights.

        Args:
            hidden_dims: units of each of the L - 1 hidden layers.
            input_dim: D, numbers in an example.
            num_classes: C, classes.
            dropout: probability to keep a hidden unit, above 0 and up to 1; 1 means no dropout.
            normalization: "batchnorm", "layernorm" or None.
            reg: strength of the L2 regularisation.
            weight_scale: standard deviation of the normal distribution the weights are drawn from.
            dtype: of the parameters and of all that is computed. float32 is fast; check gradients in float64.
            seed: with a seed, dropout makes the same choice in every step, so that gradients can be checked.
        Raises:
            ValueError: a size is below 1, dropout is out of range, or there is no such normalisation.
        """
        for size in (input_dim, *hidden_dims, num_classes):
            if size < 1:
                raise ValueError(
                    f"every layer needs a unit, got {input_dim}, {list(hidden_dims)}, {num_classes}"
                )
        if not 0 < dropout <= 1:
            raise ValueError(f"dropout is the probability to keep a unit, above 0 and up to 1, got {dropout}")
        if normalization not in (None, "batchnorm", "layernorm"):
            raise ValueError(f"normalization must be 'batchnorm', 'layernorm' or None, got {normalization!r}")
        self.normalization = normalization
        self.use_dropout = dropout < 1
        self.reg = float(reg)
        self.num_layers = 1 + len(hidden_dims)
        self.dtype = np.dtype(dtype)
        self.params: dict[str, np.ndarray] = {}
        # Your task: fill self.params. Weights are drawn with np.random from a normal distribution with mean 0
        # and standard deviation weight_scale, biases and beta start at 0, gamma at 1. The last layer, the
        # scores, has no normalisation.
        ### BEGIN SOLUTION (a2)
        dims = [input_dim, *hidden_dims, num_classes]
        for i in range(1, self.num_layers + 1):
            self.params[f"W{i}"] = weight_scale * np.random.randn(dims[i - 1], dims[i])
            self.params[f"b{i}"] = np.zeros(dims[i])
            if normalization is not None and i < self.num_layers:
                self.params[f"gamma{i}"] = np.ones(dims[i])
                self.params[f"beta{i}"] = np.zeros(dims[i])
        ### END SOLUTION
        self.params = {name: value.astype(self.dtype) for name, value in self.params.items()}

        # What the layers need besides parameters. Batch normalisation keeps its running statistics in
        # bn_params[i - 1] for layer i, so every step must get the same dictionary.
        self.dropout_param = {"mode": "train", "p": dropout}
        if seed is not None:
            self.dropout_param["seed"] = seed
        self.bn_params = [{} for _ in hidden_dims] if normalization == "batchnorm" else []

    def loss(
        self, X: np.ndarray, y: np.ndarray | None = None
    ) -> np.ndarray | tuple[float, dict[str, np.ndarray]]:
        """Scores of the examples, or the loss and its gradients.

        Args:
            X: (N, d_1, ..., d_k) examples, d_1 * ... * d_k = D; read in the dtype of the network.
            y: (N,) labels, integers from 0 to C - 1; or None.
        Returns:
            without y: (N, C) scores, with batch normalisation and dropout in test mode.
            with y: (loss, grads), both layers in train mode. loss = softmax loss + 0.5 * reg * (sum of Wi**2
                over all weights of all layers); grads has the keys and shapes of `params`. Biases, gamma
                and beta are not regularised.
        """
        X = np.asarray(X, dtype=self.dtype)
        mode = "test" if y is None else "train"
        for param in (self.dropout_param, *self.bn_params):
            param["mode"] = mode
        # Your task: compute the scores with the layers that are imported above. Without y, return them.
        # With y, compute the loss and the gradient of each parameter, and return loss, grads.
        ### BEGIN SOLUTION (a2)
        hidden, caches = X, []
        for i in range(1, self.num_layers):
            hidden, affine_cache = affine_forward(hidden, self.params[f"W{i}"], self.params[f"b{i}"])
            norm_cache = dropout_cache = None
            if self.normalization == "batchnorm":
                gamma, beta = self.params[f"gamma{i}"], self.params[f"beta{i}"]
                hidden, norm_cache = batchnorm_forward(hidden, gamma, beta, self.bn_params[i - 1])
            elif self.normalization == "layernorm":
                gamma, beta = self.params[f"gamma{i}"], self.params[f"beta{i}"]
                hidden, norm_cache = layernorm_forward(hidden, gamma, beta, {})
            hidden, relu_cache = relu_forward(hidden)
            if self.use_dropout:
                hidden, dropout_cache = dropout_forward(hidden, self.dropout_param)
            caches.append((affine_cache, norm_cache, relu_cache, dropout_cache))
        L = self.num_layers
        scores, scores_cache = affine_forward(hidden, self.params[f"W{L}"], self.params[f"b{L}"])
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        grads = {}
        dhidden, grads[f"W{L}"], grads[f"b{L}"] = affine_backward(dscores, scores_cache)
        for i in range(L - 1, 0, -1):  # the layers again, from the last to the first
            affine_cache, norm_cache, relu_cache, dropout_cache = caches[i - 1]
            if self.use_dropout:
                dhidden = dropout_backward(dhidden, dropout_cache)
            dhidden = relu_backward(dhidden, relu_cache)
            if self.normalization == "batchnorm":
                dhidden, grads[f"gamma{i}"], grads[f"beta{i}"] = batchnorm_backward_alt(dhidden, norm_cache)
            elif self.normalization == "layernorm":
                dhidden, grads[f"gamma{i}"], grads[f"beta{i}"] = layernorm_backward(dhidden, norm_cache)
            if i > 1:
                dhidden, grads[f"W{i}"], grads[f"b{i}"] = affine_backward(dhidden, affine_cache)
            else:  # the same without the gradient of the images: nobody uses it, and it takes as long as W1's
                grads["W1"], grads["b1"] = X.reshape(len(X), -1).T @ dhidden, dhidden.sum(axis=0)

        for i in range(1, L + 1):
            W = self.params[f"W{i}"]
            loss += 0.5 * self.reg * np.sum(W**2)
            grads[f"W{i}"] += self.reg * W
        return loss, grads
        ### END SOLUTION
