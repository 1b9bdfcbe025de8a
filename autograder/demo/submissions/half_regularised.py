"""Wrong: the regularisation forgets the second layer, in the loss and in the gradient."""


class TwoLayerNet:
    def loss(self, X, y=None):
        X = np.asarray(X, dtype=self.params["W1"].dtype)
        hidden, first = affine_relu_forward(X, self.params["W1"], self.params["b1"])
        scores, second = affine_forward(hidden, self.params["W2"], self.params["b2"])
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        loss += 0.5 * self.reg * np.sum(self.params["W1"] ** 2)
        grads = {}
        dhidden, grads["W2"], grads["b2"] = affine_backward(dscores, second)
        _, grads["W1"], grads["b1"] = affine_relu_backward(dhidden, first)
        grads["W1"] += self.reg * self.params["W1"]
        return loss, grads
