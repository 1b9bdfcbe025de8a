"""What goes wrong in spatial batch norm and in group norm."""

import numpy as np

from handgrad.layers import batchnorm_forward

from . import edited, misconception

BATCH_FORWARD = "handgrad.layers.norm.spatial_batchnorm_forward"
BATCH_BACKWARD = "handgrad.layers.norm.spatial_batchnorm_backward"
GROUP_FORWARD = "handgrad.layers.norm.spatial_groupnorm_forward"
GROUP_BACKWARD = "handgrad.layers.norm.spatial_groupnorm_backward"


def _wrong(function, id, explanation, advice, *versions):
    """Versions are functions, or lists of edits of the reference."""
    named = misconception(id, function=function, explanation=explanation, advice=advice)
    for version in versions:
        named(edited(function, *version) if isinstance(version, list) else version)


def _with_x(forward, kept, backward, *edits):
    """A wrong backward pass for a cache in which x is kept."""
    wrong = edited(backward, *edits)
    wrong.together_with = {forward: edited(forward, kept)}
    return wrong


# ---- spatial batch norm, forward

ROWS = "rows = x.transpose(0, 2, 3, 1).reshape(-1, C)"
BACK = "out.reshape(N, H, W, C).transpose(0, 3, 1, 2), cache"
CALL = "batchnorm_forward(rows, gamma, beta, bn_param)"


def by_formula(axes, test_axes=None):
    """Spatial batch norm with the batch's statistics over these axes."""

    def spatial_batchnorm_forward(x, gamma, beta, bn_param):
        eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
        g, b = gamma[:, None, None], beta[:, None, None]
        if bn_param["mode"] == "test":
            mean, var = (bn_param[key][:, None, None] for key in ("running_mean", "running_var"))
        else:
            mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
            for key, start, value in (("running_mean", 0, mean), ("running_var", 1, var)):
                # One number for each channel is kept all the same.
                value = np.broadcast_to(value, x.shape).mean(axis=(0, 2, 3))
                old = bn_param.get(key, np.full(len(gamma), float(start)))
                bn_param[key] = momentum * old + (1 - momentum) * value
        return g * (x - mean) / np.sqrt(var + eps) + b, None

    return spatial_batchnorm_forward


def image_by_image(x, gamma, beta, bn_param):
    out = np.zeros(x.shape)
    for n, image in enumerate(x):
        rows = image.reshape(len(gamma), -1).T
        out[n] = batchnorm_forward(rows, gamma, beta, bn_param)[0].T.reshape(image.shape)
    return out, None


def positions_as_features(x, gamma, beta, bn_param):
    """Every place of every channel is a feature of its own."""
    N, _, H, W = x.shape
    param = dict(bn_param)
    for key in ("running_mean", "running_var"):
        if key in param:
            param[key] = np.repeat(param[key], H * W)
    rows = x.reshape(N, -1)
    out, _ = batchnorm_forward(rows, np.repeat(gamma, H * W), np.repeat(beta, H * W), param)
    for key in ("running_mean", "running_var"):
        if bn_param["mode"] == "train":
            bn_param[key] = param[key]
    return out.reshape(x.shape), None


_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_not_moved",
    "The images are reshaped to C columns without moving the axis of the channels: each mixes all channels.",
    "reshape keeps the order in memory. Which axis has to be the last before it?",
    [(ROWS, "rows = x.reshape(-1, C)"), (BACK, "out.reshape(N, C, H, W), cache")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_moved_forward_only",
    "On the way back the axis of the channels is not moved: the numbers stand at wrong places.",
    "Undo at the end what you did first: both steps, in reverse order.",
    [(BACK, "out.reshape(N, C, H, W), cache")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_moved_back_only",
    "The axis of the channels is moved on the way back, but not on the way there.",
    "What is the order of the axes before the first reshape?",
    [(ROWS, "rows = x.reshape(-1, C)")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_channels_first",
    "The axis of the channels is moved to the front, but C columns are made of it: each mixes channels.",
    "Columns are the last axis. Print what arrives in one of them for a small x.",
    [
        (ROWS, "rows = x.transpose(1, 0, 2, 3).reshape(-1, C)"),
        (BACK, "out.reshape(C, N, H, W).transpose(1, 0, 2, 3), cache"),
    ],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_height_and_width_swapped",
    "Height and width are swapped on the way to the table and not on the way back.",
    "Write the order of the axes beside each step. For square images the mistake is hard to see.",
    [(ROWS, "rows = x.transpose(0, 3, 2, 1).reshape(-1, C)")],
    [(ROWS, "rows = x.T.reshape(C, -1).T")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_out_transposed",
    "Height and width of out are swapped.",
    "Where does each axis go in your last transpose?",
    [(BACK, "out.reshape(N, H, W, C).transpose(0, 3, 2, 1), cache")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_channels_stay_last",
    "The channels of out are the last axis; they should be the second, as in x.",
    "out has the shape of x.",
    [(BACK, "out.reshape(N, H, W, C), cache")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_out_in_rows",
    "out is still a table; it should have the shape of x.",
    "Undo at the end what you did first.",
    [(BACK, "out, cache")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_by_position",
    "Each place of an image has statistics of its own; a channel has one mean and variance for all places.",
    "What is an example here, and how many are there? Every pixel of every image counts as one.",
    by_formula(axes=0),
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_positions_as_features",
    "Each place of each channel is taken as a feature of its own, with its own running averages.",
    "A table with C columns is needed: what are its rows?",
    positions_as_features,
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_by_image",
    "Each image has statistics of its own; batch norm takes them over all images of the batch.",
    "A channel has one mean and one variance for the whole batch.",
    by_formula(axes=(2, 3)),
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_image_by_image",
    "batchnorm_forward is called for each image alone, which also changes the running averages N times.",
    "Make one table of all images, and call it once.",
    image_by_image,
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_over_channels",
    "The statistics are taken over the channels of each pixel; they should be of a channel over all pixels.",
    "Which axes have to disappear when you take the mean? gamma tells you which one stays.",
    by_formula(axes=1),
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_all_in_one",
    "All channels share one mean and one variance; each channel should have its own.",
    "Which axes have to disappear when you take the mean? gamma tells you which one stays.",
    by_formula(axes=(0, 1, 2, 3)),
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_without_height",
    "The statistics are taken over images and one of the two axes of a picture; both should be in it.",
    "How many numbers does a channel have in all?",
    by_formula(axes=(0, 3)),
    by_formula(axes=(0, 2)),
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_param_copied",
    "batchnorm_forward gets a copy of bn_param, so the running averages are lost.",
    "Hand on the dictionary that you were given.",
    [(CALL, "batchnorm_forward(rows, gamma, beta, dict(bn_param))")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_always_train",
    "Test mode takes the statistics of the batch; it should take the running averages.",
    "Which mode does batchnorm_forward see?",
    [(CALL, "batchnorm_forward(rows, gamma, beta, {**bn_param, 'mode': 'train'})")],
    [(CALL, "batchnorm_forward(rows, gamma, beta, {'mode': 'train'})")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_settings_lost",
    "batchnorm_forward gets a dictionary with fewer settings, or new running averages are not handed back.",
    "Hand on the dictionary that you were given.",
    [(CALL, "batchnorm_forward(rows, gamma, beta, {'mode': bn_param['mode']})")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_without_gamma",
    "The channels are not scaled: gamma is not used.",
    "Which arguments does your function not use?",
    [(CALL, "batchnorm_forward(rows, np.ones_like(gamma), beta, bn_param)")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_without_gamma_and_beta",
    "The channels are neither scaled nor shifted: gamma and beta are not used.",
    "Which arguments does your function not use?",
    [(CALL, "batchnorm_forward(rows, np.ones_like(gamma), np.zeros_like(beta), bn_param)")],
)
_wrong(
    BATCH_FORWARD,
    "spatial_batchnorm_table_transposed",
    "The table has a row for each channel; batchnorm_forward normalises columns.",
    "gamma has C numbers: how many columns does that need?",
    [(ROWS, "rows = x.transpose(1, 0, 2, 3).reshape(C, -1)")],
)


# ---- spatial batch norm, backward

DROWS = "rows = dout.transpose(0, 2, 3, 1).reshape(-1, C)"
DBACK = "return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta"
DCALL = "dx, dgamma, dbeta = batchnorm_backward_alt(rows, rows_cache)"
UNPACK = "mode, centred, inv_std, gamma = rows_cache"


def _dx(text):
    """dx of the rows, from dout (rows), and what the reference's cache holds."""
    lines = [DCALL, UNPACK, "normalized = centred * inv_std", "if mode == 'train':", f"    dx = {text}"]
    return [(DCALL, "\n    ".join(lines))]


_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_not_moved",
    "dout is reshaped to C columns without moving the axis of the channels: each column mixes all channels.",
    "dout has to take the same way as x in the forward pass.",
    [(DROWS, "rows = dout.reshape(-1, C)")],
    [(DROWS, "rows = dout.reshape(-1, C)"), (DBACK, "return dx.reshape(N, C, H, W), dgamma, dbeta")],
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_dx_not_moved",
    "dx is reshaped to images without moving the axis of the channels back.",
    "dx has to take the same way as out in the forward pass.",
    [(DBACK, "return dx.reshape(N, C, H, W), dgamma, dbeta")],
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_channels_first",
    "The axis of the channels is moved to the front, but C columns are made of it: each mixes channels.",
    "Columns are the last axis. Does dout take the same way as x did?",
    [
        (DROWS, "rows = dout.transpose(1, 0, 2, 3).reshape(-1, C)"),
        (DBACK, "return dx.reshape(C, N, H, W).transpose(1, 0, 2, 3), dgamma, dbeta"),
    ],
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_height_and_width_swapped",
    "Height and width are swapped on one of the two ways, so dout does not meet the x that it belongs to.",
    "Write the order of the axes beside each step, in both passes.",
    [
        (DROWS, "rows = dout.transpose(0, 3, 2, 1).reshape(-1, C)"),
        (DBACK, "return dx.reshape(N, W, H, C).transpose(0, 3, 2, 1), dgamma, dbeta"),
    ],
    [(DROWS, "rows = dout.transpose(0, 3, 2, 1).reshape(-1, C)")],
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_channels_stay_last",
    "The channels of dx are the last axis; they should be the second, as in x.",
    "dx has the shape of x.",
    [(DBACK, "return dx.reshape(N, H, W, C), dgamma, dbeta")],
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_in_rows",
    "dx is still a table; it should have the shape of x.",
    "Undo at the end what you did first.",
    [(DBACK, "return dx, dgamma, dbeta")],
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_constants",
    "Mean and variance are treated as constants; in train mode they depend on x.",
    "By how many ways does one number of x reach the outputs?",
    _dx("gamma * inv_std * rows"),
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_without_variance",
    "The way through the variance is missing in dx.",
    "By how many ways does one number of x reach the outputs?",
    _dx("gamma * inv_std * (rows - dbeta / len(rows))"),
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_without_mean",
    "The way through the mean is missing in dx.",
    "By how many ways does one number of x reach the outputs?",
    _dx("gamma * inv_std * (rows - normalized * (dgamma / len(rows)))"),
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_wrong_count",
    "In dx the sums are divided by the number of images; a channel's mean is over all their pixels.",
    "How many numbers share a mean?",
    _dx("gamma * inv_std * (rows - dbeta / N - normalized * (dgamma / N))"),
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_pixels_only",
    "In dx the sums are divided by the number of pixels of one image; a channel's mean is over all images.",
    "How many numbers share a mean?",
    _dx("gamma * inv_std * (rows - dbeta / (H * W) - normalized * (dgamma / (H * W)))"),
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_dgamma_of_centred",
    "dgamma multiplies dout with the centred numbers; it should be the normalised ones.",
    "What is gamma multiplied with in the forward pass?",
    [(DCALL, f"{DCALL}\n    {UNPACK}\n    dgamma = (rows * centred).sum(axis=0)")],
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_dgamma_of_x",
    "dgamma multiplies dout with x; it should be the normalised numbers.",
    "What is gamma multiplied with in the forward pass?",
    _with_x(
        BATCH_FORWARD,
        ("cache = (x.shape, rows_cache)", "cache = (x, rows_cache)"),
        BATCH_BACKWARD,
        ("shape, rows_cache = cache", "x, rows_cache = cache\n    shape = x.shape"),
        (DCALL, f"{DCALL}\n    dgamma = (dout * x).sum(axis=(0, 2, 3))"),
    ),
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_dgamma_of_images",
    "dgamma and dbeta are summed over the images alone; there is one of each for a channel.",
    "They have the shape of gamma: which axes have to disappear?",
    [
        (
            DCALL,
            f"{DCALL}\n    dbeta, dgamma = dout.sum(axis=0), "
            "(rows * rows_cache[1] * rows_cache[2]).reshape(N, H, W, C).transpose(0, 3, 1, 2).sum(axis=0)",
        )
    ],
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_dbeta_mean",
    "dbeta is a mean over images and pixels; the gradient of a sum is the sum.",
    "The same beta is added to every pixel, so every pixel adds to its gradient.",
    [(DCALL, f"{DCALL}\n    dbeta = dbeta / len(rows)")],
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_swapped",
    "dgamma and dbeta are swapped.",
    "In which order does batchnorm_backward return them, and in which does this function?",
    [(DBACK, "return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dbeta, dgamma")],
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_without_gamma",
    "gamma is missing in dx.",
    "Between out and the normalised numbers stands a factor.",
    [(DCALL, f"{DCALL}\n    dx = dx / rows_cache[3]")],
)
_wrong(
    BATCH_BACKWARD,
    "spatial_batchnorm_backward_always_train",
    "In test mode dx is that of train mode; there mean and variance are constants.",
    "On what do the statistics depend in test mode?",
    [(DCALL, f"rows_cache = ('train', *rows_cache[1:])\n    {DCALL}")],
)


# ---- group norm, forward

GROUPS = "groups = x.reshape(N, G, C // G * H * W)"
SHIFT = "out = gamma * normalized + beta"
VAR = "var = np.mean(centred**2, axis=2, keepdims=True, dtype=np.float64)"


def grouped(axes, shape=lambda N, C, H, W, G: (N, G, C // G, H, W), order=None, ddof=0):
    """Group norm with statistics over these axes of x, reshaped to `shape`, its axes put in `order`."""

    def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
        parts = x.reshape(shape(*x.shape, G))
        if order:
            parts = parts.transpose(order)
        mean = parts.mean(axis=axes, keepdims=True)
        var = parts.var(axis=axes, keepdims=True, ddof=ddof)
        normalized = (parts - mean) / np.sqrt(var + gn_param.get("eps", 1e-5))
        return gamma * normalized.reshape(x.shape) + beta, None

    return spatial_groupnorm_forward


_wrong(
    GROUP_FORWARD,
    "group_norm_by_pixel",
    "Each pixel is normalised over its group's channels alone; a group's mean is over all of its pixels.",
    "How many numbers does a group of one image have, and how many share a mean in your code?",
    grouped(axes=2),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_by_channel",
    "Each channel of each image has statistics of its own; the channels of a group share them.",
    "A group is C / G channels with all their pixels.",
    grouped(axes=(3, 4)),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_one_group",
    "All channels of an image share one mean and one variance: G makes no difference.",
    "That is layer norm. Where does your function use G?",
    grouped(axes=(1, 2, 3, 4)),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_over_batch",
    "The statistics are taken over all images of the batch; group norm keeps the images apart.",
    "How many groups are there for N images?",
    grouped(axes=(0, 2, 3, 4)),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_batch_norm",
    "The statistics are those of batch norm, of each channel over all images; G makes no difference.",
    "In group norm no image depends on another.",
    grouped(axes=(0, 3, 4)),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_over_groups",
    "The groups of an image are mixed: channels at the same place of all groups share their statistics.",
    "Which axis of your array counts groups, and which the channels in a group?",
    grouped(axes=(1, 3, 4)),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_without_one_axis",
    "The statistics leave out one of the two axes of the pictures.",
    "How many numbers does a group of one image have, and how many share a mean in your code?",
    grouped(axes=(2, 3)),
    grouped(axes=(2, 4)),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_size_for_count",
    "G is used as the number of channels in a group; it is the number of groups.",
    "With G = 1, how many groups does an image have?",
    grouped((2, 3, 4), shape=lambda N, C, H, W, G: (N, C // G, G, H, W)),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_interleaved",
    "Every G-th channel is in the same group; a group is made of neighbouring channels.",
    "Group 0 has the first C / G channels. Which axis of your array counts the groups?",
    grouped((1, 3, 4), shape=lambda N, C, H, W, G: (N, C // G, G, H, W)),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_scrambled",
    "The images are reshaped in an order that is not that in memory: numbers of several groups get mixed.",
    "reshape keeps the order in memory. Which axes of x stand side by side in your shape?",
    grouped((1, 2, 4), shape=lambda N, C, H, W, G: (N, H, W, G, C // G)),
    grouped(0, shape=lambda N, C, H, W, G: (-1, N * G)),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_columns_first",
    "The channels are moved to the end before the groups are made, and not moved back.",
    "Draw the order of the axes after each step.",
    grouped((1, 2, 4), shape=lambda N, C, H, W, G: (N, G, C // G, H, W), order=(0, 3, 4, 1, 2)),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_not_put_back",
    "The groups are turned over before they are normalised, and not turned back.",
    "Undo at the end what you did first: both steps, in reverse order.",
    grouped(0, shape=lambda N, C, H, W, G: (N * G, C // G * H * W), order=(1, 0)),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_count_minus_one",
    "The variance divides by one less than the count; here it divides by the count.",
    "np.var has an argument for that. What is its default?",
    grouped((2, 3, 4), ddof=1),
)
_wrong(
    GROUP_FORWARD,
    "group_norm_no_root",
    "The centred numbers are divided by the variance; it should be its square root.",
    "What is the standard deviation of your outputs without gamma and beta?",
    [("1 / np.sqrt(var + eps)", "1 / (var + eps)")],
)
_wrong(
    GROUP_FORWARD,
    "group_norm_variance_not_centred",
    "The variance is the mean of the squares; the mean has to be subtracted first.",
    "What is the variance of numbers that are all 5?",
    [(VAR, VAR.replace("centred", "groups"))],
)
_wrong(
    GROUP_FORWARD,
    "group_norm_not_centred",
    "The mean is not subtracted from the numbers.",
    "What is the mean of your outputs without gamma and beta?",
    [("normalized = (centred * inv_std)", "normalized = (groups * inv_std)")],
)
_wrong(
    GROUP_FORWARD,
    "group_norm_without_gamma_and_beta",
    "The channels are neither scaled nor shifted: gamma and beta are not used.",
    "Which arguments does your function not use?",
    [(SHIFT, "out = normalized")],
)
_wrong(
    GROUP_FORWARD,
    "group_norm_without_beta",
    "The channels are not shifted: beta is not used.",
    "Which arguments does your function not use?",
    [(SHIFT, "out = gamma * normalized")],
)
_wrong(
    GROUP_FORWARD,
    "group_norm_without_gamma",
    "The channels are not scaled: gamma is not used.",
    "Which arguments does your function not use?",
    [(SHIFT, "out = normalized + beta")],
)
_wrong(
    GROUP_FORWARD,
    "group_norm_gamma_and_beta_swapped",
    "gamma is added, and beta multiplies.",
    "Which of the two starts at 1, and which at 0?",
    [(SHIFT, "out = beta * normalized + gamma")],
)
_wrong(
    GROUP_FORWARD,
    "group_norm_still_groups",
    "out has the shape of the groups; it should have that of x.",
    "Undo at the end what you did first.",
    [("(centred * inv_std).reshape(N, C, H, W)", "centred * inv_std"), (SHIFT, "out = normalized")],
)


# ---- group norm, backward

DGROUPS = "dgroups = (dout * gamma).reshape(N, G, -1)"
SHARED = "shared = dgroups.mean(axis=2, keepdims=True)"
ALONG = "along = (dgroups * groups).mean(axis=2, keepdims=True)"
DX = "dx = inv_std * (dgroups - shared - groups * along)"
DBETA = "dbeta = dout.sum(axis=(0, 2, 3), keepdims=True)"
DGAMMA = "dgamma = (dout * normalized).sum(axis=(0, 2, 3), keepdims=True)"
LINES = "\n    C, H, W = dout.shape[1:]\n    "


def _means(spread):
    """Both means of dx, taken in another way."""
    return [
        (SHARED, f"shared = {spread.format('dgroups')}"),
        (ALONG, f"along = {spread.format('(dgroups * groups)')}"),
    ]


_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_first_term_only",
    "dx has only its first term: mean and variance are treated as constants, or the other terms got lost.",
    "Does your expression go on in the next line? Without brackets, Python ends it at the end of the line.",
    [(DX, "dx = inv_std * dgroups")],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_without_variance",
    "The way through the variance is missing in dx.",
    "By how many ways does one number of x reach the outputs? Does the expression end too early?",
    [(DX, "dx = inv_std * (dgroups - shared)")],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_without_mean",
    "The way through the mean is missing in dx.",
    "By how many ways does one number of x reach the outputs?",
    [(DX, "dx = inv_std * (dgroups - groups * along)")],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_signs",
    "In dx the ways through mean and variance are added with the wrong sign.",
    "The mean is subtracted in the forward pass. Which sign has its derivative?",
    [(DX, "dx = inv_std * (dgroups + shared + groups * along)")],
    [(DX, "dx = inv_std * (dgroups - shared + groups * along)")],
    [(DX, "dx = inv_std * (dgroups + shared - groups * along)")],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_gamma_outside",
    "gamma is multiplied after the sums over a group; it differs within a group, so it belongs into them.",
    "In batch norm gamma could wait. What is different here?",
    [
        (DGROUPS, "dgroups = dout.reshape(N, G, -1)"),
        ("return dx.reshape(dout.shape), ", "return gamma * dx.reshape(dout.shape), "),
    ],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_without_gamma",
    "gamma is missing in dx.",
    "Between out and the normalised numbers stands a factor.",
    [(DGROUPS, "dgroups = dout.reshape(N, G, -1)")],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_count_of_pixels",
    "In dx the sums are divided by the number of pixels; a group's mean is over C / G channels of them.",
    "How many numbers share a mean?",
    [(SHARED, "C, H, W = dout.shape[1:]\n    " + SHARED.replace("mean(", "sum(") + " / (H * W)"),
     (ALONG, ALONG.replace("mean(", "sum(") + " / (H * W)")],
)  # fmt: skip
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_count_of_channels",
    "In dx the sums are divided by the number of channels in a group; each of them has many pixels.",
    "How many numbers share a mean?",
    [(SHARED, "C = dout.shape[1]\n    " + SHARED.replace("mean(", "sum(") + " / (C // G)"),
     (ALONG, ALONG.replace("mean(", "sum(") + " / (C // G)")],
)  # fmt: skip
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_count_of_images",
    "In dx the sums are divided by the number of images; group norm does not average over images.",
    "How many numbers share a mean?",
    [(SHARED, SHARED.replace("mean(", "sum(") + " / N"), (ALONG, ALONG.replace("mean(", "sum(") + " / N")],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_count_of_image",
    "In dx the sums are divided by the count of all numbers of an image; a group has a G-th of them.",
    "How many numbers share a mean?",
    [(SHARED, SHARED + " / G"), (ALONG, ALONG + " / G")],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_sums",
    "In dx sums stand where means should be.",
    "The mean in the forward pass divides. What becomes of that in its derivative?",
    [(SHARED, SHARED.replace("mean(", "sum(")), (ALONG, ALONG.replace("mean(", "sum("))],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_by_channel",
    "In dx the means are taken over each channel alone; they should be over the whole group.",
    "Which numbers share a mean in the forward pass?",
    _means("{0}.reshape(*dout.shape[:2], -1).mean(axis=2).repeat(dout[0, 0].size).reshape(N, G, -1)"),
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_by_pixel",
    "In dx the means are taken over the channels of each pixel alone; they should be over the whole group.",
    "Which numbers share a mean in the forward pass?",
    _means("np.tile({0}.reshape(N, G, -1, dout[0, 0].size).mean(axis=2), (1, 1, dout.shape[1] // G))"),
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_layer_norm",
    "In dx the means are taken over all channels of an image; they should be over each group.",
    "Which numbers share a mean in the forward pass?",
    _means("{0}.mean(axis=(1, 2), keepdims=True)"),
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_batch_norm",
    "In dx the means are taken over the images too; group norm keeps the images apart.",
    "Which numbers share a mean in the forward pass?",
    _means("{0}.mean(axis=(0, 2), keepdims=True)"),
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_times_deviation",
    "dx is multiplied by the standard deviation; it should be divided by it.",
    "If x is stretched, do the outputs react more to one of its numbers, or less?",
    [(DX, DX.replace("inv_std *", "1 / inv_std *"))],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_without_deviation",
    "dx is not divided by the standard deviation.",
    "What is the derivative of the normalised numbers with respect to the centred ones?",
    [(DX, DX.replace("inv_std * ", ""))],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_not_put_back",
    "dx has the shape of the groups; it should have that of x.",
    "Undo at the end what you did first.",
    [("return dx.reshape(dout.shape), ", "return dx, ")],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_dgamma_of_centred",
    "dgamma multiplies dout with the centred numbers; it should be the normalised ones.",
    "What is gamma multiplied with in the forward pass?",
    [
        (
            DGAMMA,
            "centred = (normalized.reshape(*inv_std.shape[:2], -1) / inv_std).reshape(dout.shape)\n    "
            + DGAMMA.replace("normalized", "centred"),
        )
    ],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_dgamma_of_x",
    "dgamma multiplies dout with x; it should be the normalised numbers.",
    "What is gamma multiplied with in the forward pass?",
    _with_x(
        GROUP_FORWARD,
        ("cache = (normalized, inv_std, gamma)", "cache = (normalized, inv_std, gamma, x)"),
        GROUP_BACKWARD,
        ("normalized, inv_std, gamma = cache", "normalized, inv_std, gamma, x = cache"),
        (DGAMMA, DGAMMA.replace("normalized", "x")),
    ),
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_dgamma_of_gradient",
    "dgamma contains gamma itself; the gradient of gamma times something is that something.",
    "Do you multiply by gamma before you compute dgamma?",
    [(DGAMMA, DGAMMA.replace("dout", "dout * gamma"))],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_summed_over_groups",
    "dgamma and dbeta are one number for each group; each channel has its own gamma and beta.",
    "They have the shape of gamma: which axes have to disappear?",
    [
        (
            "return dx.reshape(dout.shape), dgamma, dbeta",
            "dgamma, dbeta = (d.reshape(1, G, -1, 1).sum(axis=2, keepdims=True) for d in (dgamma, dbeta))\n"
            "    return dx.reshape(dout.shape), dgamma, dbeta",
        )
    ],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_not_over_images",
    "dgamma and dbeta are summed over the pixels of each image alone; all images share gamma and beta.",
    "They have the shape of gamma: which axes have to disappear?",
    [(DGAMMA, DGAMMA.replace("(0, 2, 3)", "(2, 3)")), (DBETA, DBETA.replace("(0, 2, 3)", "(2, 3)"))],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_images_only",
    "dgamma and dbeta are summed over the images alone; all pixels of a channel share gamma and beta.",
    "They have the shape of gamma: which axes have to disappear?",
    [(DGAMMA, DGAMMA.replace("(0, 2, 3)", "0")), (DBETA, DBETA.replace("(0, 2, 3)", "0"))],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_total",
    "dgamma and dbeta are one number each; every channel has a gamma and a beta of its own.",
    "They have the shape of gamma: which axes have to disappear?",
    [(DGAMMA, "dgamma = np.sum(dout * normalized)"), (DBETA, "dbeta = np.sum(dout)")],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_means",
    "dgamma and dbeta are means; the gradient of a sum is the sum.",
    "The same beta is added to every pixel, so every pixel adds to its gradient.",
    [(DGAMMA, DGAMMA.replace("sum(", "mean(")), (DBETA, DBETA.replace("sum(", "mean("))],
)
_wrong(
    GROUP_BACKWARD,
    "group_norm_backward_swapped",
    "dgamma and dbeta are swapped.",
    "In which order are they returned?",
    [("return dx.reshape(dout.shape), dgamma, dbeta", "return dx.reshape(dout.shape), dbeta, dgamma")],
)
