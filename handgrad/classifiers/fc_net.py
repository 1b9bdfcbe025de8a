"""Fully connected networks."""

from __future__ import annotations

import numpy as np

from ..layer_utils import affine_relu_backward, affine_relu_forward
from ..layers import affine_backward, affine_forward, softmax_loss
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
        hidden, hidden_cache = affine_relu_forward(X, W1, b1)
        scores, scores_cache = affine_forward(hidden, W2, b2)
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        loss += 0.5 * self.reg * (np.sum(W1**2) + np.sum(W2**2))

        grads = {}
        dhidden, grads["W2"], grads["b2"] = affine_backward(dscores, scores_cache)
        _, grads["W1"], grads["b1"] = affine_relu_backward(dhidden, hidden_cache)
        grads["W1"] += self.reg * W1
        grads["W2"] += self.reg * W2
        return loss, grads
        ### END SOLUTION
