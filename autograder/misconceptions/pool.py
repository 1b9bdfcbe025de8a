"""What goes wrong in max pooling."""

from . import edited, misconception

FORWARD = "handgrad.layers.pool.max_pool_forward_naive"
BACKWARD = "handgrad.layers.pool.max_pool_backward_naive"

PLACE = "top, left = i * stride, j * stride"
WINDOW = "x[:, :, top : top + HH, left : left + WW]"
MAX = f"{WINDOW}.max(axis=(2, 3))"
EMPTY = "out = np.empty((N, C, H_out, W_out), dtype=x.dtype)"


def _wrong(function, id, explanation, advice, *versions):
    """Register a mistake; each version is a list of edits of the reference."""
    register = misconception(f"pool_{id}", function=function, explanation=explanation, advice=advice)
    for version in versions:
        register(edited(function, *version))


def _forward(id, explanation, advice, *versions):
    _wrong(FORWARD, id, explanation, advice, *versions)


def _backward(id, explanation, advice, *versions):
    _wrong(BACKWARD, id, explanation, advice, *versions)


# ---- forward

_forward(
    "mean",
    "The output is the mean of its window; it should be the largest number.",
    "Read the formula of max pooling again.",
    [(MAX, f"{WINDOW}.mean(axis=(2, 3))")],
)
_forward(
    "sum",
    "The output is the sum of its window; it should be the largest number.",
    "Read the formula of max pooling again.",
    [(MAX, f"{WINDOW}.sum(axis=(2, 3))")],
)
_forward(
    "minimum",
    "The output is the smallest number of its window; it should be the largest.",
    "Read the formula of max pooling again.",
    [(MAX, f"{WINDOW}.min(axis=(2, 3))")],
)
_forward(
    "starts_from_0",
    "The search for the largest number starts from 0: a window of negative numbers gives 0.",
    "What is the largest of -3 and -5?",
    [(MAX, f"{WINDOW}.max(axis=(2, 3), initial=0)")],
)
_forward(
    "largest_size",
    "The output is the number farthest from 0, or its size; it should be the largest number.",
    "What is the largest of -3 and -5?",
    [(MAX, f"np.abs({WINDOW}).max(axis=(2, 3))")],
    [
        (
            MAX,
            f"(lambda v: np.where(v.max(axis=(2, 3)) > -v.min(axis=(2, 3)), v.max(axis=(2, 3)), "
            f"v.min(axis=(2, 3))))({WINDOW})",
        )
    ],
)
_forward(
    "index",
    "The output is the place of the largest number within its window; it should be the number itself.",
    "np.argmax or np.max?",
    [(MAX, f"{WINDOW}.reshape(N, C, -1).argmax(axis=2)")],
)
_forward(
    "over_channels",
    "The largest number is taken over all channels; each channel is pooled for itself.",
    "Over which axes of the window does the maximum run?",
    [(MAX, f"{WINDOW}.max(axis=(1, 2, 3))[:, None]")],
)
_forward(
    "over_images",
    "The largest number is taken over all images; each image is pooled for itself.",
    "Over which axes of the window does the maximum run?",
    [(MAX, f"{WINDOW}.max(axis=(0, 2, 3))")],
)
_forward(
    "one_direction",
    "The largest number is taken over the rows or the columns of the window only.",
    "Over which axes of the window does the maximum run?",
    [(MAX, f"{WINDOW}[:, :, 0].max(axis=2)")],
    [(MAX, f"{WINDOW}[:, :, :, 0].max(axis=2)")],
)
_forward(
    "first_of_window",
    "The output is a number from a fixed place of its window; it should be the largest, wherever it is.",
    "Does your code compare the numbers of a window?",
    [(MAX, f"{WINDOW}[:, :, 0, 0]")],
    [(MAX, f"{WINDOW}[:, :, -1, -1]")],
)
_forward(
    "stride_ignored",
    "The window moves by one pixel at a time; it should move by stride pixels.",
    "Where in the image does the window of the output (1, 1) begin?",
    [(PLACE, "top, left = i, j")],
)
_forward(
    "stride_is_the_window",
    "The window moves by its own size; it should move by stride pixels, which may be more or less.",
    "Where in the image does the window of the output (1, 1) begin?",
    [(PLACE, "top, left = i * HH, j * WW"), (MAX, MAX.replace("(2, 3))", "(2, 3), initial=x.min())"))],
    [
        (
            PLACE,
            PLACE.replace("stride", "HH", 1).replace("stride", "WW") + "; "
            "outside = top + HH > x.shape[2] or left + WW > x.shape[3]\n            if outside: continue",
        ),
        ("np.empty(", "np.zeros("),
    ],
    [
        (EMPTY, "H_out, W_out = x.shape[2] // HH, x.shape[3] // WW; " + EMPTY),
        (PLACE, "top, left = i * HH, j * WW"),
    ],
)
_forward(
    "window_is_the_stride",
    "The window is as large as the stride; its height and width are settings of their own.",
    "Does your code use pool_height and pool_width?",
    [(MAX, MAX.replace("top + HH", "top + stride").replace("left + WW", "left + stride"))],
)
_forward(
    "window_always_2",
    "The window has always 2 x 2 pixels; it should have the height and width of the settings.",
    "Which line of yours has a number where a setting belongs?",
    [(MAX, MAX.replace("top + HH", "top + 2").replace("left + WW", "left + 2"))],
)
_forward(
    "height_and_width_exchanged",
    "Height and width of the window are exchanged: that is right for square windows only.",
    "The rows of a window belong to its height, and its columns to its width.",
    [(MAX, MAX.replace("top + HH", "top + WW").replace("left + WW", "left + HH"))],
)
_forward(
    "square_windows",
    "The window is taken to be square.",
    "Does your code use pool_height and pool_width, each in its place?",
    [(MAX, MAX.replace("left + WW", "left + HH"))],
    [(MAX, MAX.replace("top + HH", "top + WW"))],
)
_forward(
    "square_outputs",
    "The outputs are taken to be square.",
    "The rows of out belong to the height of the image, and its columns to the width.",
    [(EMPTY, "W_out = H_out; " + EMPTY), (MAX, MAX.replace("(2, 3))", "(2, 3), initial=x.min())"))],
    [(EMPTY, "H_out = W_out; " + EMPTY), (MAX, MAX.replace("(2, 3))", "(2, 3), initial=x.min())"))],
)
_forward(
    "transposed",
    "Rows and columns of each output are exchanged.",
    "Which index of out counts the steps down, and which the steps across?",
    [("    cache = (x, HH", "    out = out.swapaxes(2, 3); cache = (x, HH")],
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
    "flattened",
    "The outputs have lost their shape: rows and columns should stay apart.",
    "What shape does the docstring ask for?",
    [("    return out, cache", "    return out.reshape(N, C, -1), cache")],
    [("    return out, cache", "    return out.reshape(N, -1), cache")],
)
_forward(
    "size_as_float",
    "Python complains about a type. Most often a size or an index is a float here; whole numbers are needed.",
    "Which of Python's two divisions gives a whole number?",
    [("i in range(H_out)", "i in range((x.shape[2] - HH) / stride + 1)")],
)

# ---- backward

SEEN = "window = x[:, :, top : top + HH, left : left + WW].reshape(N, C, -1)"
GIVEN = "dx[image, channel, top + row, left + column] += dout[:, :, i, j]"
WHERE = "row, column = np.divmod(window.argmax(axis=2), WW)"
WHOLE = "dx[:, :, top : top + HH, left : left + WW]"
MASK = "(x[:, :, top : top + HH, left : left + WW] == window.max(axis=2)[:, :, None, None])"

_backward(
    "back_assigned",
    "Where windows overlap, the last one's gradient overwrites those of the others; they should be added.",
    "A number can be the largest of several windows. What does the chain rule say then?",
    [(GIVEN, GIVEN.replace("+=", "="))],
    [(GIVEN, f"{WHOLE} = {MASK} * dout[:, :, i, j, None, None]")],
)
_backward(
    "back_whole_window",
    "The gradient goes to all numbers of the window; it belongs to the largest alone.",
    "What happens to the output when one of the other numbers changes a little?",
    [(GIVEN, f"{WHOLE} += dout[:, :, i, j, None, None]")],
)
_backward(
    "back_shared_evenly",
    "The gradient is shared evenly over the window, as for a mean; it belongs to the largest number alone.",
    "What happens to the output when one of the other numbers changes a little?",
    [(GIVEN, f"{WHOLE} += dout[:, :, i, j, None, None] / (HH * WW)")],
)
_backward(
    "back_first_of_window",
    "The gradient goes to a fixed place of the window; it belongs to the largest number, wherever it is.",
    "Which number of the window did the forward pass take?",
    [(WHERE, "row, column = 0 * window.argmax(axis=2), 0")],
    [(WHERE, "row, column = 0 * window.argmax(axis=2) + HH - 1, WW - 1")],
)
_backward(
    "back_smallest",
    "The gradient goes to the smallest number of the window; it belongs to the largest.",
    "Which number of the window did the forward pass take?",
    [(WHERE, WHERE.replace("argmax", "argmin"))],
)
_backward(
    "back_times_maximum",
    "The gradient is multiplied with the largest number; the derivative with respect to that number is 1.",
    "The output is a copy of it: what is the derivative of a copy?",
    [(GIVEN, GIVEN + " * window.max(axis=2)")],
)
_backward(
    "back_maximum_itself",
    "The largest number is handed back in place of its gradient.",
    "Which line of yours uses dout?",
    [(GIVEN, GIVEN.replace("dout[:, :, i, j]", "window.max(axis=2)"))],
)
_backward(
    "back_ones",
    "dout is not used: the gradient is 1 at the largest numbers, without what comes from above.",
    "The chain rule multiplies the local derivative with dout.",
    [(GIVEN, GIVEN.replace("dout[:, :, i, j]", "1"))],
    [(GIVEN, GIVEN.replace("+= dout[:, :, i, j]", "= 1"))],
)
_backward(
    "back_places_exchanged",
    "Row and column of the largest number are exchanged.",
    "np.argmax counts a window row by row, and np.unravel_index gives the row first.",
    [(WHERE, WHERE.replace("row, column", "column, row"))],
    [(GIVEN, GIVEN.replace("top + row, left + column", "left + row, top + column"))],
    [(WHERE, 'row, column = np.unravel_index(window.argmax(axis=2), (HH, WW), order="F")')],
)
_backward(
    "back_width_for_height",
    "The place of the largest number is counted with the height of the window in place of its width.",
    "How many numbers are in a row of the window?",
    [
        (WHERE, "row, column = np.divmod(window.argmax(axis=2), HH)"),
        (
            GIVEN,
            GIVEN.replace("left + column", "np.minimum(left + column, W - 1)").replace(
                "top + row", "np.minimum(top + row, H - 1)"
            ),
        ),
    ],
)
_backward(
    "back_stride_ignored",
    "The window moves by one pixel at a time; it should move by stride pixels, as forwards.",
    "Which numbers did the output (1, 1) see?",
    [(PLACE, "top, left = i, j")],
)
_backward(
    "back_gradient_of_a_stride_of_1",
    "The largest number is found, but its gradient is put where it would be with a stride of 1.",
    "From the beginning of which window are row and column counted?",
    [(GIVEN, GIVEN.replace("top + row, left + column", "i + row, j + column"))],
)
_backward(
    "back_window_not_added",
    "The place within the window is taken for that within the image: all lands in the upper left corner.",
    "Where in the image does the window of the output (1, 1) begin?",
    [(GIVEN, GIVEN.replace("top + row, left + column", "row, column"))],
)
_backward(
    "back_over_channels",
    "All channels get the same gradient, or one of them gets all of it; each channel is pooled for itself.",
    "Does your line use the index of the channel on both sides?",
    [(GIVEN, GIVEN.replace("dout[:, :, i, j]", "dout[:, :, i, j].sum(axis=1, keepdims=True)"))],
    [(GIVEN, GIVEN.replace("dout[:, :, i, j]", "dout[:, :1, i, j]"))],
)
_backward(
    "back_window_as_stride",
    "The window moves by its own size; it should move by stride pixels, as forwards.",
    "Where in the image does the window of the output (1, 1) begin?",
    [(PLACE, "top, left = i * HH, j * WW\n            if top + HH > H or left + WW > W: continue")],
)
_backward(
    "back_window_is_the_stride",
    "The window is as large as the stride; its height and width are settings of their own.",
    "Does your code use the height and the width of the window?",
    [
        (SEEN, SEEN.replace("top + HH", "top + stride").replace("left + WW", "left + stride")),
        (WHERE, "row, column = np.divmod(window.argmax(axis=2), min(stride, W - left))"),
    ],
)
_backward(
    "back_outputs_exchanged",
    "The loops take the height of dout for its width, or take it to be square.",
    "Which axis of dout counts the steps down, and which the steps across?",
    [("j in range(W_out)", "j in range(min(H_out, W_out))")],
    [("i in range(H_out)", "i in range(min(H_out, W_out))")],
    [("i in range(H_out)", "i in range(W_out)"), ("j in range(W_out)", "j in range(H_out)")],
)
_backward(
    "back_last_row_left_out",
    "The loops stop one step too early: the last row and the last column of dout are never handed back.",
    "How many numbers does range(n) go through?",
    [("i in range(H_out)", "i in range(H_out - 1)"), ("j in range(W_out)", "j in range(W_out - 1)")],
)
_backward(
    "back_last_window_only",
    "dx is set back to 0 inside the loops: only the gradient of the last window is left.",
    "Where does dx begin at 0, and how often?",
    [(GIVEN, "dx[...] = 0; " + GIVEN)],
)
_backward(
    "back_shape_of_dout",
    "dx has the shape of dout; it should have the shape of x.",
    "A gradient has the shape of what it is the gradient of.",
    [("    return dx", "    return dout")],
    [("    return dx", "    return dx[:, :, :H_out, :W_out]")],
)
_backward(
    "back_starts_from_x",
    "dx starts as the image itself; it should start at 0.",
    "What is the gradient of a number that is the largest of no window?",
    [("dx = np.zeros(x.shape, dtype=dout.dtype)", "dx = x.copy()")],
    [("dx = np.zeros(x.shape, dtype=dout.dtype)", "dx = x.copy()"), (GIVEN, GIVEN.replace("+=", "="))],
)
_backward(
    "back_writes_into_x",
    "The gradient is written into x, which the forward pass has kept: the next call meets it.",
    "dx needs an array of its own, which starts at 0.",
    [("    return dx", "    x[...] = dx\n    return x")],
)
_backward(
    "back_size_as_float",
    "Python complains about a type. Most often a size or an index is a float here; whole numbers are needed.",
    "Which of Python's two divisions gives a whole number?",
    [("i in range(H_out)", "i in range((H - HH) / stride + 1)")],
)
