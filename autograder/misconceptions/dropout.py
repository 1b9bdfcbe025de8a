"""What goes wrong in the dropout layer."""

import numpy as np

from . import edited, misconception

FORWARD = "handgrad.layers.dropout.dropout_forward"
BACKWARD = "handgrad.layers.dropout.dropout_backward"


# ---- forward


def layer(choice=lambda random, x, p: random.rand(*x.shape) < p, factor=lambda p: 1 / p, test=None):
    """A right forward pass but for the choice of what is kept, its factor, or the test mode."""

    def dropout_forward(x, dropout_param):
        p, seed = dropout_param["p"], dropout_param.get("seed")
        if dropout_param["mode"] == "test":
            return (x.copy() if test is None else test(x, p)), (x.shape, None)
        random = np.random if seed is None else np.random.RandomState(seed)
        mask = choice(random, x, p) * factor(p)
        return x * mask, (x.shape, mask)

    return dropout_forward


def _forward(id, explanation, advice, *versions):
    named = misconception(id, function=FORWARD, explanation=explanation, advice=advice)
    for version in versions:
        named(version)


_forward(
    "dropout_normal_draw",
    "The draws come from a normal distribution; then the share below p is not p.",
    "np.random.rand and np.random.randn differ in more than a letter. Which draws evenly from 0 to 1?",
    layer(lambda random, x, p: random.randn(*x.shape) < p),
    layer(lambda random, x, p: random.normal(size=x.shape) < p),
)
_forward(
    "dropout_normal_draw_no_scale",
    "The draws come from a normal distribution, and what is kept is not scaled.",
    "Which function draws evenly from 0 to 1? And what is the expected value of out, compared with x?",
    layer(lambda random, x, p: random.randn(*x.shape) < p, factor=lambda p: 1),
)
_forward(
    "dropout_no_scale",
    "What is kept is not divided by p: on average out is smaller than x.",
    "In test mode nothing is scaled. What has to happen in train mode, so that both are alike on average?",
    layer(factor=lambda p: 1),
)
_forward(
    "dropout_scaled_at_test_time",
    "Test mode multiplies by p instead of train mode dividing: that is dropout, but not inverted dropout.",
    "Here test mode changes nothing at all. So where does the scaling belong?",
    layer(factor=lambda p: 1, test=lambda x, p: x * p),
)
_forward(
    "dropout_scaled_twice",
    "Train mode divides by p, and test mode multiplies by p as well; one of the two is enough.",
    "In test mode the output is x.",
    layer(test=lambda x, p: x * p),
)
_forward(
    "dropout_test_divides",
    "Test mode divides by p; it should change nothing.",
    "In test mode nothing was dropped. What is there to make up for?",
    layer(test=lambda x, p: x / p),
)
_forward(
    "dropout_multiplied_by_p",
    "What is kept is multiplied by p; it should be divided.",
    "A share p is left. How much larger must these numbers be for the same sum?",
    layer(factor=lambda p: p),
)
_forward(
    "dropout_scale_squared",
    "What is kept is divided by p twice.",
    "Is the mask divided by p, or the product with it? Not both.",
    layer(factor=lambda p: 1 / p**2),
)
_forward(
    "dropout_scale_root",
    "What is kept is divided by the square root of p; it should be divided by p.",
    "The expected value of out should be x. What is the expected value of the mask?",
    layer(factor=lambda p: 1 / np.sqrt(p)),
)
_forward(
    "dropout_keeps_1_minus_p",
    "A share of 1 - p is kept, and divided by p: the comparison with p is the wrong way round.",
    "p is the probability to keep. With which probability is an even draw above p?",
    layer(lambda random, x, p: random.rand(*x.shape) > p),
    layer(lambda random, x, p: random.rand(*x.shape) < 1 - p),
)
_forward(
    "dropout_keeps_1_minus_p_no_scale",
    "A share of 1 - p is kept, and it is not scaled.",
    "p is the probability to keep. And what is the expected value of out, compared with x?",
    layer(lambda random, x, p: random.rand(*x.shape) > p, factor=lambda p: 1),
)
_forward(
    "dropout_p_drops",
    "p is read as the probability to drop a number; in this course it is the probability to keep it.",
    "Some papers and libraries mean the other one. The docstring says what p is here.",
    layer(lambda random, x, p: random.rand(*x.shape) >= p, factor=lambda p: np.divide(1.0, 1 - p)),
)
_forward(
    "dropout_divides_by_1_minus_p",
    "What is kept is divided by 1 - p; the share that is kept is p.",
    "Divide by the probability to keep.",
    layer(factor=lambda p: np.divide(1.0, 1 - p)),
)
_forward(
    "dropout_never_drops",
    "Everything is kept: a division comes before a comparison, so the draws are compared with p / p.",
    "Put brackets around the comparison with p.",
    layer(lambda random, x, p: random.rand(*x.shape) < p / p, factor=lambda p: 1),
    layer(lambda random, x, p: np.ones(x.shape), factor=lambda p: 1),
)
_forward(
    "dropout_scales_only",
    "Nothing is dropped: every number is divided by p.",
    "Print your mask. Does it hold zeros?",
    layer(lambda random, x, p: np.ones(x.shape)),
)
_forward(
    "dropout_one_row",
    "All examples of a batch share one row of draws; each number needs a draw of its own.",
    "What is the shape of your mask, and what does broadcasting do with it?",
    layer(lambda random, x, p: random.rand(*x.shape[1:]) < p),
    layer(lambda random, x, p: random.rand(1, *x.shape[1:]) < p),
)
_forward(
    "dropout_one_row_no_scale",
    "All examples of a batch share one row of draws, and what is kept is not scaled.",
    "What is the shape of your mask? And what is the expected value of out, compared with x?",
    layer(lambda random, x, p: random.rand(*x.shape[1:]) < p, factor=lambda p: 1),
)
_forward(
    "dropout_last_axis_only",
    "The draws are made for the last axis alone, and shared along all others.",
    "What is the shape of your mask for images? Each number needs a draw of its own.",
    layer(lambda random, x, p: random.rand(x.shape[-1]) < p),
)
_forward(
    "dropout_whole_examples",
    "Examples are kept or dropped as a whole; each number needs a draw of its own.",
    "What is the shape of your mask, and what does broadcasting do with it?",
    layer(lambda random, x, p: random.rand(len(x), *[1] * (x.ndim - 1)) < p),
)
_forward(
    "dropout_whole_channels",
    "All pixels of a channel share one draw; each number needs a draw of its own.",
    "For images, too, the mask has the shape of x.",
    layer(lambda random, x, p: random.rand(*x.shape[:2], *[1] * (x.ndim - 2)) < p),
)
_forward(
    "dropout_one_draw",
    "There is one draw for the whole array, so everything is kept or nothing.",
    "Random numbers of which shape are needed, to decide about each number of x?",
    layer(lambda random, x, p: np.ones(x.shape) * (random.rand() < p)),
)
_forward(
    "dropout_not_thresholded",
    "The inputs are multiplied by random numbers between 0 and 1; they should be kept or dropped.",
    "Compare the draws with p: the mask holds only two different numbers.",
    layer(lambda random, x, p: random.rand(*x.shape)),
)
_forward(
    "dropout_by_value",
    "The numbers of x are compared with p; random draws should be.",
    "Which numbers are kept must not depend on what they are.",
    layer(lambda random, x, p: x < p),
)
_forward(
    "dropout_even_share",
    "Half of the numbers are kept, whatever p is.",
    "Which argument does your function not use?",
    layer(lambda random, x, p: random.rand(*x.shape) < 0.5),
)
_forward(
    "dropout_test_drops",
    "Test mode drops numbers as train mode does; in test mode nothing is random.",
    "Where does your function look at the mode?",
    edited(FORWARD, ('if mode == "test":', 'if mode == "neither":')),
)
_forward(
    "dropout_modes_swapped",
    "The modes are swapped: train mode changes nothing, and test mode drops.",
    "When should a network use all of its units?",
    edited(FORWARD, ('if mode == "test":', 'if mode == "train":')),
)
_forward(
    "dropout_test_zeros",
    "In test mode out is all zeros; it should be x.",
    "What does your function put into out in test mode?",
    layer(test=lambda x, p: np.zeros_like(x)),
)
_forward(
    "dropout_seed_ignored",
    "The seed is not used: two calls with the same seed choose differently.",
    "Draw from the generator that the given lines make.",
    edited(FORWARD, ("kept = random.rand(", "kept = np.random.rand(")),
)
_forward(
    "dropout_always_seeded",
    "Without a seed every call makes the same choice; it should choose anew.",
    "Does your function seed the generator in every call?",
    edited(
        FORWARD, ("kept = random.rand(", "kept = np.random.RandomState(dropout_param.get('seed', 0)).rand(")
    ),
)
_forward(
    "dropout_one_seed",
    "Every call makes the same choice, whatever the seed.",
    "Does your function seed the generator with a number of its own?",
    edited(FORWARD, ("kept = random.rand(", "kept = np.random.RandomState(0).rand(")),
)


# ---- backward


def _backward(id, explanation, advice, *versions):
    """Versions compute dx from dout and the mask (0 or 1 / p; None in test mode)."""
    named = misconception(id, function=BACKWARD, explanation=explanation, advice=advice)
    for version in versions:
        named(lambda dout, cache, version=version: version(dout, cache[1]))


def in_train_mode(version, test=lambda dout: dout):
    return lambda dout, mask: test(dout) if mask is None else version(dout, mask)


_backward(
    "dropout_backward_no_scale",
    "Where numbers were kept dx is dout; the factor of the forward pass is missing.",
    "In the forward pass a number is kept and divided. What is the derivative of that?",
    in_train_mode(lambda dout, mask: dout * (mask > 0)),
)
_backward(
    "dropout_backward_scaled_twice",
    "dx is divided by p twice.",
    "Does the mask in your cache hold 1, or 1 / p?",
    in_train_mode(lambda dout, mask: dout * mask * mask.max()),
)
_backward(
    "dropout_backward_times_p",
    "Where numbers were kept dx is multiplied by p; it should be divided.",
    "If the input grows by 1, by how much does the output grow?",
    in_train_mode(lambda dout, mask: dout * (mask > 0) / mask.max()),
)
_backward(
    "dropout_backward_passes_on",
    "dx is dout, in train mode too: what was dropped gets a gradient, and what was kept is not scaled.",
    "By how much does the output change when an input changes that was dropped?",
    lambda dout, mask: dout,
)
_backward(
    "dropout_backward_scales_all",
    "All of dout is divided by p, also where numbers were dropped.",
    "By how much does the output change when an input changes that was dropped?",
    in_train_mode(lambda dout, mask: dout * mask.max()),
)
_backward(
    "dropout_backward_dropped_ones",
    "dx is dout where numbers were dropped, and 0 where they were kept: it should be the other way round.",
    "Which inputs have an influence on the output?",
    in_train_mode(lambda dout, mask: dout * (mask == 0)),
    in_train_mode(lambda dout, mask: dout * (mask == 0) * mask.max()),
)
_backward(
    "dropout_backward_draws_again",
    "The backward pass draws a new mask; it has to use that of the forward pass.",
    "Which numbers were dropped has been decided. Where can you keep that?",
    in_train_mode(lambda dout, mask: dout * (np.random.rand(*dout.shape) < 1 / mask.max()) * mask.max()),
)
_backward(
    "dropout_backward_without_dout",
    "dx is the mask, the local derivative alone, without what comes from above.",
    "The chain rule multiplies the local derivative with dout.",
    in_train_mode(lambda dout, mask: mask),
)
_backward(
    "dropout_backward_negative_lost",
    "Where dout is negative dx is 0: that is the rule of a ReLU, and wrong even there.",
    "Dropout does not care for the sign of anything.",
    in_train_mode(lambda dout, mask: np.where(dout > 0, dout * mask, 0.0)),
)
_negative = misconception(
    "dropout_backward_positive_outputs",
    function=BACKWARD,
    explanation="Where out is negative dx is 0, as if dropout were a ReLU; dropped is what is 0 in out.",
    advice="Dropout does not care for the sign of anything. What should the cache hold?",
)
for _factor in ("p", "1"):
    _wrong = edited(
        BACKWARD,
        ("shape, mask = cache", "shape, mask, out, p = cache"),
        ("dout * mask", f"dout * (out > 0) / {_factor}"),
    )
    _wrong.together_with = {
        FORWARD: edited(
            FORWARD,
            ("return x.copy(), (x.shape, None)", "return x.copy(), (x.shape, None, x, p)"),
            ("cache = (x.shape, mask)", "cache = (x.shape, mask, out, p)"),
        )
    }
    _negative(_wrong)
_backward(
    "dropout_backward_summed",
    "dx is summed over the examples; each input has a gradient of its own.",
    "dx has the shape of x.",
    in_train_mode(lambda dout, mask: (dout * mask).sum(axis=0)),
)
_backward(
    "dropout_backward_zero_in_test_mode",
    "In test mode dx is 0; there out is x, so dx is not.",
    "What is the derivative of out = x?",
    in_train_mode(lambda dout, mask: dout * mask, test=lambda dout: np.zeros_like(dout)),
)
_backward(
    "dropout_backward_ones_in_test_mode",
    "In test mode dx is 1 everywhere: the local derivative alone, without what comes from above.",
    "The chain rule multiplies the local derivative with dout.",
    in_train_mode(lambda dout, mask: dout * mask, test=lambda dout: np.ones_like(dout)),
)
_backward(
    "dropout_backward_nothing_in_test_mode",
    "In test mode the backward pass returns nothing.",
    "Every way through the function has to end in a return. What is dx when out is x?",
    in_train_mode(lambda dout, mask: dout * mask, test=lambda dout: None),
)


@misconception(
    "dropout_backward_no_test_mode",
    function=BACKWARD,
    explanation="The backward pass works in train mode only: in test mode there is no mask to multiply with.",
    advice="What is out in test mode, and what is its derivative?",
)
def dropout_backward_no_test_mode(dout, cache):
    return dout * cache[1]
