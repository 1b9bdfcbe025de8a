"""What goes wrong in the notebook with PyTorch; the wrong versions are sources of its cells."""

from __future__ import annotations

import functools
import json

from ..course import REPOSITORY
from . import misconception

FC = "torch_fc_code"
CONVNET = "torch_convnet_code"
WEIGHTS = "torch_weights_code"
STEP = "torch_sgd_step_code"
MODULE_FC = "torch_modules_fc_code"
MODULE_CONV = "torch_modules_conv_code"
ACCURACY = "torch_accuracy_code"
SEQUENTIAL = "torch_sequential_code"


@functools.cache
def _cells() -> dict[str, str]:
    path = REPOSITORY / "assignments" / "source" / "a2" / "6_pytorch.ipynb"
    return {
        cell["metadata"].get("nbgrader", {}).get("grade_id"): "".join(cell["source"])
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    }


def edited_cell(grade_id: str, *edits: tuple[str, str]) -> str:
    """The source of a solution cell with some of it replaced.

    Args:
        grade_id: of the cell.
        edits: texts that it has exactly once, and what stands there instead.
    Raises:
        ValueError: the cell does not have a text exactly once.
    """
    source = _cells()[grade_id]
    for old, new in edits:
        if source.count(old) != 1:
            raise ValueError(f"{grade_id} has {source.count(old)} times {old!r}")
        source = source.replace(old, new)
    return source


def _wrong(id: str, cell: str, explanation: str, advice: str, *versions: tuple[tuple[str, str], ...]) -> None:
    """A misconception, with one or more lists of edits."""
    register = misconception(id, function=cell, explanation=explanation, advice=advice)
    for edits in versions:
        register(edited_cell(cell, *edits))


# ---- flatten, and the two-layer network

ROWS = "x.reshape(x.shape[0], -1)"
SCORES = "F.relu(flatten(x) @ w1) @ w2"

_wrong(
    "torch_flatten_all",
    FC,
    "flatten makes one long row of the whole batch; each image needs a row of its own.",
    "Which axis must stay as it is?",
    ((ROWS, "x.reshape(-1)"),),
    ((ROWS, "torch.flatten(x)"),),
)
_wrong(
    "torch_flatten_one_row",
    FC,
    "flatten returns a matrix with a single row for the whole batch.",
    "How many rows does a batch of N images need?",
    ((ROWS, "x.reshape(1, -1)"),),
)
_wrong(
    "torch_flatten_columns",
    FC,
    "flatten puts each image into a column, or mixes numbers of different images in a row.",
    "Is row i made of the numbers of image i alone, and in their order?",
    ((ROWS, "x.reshape(-1, x.shape[0])"),),
)
_wrong(
    "torch_flatten_transposed",
    FC,
    "flatten returns the transposed matrix: its columns are the images.",
    "The examples are the rows.",
    ((ROWS, "x.reshape(x.shape[0], -1).T"),),
)
_wrong(
    "torch_flatten_keeps_channels",
    FC,
    "flatten leaves the channels as an axis of their own; all axes after the first become one.",
    "How many axes should the result have?",
    ((ROWS, "x.flatten(2) if x.dim() > 2 else x"),),
    ((ROWS, "x.reshape(x.shape[0], x.shape[1], -1)"),),
)
_wrong(
    "torch_flatten_other_order",
    FC,
    "flatten reads the axes of an image in another order than NumPy's reshape does.",
    "The last axis runs fastest. Is there a transpose or a permute too many?",
    ((ROWS, "x.transpose(1, -1).reshape(x.shape[0], -1)"),),
)
_wrong(
    "torch_flatten_four_axes_only",
    FC,
    "flatten works only for arrays of four axes.",
    "How do you find the size of a row without naming each axis?",
    ((ROWS, "x.reshape(x.shape[0], x.shape[1] * x.shape[2] * x.shape[3])"),),
    (("return " + ROWS, "N, C, H, W = x.shape\n    return x.reshape(N, C * H * W)"),),
)
_wrong(
    "torch_flatten_view",
    FC,
    "flatten uses view, which refuses images whose numbers lie in another order in memory.",
    "Which of the ways that the text names makes a copy where it has to?",
    ((ROWS, "x.view(x.shape[0], -1)"),),
)
_wrong(
    "torch_fc_without_relu",
    FC,
    "There is no ReLU between the two products: the two layers together are a linear one.",
    "What has to happen to the hidden numbers below zero?",
    ((SCORES, "flatten(x) @ w1 @ w2"),),
)
_wrong(
    "torch_fc_relu_on_scores",
    FC,
    "A ReLU cuts off the negative scores; scores may have any sign.",
    "Behind which of the layers does a ReLU stand?",
    ((SCORES, "F.relu(F.relu(flatten(x) @ w1) @ w2)"),),
)
_wrong(
    "torch_fc_relu_only_on_scores",
    FC,
    "The ReLU stands behind the second layer, and not between the two.",
    "Which numbers are the hidden ones?",
    ((SCORES, "F.relu(flatten(x) @ w1 @ w2)"),),
)
_wrong(
    "torch_fc_relu_on_images",
    FC,
    "The ReLU is applied to the images, before the first product.",
    "Affine, ReLU, affine: in this order.",
    ((SCORES, "F.relu(flatten(x)) @ w1 @ w2"),),
)
_wrong(
    "torch_fc_softmax",
    FC,
    "A softmax turns the scores into probabilities; the network should return the scores.",
    "The loss has the softmax in it. What is the last layer?",
    ((SCORES, "F.softmax(F.relu(flatten(x) @ w1) @ w2, dim=1)"),),
)
_wrong(
    "torch_fc_log_softmax",
    FC,
    "What comes out are logarithms of probabilities; the network should return the scores.",
    "The loss does that for you. What is the last layer?",
    ((SCORES, "F.log_softmax(F.relu(flatten(x) @ w1) @ w2, dim=1)"),),
)
_wrong(
    "torch_fc_other_activation",
    FC,
    "The hidden numbers go through another function than the ReLU.",
    "relu(h) is h above zero, and zero below.",
    ((SCORES, "torch.sigmoid(flatten(x) @ w1) @ w2"),),
    ((SCORES, "torch.tanh(flatten(x) @ w1) @ w2"),),
    ((SCORES, "F.leaky_relu(flatten(x) @ w1) @ w2"),),
)
_wrong(
    "torch_fc_weights_transposed",
    FC,
    "The product takes the weights as (outputs, inputs); in params they are (inputs, outputs).",
    "F.linear wants its weights the other way round than the product from the right.",
    ((SCORES, "F.linear(F.relu(F.linear(flatten(x), w1)), w2)"),),
    ((SCORES, "F.relu(flatten(x) @ w1.T) @ w2.T"),),
)
_wrong(
    "torch_fc_not_flattened",
    FC,
    "The images are multiplied as they come; each has to become one row first.",
    "What is the shape of x for images, and what shape does the product need?",
    ((SCORES, "F.relu(x @ w1) @ w2"),),
)
_wrong(
    "torch_fc_detached",
    FC,
    "The scores are right, but cut off from the weights: PyTorch cannot make gradients.",
    "Is there a no_grad, a detach, a .data or NumPy on the way?",
    ((f"return {SCORES}", f"with torch.no_grad():\n        return {SCORES}"),),
    ((SCORES, f"({SCORES}).detach()"),),
    (
        (
            SCORES,
            "torch.from_numpy(np.maximum(flatten(x).numpy() @ w1.detach().numpy(), 0) @ w2.detach().numpy())",
        ),
    ),
)
_wrong(
    "torch_fc_hidden_detached",
    FC,
    "The second weights get a gradient, and the first ones none: the way back is cut between the layers.",
    "Is there a detach, a .data or a new tensor made from the hidden numbers?",
    ((SCORES, "F.relu(flatten(x) @ w1).detach() @ w2"),),
    ((SCORES, "F.relu(flatten(x) @ w1.data) @ w2"),),
)

# ---- the convolutional network

FIRST = "x = F.relu(F.conv2d(x, conv_w1, conv_b1, padding=2))"
SECOND = "x = F.relu(F.conv2d(x, conv_w2, conv_b2, padding=1))"
LAST = "return flatten(x) @ fc_w + fc_b"

_wrong(
    "torch_convnet_first_relu_missing",
    CONVNET,
    "There is no ReLU behind the first convolution.",
    "Each convolution has a ReLU behind it.",
    ((FIRST, "x = F.conv2d(x, conv_w1, conv_b1, padding=2)"),),
)
_wrong(
    "torch_convnet_second_relu_missing",
    CONVNET,
    "There is no ReLU behind the second convolution.",
    "Each convolution has a ReLU behind it.",
    ((SECOND, "x = F.conv2d(x, conv_w2, conv_b2, padding=1)"),),
)
_wrong(
    "torch_convnet_both_relus_missing",
    CONVNET,
    "There is no ReLU at all: three linear layers in a row are a linear one.",
    "Each convolution has a ReLU behind it.",
    (
        (FIRST, "x = F.conv2d(x, conv_w1, conv_b1, padding=2)"),
        (SECOND, "x = F.conv2d(x, conv_w2, conv_b2, padding=1)"),
    ),
)
_wrong(
    "torch_convnet_relu_on_scores",
    CONVNET,
    "A ReLU cuts off the negative scores; scores may have any sign.",
    "Behind which of the layers does a ReLU stand?",
    ((LAST, "return F.relu(flatten(x) @ fc_w + fc_b)"),),
)
_wrong(
    "torch_convnet_softmax",
    CONVNET,
    "A softmax turns the scores into probabilities; the network should return the scores.",
    "The loss has the softmax in it. What is the last layer?",
    ((LAST, "return F.softmax(flatten(x) @ fc_w + fc_b, dim=1)"),),
)
_wrong(
    "torch_convnet_log_softmax",
    CONVNET,
    "What comes out are logarithms of probabilities; the network should return the scores.",
    "The loss does that for you. What is the last layer?",
    ((LAST, "return F.log_softmax(flatten(x) @ fc_w + fc_b, dim=1)"),),
)
_wrong(
    "torch_convnet_no_padding",
    CONVNET,
    "The images are not padded: they shrink, and no longer fit the weights of the last layer.",
    "How large has the image to be for fc_w to fit?",
    (("conv_b1, padding=2", "conv_b1"), ("conv_b2, padding=1", "conv_b2")),
    (("conv_b1, padding=2", "conv_b1"),),
    (("conv_b2, padding=1", "conv_b2"),),
    (("conv_b1, padding=2", "conv_b1, padding=1"),),
    (("conv_b2, padding=1", "conv_b2, padding=2"),),
)
_wrong(
    "torch_convnet_paddings_swapped",
    CONVNET,
    "The two paddings are swapped: the size fits at the end, but the border is in the wrong place.",
    "How wide a border does a filter of 5x5 need to keep the size, and one of 3x3?",
    (("conv_b1, padding=2", "conv_b1, padding=1"), ("conv_b2, padding=1", "conv_b2, padding=2")),
    (("conv_b1, padding=2", "conv_b1, padding=3"), ("conv_b2, padding=1", "conv_b2, padding=0")),
)
_wrong(
    "torch_convnet_padding_not_zeros",
    CONVNET,
    "The border repeats the image's pixels; it should be zeros.",
    "What does conv2d do with padding on its own?",
    (
        (
            "F.conv2d(x, conv_w1, conv_b1, padding=2)",
            "F.conv2d(F.pad(x, (2, 2, 2, 2), mode='replicate'), conv_w1, conv_b1)",
        ),
        (
            "F.conv2d(x, conv_w2, conv_b2, padding=1)",
            "F.conv2d(F.pad(x, (1, 1, 1, 1), mode='replicate'), conv_w2, conv_b2)",
        ),
    ),
)
_wrong(
    "torch_convnet_conv_biases_missing",
    CONVNET,
    "The convolutions do not use their biases.",
    "Which of the six parameters does your function not use?",
    (("conv_w1, conv_b1, padding", "conv_w1, padding"), ("conv_w2, conv_b2, padding", "conv_w2, padding")),
)
_wrong(
    "torch_convnet_first_bias_missing",
    CONVNET,
    "The first convolution does not use its biases.",
    "Which of the six parameters does your function not use?",
    ((FIRST, "x = F.relu(F.conv2d(x, conv_w1, padding=2))"),),
)
_wrong(
    "torch_convnet_second_bias_missing",
    CONVNET,
    "The second convolution does not use its biases.",
    "Which of the six parameters does your function not use?",
    ((SECOND, "x = F.relu(F.conv2d(x, conv_w2, padding=1))"),),
)
_wrong(
    "torch_convnet_last_bias_missing",
    CONVNET,
    "The last layer does not add its biases.",
    "Which of the six parameters does your function not use?",
    ((LAST, "return flatten(x) @ fc_w"),),
)
_wrong(
    "torch_convnet_all_biases_missing",
    CONVNET,
    "None of the biases is used.",
    "Which of the six parameters does your function not use?",
    (
        (FIRST, "x = F.relu(F.conv2d(x, conv_w1, padding=2))"),
        (SECOND, "x = F.relu(F.conv2d(x, conv_w2, padding=1))"),
        (LAST, "return flatten(x) @ fc_w"),
    ),
)
_wrong(
    "torch_convnet_weights_transposed",
    CONVNET,
    "The last product takes the weights as (classes, inputs); in params they are (inputs, classes).",
    "F.linear wants its weights the other way round than the product from the right.",
    ((LAST, "return F.linear(flatten(x), fc_w, fc_b)"),),
    ((LAST, "return flatten(x) @ fc_w.T + fc_b"),),
)
_wrong(
    "torch_convnet_flatten_other_order",
    CONVNET,
    "The hidden images are flattened in another order: the channels come first, then rows and columns.",
    "Is there a permute or a transpose before the last layer that should not be there?",
    ((LAST, "return flatten(x.permute(0, 2, 3, 1)) @ fc_w + fc_b"),),
    ((LAST, "return flatten(x.transpose(2, 3)) @ fc_w + fc_b"),),
)
_wrong(
    "torch_convnet_pooling",
    CONVNET,
    "There is pooling between the layers; this network has none.",
    "Count the layers in the list above.",
    ((SECOND, SECOND + "\n    x = F.max_pool2d(x, 2)"),),
    ((SECOND, SECOND + "\n    x = F.max_pool2d(x, 3, stride=1, padding=1)"),),
)
_wrong(
    "torch_convnet_detached",
    CONVNET,
    "The scores are right, but cut off from the parameters: PyTorch cannot make gradients.",
    "Is there a no_grad, a detach or a .data on the way?",
    ((LAST, "return (flatten(x) @ fc_w + fc_b).detach()"),),
    (("fc_w, fc_b = params", "fc_w, fc_b = [p.detach() for p in params]"),),
)
_wrong(
    "torch_convnet_hidden_detached",
    CONVNET,
    "The last layer gets gradients, and the convolutions none: the way back is cut between the layers.",
    "Is there a detach, a .data or a new tensor made from the hidden images?",
    ((LAST, "return flatten(x).detach() @ fc_w + fc_b"),),
    ((LAST, "return flatten(x.data) @ fc_w + fc_b"),),
)

# ---- weights to start from

FAN = "shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))"
DRAW = "torch.randn(shape, device=device) * np.sqrt(2 / fan_in)"
ZEROS = "torch.zeros(shape, device=device, requires_grad=True)"

_wrong(
    "torch_weights_fan_out",
    WEIGHTS,
    "The width is taken from the number of outputs; Kaiming's rule counts the inputs that one output sees.",
    "Of affine weights (D, M) and of filters (F, C, HH, WW): which axes belong to the inputs of one output?",
    ((FAN, "shape[1] if len(shape) == 2 else shape[0] * int(np.prod(shape[2:]))"),),
)
_wrong(
    "torch_weights_affine_fan_out",
    WEIGHTS,
    "For affine weights (D, M) the width is taken from M, as for PyTorch's own layers; here D is the inputs.",
    "PyTorch's layers store their weights transposed. Which axis of (D, M) belongs to the inputs?",
    ((FAN, "int(np.prod(shape[1:]))"),),
    ((DRAW, "nn.init.kaiming_normal_(torch.empty(shape, device=device))"),),
)
_wrong(
    "torch_weights_filters_first_axis",
    WEIGHTS,
    "For filters the width is taken from their number; one output sees a window in all channels.",
    "How many numbers does one filter multiply?",
    ((FAN, "shape[0]"),),
)
_wrong(
    "torch_weights_filters_channels_only",
    WEIGHTS,
    "For filters only the channels are counted; one output sees a whole window in each of them.",
    "How many numbers does one filter multiply?",
    ((FAN, "shape[0] if len(shape) == 2 else shape[1]"),),
)
_wrong(
    "torch_weights_filters_window_only",
    WEIGHTS,
    "For filters only the window is counted; one output sees it in every channel.",
    "How many numbers does one filter multiply?",
    ((FAN, "shape[0] if len(shape) == 2 else shape[2] * shape[3]"),),
)
_wrong(
    "torch_weights_all_counted",
    WEIGHTS,
    "The width is taken from the count of all weights.",
    "How many inputs does a single output see?",
    ((FAN, "int(np.prod(shape))"),),
)
_wrong(
    "torch_weights_no_root",
    WEIGHTS,
    "The root is missing: 2 / fan-in is the variance of the weights, not their standard deviation.",
    "By what do you multiply numbers of variance 1 to get the variance you want?",
    (("np.sqrt(2 / fan_in)", "(2 / fan_in)"),),
)
_wrong(
    "torch_weights_no_two",
    WEIGHTS,
    "The 2 is missing: a ReLU halves the mean square, and the weights have to make up for that.",
    "What is the mean square behind a ReLU, if the numbers before it were symmetrical?",
    (("np.sqrt(2 / fan_in)", "np.sqrt(1 / fan_in)"),),
)
_wrong(
    "torch_weights_half",
    WEIGHTS,
    "The 2 stands under the root the wrong way round.",
    "Behind a ReLU the mean square is half as large: must the weights be larger or smaller for that?",
    (("np.sqrt(2 / fan_in)", "np.sqrt(1 / (2 * fan_in))"),),
)
_wrong(
    "torch_weights_inverse",
    WEIGHTS,
    "The width grows with fan-in; it has to shrink: a sum of more products is larger.",
    "Which way does the size of the weights go when an output sees more inputs?",
    (("np.sqrt(2 / fan_in)", "np.sqrt(fan_in / 2)"),),
)
_wrong(
    "torch_weights_divided_by_root_only",
    WEIGHTS,
    "The width is 2 / sqrt(fan-in): the 2 has been left out of the root.",
    "What is the root of the variance 2 / fan-in?",
    (("np.sqrt(2 / fan_in)", "2 / np.sqrt(fan_in)"),),
)
_wrong(
    "torch_weights_uniform",
    WEIGHTS,
    "The numbers are uniform between 0 and 1, all positive; they should have mean 0 and variance 1.",
    "What is the difference between rand and randn?",
    (("torch.randn", "torch.rand"),),
)
_wrong(
    "torch_weights_xavier",
    WEIGHTS,
    "This is Xavier's rule, which counts inputs and outputs; Kaiming's rule counts the inputs alone.",
    "Which number of the layer stands in the rule that you derived?",
    (
        (DRAW, "nn.init.xavier_normal_(torch.empty(shape, device=device))"),
    ),
)  # fmt: skip
_wrong(
    "torch_weights_small_constant",
    WEIGHTS,
    "The weights have a fixed small width; it should follow from the number of inputs.",
    "Does your function use fan-in?",
    (("np.sqrt(2 / fan_in)", "1e-2"),),
    (("np.sqrt(2 / fan_in)", "1e-3"),),
)
_wrong(
    "torch_weights_not_scaled",
    WEIGHTS,
    "The weights have the standard deviation 1, whatever the number of inputs.",
    "Does your function use fan-in?",
    (("np.sqrt(2 / fan_in)", "1.0"),),
)
_wrong(
    "torch_weights_same_every_time",
    WEIGHTS,
    "The random numbers are the same at every call: the layers start with copies of each other's weights.",
    "Where is the seed set, and how often?",
    (("w = torch.randn", "torch.manual_seed(0)\n    w = torch.randn"),),
)
_wrong(
    "torch_weights_no_gradient",
    WEIGHTS,
    "The random weights do not require a gradient: they will never learn.",
    "What does backward need to know about a tensor?",
    (("return w.requires_grad_()", "return w"),),
)
_wrong(
    "torch_weights_zeros_no_gradient",
    WEIGHTS,
    "The zeros do not require a gradient: the biases will never learn.",
    "What does backward need to know about a tensor?",
    ((ZEROS, "torch.zeros(shape, device=device)"),),
)
_wrong(
    "torch_weights_none_requires_gradient",
    WEIGHTS,
    "Neither the weights nor the zeros require a gradient: nothing will learn.",
    "What does backward need to know about a tensor?",
    (("return w.requires_grad_()", "return w"), (ZEROS, "torch.zeros(shape, device=device)")),
)
_wrong(
    "torch_weights_no_leaf",
    WEIGHTS,
    "The weights were scaled after requires_grad was set: what is returned is computed from the leaf.",
    "Only a tensor that you made gets a .grad. What should be the very last thing?",
    (("torch.randn(shape, device=device)", "torch.randn(shape, device=device, requires_grad=True)"),
     ("return w.requires_grad_()", "return w")),
)  # fmt: skip
_wrong(
    "torch_weights_float64",
    WEIGHTS,
    "The random weights are float64; PyTorch computes in float32, and does not mix the two.",
    "What does NumPy make when nothing else is said?",
    ((DRAW, "torch.tensor(np.random.randn(*shape) * np.sqrt(2 / fan_in), device=device)"),),
    ((DRAW, "torch.from_numpy(np.random.randn(*shape) * np.sqrt(2 / fan_in)).to(device)"),),
)
_wrong(
    "torch_weights_not_zero",
    WEIGHTS,
    "zero_weight returns other numbers than zeros.",
    "Biases may start at zero: which function makes zeros, and not just room for them?",
    ((ZEROS, "torch.ones(shape, device=device, requires_grad=True)"),),
    ((ZEROS, "(0.01 * torch.randn(shape, device=device)).requires_grad_()"),),
)
_wrong(
    "torch_weights_device_ignored",
    WEIGHTS,
    "The tensors are made on the CPU, whatever the device that was asked for.",
    "Which argument do your functions not use?",
    (("torch.randn(shape, device=device)", "torch.randn(shape)"),
     (ZEROS, "torch.zeros(shape, requires_grad=True)")),
    (("torch.randn(shape, device=device)", "torch.randn(shape)"),),
    ((ZEROS, "torch.zeros(shape, requires_grad=True)"),),
)  # fmt: skip
_wrong(
    "torch_weights_moved_after_requires_grad",
    WEIGHTS,
    "Where the device is another one, the copy that is moved there is no leaf: requires_grad was set before.",
    "What is computed from a leaf is no leaf, and a move to another device computes a copy.",
    (("torch.randn(shape, device=device)", "torch.randn(shape)"),
     ("return w.requires_grad_()", "return w.float().requires_grad_().to(device)")),
    ((ZEROS, "torch.zeros(shape, requires_grad=True).to(device)"),),
)  # fmt: skip

# ---- a step of training

UPDATE = "p -= learning_rate * p.grad"
LOSS = "loss = F.cross_entropy(model_fn(x, params), y)"

_wrong(
    "torch_step_gradients_not_cleared",
    STEP,
    "The gradients are not cleared: those of the next step are added to them.",
    "What does backward do with what is in .grad already?",
    (("            p.grad = None\n", ""),),
)
_wrong(
    "torch_step_first_gradient_cleared_only",
    STEP,
    "Only one parameter's gradient is cleared; the others add up from step to step.",
    "Does the line that clears stand inside the loop?",
    (("            p.grad = None\n", "        params[0].grad = None\n"),),
    (("            p.grad = None\n", "        p.grad = None\n"),),
)
_wrong(
    "torch_step_ascent",
    STEP,
    "The step goes uphill: the gradient is added.",
    "The gradient points to where the loss grows.",
    ((UPDATE, "p += learning_rate * p.grad"),),
)
_wrong(
    "torch_step_no_rate",
    STEP,
    "The step does not use the learning rate.",
    "Which argument does your function not use?",
    ((UPDATE, "p -= p.grad"),),
)
_wrong(
    "torch_step_divided_by_n",
    STEP,
    "The step is divided by the size of the batch; cross_entropy has taken the mean already.",
    "How often is the mean over the batch taken?",
    ((UPDATE, "p -= learning_rate * p.grad / len(y)"),),
)
_wrong(
    "torch_step_sum",
    STEP,
    "The loss is the sum over the batch; it should be the mean.",
    "What does cross_entropy do when nothing else is said?",
    ((LOSS, "loss = F.cross_entropy(model_fn(x, params), y, reduction='sum')"),),
)
_wrong(
    "torch_step_softmax_before_loss",
    STEP,
    "The scores go through a softmax before cross_entropy, which has one in it: that makes two.",
    "What does F.cross_entropy take: scores or probabilities?",
    ((LOSS, "loss = F.cross_entropy(F.softmax(model_fn(x, params), dim=1), y)"),),
)
_wrong(
    "torch_step_nll_of_scores",
    STEP,
    "nll_loss wants logarithms of probabilities; here it gets the scores themselves.",
    "Which of PyTorch's losses is your softmax_loss?",
    ((LOSS, "loss = F.nll_loss(model_fn(x, params), y)"),),
)
_wrong(
    "torch_step_svm",
    STEP,
    "The loss is that of the SVM; the step asks for the softmax loss.",
    "Which of PyTorch's losses is your softmax_loss?",
    ((LOSS, "loss = F.multi_margin_loss(model_fn(x, params), y)"),),
)
_wrong(
    "torch_step_watched",
    STEP,
    "A parameter is changed while PyTorch watches, and it refuses that.",
    "How do you tell PyTorch to look away?",
    (
        ("    with torch.no_grad():\n", ""),
        ("        for p in params:\n", "    for p in params:\n"),
        ("            p -=", "        p -="),
        ("            p.grad = None", "        p.grad = None"),
    ),
)
_wrong(
    "torch_step_nothing_moves",
    STEP,
    "The parameters that the caller holds do not move.",
    "Are these tensors changed in place, and by gradients that have not been cleared before?",
    ((UPDATE, "p = p - learning_rate * p.grad"), ("            p.grad = None\n", "")),
    (
        ("for p in params:", "for i, p in enumerate(params):"),
        (UPDATE, "params[i] = (p - learning_rate * p.grad).requires_grad_()"),
    ),
    (("loss.backward()", "loss.backward()\n    for p in params:\n        p.grad.zero_()"),),
)
_wrong(
    "torch_step_no_backward",
    STEP,
    "Nothing has computed gradients when the parameters want to use them.",
    "Which method of the loss fills in .grad?",
    (("    loss.backward()\n", ""),),
)
_wrong(
    "torch_step_last_parameter_only",
    STEP,
    "Only one of the parameters changes.",
    "What stands inside the loop, and what behind it?",
    (("for p in params:", "for p in params[-1:]:"),),
    (("for p in params:", "for p in params[:1]:"),),
)
_wrong(
    "torch_step_no_biases",
    STEP,
    "Only the weights change; the biases stay as they were.",
    "Which parameters does the loop leave out?",
    (("for p in params:", "for p in params[::2]:"),),
)
_wrong(
    "torch_step_weight_decay",
    STEP,
    "The step also shrinks the parameters; this is plain gradient descent, without a decay.",
    "The step is minus the learning rate times the gradient, and nothing else.",
    ((UPDATE, "p -= learning_rate * (p.grad + 1e-2 * p)"),),
)
_wrong(
    "torch_step_loss_after",
    STEP,
    "The loss that is returned is that after the step.",
    "When must the loss be computed that describes the batch before the step?",
    (("return loss.item()", "return F.cross_entropy(model_fn(x, params), y).item()"),),
)
_wrong(
    "torch_step_no_loss",
    STEP,
    "Nothing is returned; it should be the loss before the step.",
    "Is there a return statement?",
    (("    return loss.item()\n", ""),),
)
_wrong(
    "torch_step_loss_times_n",
    STEP,
    "The loss is multiplied by the size of the batch; the mean over the batch is asked for.",
    "What has cross_entropy computed already?",
    (("loss.item()", "loss.item() * len(y)"),),
)
_wrong(
    "torch_step_gradient_switched_off",
    STEP,
    "After the step the parameters do not require gradients any more: the next step cannot have any.",
    "What will the next call of backward need?",
    (("            p.grad = None\n", "            p.grad = None\n            p.requires_grad_(False)\n"),),
)

# ---- modules

MADE_FC = "self.fc2 = nn.Linear(hidden_size, num_classes)"
FC_INIT = (
    "        nn.init.kaiming_normal_(self.fc1.weight)\n        nn.init.kaiming_normal_(self.fc2.weight)\n"
)
FC_RUN = "return self.fc2(F.relu(self.fc1(flatten(x))))"


def _each_weight_by(function: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"kaiming_normal_(self.{fc}.weight)", f"{function}(self.{fc}.weight)") for fc in ("fc1", "fc2")
    )


_wrong(
    "torch_module_fc_default_weights",
    MODULE_FC,
    "The weights are as nn.Linear makes them, which is narrower than Kaiming's rule.",
    "Is there a line for each weight that initialises it, after the layer was made?",
    ((FC_INIT, ""),),
)
_wrong(
    "torch_module_fc_one_default_weight",
    MODULE_FC,
    "Only one of the two weights is initialised by Kaiming's rule.",
    "Is there a line for each weight?",
    ((FC_INIT, "        nn.init.kaiming_normal_(self.fc1.weight)\n"),),
    ((FC_INIT, "        nn.init.kaiming_normal_(self.fc2.weight)\n"),),
)
_wrong(
    "torch_module_fc_fan_out",
    MODULE_FC,
    "The width of the weights is taken from the number of outputs; Kaiming's rule counts the inputs.",
    "Which mode does kaiming_normal_ have when nothing else is said?",
    (
        ("kaiming_normal_(self.fc1.weight)", "kaiming_normal_(self.fc1.weight, mode='fan_out')"),
        ("kaiming_normal_(self.fc2.weight)", "kaiming_normal_(self.fc2.weight, mode='fan_out')"),
    ),
)
_wrong(
    "torch_module_fc_xavier",
    MODULE_FC,
    "The weights follow Xavier's rule; Kaiming's is asked for.",
    "Which function of nn.init does the exercise name?",
    _each_weight_by("xavier_normal_"),
    _each_weight_by("xavier_uniform_"),
)
_wrong(
    "torch_module_fc_standard_normal",
    MODULE_FC,
    "The weights have the standard deviation 1, whatever the number of inputs.",
    "Which function of nn.init does the exercise name?",
    _each_weight_by("normal_"),
)
_wrong(
    "torch_module_fc_without_relu",
    MODULE_FC,
    "There is no ReLU between the two layers: together they are a linear one.",
    "What has to happen to the hidden numbers below zero?",
    ((FC_RUN, "return self.fc2(self.fc1(flatten(x)))"),),
)
_wrong(
    "torch_module_fc_relu_on_scores",
    MODULE_FC,
    "A ReLU cuts off the negative scores; scores may have any sign.",
    "Behind which of the layers does a ReLU stand?",
    ((FC_RUN, "return F.relu(self.fc2(F.relu(self.fc1(flatten(x)))))"),),
)
_wrong(
    "torch_module_fc_relu_only_on_scores",
    MODULE_FC,
    "The ReLU stands behind the second layer, and not between the two.",
    "Which numbers are the hidden ones?",
    ((FC_RUN, "return F.relu(self.fc2(self.fc1(flatten(x))))"),),
)
_wrong(
    "torch_module_fc_softmax",
    MODULE_FC,
    "A softmax turns the scores into probabilities; the module should return the scores.",
    "The loss has the softmax in it. What is the last layer?",
    ((FC_RUN, "return F.softmax(self.fc2(F.relu(self.fc1(flatten(x)))), dim=1)"),),
)
_wrong(
    "torch_module_fc_not_flattened",
    MODULE_FC,
    "The images are not flattened before the first layer.",
    "What shape does nn.Linear want, and what shape have images?",
    ((FC_RUN, "return self.fc2(F.relu(self.fc1(x)))"),),
)
_wrong(
    "torch_module_fc_no_biases",
    MODULE_FC,
    "The layers have no biases; this time there are some.",
    "What does nn.Linear make when nothing else is said?",
    (("nn.Linear(input_size, hidden_size)", "nn.Linear(input_size, hidden_size, bias=False)"),
     ("nn.Linear(hidden_size, num_classes)", "nn.Linear(hidden_size, num_classes, bias=False)")),
)  # fmt: skip
_wrong(
    "torch_module_fc_plain_list",
    MODULE_FC,
    "The layers are in a plain Python list, where the module and its optimizer do not find them.",
    "What does a module notice? A list of layers has a class of its own in nn.",
    (("self.fc1 = nn.Linear(input_size, hidden_size)", "self.layers = [nn.Linear(input_size, hidden_size)]"),
     (MADE_FC, "self.layers.append(nn.Linear(hidden_size, num_classes))"),
     ("self.fc1.weight", "self.layers[0].weight"), ("self.fc2.weight", "self.layers[1].weight"),
     (FC_RUN, "return self.layers[1](F.relu(self.layers[0](flatten(x))))")),
)  # fmt: skip
_wrong(
    "torch_module_fc_layers_made_in_forward",
    MODULE_FC,
    "A layer is made anew at every call: its weights are random each time, and nothing can learn.",
    "Which of the two methods makes the layers?",
    ((FC_RUN, "self.fc2 = nn.Linear(self.fc2.in_features, self.fc2.out_features)\n        " + FC_RUN),),
)
_wrong(
    "torch_module_fc_same_layer_twice",
    MODULE_FC,
    "Both layers are made with the sizes of one of them.",
    "What goes into the second layer, and what comes out?",
    ((MADE_FC, "self.fc2 = nn.Linear(hidden_size, hidden_size)"),),
    (("nn.Linear(input_size, hidden_size)", "nn.Linear(input_size, num_classes)"),
     (MADE_FC, "self.fc2 = nn.Linear(num_classes, num_classes)")),
)  # fmt: skip

CONV_1 = "x = F.relu(self.conv1(x))"
CONV_2 = "x = F.relu(self.conv2(x))"
CONV_LAST = "return self.fc(flatten(x))"
CONV_INIT = (
    "        for layer in (self.conv1, self.conv2, self.fc):\n"
    "            nn.init.kaiming_normal_(layer.weight)\n"
)

_wrong(
    "torch_module_conv_default_weights",
    MODULE_CONV,
    "The weights are as PyTorch's layers make them, which is narrower than Kaiming's rule.",
    "Is there a line for each weight that initialises it, after the layer was made?",
    ((CONV_INIT, ""),),
)
_wrong(
    "torch_module_conv_last_weight_default",
    MODULE_CONV,
    "The last layer's weight is not initialised by Kaiming's rule.",
    "The rule is asked for in all three layers.",
    (("(self.conv1, self.conv2, self.fc)", "(self.conv1, self.conv2)"),),
)
_wrong(
    "torch_module_conv_filters_default",
    MODULE_CONV,
    "The filters are not, or not all, initialised by Kaiming's rule.",
    "The rule is asked for in all three layers.",
    (("(self.conv1, self.conv2, self.fc)", "(self.fc,)"),),
    (("(self.conv1, self.conv2, self.fc)", "(self.conv1, self.fc)"),),
    (("(self.conv1, self.conv2, self.fc)", "(self.conv2, self.fc)"),),
)
_wrong(
    "torch_module_conv_fan_out",
    MODULE_CONV,
    "The width of the weights is taken from the number of outputs; Kaiming's rule counts the inputs.",
    "Which mode does kaiming_normal_ have when nothing else is said?",
    (("kaiming_normal_(layer.weight)", "kaiming_normal_(layer.weight, mode='fan_out')"),),
)
_wrong(
    "torch_module_conv_xavier",
    MODULE_CONV,
    "The weights follow Xavier's rule; Kaiming's is asked for.",
    "Which function of nn.init does the exercise name?",
    (("kaiming_normal_(layer.weight)", "xavier_normal_(layer.weight)"),),
)
_wrong(
    "torch_module_conv_standard_normal",
    MODULE_CONV,
    "The weights have the standard deviation 1, whatever the number of inputs.",
    "Which function of nn.init does the exercise name?",
    (("kaiming_normal_(layer.weight)", "normal_(layer.weight)"),),
)
_wrong(
    "torch_module_conv_first_relu_missing",
    MODULE_CONV,
    "There is no ReLU behind the first convolution.",
    "Each convolution has a ReLU behind it.",
    ((CONV_1, "x = self.conv1(x)"),),
)
_wrong(
    "torch_module_conv_second_relu_missing",
    MODULE_CONV,
    "There is no ReLU behind the second convolution.",
    "Each convolution has a ReLU behind it.",
    ((CONV_2, "x = self.conv2(x)"),),
)
_wrong(
    "torch_module_conv_both_relus_missing",
    MODULE_CONV,
    "There is no ReLU at all: three linear layers in a row are a linear one.",
    "Each convolution has a ReLU behind it.",
    ((CONV_1, "x = self.conv1(x)"), (CONV_2, "x = self.conv2(x)")),
)
_wrong(
    "torch_module_conv_relu_on_scores",
    MODULE_CONV,
    "A ReLU cuts off the negative scores; scores may have any sign.",
    "Behind which of the layers does a ReLU stand?",
    ((CONV_LAST, "return F.relu(self.fc(flatten(x)))"),),
)
_wrong(
    "torch_module_conv_softmax",
    MODULE_CONV,
    "A softmax turns the scores into probabilities; the module should return the scores.",
    "The loss has the softmax in it. What is the last layer?",
    ((CONV_LAST, "return F.softmax(self.fc(flatten(x)), dim=1)"),),
)
_wrong(
    "torch_module_conv_no_padding",
    MODULE_CONV,
    "A padding is missing or wrong: the images do not keep their 32x32 pixels.",
    "How wide a border does a filter of 5x5 need to keep the size, and one of 3x3?",
    (("5, padding=2", "5"), ("3, padding=1", "3")),
    (("5, padding=2", "5, padding=1"),),
    (("3, padding=1", "3, padding=2"),),
)
_wrong(
    "torch_module_conv_smaller_images",
    MODULE_CONV,
    "The images are not padded, and the last layer is made for what is left of them.",
    "The network pads with 2 and then with 1. How large are the images at the end?",
    (("5, padding=2", "5"), ("3, padding=1", "3"), ("channel_2 * 32 * 32", "channel_2 * 26 * 26")),
)
_wrong(
    "torch_module_conv_paddings_swapped",
    MODULE_CONV,
    "The two paddings are swapped: the size fits at the end, but the border is in the wrong place.",
    "How wide a border does a filter of 5x5 need to keep the size, and one of 3x3?",
    (("5, padding=2", "5, padding=1"), ("3, padding=1", "3, padding=2")),
)
_wrong(
    "torch_module_conv_filter_sizes",
    MODULE_CONV,
    "The sizes of the filters are not 5x5 and then 3x3.",
    "Look at the list of layers in exercise 2.",
    (("5, padding=2", "3, padding=1"), ("3, padding=1)\n        self.fc", "5, padding=2)\n        self.fc")),
    (("5, padding=2", "3, padding=1"),),
)
_wrong(
    "torch_module_conv_channels_swapped",
    MODULE_CONV,
    "The layers are made with the wrong numbers of channels.",
    "What goes into each layer is what came out of the one before.",
    (("nn.Conv2d(in_channel, channel_1", "nn.Conv2d(in_channel, channel_2"),
     ("nn.Conv2d(channel_1, channel_2", "nn.Conv2d(channel_2, channel_1"),
     ("channel_2 * 32 * 32", "channel_1 * 32 * 32")),
)  # fmt: skip
_wrong(
    "torch_module_conv_no_biases",
    MODULE_CONV,
    "The convolutions have no biases.",
    "What does nn.Conv2d make when nothing else is said?",
    (("5, padding=2", "5, padding=2, bias=False"), ("3, padding=1", "3, padding=1, bias=False")),
)
_wrong(
    "torch_module_conv_pooling",
    MODULE_CONV,
    "There is pooling between the layers; this network has none.",
    "Count the layers in the list of exercise 2.",
    ((CONV_2, CONV_2 + "\n        x = F.max_pool2d(x, 2)"), ("channel_2 * 32 * 32", "channel_2 * 16 * 16")),
)
_wrong(
    "torch_module_conv_flatten_other_order",
    MODULE_CONV,
    "The hidden images are flattened in another order: the channels come first, then rows and columns.",
    "Is there a permute or a transpose before the last layer that should not be there?",
    ((CONV_LAST, "return self.fc(flatten(x.permute(0, 2, 3, 1)))"),),
    ((CONV_LAST, "return self.fc(flatten(x.transpose(2, 3)))"),),
)

# ---- the accuracy

_wrong(
    "torch_accuracy_training_mode",
    ACCURACY,
    "The network is asked while in training mode: dropout and batch normalisation distort its answers.",
    "Which switch has a module, and who sets it?",
    (("    net.eval()\n", ""),),
    (("net.eval()", "net.train()"),),
)
_wrong(
    "torch_accuracy_gradients_recorded",
    ACCURACY,
    "PyTorch records the computation for gradients that nobody wants: that costs time and memory.",
    "How do you tell PyTorch not to write anything down?",
    (("with torch.no_grad():", "if True:"),),
)
_wrong(
    "torch_accuracy_both_forgotten",
    ACCURACY,
    "The network is in training mode, and gradients are recorded.",
    "Two things are to be said before an accuracy is measured: one to the network, one to PyTorch.",
    (("    net.eval()\n", ""), ("with torch.no_grad():", "if True:")),
)
_wrong(
    "torch_accuracy_wrong_axis",
    ACCURACY,
    "The highest score is looked for among the images; it should be among the classes.",
    "The scores are (N, C). Which axis has to disappear?",
    (("argmax(dim=1)", "argmax(dim=0)"),),
)
_wrong(
    "torch_accuracy_no_axis",
    ACCURACY,
    "argmax without an axis gives one number for the whole batch.",
    "How many predictions are there for N images?",
    (("argmax(dim=1)", "argmax()"),),
)
_wrong(
    "torch_accuracy_lowest_score",
    ACCURACY,
    "The prediction is the class of the lowest score.",
    "Which end of the scores is the network's answer?",
    (("argmax(dim=1)", "argmin(dim=1)"),),
)
_wrong(
    "torch_accuracy_percent",
    ACCURACY,
    "The accuracy is in per cent; it should be a share from 0 to 1.",
    "What is the accuracy of a network that is always right?",
    (("return right / len(y)", "return 100 * right / len(y)"),),
)
_wrong(
    "torch_accuracy_count",
    ACCURACY,
    "What is returned is the number of right answers, not their share.",
    "By what must the count be divided?",
    (("return right / len(y)", "return right"),),
)
_wrong(
    "torch_accuracy_errors",
    ACCURACY,
    "What is returned is the share of wrong answers.",
    "Should a better network get a higher or a lower number?",
    (("return right / len(y)", "return 1 - right / len(y)"),),
    (("== y_part", "!= y_part"),),
)
_wrong(
    "torch_accuracy_mean_of_means",
    ACCURACY,
    "The accuracies of the pieces are averaged; the last piece is smaller and counts too much.",
    "Count the right answers of all pieces, and divide once.",
    (("right += (net(x_part).argmax(dim=1) == y_part).sum().item()",
      "right += (net(x_part).argmax(dim=1) == y_part).float().mean().item()"),
     ("return right / len(y)", "return right / len(X.split(500))")),
)  # fmt: skip
_wrong(
    "torch_accuracy_last_piece_dropped",
    ACCURACY,
    "The images of the last, smaller piece are left out.",
    "Does the loop reach the last image when the number of images is no multiple of the piece?",
    (
        (
            "zip(X.split(500), y.split(500), strict=True)",
            "list(zip(X.split(500), y.split(500)))[: len(y) // 500]",
        ),
    ),
)
_wrong(
    "torch_accuracy_last_piece_only",
    ACCURACY,
    "Only the right answers of the last piece are counted.",
    "Is the count started anew for each piece?",
    (("right += ", "right = "),),
)
_wrong(
    "torch_accuracy_first_piece_only",
    ACCURACY,
    "Only the first piece of the images is looked at.",
    "Where does the return statement stand?",
    (("    return right / len(y)", "            return right / len(y_part)"),),
)
_wrong(
    "torch_accuracy_divided_by_pieces",
    ACCURACY,
    "The count is divided by a multiple of the size of a piece, and not by the number of images.",
    "How many images are there when the last piece is smaller?",
    (("return right / len(y)", "return right / (500 * len(X.split(500)))"),),
)

# ---- a network in a few lines, and Nesterov momentum

NESTEROV = "torch.optim.SGD(net.parameters(), lr=learning_rate, momentum=0.9, nesterov=True)"

_wrong(
    "torch_sequential_first_relu_missing",
    SEQUENTIAL,
    "There is no ReLU behind the first convolution.",
    "Each convolution has a ReLU behind it.",
    (("5, padding=2),\n        nn.ReLU(),", "5, padding=2),"),),
)
_wrong(
    "torch_sequential_second_relu_missing",
    SEQUENTIAL,
    "There is no ReLU behind the second convolution.",
    "Each convolution has a ReLU behind it.",
    (("3, padding=1),\n        nn.ReLU(),", "3, padding=1),"),),
)
_wrong(
    "torch_sequential_both_relus_missing",
    SEQUENTIAL,
    "There is no ReLU at all: three linear layers in a row are a linear one.",
    "Each convolution has a ReLU behind it.",
    (
        ("5, padding=2),\n        nn.ReLU(),", "5, padding=2),"),
        ("3, padding=1),\n        nn.ReLU(),", "3, padding=1),"),
    ),
)
_wrong(
    "torch_sequential_relu_on_scores",
    SEQUENTIAL,
    "A ReLU cuts off the negative scores; scores may have any sign.",
    "Behind which of the layers does a ReLU stand?",
    (("32 * 32, num_classes),", "32 * 32, num_classes),\n        nn.ReLU(),"),),
)
_wrong(
    "torch_sequential_softmax",
    SEQUENTIAL,
    "A softmax turns the scores into probabilities; the network should return the scores.",
    "The loss has the softmax in it. What is the last layer?",
    (("32 * 32, num_classes),", "32 * 32, num_classes),\n        nn.Softmax(dim=1),"),),
)
_wrong(
    "torch_sequential_not_flattened",
    SEQUENTIAL,
    "The images are not flattened before the last layer.",
    "Which module makes rows of images?",
    (("        nn.Flatten(),\n", ""),),
)
_wrong(
    "torch_sequential_no_padding",
    SEQUENTIAL,
    "A padding is missing or wrong: the images do not keep their 32x32 pixels.",
    "How wide a border does a filter of 5x5 need to keep the size, and one of 3x3?",
    (("5, padding=2", "5"), ("3, padding=1", "3")),
    (("5, padding=2", "5, padding=1"),),
)
_wrong(
    "torch_sequential_smaller_images",
    SEQUENTIAL,
    "The images are not padded, and the last layer is made for what is left of them.",
    "The network pads with 2 and then with 1. How large are the images at the end?",
    (("5, padding=2", "5"), ("3, padding=1", "3"), ("channel_2 * 32 * 32", "channel_2 * 26 * 26")),
)
_wrong(
    "torch_sequential_paddings_swapped",
    SEQUENTIAL,
    "The two paddings are swapped: the size fits at the end, but the border is in the wrong place.",
    "How wide a border does a filter of 5x5 need to keep the size, and one of 3x3?",
    (("5, padding=2", "5, padding=1"), ("3, padding=1", "3, padding=2")),
)
_wrong(
    "torch_sequential_no_biases",
    SEQUENTIAL,
    "The convolutions have no biases.",
    "What does nn.Conv2d make when nothing else is said?",
    (("5, padding=2", "5, padding=2, bias=False"), ("3, padding=1", "3, padding=1, bias=False")),
)
_wrong(
    "torch_nesterov_plain_momentum",
    SEQUENTIAL,
    "This is plain momentum: the look ahead along the velocity is missing.",
    "Which option of torch.optim.SGD asks for Nesterov's variant?",
    ((NESTEROV, "torch.optim.SGD(net.parameters(), lr=learning_rate, momentum=0.9)"),),
)
_wrong(
    "torch_nesterov_no_momentum",
    SEQUENTIAL,
    "There is no momentum: this is plain gradient descent.",
    "Which options does torch.optim.SGD have?",
    ((NESTEROV, "torch.optim.SGD(net.parameters(), lr=learning_rate)"),),
)
_wrong(
    "torch_nesterov_refused",
    SEQUENTIAL,
    "Nesterov's variant is asked for without a momentum, and PyTorch refuses that.",
    "Along which velocity should it look ahead?",
    ((NESTEROV, "torch.optim.SGD(net.parameters(), lr=learning_rate, nesterov=True)"),),
)
_wrong(
    "torch_nesterov_other_momentum",
    SEQUENTIAL,
    "The momentum is not 0.9.",
    "Compare the number with the one in the exercise.",
    (("momentum=0.9", "momentum=0.5"),),
    (("momentum=0.9", "momentum=0.99"),),
)
_wrong(
    "torch_nesterov_dampened",
    SEQUENTIAL,
    "The gradients enter the velocity with a factor, as in an average; here they enter whole.",
    "Compare the two formulas with your optimizer's options.",
    ((NESTEROV, "torch.optim.SGD(net.parameters(), lr=learning_rate, momentum=0.9, dampening=0.1)"),),
)
_wrong(
    "torch_nesterov_weight_decay",
    SEQUENTIAL,
    "There is weight decay too; only Nesterov momentum is asked for.",
    "Nothing else, says the exercise.",
    (("nesterov=True", "nesterov=True, weight_decay=1e-2"),),
)
_wrong(
    "torch_nesterov_fixed_rate",
    SEQUENTIAL,
    "The learning rate that is given is not used.",
    "Which argument does your function not use?",
    (("lr=learning_rate", "lr=1e-2"),),
    (("lr=learning_rate", "lr=1e-3"),),
)
_wrong(
    "torch_nesterov_adam",
    SEQUENTIAL,
    "This is another optimizer than SGD.",
    "Which of PyTorch's optimizers has the option nesterov?",
    ((NESTEROV, "torch.optim.Adam(net.parameters(), lr=learning_rate)"),),
    ((NESTEROV, "torch.optim.NAdam(net.parameters(), lr=learning_rate)"),),
    ((NESTEROV, "torch.optim.RMSprop(net.parameters(), lr=learning_rate, momentum=0.9)"),),
)
_wrong(
    "torch_nesterov_some_parameters",
    SEQUENTIAL,
    "Only some of the network's parameters are given to the optimizer.",
    "What does net.parameters() hold, and what did you give?",
    (("net.parameters()", "[p for p in net.parameters() if p.dim() > 1]"),),
    (("net.parameters()", "net[-1].parameters()"),),
    (("net.parameters()", "list(net.parameters())[:2]"),),
)
_wrong(
    "torch_nesterov_maximises",
    SEQUENTIAL,
    "The steps go uphill: the gradients are added.",
    "Is there a sign or an option that turns the steps round?",
    (("nesterov=True", "nesterov=True, maximize=True"),),
)
