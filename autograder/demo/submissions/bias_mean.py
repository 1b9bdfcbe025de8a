"""Wrong: db is the mean over the batch."""


def affine_backward(dout, cache):
    x, w = cache
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(len(x), -1).T @ dout
    db = dout.mean(axis=0)
    return dx, dw, db
