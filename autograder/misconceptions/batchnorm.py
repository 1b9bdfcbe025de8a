"""What goes wrong in batch normalisation."""

from . import edited, misconception

FORWARD = "handgrad.layers.norm.batchnorm_forward"
BACKWARD = "handgrad.layers.norm.batchnorm_backward"
ALT = "handgrad.layers.norm.batchnorm_backward_alt"

# Lines of the reference.
MEAN = "mean = x.mean(axis=0, dtype=np.float64)"
CENTRED = "centred = (x - mean).astype(x.dtype)"
VAR = "var = np.mean(centred**2, axis=0, dtype=np.float64)"
KEEP_MEAN = 'bn_param["running_mean"] = (momentum * running_mean + (1 - momentum) * mean).astype(x.dtype)'
KEEP_VAR = 'bn_param["running_var"] = (momentum * running_var + (1 - momentum) * var).astype(x.dtype)'
INV_STD = "inv_std = (1 / np.sqrt(var + eps)).astype(x.dtype)"
OUT = "out = gamma * (centred * inv_std) + beta"
TEST_VAR = "var = running_var"
TEST_CENTRED = "centred = x - running_mean"
TRAIN = 'if mode == "train":'


def _wrong(function, id, explanation, advice, *versions):
    """Register a mistake; each version is a list of edits of the reference."""
    register = misconception(id, function=function, explanation=explanation, advice=advice)
    for version in versions:
        register(edited(function, *version))


def _forward(id, explanation, advice, *versions):
    _wrong(FORWARD, id, explanation, advice, *versions)


# ---- forward, in training

_forward(
    "bn_without_gamma_and_beta",
    "gamma and beta are not used: out is the normalised x itself.",
    "Which arguments does your function not use?",
    [(OUT, "out = centred * inv_std + 0 * beta")],
)
_forward(
    "bn_without_beta",
    "The shift beta is missing: out is gamma times the normalised x.",
    "Which argument does your function not use?",
    [(OUT, "out = gamma * (centred * inv_std)")],
)
_forward(
    "bn_without_gamma",
    "The scale gamma is missing: out is the normalised x plus beta.",
    "Which argument does your function not use?",
    [(OUT, "out = centred * inv_std + beta")],
)
_forward(
    "bn_gamma_beta_swapped",
    "gamma and beta have changed places: beta multiplies and gamma is added.",
    "gamma is the scale, beta the shift.",
    [(OUT, "out = beta * (centred * inv_std) + gamma")],
)
_forward(
    "bn_gamma_before_normalising",
    "gamma and beta act on x before it is normalised, and the normalisation takes them out again.",
    "Normalise first; then scale and shift.",
    [(MEAN, "x = gamma * x + beta; " + MEAN), (OUT, "out = centred * inv_std")],
)
_forward(
    "bn_divided_by_variance",
    "The centred x is divided by the variance; it should be divided by the standard deviation.",
    "How does the standard deviation come from the variance?",
    [(INV_STD, "inv_std = 1 / (var + eps)")],
    [(INV_STD, "inv_std = 1 / (var + eps if mode == 'train' else np.sqrt(var + eps))")],
)
_forward(
    "bn_multiplied_by_deviation",
    "The centred x is multiplied by the standard deviation; it should be divided by it.",
    "Wide features are to become narrower. What does your function do to them?",
    [(INV_STD, "inv_std = np.sqrt(var + eps)")],
)
_forward(
    "bn_not_centred",
    "x is divided by its deviation, but its mean is not subtracted.",
    "The numerator of the formula is a difference.",
    [(OUT, "out = gamma * (x * inv_std) + beta")],
    [(OUT, "out = gamma * ((x if mode == 'train' else centred) * inv_std) + beta")],
)
_forward(
    "bn_not_scaled",
    "The mean is subtracted, but nothing is divided by the standard deviation.",
    "Two steps make mean 0 and variance 1: which of them is missing?",
    [(OUT, "out = gamma * centred + beta")],
)
_forward(
    "bn_over_features",
    "Each example is normalised over its features, which is layer norm; batch norm normalises each feature.",
    "The running mean has one number for each feature: so has the mean. Over which axis is it taken?",
    [
        (
            OUT,
            "out = gamma * (x - x.mean(axis=1, keepdims=True))"
            " / np.sqrt(x.var(axis=1, keepdims=True) + eps) + beta",
        )
    ],
    [(MEAN, "mean = x.mean(axis=1)"), (VAR, "var = x.var(axis=1)")],  # fails unless N = D
)
_forward(
    "bn_over_everything",
    "One mean and one variance are taken over the whole batch; each feature has its own.",
    "Give mean and var an axis: which one has to disappear?",
    [
        (MEAN, "mean = x.mean() + np.zeros(x.shape[1])"),
        (VAR, "var = np.mean(centred**2) + np.zeros(x.shape[1])"),
    ],
)
_forward(
    "bn_variance_unbiased",
    "The variance is divided by N - 1; in this course it divides by N, in the running average too.",
    "The formula in the notebook is a mean over N examples. What is ddof in np.var?",
    [(VAR, "var = x.var(axis=0, ddof=len(x) > 1)")],
    [(KEEP_VAR, KEEP_VAR.replace("* var)", "* var * len(x) / max(len(x) - 1, 1))"))],
)
_forward(
    "bn_variance_not_centred",
    "The variance is the mean of the squares of x; it is the mean of the squared distances from the mean.",
    "A feature that is always 100 does not vary. What does your formula say?",
    [(VAR, "var = np.mean(x**2, axis=0)")],
)
_forward(
    "bn_variance_summed",
    "The squared distances from the mean are added up; the variance is their mean.",
    "Who divides by N?",
    [(VAR, "var = np.sum(centred**2, axis=0)")],
)
_forward(
    "bn_eps_missing",
    "eps is not used: where a feature never varies, 0 is divided by 0.",
    "Add eps to the variance before you take the root.",
    [(INV_STD, "inv_std = 1 / np.sqrt(var)")],
)
_forward(
    "bn_eps_fixed",
    "eps is always 1e-5; it should be what bn_param says.",
    "The lines above your task have read eps already: use the variable.",
    [(INV_STD, "inv_std = 1 / np.sqrt(var + 1e-5)")],
)
_forward(
    "bn_eps_outside_and_inside",
    "eps is added twice, to the variance and to the standard deviation.",
    "Once is enough to keep the division possible.",
    [(INV_STD, "inv_std = 1 / (np.sqrt(var + eps) + eps)")],
)
_forward(
    "bn_running_used_in_training",
    "In train mode the running averages normalise x; in training it is the batch's own mean and variance.",
    "In which of the two modes do the running averages act?",
    [(OUT, "centred, var = (x - running_mean, running_var)\n    " + INV_STD + "\n    " + OUT)],
    [
        (
            OUT,
            "if mode == 'train':\n"
            '        centred, var = x - bn_param["running_mean"], bn_param["running_var"]\n'
            "    " + INV_STD + "\n    " + OUT,
        )
    ],
)

# ---- running averages

_forward(
    "bn_running_deviation",
    "running_var averages the standard deviation; it should average the variance.",
    "Which of the two goes into the average, and where is the root taken?",
    [(KEEP_VAR, KEEP_VAR.replace("* var)", "* np.sqrt(var))"))],
    [(KEEP_VAR, KEEP_VAR.replace("* var)", "* np.sqrt(var + eps))")), (TEST_VAR, "var = running_var**2")],
)
_forward(
    "bn_running_overwritten",
    "The running averages are overwritten by the mean and variance of the last batch.",
    "What does momentum say about the old averages?",
    [
        (KEEP_MEAN, 'bn_param["running_mean"] = mean'),
        (KEEP_VAR, 'bn_param["running_var"] = var'),
    ],
)
_forward(
    "bn_running_not_stored",
    "The new running averages are not put into bn_param: the next call knows nothing of them.",
    "Local variables end with the call. Which of your arguments lives on?",
    [(KEEP_MEAN, "running_mean = running_mean"), (KEEP_VAR, "running_var = running_var")],
)
_forward(
    "bn_running_mean_not_stored",
    "The running variance is kept in bn_param, but not the running mean.",
    "There are two running averages. Do both end up in bn_param?",
    [(KEEP_MEAN, "running_mean = running_mean")],
)
_forward(
    "bn_running_var_not_stored",
    "The running mean is kept in bn_param, but not the running variance.",
    "There are two running averages. Do both end up in bn_param?",
    [(KEEP_VAR, "running_var = running_var")],
)
_forward(
    "bn_running_weights_swapped",
    "The weights of the running averages are the wrong way round: momentum weighs the batch.",
    "With momentum 0.9 a batch should contribute a tenth. How much does it contribute in your code?",
    [
        (KEEP_MEAN, 'bn_param["running_mean"] = (1 - momentum) * running_mean + momentum * mean'),
        (KEEP_VAR, 'bn_param["running_var"] = (1 - momentum) * running_var + momentum * var'),
    ],
)
_forward(
    "bn_running_momentum_fixed",
    "The running averages always use 0.9; momentum should be what bn_param says.",
    "The lines above your task have read momentum already: use the variable.",
    [
        (KEEP_MEAN, KEEP_MEAN.replace("(1 - momentum)", "0.1").replace("momentum *", "0.9 *")),
        (KEEP_VAR, KEEP_VAR.replace("(1 - momentum)", "0.1").replace("momentum *", "0.9 *")),
    ],
)
_forward(
    "bn_running_sum",
    "The batch is added to the running averages in full; the two weights of an average add up to 1.",
    "Were all batches the same, the average would have to stay what it is. Does yours?",
    [
        (KEEP_MEAN, 'bn_param["running_mean"] = momentum * running_mean + mean'),
        (KEEP_VAR, 'bn_param["running_var"] = momentum * running_var + var'),
    ],
    [
        (KEEP_MEAN, 'bn_param["running_mean"] = running_mean + mean'),
        (KEEP_VAR, 'bn_param["running_var"] = running_var + var'),
    ],
    [
        (KEEP_MEAN, 'bn_param["running_mean"] = running_mean + (1 - momentum) * mean'),
        (KEEP_VAR, 'bn_param["running_var"] = running_var + (1 - momentum) * var'),
    ],
)
_forward(
    "bn_running_old_forgotten",
    "The old running averages play no part: each step starts again.",
    "Where does the old average stand in your formula, and where do you read it?",
    [
        (KEEP_MEAN, 'bn_param["running_mean"] = (1 - momentum) * mean'),
        (KEEP_VAR, 'bn_param["running_var"] = (1 - momentum) * var'),
    ],
    [
        (KEEP_MEAN, "running_mean = 0.0; " + KEEP_MEAN),
        (KEEP_VAR, "running_var = 1.0; " + KEEP_VAR),
    ],
)
_forward(
    "bn_running_var_starts_at_zero",
    "Without an old one the running variance starts at 0; it should start at 1.",
    "What would testing before any training divide by?",
    [(KEEP_VAR, 'running_var = bn_param.get("running_var", np.zeros(x.shape[1]))\n        ' + KEEP_VAR)],
)
_forward(
    "bn_running_starts_with_batch",
    "Without old ones the running averages are those of the first batch; they should start at 0 and 1.",
    "The function's description says what the averages are before the first step.",
    [
        (
            KEEP_MEAN,
            'fresh = "running_mean" not in bn_param\n        '
            + KEEP_MEAN
            + '\n        if fresh:\n            bn_param["running_mean"] = mean',
        ),
        (KEEP_VAR, KEEP_VAR + '\n        if fresh:\n            bn_param["running_var"] = var'),
    ],
)
_forward(
    "bn_running_mean_and_var_swapped",
    "running_mean holds the average of the variances, and running_var that of the means.",
    "Compare the two lines that fill bn_param letter by letter.",
    [
        (MEAN, MEAN + "\n        var = x.var(axis=0)"),
        (KEEP_MEAN, KEEP_MEAN.replace("* mean", "* var")),
        (KEEP_VAR, KEEP_VAR.replace("* var)", "* mean)")),
    ],
)
_forward(
    "bn_running_of_outputs",
    "The running averages are those of the outputs; they should be those of x.",
    "In test mode they take the place of the batch's mean and variance. Of which array are these?",
    [
        (KEEP_MEAN, "pass"),
        (KEEP_VAR, "pass"),
        (
            OUT,
            OUT
            + "\n    if mode == 'train':\n"
            + "        mean, var = out.mean(axis=0), out.var(axis=0)\n        "
            + KEEP_MEAN
            + "\n        "
            + KEEP_VAR,
        ),
    ],
)

# ---- forward, in testing

_forward(
    "bn_test_batch_statistics",
    "Test mode normalises with the mean and variance of the batch; it should use the running averages.",
    "In testing no example may depend on the others. What in your code depends on them?",
    [(TEST_CENTRED, "centred = x - x.mean(axis=0)"), (TEST_VAR, "var = x.var(axis=0)")],
    [(TRAIN, "if True:")],
)
_forward(
    "bn_test_without_gamma_and_beta",
    "Test mode forgets gamma and beta.",
    "Scale and shift are the same in both modes: train and test differ in mean and variance alone.",
    [(OUT, OUT + "\n    if mode == 'test':\n        out = centred * inv_std")],
)
_forward(
    "bn_test_without_beta",
    "Test mode forgets beta.",
    "Scale and shift are the same in both modes: train and test differ in mean and variance alone.",
    [(OUT, OUT + "\n    if mode == 'test':\n        out = gamma * centred * inv_std")],
)
_forward(
    "bn_test_without_gamma",
    "Test mode forgets gamma.",
    "Scale and shift are the same in both modes: train and test differ in mean and variance alone.",
    [(OUT, OUT + "\n    if mode == 'test':\n        out = centred * inv_std + beta")],
)
_forward(
    "bn_test_divided_by_variance",
    "Test mode divides by running_var; that is a variance, and the root is missing.",
    "Train mode divides by a standard deviation. Which one belongs to running_var?",
    [(TEST_VAR, "var = running_var**2")],
)
_forward(
    "bn_test_not_centred",
    "Test mode does not subtract the running mean.",
    "Two running averages are kept. Where does test mode use each of them?",
    [(TEST_CENTRED, "centred = x")],
)
_forward(
    "bn_test_not_scaled",
    "Test mode does not divide by the running standard deviation.",
    "Two running averages are kept. Where does test mode use each of them?",
    [(TEST_VAR, "var = np.ones(x.shape[1])")],
)
_forward(
    "bn_test_mean_of_batch",
    "Test mode subtracts the mean of the batch; it should subtract the running mean.",
    "In testing no example may depend on the others. What in your code depends on them?",
    [(TEST_CENTRED, "centred = x - x.mean(axis=0)")],
)
_forward(
    "bn_test_variance_of_batch",
    "Test mode divides by the deviation of the batch; it should use the running variance.",
    "In testing no example may depend on the others. What in your code depends on them?",
    [(TEST_VAR, "var = x.var(axis=0)")],
)
_forward(
    "bn_test_not_normalised",
    "Test mode does not normalise: out is gamma times x plus beta.",
    "What are the running averages kept for?",
    [(TEST_CENTRED, "centred = x"), (TEST_VAR, "var = np.ones(x.shape[1])")],
)
_forward(
    "bn_test_averages_on",
    "Test mode changes the running averages; only training may do that.",
    "Does the use of a network change what it says next time?",
    [
        (
            TEST_VAR,
            TEST_VAR
            + "\n        mean = x.mean(axis=0)\n        "
            + KEEP_MEAN
            + '\n        bn_param["running_var"] = momentum * running_var + (1 - momentum) * x.var(axis=0)',
        )
    ],
)


# ---- backward, step by step

NORMALIZED = "N = dout.shape[0]\n    normalized = centred * inv_std"
DBETA = "dbeta = dout.sum(axis=0)"
DGAMMA = "dgamma = (dout * normalized).sum(axis=0)"
DNORMALIZED = "dnormalized = dout * gamma"
DCENTRED = "dcentred = dnormalized * inv_std"
DINV_STD = "dinv_std = (dnormalized * centred).sum(axis=0)"
DVAR = "dvar = dinv_std * -0.5 * inv_std**3"
THROUGH_VAR = "dcentred += dvar * 2 * centred / N"
DMEAN = "dmean = -dcentred.sum(axis=0)"
DX = "dx = dcentred + dmean / N"
IF_TEST = 'if mode == "test":'


def _backward(id, explanation, advice, *versions):
    _wrong(BACKWARD, "bn_back_" + id, explanation, advice, *versions)


_CONSTANTS = (
    "constants",
    "Mean and variance are taken as constants, but in training they depend on every example of the batch.",
    "By which ways does one number of x reach the outputs? There are three, and their gradients add.",
)
_backward(
    *_CONSTANTS,
    [(DX, "dx = dnormalized * inv_std")],
)
_backward(
    "mean_constant",
    "The way through the mean is missing in dx: the mean depends on every example too.",
    "Each number of x moves the mean a little, and the mean moves all outputs.",
    [(DX, "dx = dcentred")],
)
_backward(
    "variance_constant",
    "The way through the variance is missing in dx: the variance depends on every example too.",
    "Each number of x changes the variance a little, and the variance scales all outputs.",
    [(THROUGH_VAR, "dcentred = dcentred")],
    [(DINV_STD, "dinv_std = dnormalized.sum(axis=0) * centred.sum(axis=0)")],  # the sum outside the product
)
_backward(
    "variance_not_summed",
    "The gradient of the variance is not summed over the batch: each example keeps only its own share.",
    "One variance was broadcast to all examples. What is the backward pass of a broadcast?",
    [(DINV_STD, "dinv_std = dnormalized * centred")],
)
_backward(
    "mean_not_summed",
    "The gradient of the mean is not summed over the batch: each example keeps only its own share.",
    "One mean was broadcast to all examples. What is the backward pass of a broadcast?",
    [(DMEAN, "dmean = -dcentred")],
)
_backward(
    "mean_without_n",
    "The way through the mean lacks its 1/N.",
    "By how much does the mean change when one number of x grows by 1?",
    [(DX, "dx = dcentred + dmean")],
)
_backward(
    "variance_without_n",
    "The way through the variance lacks its 1/N.",
    "The variance is a mean of squares: what is its derivative by one of them?",
    [(THROUGH_VAR, "dcentred += dvar * 2 * centred")],
)
_backward(
    "both_without_n",
    "The ways through mean and variance both lack their 1/N.",
    "By how much does a mean over N numbers change when one of them grows by 1?",
    [(THROUGH_VAR, "dcentred += dvar * 2 * centred"), (DX, "dx = dcentred + dmean")],
    [
        (THROUGH_VAR, "dcentred += dvar * 2 * centred"),
        (DX, "dx = dnormalized * inv_std + dvar * 2 * centred - (dnormalized * inv_std).sum(axis=0)"),
    ],
)
_backward(
    "mean_sign",
    "The gradient of the mean has the wrong sign: the mean is subtracted from x.",
    "What is the derivative of x - mean by the mean?",
    [(DMEAN, "dmean = dcentred.sum(axis=0)")],
)
_backward(
    "variance_sign",
    "The gradient of the variance has the wrong sign: a larger variance makes the outputs smaller.",
    "What is the derivative of v to the power of -1/2?",
    [(DVAR, "dvar = dinv_std * 0.5 * inv_std**3")],
)
_backward(
    "variance_half",
    "The factor 1/2 of the square root's derivative is missing: the way through the variance counts double.",
    "What is the derivative of v to the power of -1/2?",
    [(DVAR, "dvar = -dinv_std * inv_std**3")],
)
_backward(
    "square_factor",
    "The factor 2 of the square's derivative is missing: the way through the variance counts half.",
    "The variance is a mean of squares. What is the derivative of a square?",
    [(THROUGH_VAR, "dcentred += dvar * centred / N")],
)
_backward(
    "variance_power",
    "The gradient of the variance has the wrong power of the standard deviation.",
    "Going from v to the power of -1/2 to its derivative, the exponent falls by 1.",
    [(DVAR, "dvar = dinv_std * -0.5 * inv_std")],
    [(DVAR, "dvar = dinv_std * -0.5 * inv_std**2")],
    [(DVAR, "dvar = dinv_std * -0.5 / inv_std")],
    [(DVAR, "dvar = dinv_std * -0.5 / inv_std**3")],
    [(DVAR, "dvar = dinv_std * -0.5 * inv_std**1.5")],
    [(DVAR, "dvar = dinv_std * -0.5")],
)
_backward(
    "multiplied_by_deviation",
    "Somewhere dx is multiplied by the standard deviation where it should be divided by it.",
    "The wider a feature, the less its outputs feel a change of x.",
    [(DCENTRED, "dcentred = dnormalized / inv_std")],
    [(DX, "dx = dcentred / inv_std**2 + dmean / N / inv_std**2")],
)
_backward(
    "deviation_forgotten",
    "The direct way lacks the division by the standard deviation.",
    "Step by step: the normalised x is the centred one times something. What is its derivative?",
    [(DCENTRED, "dcentred = dnormalized * 1.0")],
    [(DX, "dx = (dcentred + dmean / N) / inv_std")],
)
_backward(
    "gamma_forgotten",
    "gamma is missing in dx: dout reaches the normalised x through the scale.",
    "out is gamma times the normalised x, plus beta. What is its derivative by the normalised x?",
    [(DNORMALIZED, "dnormalized = dout")],
)
_backward(
    "beta_for_gamma",
    "dx is scaled with dgamma; it should be scaled with gamma.",
    "Which of the two stands in the forward pass?",
    [(DNORMALIZED, "dnormalized = dout * dgamma")],
)
_backward(
    "dgamma_of_centred",
    "dgamma uses the centred x; gamma multiplies the normalised x.",
    "What exactly is multiplied by gamma in the forward pass?",
    [(DGAMMA, "dgamma = (dout * centred).sum(axis=0)")],
)
_backward(
    "dgamma_like_dbeta",
    "dgamma is the sum of dout, which is dbeta; the normalised x is missing.",
    "The derivative of a product by one factor is the other factor.",
    [(DGAMMA, "dgamma = dout.sum(axis=0)")],
)
_backward(
    "dgamma_with_gamma",
    "dgamma has a factor gamma too many.",
    "The derivative of gamma times the normalised x, by gamma: is gamma still in it?",
    [(DGAMMA, "dgamma = (dout * gamma * normalized).sum(axis=0)")],
    [(DGAMMA, "dgamma = gamma * (dout * normalized).sum(axis=0)")],
)
_backward(
    "dgamma_sums_multiplied",
    "dgamma multiplies two sums; it should sum the products.",
    "For each example, dout times the normalised x; then add over the examples.",
    [(DGAMMA, "dgamma = dout.sum(axis=0) * normalized.sum(axis=0)")],
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
    "sums_over_features",
    "dgamma or dbeta is summed over the features of each example; it should be summed over the examples.",
    "They have the shapes of gamma and beta. Which axis of dout has to disappear?",
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
    "dgamma_dbeta_swapped",
    "dgamma and dbeta have changed places.",
    "In which order does the function return its three gradients?",
    [
        (DX, DX + "\n    dgamma, dbeta = dbeta, dgamma"),
        (IF_TEST, IF_TEST + "\n        dgamma, dbeta = dbeta, dgamma"),
    ],
)
_backward(
    "test_as_training",
    "In test mode dx is computed as in training, but there mean and variance are constants.",
    "Which ways from x to the outputs are left when the running averages normalise?",
    [(IF_TEST, "if False:")],
)
_backward(
    "test_without_gamma",
    "In test mode dx lacks gamma.",
    "Test mode scales by gamma too.",
    [("return dcentred, dgamma, dbeta", "return dout * inv_std, dgamma, dbeta")],
)
_backward(
    "test_without_deviation",
    "In test mode dx lacks the division by the running standard deviation.",
    "In test mode x is divided by a constant. What becomes of it in the derivative?",
    [("return dcentred, dgamma, dbeta", "return dnormalized, dgamma, dbeta")],
)
_backward(
    "eps_fixed",
    "The backward pass computes the deviation anew, with eps = 1e-5; it should be that of the forward pass.",
    "What can you keep in the cache, so that nothing has to be computed twice?",
    [
        (
            NORMALIZED,
            NORMALIZED
            + "\n    if mode == 'train':\n        inv_std = 1 / np.sqrt(np.mean(centred**2, axis=0) + 1e-5)",
        )
    ],
    [
        (
            NORMALIZED,
            NORMALIZED
            + "\n    if mode == 'train':\n        inv_std = 1 / np.sqrt(np.mean(centred**2, axis=0))",
        )
    ],
)


# ---- backward by the short formula

ALT_DX = "dx = gamma * inv_std * (dout - dbeta / N - normalized * (dgamma / N))"
ALT_TEST = "return gamma * inv_std * dout, dgamma, dbeta"


def _alt(id, explanation, advice, *versions):
    _wrong(ALT, "bn_alt_" + id, explanation, advice, *versions)


_alt(
    *_CONSTANTS,
    [(ALT_DX, "dx = gamma * inv_std * dout")],
)
_alt(
    "without_dbeta",
    "The term with dbeta is missing in dx: it comes from the mean.",
    "Three terms remain in the bracket: one for each way from x to the outputs.",
    [(ALT_DX, "dx = gamma * inv_std * (dout - normalized * (dgamma / N))")],
)
_alt(
    "without_dgamma",
    "The term with dgamma is missing in dx: it comes from the variance.",
    "Three terms remain in the bracket: one for each way from x to the outputs.",
    [(ALT_DX, "dx = gamma * inv_std * (dout - dbeta / N)")],
)
_alt(
    "without_normalized",
    "The term with dgamma lacks the normalised x: it is not the same for all examples.",
    "How does the variance change with one number of x? It depends on how far that is from the mean.",
    [(ALT_DX, "dx = gamma * inv_std * (dout - dbeta / N - dgamma / N)")],
)
_alt(
    "centred_for_normalized",
    "The term with dgamma uses the centred x where the normalised one should stand.",
    "Follow the powers of the standard deviation on paper: every term in the bracket has the units of dout.",
    [(ALT_DX, "dx = gamma * inv_std * (dout - dbeta / N - centred * (dgamma / N))")],
)
_alt(
    "n_missing",
    "The sums in dx are not divided by N.",
    "They come from means over the batch. Did the 1/N get lost in simplifying?",
    [(ALT_DX, "dx = gamma * inv_std * (dout - dbeta - normalized * dgamma)")],
)
_alt(
    "n_of_dout",
    "dx is divided by N as a whole, but dout has not been multiplied by N before.",
    "With 1/N in front of the bracket, what has to stand in it in the place of dout?",
    [(ALT_DX, "dx = gamma * inv_std * (dout - dbeta - normalized * dgamma) / N")],
)
_alt(
    "divided_by_d",
    "The sums are divided by the number of features; they should be divided by the number of examples.",
    "Over what do the mean and the variance run?",
    [(ALT_DX, "N = dout.shape[1]\n    " + ALT_DX)],
)
_alt(
    "n_too_large",
    "dx is N times too large.",
    "With N times dout in the bracket, a 1/N stands in front of it.",
    [(ALT_DX, "dx = gamma * inv_std * (N * dout - dbeta - normalized * dgamma)")],
)
_alt(
    "n_minus_one",
    "The sums are divided by N - 1; mean and variance divide by N here.",
    "Which of the two stands in the forward pass?",
    [(ALT_DX, "N = N - 1\n    " + ALT_DX)],
)
_alt(
    "sign",
    "A term in dx has the wrong sign.",
    "Mean and variance take something out of dout: both terms are subtracted.",
    [(ALT_DX, "dx = gamma * inv_std * (dout - dbeta / N + normalized * (dgamma / N))")],
    [(ALT_DX, "dx = gamma * inv_std * (dout + dbeta / N - normalized * (dgamma / N))")],
    [(ALT_DX, "dx = gamma * inv_std * (dout + dbeta / N + normalized * (dgamma / N))")],
)
_alt(
    "gamma_forgotten",
    "gamma is missing in dx: dout reaches the normalised x through the scale.",
    "Multiply once more: what is the derivative of out by the normalised x?",
    [(ALT_DX, "dx = inv_std * (dout - dbeta / N - normalized * (dgamma / N))")],
)
_alt(
    "gamma_in_one_term",
    "gamma multiplies only some of the terms of dx.",
    "Every way from x to the outputs goes through gamma. Look at the brackets.",
    [(ALT_DX, "dx = inv_std * (gamma * dout - dbeta / N - normalized * (dgamma / N))")],
    [(ALT_DX, "dx = inv_std * (gamma * dout - gamma * dbeta / N - normalized * (dgamma / N))")],
)
_alt(
    "gamma_twice",
    "gamma stands twice in some terms of dx.",
    "dgamma and dbeta are sums of dout itself. In which of your terms is gamma already?",
    [(ALT_DX, "dx = gamma * inv_std * (gamma * dout - dbeta / N - normalized * (dgamma / N))")],
    [(ALT_DX, "dx = gamma * inv_std * (dout - gamma * dbeta / N - gamma * normalized * (dgamma / N))")],
    [(ALT_DX, "dx = gamma**2 * inv_std * (dout - dbeta / N - normalized * (dgamma / N))")],
)
_alt(
    "multiplied_by_deviation",
    "dx is multiplied by the standard deviation; it should be divided by it.",
    "The wider a feature, the less its outputs feel a change of x.",
    [(ALT_DX, "dx = gamma / inv_std * (dout - dbeta / N - normalized * (dgamma / N))")],
)
_alt(
    "deviation_forgotten",
    "dx is not divided by the standard deviation.",
    "The wider a feature, the less its outputs feel a change of x.",
    [(ALT_DX, "dx = gamma * (dout - dbeta / N - normalized * (dgamma / N))")],
)
_alt(
    "divided_by_variance",
    "dx is divided by the variance; it should be divided by the standard deviation.",
    "Follow the powers of the standard deviation on paper.",
    [(ALT_DX, "dx = gamma * inv_std**2 * (dout - dbeta / N - normalized * (dgamma / N))")],
)
_alt(
    "cache_mixed_up",
    "A value from the cache is taken for another: the centred x for the normalised one.",
    "Both backward passes unpack what batchnorm_forward packs. Compare names and order in the three lines.",
    [(NORMALIZED, "N = dout.shape[0]\n    normalized = centred")],
)
_alt(
    "sums_averaged",
    "dgamma or dbeta is averaged over the batch; the gradient of a sum is the sum.",
    "Each example adds to these gradients. The loss has averaged already.",
    [(DGAMMA, "dgamma = (dout * normalized).mean(axis=0)"), (DBETA, "dbeta = dout.mean(axis=0)")],
    [(ALT_DX, ALT_DX + "\n    dgamma, dbeta = dgamma / N, dbeta / N")],
)
_alt(
    "dgamma_of_centred",
    "dgamma uses the centred x; gamma multiplies the normalised x.",
    "What exactly is multiplied by gamma in the forward pass?",
    [(DGAMMA, "dgamma = (dout * centred).sum(axis=0)")],
    [(ALT_DX, ALT_DX + "\n    dgamma = (dout * centred).sum(axis=0)")],
)
_alt(
    "sums_over_features",
    "dgamma and dbeta are summed over the features of each example; they should be summed over the examples.",
    "They have the shapes of gamma and beta. Which axis of dout has to disappear?",
    [(ALT_DX, ALT_DX + "\n    dgamma, dbeta = (dout * normalized).sum(axis=1), dout.sum(axis=1)")],
)
_alt(
    "dgamma_dbeta_swapped",
    "dgamma and dbeta have changed places.",
    "In which order does the function return its three gradients?",
    [
        (ALT_DX, ALT_DX + "\n    dgamma, dbeta = dbeta, dgamma"),
        (ALT_TEST, "return gamma * inv_std * dout, dbeta, dgamma"),
    ],
)
_alt(
    "test_as_training",
    "In test mode dx is computed as in training, but there mean and variance are constants.",
    "Which ways from x to the outputs are left when the running averages normalise?",
    [(IF_TEST, "if False:")],
)
_alt(
    "test_without_gamma",
    "In test mode dx lacks gamma.",
    "Test mode scales by gamma too.",
    [(ALT_TEST, "return inv_std * dout, dgamma, dbeta")],
)
_alt(
    "eps_fixed",
    "The backward pass computes the deviation anew, with eps = 1e-5; it should be that of the forward pass.",
    "What can you keep in the cache, so that nothing has to be computed twice?",
    [
        (
            NORMALIZED,
            NORMALIZED
            + "\n    if mode == 'train':\n        inv_std = 1 / np.sqrt(np.mean(centred**2, axis=0) + 1e-5)",
        )
    ],
)
