"""What goes wrong in layer normalisation."""

from . import edited, misconception

FORWARD = "handgrad.layers.norm.layernorm_forward"
BACKWARD = "handgrad.layers.norm.layernorm_backward"

# Lines of the reference.
MEAN = "mean = x.mean(axis=1, keepdims=True, dtype=np.float64)"
VAR = "var = np.mean(centred**2, axis=1, keepdims=True, dtype=np.float64)"
INV_STD = "inv_std = (1 / np.sqrt(var + eps)).astype(x.dtype)"
NORMALIZED = "normalized = centred * inv_std"
OUT = "out = gamma * normalized + beta"


def _wrong(function, id, explanation, advice, *versions):
    """Register a mistake; each version is a list of edits of the reference."""
    register = misconception(id, function=function, explanation=explanation, advice=advice)
    for version in versions:
        register(edited(function, *version))


def _forward(id, explanation, advice, *versions):
    _wrong(FORWARD, "ln_" + id, explanation, advice, *versions)


_forward(
    "over_batch",
    "Each feature is normalised over the batch, which is batch norm; layer norm normalises each example.",
    "With a batch of one example, over what would your mean run?",
    [
        (MEAN, "mean = x.mean(axis=0)"),
        (VAR, "var = np.mean(centred**2, axis=0)"),
    ],
)
_forward(
    "mean_over_batch",
    "The mean is taken over the batch; it should be that of each example.",
    "Mean and variance run over the same axis.",
    [(MEAN, "mean = x.mean(axis=0)")],
    [(MEAN, "mean = x.mean(axis=0)"), (VAR, "var = x.var(axis=1, keepdims=True)")],
)
_forward(
    "variance_over_batch",
    "The variance is taken over the batch; it should be that of each example.",
    "Mean and variance run over the same axis.",
    [(VAR, "var = np.mean(centred**2, axis=0)")],
    [(VAR, "var = x.var(axis=0)")],
)
_forward(
    "over_everything",
    "One mean and one variance are taken over the whole batch; each example has its own.",
    "Give mean and var an axis: which one has to disappear?",
    [(MEAN, "mean = x.mean()"), (VAR, "var = x.var()")],
)
_forward(
    "axis_lost",
    "Means and variances have shape (N,) and are subtracted from columns: they belong to rows.",
    "What does keepdims=True do, and how does NumPy broadcast (N,) against (N, D)?",
    [(MEAN, "mean = x.mean(axis=1)"), (VAR, "var = x.var(axis=1)")],
    [(MEAN, "mean = x.mean(axis=1)"), (VAR, "var = np.mean(centred**2, axis=1)")],
)
_forward(
    "variance_unbiased",
    "The variance divides by D - 1; it should divide by D.",
    "The description of the function says by what it divides. What is ddof in np.var?",
    [(VAR, "var = x.var(axis=1, ddof=1, keepdims=True)")],
)
_forward(
    "variance_divided_by_n",
    "The variance is divided by the number of examples; it should be divided by the number of features.",
    "Over how many numbers does the sum run?",
    [(VAR, "var = np.sum(centred**2, axis=1, keepdims=True) / len(x)")],
)
_forward(
    "divided_by_n",
    "Mean and variance are divided by the number of examples; they run over the features.",
    "Over how many numbers do the sums run?",
    [
        (MEAN, "mean = x.sum(axis=1, keepdims=True) / len(x)"),
        (VAR, "var = np.sum(centred**2, axis=1, keepdims=True) / len(x)"),
    ],
)
_forward(
    "divided_by_variance",
    "The centred x is divided by the variance; it should be divided by the standard deviation.",
    "How does the standard deviation come from the variance?",
    [(INV_STD, "inv_std = 1 / (var + eps)")],
)
_forward(
    "not_centred",
    "x is divided by its deviation, but its mean is not subtracted.",
    "The numerator of the formula is a difference.",
    [(NORMALIZED, "normalized = x * inv_std")],
)
_forward(
    "not_scaled",
    "The mean is subtracted, but nothing is divided by the standard deviation.",
    "Two steps make mean 0 and variance 1: which of them is missing?",
    [(NORMALIZED, "normalized = centred")],
)
_forward(
    "without_gamma_and_beta",
    "gamma and beta are not used: out is the normalised x itself.",
    "Which arguments does your function not use?",
    [(OUT, "out = normalized")],
)
_forward(
    "without_beta",
    "The shift beta is missing: out is gamma times the normalised x.",
    "Which argument does your function not use?",
    [(OUT, "out = gamma * normalized")],
)
_forward(
    "without_gamma",
    "The scale gamma is missing: out is the normalised x plus beta.",
    "Which argument does your function not use?",
    [(OUT, "out = normalized + beta")],
)
_forward(
    "gamma_beta_swapped",
    "gamma and beta have changed places: beta multiplies and gamma is added.",
    "gamma is the scale, beta the shift.",
    [(OUT, "out = beta * normalized + gamma")],
)
_forward(
    "gamma_before_normalising",
    "gamma and beta act on x before it is normalised; they come after.",
    "Normalise first; then scale and shift.",
    [(MEAN, "x = gamma * x + beta; " + MEAN), (OUT, "out = normalized")],
)
_forward(
    "eps_missing",
    "eps is not used: where all features of an example are the same, 0 is divided by 0.",
    "Add eps to the variance before you take the root.",
    [(INV_STD, "inv_std = 1 / np.sqrt(var)")],
)
_forward(
    "eps_fixed",
    "eps is always 1e-5; it should be what ln_param says.",
    "The line above your task has read eps already: use the variable.",
    [(INV_STD, "inv_std = 1 / np.sqrt(var + 1e-5)")],
)


# ---- backward

DBETA = "dbeta = dout.sum(axis=0)"
DGAMMA = "dgamma = (dout * normalized).sum(axis=0)"
DNORMALIZED = "dnormalized = dout * gamma"
SHARED = "shared = dnormalized.mean(axis=1, keepdims=True)"
ALONG = "along = (dnormalized * normalized).mean(axis=1, keepdims=True)"
DX = "dx = inv_std * (dnormalized - shared - normalized * along)"


def _backward(id, explanation, advice, *versions):
    _wrong(BACKWARD, "ln_back_" + id, explanation, advice, *versions)


_backward(
    "sums_over_features",
    "dgamma or dbeta is summed over the features of each example; it should be summed over the examples.",
    "gamma and beta are shared by all examples, exactly as in batch norm. Which axis has to disappear?",
    [(DGAMMA, "dgamma = (dout * normalized).sum(axis=1)"), (DBETA, "dbeta = dout.sum(axis=1)")],
    [(DGAMMA, "dgamma = (dout * normalized).sum(axis=1)")],
    [(DBETA, "dbeta = dout.sum(axis=1)")],
)
_backward(
    "sums_missing",
    "dgamma or dbeta is not summed over the batch; it should have one number for each feature.",
    "gamma and beta were broadcast to all examples. What is the backward pass of a broadcast?",
    [(DGAMMA, "dgamma = dout * normalized"), (DBETA, "dbeta = dout")],
    [(DGAMMA, "dgamma = dout * normalized")],
    [(DBETA, "dbeta = dout")],
)
_backward(
    "sums_averaged",
    "dgamma or dbeta is averaged over the batch; the gradient of a sum is the sum.",
    "Each example adds to these gradients. The loss has averaged already.",
    [(DGAMMA, "dgamma = (dout * normalized).mean(axis=0)"), (DBETA, "dbeta = dout.mean(axis=0)")],
    [(DGAMMA, "dgamma = (dout * normalized).mean(axis=0)")],
    [(DBETA, "dbeta = dout.mean(axis=0)")],
)
_backward(
    "dgamma_of_centred",
    "dgamma uses the centred x; gamma multiplies the normalised x.",
    "What exactly is multiplied by gamma in the forward pass?",
    [(DGAMMA, "dgamma = (dout * normalized / inv_std).sum(axis=0)")],
)
_backward(
    "dgamma_like_dbeta",
    "dgamma is the sum of dout, which is dbeta; the normalised x is missing.",
    "The derivative of a product by one factor is the other factor.",
    [(DGAMMA, "dgamma = dout.sum(axis=0)")],
)
_backward(
    "dgamma_dbeta_swapped",
    "dgamma and dbeta have changed places.",
    "In which order does the function return its three gradients?",
    [(DX, DX + "\n    dgamma, dbeta = dbeta, dgamma")],
)
_backward(
    "divided_by_n",
    "The sums in dx are divided by the number of examples; they run over the features.",
    "Which letter takes the place of N when each example is normalised over its features?",
    [
        (SHARED, "shared = dnormalized.sum(axis=1, keepdims=True) / len(dout)"),
        (ALONG, "along = (dnormalized * normalized).sum(axis=1, keepdims=True) / len(dout)"),
    ],
    [(SHARED, "shared = dnormalized.sum(axis=1, keepdims=True) / len(dout)")],
    [(ALONG, "along = (dnormalized * normalized).sum(axis=1, keepdims=True) / len(dout)")],
    # N times dout in the bracket, 1/N in front of it
    [
        (SHARED, "shared = dnormalized.sum(axis=1, keepdims=True)"),
        (ALONG, "along = (dnormalized * normalized).sum(axis=1, keepdims=True)"),
        (DX, "dx = inv_std * (dout.shape[1] * dnormalized - shared - normalized * along) / len(dout)"),
    ],
)
_backward(
    "not_divided",
    "The sums in dx are not divided by the number of features.",
    "They come from means over the features. Did the 1/D get lost?",
    [
        (SHARED, "shared = dnormalized.sum(axis=1, keepdims=True)"),
        (ALONG, "along = (dnormalized * normalized).sum(axis=1, keepdims=True)"),
    ],
    [(SHARED, "shared = dnormalized.sum(axis=1, keepdims=True)")],
    [(ALONG, "along = (dnormalized * normalized).sum(axis=1, keepdims=True)")],
)
_backward(
    "gamma_pulled_out",
    "gamma is pulled out of the sums in dx; here it differs from feature to feature within each sum.",
    "In batch norm gamma was one number for the whole sum. Is it still?",
    [
        (DNORMALIZED, "dnormalized = dout"),
        (DX, "dx = gamma * inv_std * (dnormalized - shared - normalized * along)"),
    ],
)
_backward(
    "gamma_forgotten",
    "gamma is missing in dx: dout reaches the normalised x through the scale.",
    "out is gamma times the normalised x, plus beta. What is its derivative by the normalised x?",
    [(DNORMALIZED, "dnormalized = dout")],
)
_backward(
    "gamma_in_one_term",
    "gamma multiplies only some of the terms of dx.",
    "In which of the three terms does dout stand without gamma?",
    [(SHARED, SHARED.replace("dnormalized", "dout"))],
    [(ALONG, ALONG.replace("dnormalized", "dout"))],
    [(SHARED, SHARED.replace("dnormalized", "dout")), (ALONG, ALONG.replace("dnormalized", "dout"))],
)
_backward(
    "copied_from_batchnorm",
    "This is the backward pass of batch norm: the sums in dx run over the examples.",
    "Each example is normalised by itself. Can dx of one depend on dout of another?",
    [
        (DX, "N = len(dout)\n    dx = gamma * inv_std * (dout - dbeta / N - normalized * (dgamma / N))"),
    ],
    [
        (SHARED, "shared = dnormalized.mean(axis=0)"),
        (ALONG, "along = (dnormalized * normalized).mean(axis=0)"),
        (DX, DX + " * 1"),
    ],
)
_backward(
    "one_axis",
    "One of the sums in dx runs over the examples; both should run over the features.",
    "Each example is normalised by itself. Can dx of one depend on dout of another?",
    [(SHARED, "shared = dnormalized.mean(axis=0)")],
    [(ALONG, "along = (dnormalized * normalized).mean(axis=0)")],
)
_backward(
    "constants",
    "Mean and variance are taken as constants, but they depend on every feature of the example.",
    "By which ways does one number of x reach the outputs? There are three, and their gradients add.",
    [(DX, "dx = inv_std * dnormalized")],
)
_backward(
    "mean_constant",
    "The way through the mean is missing in dx: the mean depends on every feature too.",
    "Each number of x moves the mean a little, and the mean moves all outputs of the example.",
    [(DX, "dx = inv_std * (dnormalized - normalized * along)")],
)
_backward(
    "variance_constant",
    "The way through the variance is missing in dx: the variance depends on every feature too.",
    "Each number of x changes the variance a little, and the variance scales all outputs of the example.",
    [(DX, "dx = inv_std * (dnormalized - shared)")],
)
_backward(
    "without_normalized",
    "The variance's term in dx lacks the normalised x: it is not the same for all features.",
    "How does the variance change with one number of x? It depends on how far that is from the mean.",
    [(DX, "dx = inv_std * (dnormalized - shared - along)")],
)
_backward(
    "sign",
    "A term in dx has the wrong sign.",
    "Mean and variance take something out of dout: both terms are subtracted.",
    [(DX, "dx = inv_std * (dnormalized - shared + normalized * along)")],
    [(DX, "dx = inv_std * (dnormalized + shared - normalized * along)")],
    [(DX, "dx = inv_std * (dnormalized + shared + normalized * along)")],
)
_backward(
    "deviation_forgotten",
    "dx is not divided by the standard deviation.",
    "The wider the numbers of an example, the less its outputs feel a change of x.",
    [(DX, "dx = dnormalized - shared - normalized * along")],
)
_backward(
    "multiplied_by_deviation",
    "dx is multiplied by the standard deviation; it should be divided by it.",
    "The wider the numbers of an example, the less its outputs feel a change of x.",
    [(DX, "dx = (dnormalized - shared - normalized * along) / inv_std")],
)
_backward(
    "divided_by_variance",
    "dx is divided by the variance; it should be divided by the standard deviation.",
    "Follow the powers of the standard deviation on paper.",
    [(DX, "dx = inv_std**2 * (dnormalized - shared - normalized * along)")],
)
