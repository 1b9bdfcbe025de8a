"""What goes wrong in the convolution."""

import numpy as np

from . import edited, misconception

FORWARD = "handgrad.layers.conv.conv_forward_naive"
BACKWARD = "handgrad.layers.conv.conv_backward_naive"

PLACE = "top, left = i * stride, j * stride"
PADDED = "padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))"
WINDOW = "window = padded[:, :, top : top + HH, left : left + WW]"
SUMS = "np.tensordot(window, w, axes=([1, 2, 3], [1, 2, 3])) + b"


def _wrong(function, id, explanation, advice, *versions):
    """Register a mistake; each version is a list of edits of the reference."""
    register = misconception(f"conv_{id}", function=function, explanation=explanation, advice=advice)
    for version in versions:
        register(edited(function, *version))


def _forward(id, explanation, advice, *versions):
    _wrong(FORWARD, id, explanation, advice, *versions)


def _backward(id, explanation, advice, *versions):
    _wrong(BACKWARD, id, explanation, advice, *versions)


# ---- forward

_forward(
    "pad_always_1",
    "The border is always one pixel wide; it should have the width that pad says.",
    "Which line of yours has a number where a setting belongs?",
    [(PADDED, PADDED.replace("(pad, pad)", "(1, 1)"))],
    [
        (
            "H_out, W_out = check_conv(x, w, b, conv_param)",
            "H_out, W_out = check_conv(x, w, b, conv_param); pad = 1",
        )
    ],
)
_forward(
    "pad_ignored",
    "There is no border: pad is not used.",
    "How large is the image when it has a border of pad pixels on each side?",
    [(PADDED, "padded = x; H_out, W_out = [1 + (a - k) // stride for a, k in zip(x.shape[2:], (HH, WW))]")],
)
_forward(
    "border_of_ones",
    "The border holds ones; it should hold zeros.",
    "With what does your border start?",
    [(PADDED, PADDED[:-1] + ", constant_values=1)")],
)
_forward(
    "border_repeats_the_edge",
    "The border repeats the pixels at the edge of the image; it should be zero.",
    "Look at the mode of np.pad.",
    [(PADDED, PADDED[:-1] + ', mode="edge")')],
    [(PADDED, PADDED[:-1] + ', mode="reflect")')],
    [(PADDED, PADDED[:-1] + ', mode="wrap")')],
)
_forward(
    "border_on_two_sides",
    "The border is on two of the four sides only.",
    "How many pixels of border are above the image, below it, left and right of it?",
    [(PADDED, PADDED.replace("(pad, pad)", "(2 * pad, 0)"))],
    [(PADDED, PADDED.replace("(pad, pad)", "(0, 2 * pad)"))],
)
_forward(
    "border_around_all_axes",
    "The border goes around the examples and the channels too; only rows and columns have one.",
    "np.pad takes a width for each axis. What is the shape of the padded images?",
    [(PADDED, "padded = np.pad(x, pad)[:N, : x.shape[1]]")],
    [(PADDED, PADDED.replace("(0, 0), (0, 0)", "(0, 0), (pad, pad)") + "[:, : x.shape[1]]")],
)
_forward(
    "stride_ignored",
    "The window moves by one pixel at a time; it should move by stride pixels.",
    "Where in the image does the window of the output (1, 1) begin?",
    [(PLACE, "top, left = i, j")],
)
_forward(
    "stride_down_only",
    "The window moves by stride pixels in one direction only, and by one pixel in the other.",
    "Compare your lines for rows and for columns.",
    [(PLACE, "top, left = i * stride, j")],
    [(PLACE, "top, left = i, j * stride")],
)
_forward(
    "stride_is_the_window",
    "The window moves by its own size; it should move by stride pixels.",
    "Where in the image does the window of the output (1, 1) begin?",
    [
        (PADDED, PADDED + "; H_out, W_out = padded.shape[2] // HH, padded.shape[3] // WW"),
        (PLACE, "top, left = i * HH, j * WW"),
    ],
)
_forward(
    "flipped_filter",
    "The filter is turned round before it meets the image, as in mathematics; here it is not.",
    "Does the upper left weight meet the upper left pixel of the window?",
    [(SUMS, SUMS.replace("window, w", "window, w[:, :, ::-1, ::-1]"))],
)
_forward(
    "flipped_in_one_direction",
    "The filter is mirrored in one direction; it should meet the image as it is.",
    "Does the upper left weight meet the upper left pixel of the window?",
    [(SUMS, SUMS.replace("window, w", "window, w[:, :, ::-1]"))],
    [(SUMS, SUMS.replace("window, w", "window, w[:, :, :, ::-1]"))],
)
_forward(
    "filter_transposed",
    "Rows and columns of the filter are exchanged.",
    "Does the weight in the first row and the last column meet the pixel there?",
    [(SUMS, SUMS.replace("window, w", "window, w.swapaxes(2, 3)"))],
    [(SUMS, SUMS.replace("[1, 2, 3], [1, 2, 3]", "[1, 2, 3], [1, 3, 2]"))],
)
_forward(
    "square_only",
    "Heights and widths are mixed up somewhere: it is right for square images and filters only.",
    "Take an image of 7 x 9 pixels and a filter of 5 x 3: which name stands for which number?",
    [("F, _, HH, WW = w.shape", "F, _, HH, _ = w.shape; WW = HH")],
    [("F, _, HH, WW = w.shape", "F, _, WW, HH = w.shape")],
    [("i in range(H_out)", "i in range(W_out)"), ("j in range(W_out)", "j in range(H_out)")],
    [("out = np.empty((N, F, H_out, W_out)", "W_out = H_out; out = np.empty((N, F, H_out, W_out)")],
    [("out = np.empty((N, F, H_out, W_out)", "H_out = W_out; out = np.empty((N, F, H_out, W_out)")],
)
_forward(
    "output_transposed",
    "Rows and columns of each output are exchanged.",
    "Which index of out counts the steps down, and which the steps across?",
    [("    cache = (x, w", "    out = out.swapaxes(2, 3); cache = (x, w")],
)
_forward(
    "loops_over_the_image",
    "The loops run over the rows and columns of the image; they should run over those of the output.",
    "How many windows fit, one below the other?",
    [
        ("N, _, _, _ = x.shape", "N, _, H_out, W_out = x.shape"),
        (
            PLACE,
            PLACE + "\n            if top + HH > padded.shape[2] or left + WW > padded.shape[3]: continue",
        ),
        ("np.empty(", "np.zeros("),
    ],
)
_forward(
    "size_without_border",
    "The size of the outputs is computed without the border.",
    "The windows step over the padded image. How high is it?",
    [
        (
            "out = np.empty((N, F, H_out, W_out)",
            "H_out, W_out = [1 + (a - k) // stride for a, k in zip(x.shape[2:], w.shape[2:])]; "
            "out = np.empty((N, F, H_out, W_out)",
        )
    ],
)
_forward(
    "size_with_one_border",
    "The size of the outputs is computed with the border on one side; it is on both.",
    "The windows step over the padded image. How high is it?",
    [
        (
            "out = np.empty((N, F, H_out, W_out)",
            "H_out, W_out = [1 + (a + pad - k) // stride for a, k in zip(x.shape[2:], w.shape[2:])]; "
            "out = np.empty((N, F, H_out, W_out)",
        )
    ],
)
_forward(
    "size_as_float",
    "Python complains about a type. Most often a size or an index is a float here; whole numbers are needed.",
    "Which of Python's two divisions gives a whole number?",
    [("i in range(H_out)", "i in range((x.shape[2] + 2 * pad - HH) / stride + 1)")],
)
_forward(
    "without_bias",
    "The biases are missing.",
    "Which argument does your function not use?",
    [(f"{SUMS}", SUMS.removesuffix(" + b"))],
)
_forward(
    "bias_subtracted",
    "The biases are subtracted; the layer adds them.",
    "Look at the sign in front of b.",
    [(SUMS, SUMS.removesuffix("+ b") + "- b")],
)
_forward(
    "bias_for_each_channel",
    "The bias is added once for each channel of the image; it should be added once for each output.",
    "Is the bias inside the loop over the channels?",
    [(SUMS, SUMS + " * x.shape[1]")],
)
_forward(
    "bias_for_each_weight",
    "The bias is added to every product of pixel and weight; it should be added once, to their sum.",
    "Look at the brackets of your sum.",
    [(SUMS, SUMS + " * w[0].size")],
)
_forward(
    "one_bias_for_all",
    "All filters get the same bias; each has its own.",
    "b has one number for each filter: which one belongs to filter f?",
    [(SUMS, SUMS + "[0]")],
    [(SUMS, SUMS + "[-1]")],
    [(SUMS, SUMS + ".sum()")],
    [(SUMS, SUMS + ".mean()")],
)
_forward(
    "channels_not_summed",
    "Each output has seen one channel of the image only; it should be summed over all of them.",
    "Over which axes of the window does the sum of the formula run?",
    [(SUMS, "np.tensordot(window[:, 0], w[:, 0], axes=([1, 2], [1, 2])) + b")],
    [(SUMS, "np.tensordot(window[:, -1], w[:, -1], axes=([1, 2], [1, 2])) + b")],
)
_forward(
    "channel_weights_shared",
    "All channels of the image meet the weights of one channel; each channel has weights of its own.",
    "What is the shape of one filter?",
    [(SUMS, SUMS.replace("window, w", "window, np.broadcast_to(w[:, :1], w.shape)"))],
)
_forward(
    "mean_of_window",
    "The output is the mean of pixels times weights; it should be their sum.",
    "np.sum or np.mean?",
    [(SUMS, SUMS.replace(" + b", " / w[0].size + b"))],
)
_forward(
    "maximum_of_window",
    "The output is the largest product of pixel and weight; it should be their sum.",
    "That is pooling. Read the formula of the convolution again.",
    [(SUMS, "(window[:, None] * w).max(axis=(2, 3, 4)) + b")],
)
_forward(
    "one_filter_everywhere",
    "All outputs come from the same filter.",
    "Does your line use the index of the filter?",
    [(SUMS, SUMS.replace("window, w", "window, np.broadcast_to(w[:1], w.shape)"))],
    [(SUMS, SUMS.replace("window, w", "window, np.broadcast_to(w[-1:], w.shape)"))],
)
_forward(
    "one_image_everywhere",
    "The outputs of all images come from the same image.",
    "Does your line use the index of the image?",
    [(SUMS, SUMS.replace("window, w", "np.broadcast_to(window[:1], window.shape), w"))],
    [(SUMS, SUMS.replace("window, w", "np.broadcast_to(window[-1:], window.shape), w"))],
)
_forward(
    "last_row_left_out",
    "The loops stop one step too early: the last row and the last column of the outputs stay 0.",
    "How many numbers does range(n) go through?",
    [
        ("i in range(H_out)", "i in range(H_out - 1)"),
        ("j in range(W_out)", "j in range(W_out - 1)"),
        ("np.empty(", "np.zeros("),
    ],
)
_forward(
    "relu_too",
    "The outputs go through a ReLU; that is a layer of its own.",
    "May outputs of a convolution be negative?",
    [(SUMS, f"np.maximum({SUMS}, 0)")],
)

# ---- backward

DX = "dpadded[:, :, top : top + HH, left : left + WW] += np.tensordot(dout_here, w, axes=([1], [0]))"
DW = "dw += np.tensordot(dout_here, window, axes=([0], [0]))"
DB = "db = dout.sum(axis=(0, 2, 3))"
CUT = "dx = dpadded[:, :, pad : pad + H, pad : pad + W]"

_backward(
    "cut_with_negative_pad",
    "The border is cut off with [pad:-pad]: without a border that leaves nothing.",
    "What is a[0:-0]?",
    [(CUT, "dx = dpadded[:, :, pad:-pad, pad:-pad]")],
)
_backward(
    "dx_cut_by_1",
    "One pixel is cut off from dx on each side; it should be as many as the border has.",
    "Which line of yours has a number where a setting belongs?",
    [(CUT, "dx = dpadded[:, :, 1:-1, 1:-1]")],
)
_backward(
    "dx_with_border",
    "dx still has the border, which is no part of x.",
    "A gradient has the shape of what it is the gradient of.",
    [(CUT, "dx = dpadded")],
)
_backward(
    "dx_cut_at_one_end",
    "dx is cut off at one end only, or from the wrong place.",
    "How many pixels of border are above the image, below it, left and right of it?",
    [(CUT, "dx = dpadded[:, :, :H, :W]")],
    [(CUT, "dx = dpadded[:, :, 2 * pad :, 2 * pad :]")],
)
_backward(
    "dx_assigned",
    "In dx a later window overwrites what an earlier one has left; the gradients of both should be added.",
    "A pixel lies in several windows. What does the chain rule do with the contributions?",
    [(DX, DX.replace("+=", "="))],
)
_backward(
    "dx_one_filter",
    "dx has the gradient that comes through one filter only; every pixel is seen by all filters.",
    "Over what does the sum in dx run?",
    [(DX, DX.replace("dout_here, w,", "dout_here[:, -1:], w[-1:],"))],
    [(DX, DX.replace("dout_here, w,", "dout_here[:, :1], w[:1],"))],
)
_backward(
    "dx_flipped_filter",
    "In dx the filter is turned round; here each window gets the filter as it is.",
    "With which weight was the upper left pixel of the window multiplied?",
    [(DX, DX.replace("dout_here, w,", "dout_here, w[:, :, ::-1, ::-1],"))],
)
_backward(
    "dx_filter_transposed",
    "In dx rows and columns of the filter are exchanged.",
    "With which weight was each pixel of the window multiplied?",
    [(DX, DX.replace("dout_here, w,", "dout_here, w.swapaxes(2, 3),"))],
)
_backward(
    "dx_channels_mixed",
    "dx sums the weights over the channels, or takes those of one channel for all.",
    "With which weights was the pixel of channel c multiplied?",
    [(DX, DX.replace("dout_here, w,", "dout_here, np.broadcast_to(w.sum(axis=1, keepdims=True), w.shape),"))],
    [(DX, DX.replace("dout_here, w,", "dout_here, np.broadcast_to(w[:, :1], w.shape),"))],
)
_backward(
    "dx_from_x",
    "dx is made of pixels; the derivative with respect to a pixel is a weight.",
    "What stands beside the pixel in the formula of the output?",
    [
        (
            DX,
            DX.replace(
                "np.tensordot(dout_here, w, axes=([1], [0]))",
                "dout_here.sum(axis=1)[:, None, None, None] * window",
            ),
        )
    ],
)
_backward(
    "dx_stride_ignored",
    "In dx the window moves by one pixel at a time; it should move by stride pixels, as forwards.",
    "Where in the image does the window of the output (1, 1) begin?",
    [(DX, DX.replace("top : top + HH, left : left + WW", "i : i + HH, j : j + WW"))],
)
_backward(
    "dw_stride_ignored",
    "In dw the window moves by one pixel at a time; it should move by stride pixels, as forwards.",
    "Which pixels did the output (1, 1) see?",
    [(DW, DW.replace("window,", "padded[:, :, i : i + HH, j : j + WW],"))],
)
_backward(
    "backward_stride_ignored",
    "In dx and dw the window moves by one pixel at a time; it should move by stride pixels, as forwards.",
    "Where in the image does the window of the output (1, 1) begin?",
    [(PLACE, "top, left = i, j")],
)
_backward(
    "dw_without_border",
    "dw is made from the image without its border; the weights have met the border's zeros, too.",
    "Which numbers did the first window hold?",
    [
        (
            DW,
            "window = np.zeros_like(window); seen = x[:, :, top : top + HH, left : left + WW]; "
            "window[:, :, : seen.shape[2], : seen.shape[3]] = seen; " + DW,
        )
    ],
)
_backward(
    "dw_pad_always_1",
    "In dw the border is always one pixel wide; it should have the width that pad says.",
    "Which line of yours has a number where a setting belongs?",
    [
        (PADDED, PADDED + "; ones = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))"),
        (WINDOW, WINDOW.replace("padded", "ones")),
    ],
)
_backward(
    "backward_pad_always_1",
    "The border is taken to be one pixel wide; it has the width that pad says.",
    "Which line of yours has a number where a setting belongs?",
    [(PADDED, PADDED.replace("(pad, pad)", "(1, 1)")), (CUT, "dx = dpadded[:, :, 1:-1, 1:-1]")],
)
_backward(
    "dw_assigned",
    "dw holds the contribution of one place only; the weights serve at all places, and their gradients add.",
    "What does the chain rule do with the contributions of several outputs?",
    [(DW, DW.replace("+=", "="))],
)
_backward(
    "dw_one_image",
    "dw holds the contribution of one image only; the weights serve in all images.",
    "What does the chain rule do with the contributions of several outputs?",
    [(DW, DW.replace("dout_here, window,", "dout_here[-1:], window[-1:],"))],
    [(DW, DW.replace("dout_here, window,", "dout_here[:1], window[:1],"))],
)
_backward(
    "dw_mean",
    "dw is divided by the number of images; the layer adds the images' gradients, and does not average.",
    "The mean belongs to the loss, and is in dout already.",
    [(CUT, CUT + "; dw /= N")],
)
_backward(
    "dw_flipped",
    "dw is turned round: each weight has the gradient of the one opposite.",
    "Which pixel of the window has the upper left weight met?",
    [(CUT, CUT + "; dw = dw[:, :, ::-1, ::-1]")],
)
_backward(
    "dw_transposed",
    "Rows and columns of dw are exchanged.",
    "Which pixel of the window has the weight in the first row and the last column met?",
    [(CUT, CUT + "; dw = dw.swapaxes(2, 3)")],
)
_backward(
    "dw_channels_summed",
    "Each channel of dw holds the sum over all channels; its weights have met one channel alone.",
    "Which axes of the window disappear in dw, and which stay?",
    [(DW, DW.replace("window,", "np.broadcast_to(window.sum(axis=1, keepdims=True), window.shape),"))],
)
_backward(
    "dw_from_w",
    "dw is made of weights; the derivative with respect to a weight is a pixel.",
    "What stands beside the weight in the formula of the output?",
    [(DW, "dw += dout_here.sum(axis=0)[:, None, None, None] * w")],
)
_backward(
    "db_images_only",
    "db is summed over the images only, and has rows and columns left.",
    "At how many places does a bias serve?",
    [(DB, "db = dout.sum(axis=0)")],
)
_backward(
    "db_pixels_only",
    "db is summed over rows and columns, and not over the images.",
    "db has the shape of b. Which axes of dout have to disappear?",
    [(DB, "db = dout.sum(axis=(2, 3))")],
)
_backward(
    "db_over_filters",
    "db is summed over the filters; each filter has a bias of its own.",
    "db has the shape of b. Which axes of dout have to disappear?",
    [(DB, "db = dout.sum(axis=(1, 2, 3))")],
    [(DB, "db = dout.sum(axis=(0, 1, 2))")],
    [(DB, "db = dout.sum(axis=(0, 1, 3))")],
)
_backward(
    "db_total",
    "All biases have the same gradient, the sum of all of dout; each has its own.",
    "Give sum its axes, so that the result has the shape of b.",
    [(DB, "db = np.full(F, dout.sum())")],
    [(DB, "db = dout.sum()")],
)
_backward(
    "db_mean",
    "db is a mean; the gradient of a sum is the sum.",
    "The same bias is added at every place of every image, and each adds to its gradient.",
    [(DB, "db = dout.mean(axis=(0, 2, 3))")],
    [(DB, "db = dout.sum(axis=(2, 3)).mean(axis=0)")],
    [(DB, "db = dout.sum(axis=0).mean(axis=(1, 2))")],
)
_backward(
    "db_one_place",
    "db holds the contribution of one place or one image only; a bias serves everywhere.",
    "What does the chain rule do with the contributions of several outputs?",
    [(DB, "db = dout[:, :, -1, -1].sum(axis=0)")],
    [(DB, "db = dout[:, :, 0, 0].sum(axis=0)")],
    [(DB, "db = dout[-1].sum(axis=(1, 2))")],
    [(DB, "db = dout[0].sum(axis=(1, 2))")],
)
_backward(
    "db_zero",
    "db is 0: nothing is ever added to it.",
    "Which argument was added to the outputs, and what is its derivative?",
    [(DB, "db = np.zeros(F)")],
)
_backward(
    "db_none",
    "db is missing.",
    "The biases are learnt too: what is their gradient?",
    [(DB, "db = None")],
)
_backward(
    "db_counted_often",
    "The same sums are added to db more than once: they stand in a loop in which they do not belong.",
    "How often does your line add the same numbers?",
    [(DB, DB + " * H_out * W_out")],
    [(DB, DB + " * H_out")],
    [(DB, DB + " * N")],
    [(DB, DB + " * x.shape[1]")],
)
_backward(
    "backward_square_only",
    "Heights and widths are mixed up somewhere: it is right for square images and filters only.",
    "Take an image of 7 x 9 pixels and a filter of 5 x 3: which name stands for which number?",
    [("F, _, HH, WW = w.shape", "F, _, HH, _ = w.shape; WW = HH")],
    [("F, _, HH, WW = w.shape", "F, _, WW, HH = w.shape")],
    [("i in range(H_out)", "i in range(W_out)"), ("j in range(W_out)", "j in range(H_out)")],
    [("j in range(W_out)", "j in range(H_out)")],
    [("i in range(H_out)", "i in range(W_out)")],
    [(CUT, "dx = dpadded[:, :, pad : pad + H, pad : pad + H]")],
    [(CUT, "dx = dpadded[:, :, pad : pad + W, pad : pad + W]")],
    [(CUT, "dx = dpadded[:, :, pad : pad + W, pad : pad + H]")],
)
_backward(
    "loops_over_dx",
    "The loops run over the rows and columns of the image; they should run over those of dout.",
    "How many numbers does dout have, and what does each contribute?",
    [("i in range(H_out)", "i in range(H)"), ("j in range(W_out)", "j in range(W)")],
)
_backward(
    "backward_last_row_left_out",
    "The loops stop one step too early: the last row and column of dout contribute nothing to dx and dw.",
    "How many numbers does range(n) go through?",
    [("i in range(H_out)", "i in range(H_out - 1)"), ("j in range(W_out)", "j in range(W_out - 1)")],
)
_backward(
    "backward_size_as_float",
    "Python complains about a type. Most often a size or an index is a float here; whole numbers are needed.",
    "Which of Python's two divisions gives a whole number?",
    [("i in range(H_out)", "i in range((H + 2 * pad - HH) / stride + 1)")],
)
_backward(
    "writes_into_x",
    "The gradient of the image is written into x, which the forward pass has kept: the next call meets it.",
    "dx needs an array of its own, which starts at 0.",
    [("return dx, dw, db", "x[...] = dx\n    return x, dw, db")],
)
_backward(
    "writes_into_w",
    "The gradient of the filters is written into w, which the forward pass has kept: the next call meets it.",
    "dw needs an array of its own, which starts at 0.",
    [("return dx, dw, db", "w[...] = dw\n    return dx, w, db")],
)


@misconception(
    "conv_gradients_not_in_order",
    function=BACKWARD,
    explanation="The gradients are returned in another order than dx, dw, db.",
    advice="Look at the last line of the docstring's Returns.",
)
def gradients_not_in_order(dout, cache):
    dx, dw, db = right(dout, cache)
    return dw, dx, db


@misconception(
    "conv_dout_not_used",
    function=BACKWARD,
    explanation="dout is not used: these are local derivatives alone, without what comes from above.",
    advice="The chain rule multiplies the local derivative with dout.",
)
def dout_not_used(dout, cache):
    return right(np.ones_like(dout), cache)


right = edited(BACKWARD, (DB, DB))
