"""What goes wrong in the update rules: the step, what is remembered, and the settings."""

from . import edited, misconception


def _rule(rule, prefix):
    function = f"handgrad.optim.{rule}"

    def register(id, explanation, advice, *versions):
        """Register a mistake; each version is a list of edits of the reference."""
        wrong = misconception(prefix + id, function=function, explanation=explanation, advice=advice)
        for version in versions:
            wrong(edited(function, *version))

    return register


_momentum = _rule("sgd_momentum", "momentum_")
_nesterov = _rule("sgd_nesterov_momentum", "nesterov_")
_adagrad = _rule("adagrad", "adagrad_")
_rmsprop = _rule("rmsprop", "rmsprop_")
_adam = _rule("adam", "adam_")

RATE = 'config["learning_rate"]'


# ---- momentum

VELOCITY = 'config["momentum"] * config["velocity"] - config["learning_rate"] * dw'
STEP = "next_w = w + velocity"
STORE = 'config["velocity"] = velocity'

for _register, _step in (
    (_momentum, STEP),
    (_nesterov, 'next_w = w + config["momentum"] * velocity - config["learning_rate"] * dw'),
):
    _register(
        "velocity_not_stored",
        "The new velocity is not put into config: the next step starts from the old one.",
        "What does the caller hand back at the next step, and where does it come from?",
        [(STORE, "pass")],
    )
    _register(
        "dampened",
        "The gradient's share of the velocity is multiplied by 1 - momentum as well; here it is not.",
        "The velocity is no average: it keeps a share of itself, and the full plain step is added.",
        [(VELOCITY, VELOCITY.replace(" - ", ' - (1 - config["momentum"]) * '))],
    )
    _register(
        "hard_coded",
        "The momentum is fixed at 0.9; it should be the one in config.",
        "Which item of config does your function not use?",
        [
            (VELOCITY, VELOCITY.replace('config["momentum"]', "0.9")),
            (_step, _step.replace('config["momentum"]', "0.9")),
        ],
    )
    _register(
        "rate_hard_coded",
        "The learning rate is a fixed number; it should be the one in config.",
        "Which item of config does your function not use?",
        [(VELOCITY, VELOCITY.replace(RATE, "1e-2")), (_step, _step.replace(RATE, "1e-2"))],
        [(VELOCITY, VELOCITY.replace(RATE, "1e-3")), (_step, _step.replace(RATE, "1e-3"))],
    )
    _register(
        "gradient_added",
        "The velocity grows along the gradient: the loss goes up.",
        "Which way does the gradient point, and which way is downhill?",
        [(VELOCITY, VELOCITY.replace(" - ", " + ")), (_step, _step.replace(" - ", " + "))],
    )
    _register(
        "velocity_reversed",
        "The velocity in config has the other sign: it is subtracted from w where it should be added.",
        "The new velocity should point where w goes. Which sign has the gradient in it?",
        [
            (VELOCITY, VELOCITY.replace(" - ", " + ")),
            (_step, _step.replace("w + ", "w - ")),
        ],
    )
    _register(
        "velocity_forgotten",
        "The new velocity has nothing of the old one in it.",
        "Which share of itself does the velocity keep?",
        [(VELOCITY, "0 * config['velocity'] - config['learning_rate'] * dw")],
    )
    _register(
        "no_friction",
        "The velocity keeps all of itself; it should keep the share momentum.",
        "Without friction a ball never stops. Which item of config is the share that is left?",
        [(VELOCITY, 'config["velocity"] - config["learning_rate"] * dw')],
    )
    _register(
        "friction_on_both",
        "The new gradient is multiplied by the momentum too; only the old velocity is.",
        "Look at the brackets in your formula of the velocity.",
        [(VELOCITY, 'config["momentum"] * (config["velocity"] - config["learning_rate"] * dw)')],
    )
    _register(
        "next_w_stored",
        "What is put into config as the velocity is the parameter.",
        "Which of your variables is the velocity?",
        [(STORE, 'config["velocity"] = next_w')],
    )

_momentum(
    "rate_outside",
    "The learning rate multiplies the whole velocity; it belongs into the velocity, beside the gradient.",
    "Right from rest, and wrong as soon as the rate changes: what does the docstring add to the velocity?",
    [
        (VELOCITY, 'config["momentum"] * config["velocity"] - dw'),
        (STEP, "next_w = w + config['learning_rate'] * velocity"),
    ],
    [
        (VELOCITY, 'config["momentum"] * config["velocity"] + dw'),
        (STEP, "next_w = w - config['learning_rate'] * velocity"),
    ],
)
_momentum(
    "rate_missing",
    "The learning rate is not in the velocity: the steps are far too long.",
    "Which item of config does your function not use?",
    [(VELOCITY, 'config["momentum"] * config["velocity"] - dw')],
)
_momentum(
    "rate_twice",
    "The learning rate is applied twice: in the velocity, and once more in the step.",
    "The velocity is a step already.",
    [(STEP, "next_w = w + config['learning_rate'] * velocity")],
)
_momentum(
    "old_velocity",
    "w moves by the old velocity; it should move by the new one.",
    "In which order do you compute the velocity and the step?",
    [(STEP, 'next_w = w + config["velocity"]')],
)
_momentum(
    "plain_step",
    "The step is that of plain gradient descent: the velocity is computed, and not used.",
    "By what does w move?",
    [(STEP, "next_w = w - config['learning_rate'] * dw")],
)
_momentum(
    "gradient_again",
    "The gradient is subtracted beside the velocity, which has it in it already.",
    "By what does w move? Count how often the gradient is in it.",
    [(STEP, "next_w = w + velocity - config['learning_rate'] * dw")],
)
_momentum(
    "looks_ahead",
    "The step is Nesterov's; here w moves by the new velocity alone.",
    "Two rules share this velocity. Which one does this exercise ask for?",
    [(STEP, "next_w = w + config['momentum'] * velocity - config['learning_rate'] * dw")],
)


# ---- Nesterov's momentum

LOOK = 'next_w = w + config["momentum"] * velocity - config["learning_rate"] * dw'

_nesterov(
    "plain_momentum",
    "The step is that of momentum without a look ahead: w moves by the new velocity alone.",
    "The docstring says what to add to w, in terms of the new velocity and the gradient.",
    [(LOOK, "next_w = w + velocity")],
)
_nesterov(
    "gradient_missing",
    "The step has the velocity in it, and lacks the gradient.",
    "The docstring names two terms. Which one does your step not have?",
    [(LOOK, 'next_w = w + config["momentum"] * velocity')],
)
_nesterov(
    "both_velocities",
    "The step has the whole velocity in it, and the look ahead on top.",
    "The docstring says what to add to w. How often is the velocity in your step?",
    [(LOOK, 'next_w = w + velocity + config["momentum"] * velocity')],
    [(LOOK, 'next_w = w + velocity + config["momentum"] * velocity - config["learning_rate"] * dw')],
)
_nesterov(
    "momentum_missing",
    "The new velocity is in the step in full; only the share momentum of it should be.",
    "Which factor stands before the new velocity?",
    [(LOOK, 'next_w = w + velocity - config["learning_rate"] * dw')],
)
_nesterov(
    "back_step_reversed",
    "The old velocity is added where the form with both velocities takes it back.",
    "From the old point ahead, w first goes back to where it was. Which sign has that?",
    [(LOOK, 'next_w = w + config["momentum"] * config["velocity"] + (1 + config["momentum"]) * velocity')],
)
_nesterov(
    "back_step_only",
    "The old velocity is taken back, and the look ahead with the new one is missing.",
    "From the old point ahead back to w, then a step, and then ahead again: which of the three is missing?",
    [(LOOK, 'next_w = w - config["momentum"] * config["velocity"] + velocity')],
)
_nesterov(
    "step_stored",
    "What is put into config as the velocity is the whole step.",
    "The velocity changes as in sgd_momentum. Which of your variables is it?",
    [(STORE, 'config["velocity"] = next_w - w')],
)
_nesterov(
    "rate_missing",
    "The learning rate is missing beside the gradient, in the velocity or in the step.",
    "The gradient stands in two places. What does it bring with it?",
    [(VELOCITY, 'config["momentum"] * config["velocity"] - dw')],
    [(LOOK, 'next_w = w + config["momentum"] * velocity - dw')],
)


# ---- the rules with a cache of squared gradients

ADA_CACHE = 'cache = config["cache"] + dw**2'
RMS_CACHE = 'cache = decay_rate * config["cache"] + (1 - decay_rate) * dw**2'
DIVIDED = 'next_w = w - config["learning_rate"] * dw / (np.sqrt(cache) + config["epsilon"])'
STORE_CACHE = 'config["cache"] = cache'

for _register, _cache in ((_adagrad, ADA_CACHE), (_rmsprop, RMS_CACHE)):
    _register(
        "no_root",
        "The step is divided by the cache itself; the square root is missing.",
        "The cache holds squares of gradients. What has the size of a gradient?",
        [(DIVIDED, DIVIDED.replace("np.sqrt(cache)", "cache"))],
    )
    _register(
        "multiplied",
        "The step is multiplied by the root of the cache; it should be divided by it.",
        "Numbers with large gradients should take shorter steps.",
        [(DIVIDED, 'next_w = w - config["learning_rate"] * dw * (np.sqrt(cache) + config["epsilon"])')],
    )
    _register(
        "old_cache",
        "The step is divided by the root of the old cache; the new one has the present gradient in it.",
        "In which order do you compute the cache and the step?",
        [(DIVIDED, DIVIDED.replace("np.sqrt(cache)", 'np.sqrt(config["cache"])'))],
    )
    _register(
        "cache_not_stored",
        "The new cache is not put into config: the next step starts from the old one.",
        "What does the caller hand back at the next step, and where does it come from?",
        [(STORE_CACHE, "pass")],
    )
    _register(
        "root_stored",
        "What is put into config is the root of the cache.",
        "The cache of the next step goes on from squares. Take the root for the step alone.",
        [(STORE_CACHE, 'config["cache"] = np.sqrt(cache)')],
    )
    _register(
        "gradient_not_squared",
        "The cache collects the gradients or their sizes; it should collect their squares.",
        "A root will be taken of it. What has the cache to hold?",
        [(_cache, _cache.replace("dw**2", "dw"))],
        [(_cache, _cache.replace("dw**2", "np.abs(dw)"))],
    )
    _register(
        "rate_hard_coded",
        "The learning rate is a fixed number; it should be the one in config.",
        "Which item of config does your function not use?",
        [(DIVIDED, DIVIDED.replace(RATE, "1e-2"))],
        [(DIVIDED, DIVIDED.replace(RATE, "1e-3"))],
    )
    _register(
        "gradient_added",
        "The step goes along the gradient: the loss goes up.",
        "Which way does the gradient point, and which way is downhill?",
        [(DIVIDED, DIVIDED.replace("w - ", "w + "))],
    )
    _register(
        "gradient_missing",
        "The step has no gradient in it: all numbers go down, whatever the sign of their gradients.",
        "What is divided by the root of the cache?",
        [(DIVIDED, DIVIDED.replace("* dw /", "/"))],
    )
    _register(
        "one_rate_for_all",
        "All numbers share one root, of a sum or mean over the cache; each should have its own.",
        "The cache has the shape of w. Which of your operations makes one number of it?",
        [(DIVIDED, DIVIDED.replace("np.sqrt(cache)", "np.sqrt(np.mean(cache))"))],
        [(DIVIDED, DIVIDED.replace("np.sqrt(cache)", "np.linalg.norm(np.sqrt(cache))"))],
    )

_adagrad(
    "cache_overwritten",
    "The cache holds the squares of the present gradient alone; it is a sum over all steps.",
    "What becomes of the old cache?",
    [(ADA_CACHE, "cache = dw**2")],
)
_adagrad(
    "cache_decays",
    "The cache is a running average; AdaGrad never forgets.",
    "That is the next rule. What does AdaGrad do with the squares of all steps?",
    [(ADA_CACHE, 'cache = 0.99 * config["cache"] + 0.01 * dw**2')],
    [(ADA_CACHE, 'cache = 0.9 * config["cache"] + 0.1 * dw**2')],
)
_adagrad(
    "new_square_only",
    "The step is divided by the size of the present gradient alone, not by the root of the whole cache.",
    "What is under the root?",
    [(DIVIDED, DIVIDED.replace("np.sqrt(cache)", "np.sqrt(dw**2)"))],
)
_rmsprop(
    "shares_exchanged",
    "The two shares are exchanged: decay_rate is what the cache keeps of itself.",
    "With a decay rate of 0.99 the cache should change slowly.",
    [(RMS_CACHE, 'cache = (1 - decay_rate) * config["cache"] + decay_rate * dw**2')],
)
_rmsprop(
    "never_forgets",
    "The cache keeps all of itself; it should keep the share decay_rate.",
    "A running average has two shares that add up to 1.",
    [(RMS_CACHE, 'cache = config["cache"] + (1 - decay_rate) * dw**2')],
    [(RMS_CACHE, 'cache = config["cache"] + dw**2')],
)
_rmsprop(
    "new_square_in_full",
    "The new square enters in full; only the share 1 - decay_rate of it should.",
    "A running average has two shares that add up to 1.",
    [(RMS_CACHE, 'cache = decay_rate * config["cache"] + dw**2')],
)
_rmsprop(
    "decay_of_both",
    "Both terms have the share decay_rate.",
    "A running average has two shares that add up to 1.",
    [(RMS_CACHE, 'cache = decay_rate * config["cache"] + decay_rate * dw**2')],
)
_rmsprop(
    "decay_hard_coded",
    "The decay rate is a fixed number; it should be the one in config.",
    "Which item of config does your function not use?",
    [(RMS_CACHE, 'cache = 0.99 * config["cache"] + (1 - 0.99) * dw**2')],
    [(RMS_CACHE, 'cache = 0.9 * config["cache"] + (1 - 0.9) * dw**2')],
)
_rmsprop(
    "cache_overwritten",
    "The cache has nothing of the old one in it.",
    "Which share of itself does it keep?",
    [(RMS_CACHE, "cache = dw**2")],
    [(RMS_CACHE, "cache = (1 - decay_rate) * dw**2")],
)


# ---- Adam

T = 't = config["t"] + 1'
M = 'm = beta1 * config["m"] + (1 - beta1) * dw'
V = 'v = beta2 * config["v"] + (1 - beta2) * dw**2'
M_UNBIASED, V_UNBIASED = "m_unbiased = m / (1 - beta1**t)", "v_unbiased = v / (1 - beta2**t)"
ADAM_STEP = 'next_w = w - config["learning_rate"] * m_unbiased / (np.sqrt(v_unbiased) + config["epsilon"])'
KEEP = 'config["m"], config["v"], config["t"] = m, v, t'


def _corrections(m, v):
    return [(M_UNBIASED, f"m_unbiased = {m}"), (V_UNBIASED, f"v_unbiased = {v}")]


_adam(
    "no_correction",
    "There is no bias correction: the first steps are far from the length that they should have.",
    "Both averages start at 0. What is m after the first step, and what should it be?",
    _corrections("m", "v"),
)
_adam(
    "only_m_corrected",
    "Only m is corrected for starting at 0; v is too.",
    "Two averages, two corrections.",
    [(V_UNBIASED, "v_unbiased = v")],
)
_adam(
    "only_v_corrected",
    "Only v is corrected for starting at 0; m is too.",
    "Two averages, two corrections.",
    [(M_UNBIASED, "m_unbiased = m")],
)
_adam(
    "corrected_kept",
    "config gets the corrected averages; the next step would correct them again.",
    "The correction is for this step alone. What should the next step start from?",
    [(KEEP, 'config["m"], config["v"], config["t"] = m_unbiased, v_unbiased, t')],
    [(KEEP, 'config["m"], config["v"], config["t"] = m_unbiased, v, t')],
    [(KEEP, 'config["m"], config["v"], config["t"] = m, v_unbiased, t')],
)
_adam(
    "correction_without_power",
    "The corrections are 1 - beta1 and 1 - beta2 in every step; the power t is missing.",
    "The more steps, the less there is to correct. Where does t come in?",
    _corrections("m / (1 - beta1)", "v / (1 - beta2)"),
)
_adam(
    "power_of_the_other_share",
    "The corrections are 1 - (1 - beta)**t; it is beta itself that is raised to the power t.",
    "What is left of the start at 0 after t steps?",
    _corrections("m / (1 - (1 - beta1)**t)", "v / (1 - (1 - beta2)**t)"),
)
_adam(
    "power_of_the_correction",
    "The corrections are (1 - beta)**t; the power belongs to beta alone.",
    "Look at the brackets: which comes first, the power or the difference?",
    _corrections("m / (1 - beta1)**t", "v / (1 - beta2)**t"),
)
_adam(
    "times_for_power",
    "The corrections have beta * t where beta to the power t belongs.",
    "How does Python write a power?",
    _corrections("m / (1 - beta1 * t)", "v / (1 - beta2 * t)"),
)
_adam(
    "correction_multiplied",
    "The averages are multiplied by their corrections; they should be divided by them.",
    "Both averages are too close to 0 at first. Should the correction make them larger or smaller?",
    _corrections("m * (1 - beta1**t)", "v * (1 - beta2**t)"),
)
_adam(
    "correction_by_other_beta",
    "A correction has the other average's beta in it.",
    "Which beta belongs to m, and which to v?",
    _corrections("m / (1 - beta1**t)", "v / (1 - beta1**t)"),
    _corrections("m / (1 - beta2**t)", "v / (1 - beta1**t)"),
    _corrections("m / (1 - beta2**t)", "v / (1 - beta2**t)"),
)
_adam(
    "root_before_correction",
    "The root of v is taken before its correction.",
    "v is what starts at 0, and what is corrected. When do you take the root?",
    [(ADAM_STEP, ADAM_STEP.replace("np.sqrt(v_unbiased)", "np.sqrt(v) / (1 - beta2**t)"))],
)
_adam(
    "t_not_counted",
    "t is not raised: every step corrects as the first one does.",
    "What should t be at the second step, and who sees to that?",
    [(T, 't = config["t"]')],
    [(T, "t = 1"), (KEEP, 'config["m"], config["v"] = m, v')],
    [(T, 't = config["t"] or 1')],
)
_adam(
    "t_not_kept",
    "t is raised for this step, and not put into config.",
    "What does the caller hand back at the next step?",
    [(KEEP, 'config["m"], config["v"] = m, v')],
)
_adam(
    "t_raised_too_late",
    "t is used before it is raised: at the first step the corrections divide by 0.",
    "How many steps have been taken when the first one is done?",
    [(T, 't = config["t"]'), (KEEP, 'config["m"], config["v"], config["t"] = m, v, t + 1')],
)
_adam(
    "t_raised_twice",
    "t is raised by two in a step.",
    "Print t after each step.",
    [(T, 't = config["t"] + 2')],
    [(KEEP, 'config["m"], config["v"], config["t"] = m, v, t + 1')],
)
_adam(
    "no_root",
    "The step is divided by v itself; the square root is missing.",
    "v is the size of squares of gradients. What has the size of a gradient?",
    [(ADAM_STEP, ADAM_STEP.replace("np.sqrt(v_unbiased)", "v_unbiased"))],
)
_adam(
    "gradient_for_m",
    "The step takes the gradient where the average m belongs.",
    "What do you compute m for?",
    [(ADAM_STEP, ADAM_STEP.replace("* m_unbiased", "* dw"))],
)
_adam(
    "old_averages",
    "The step is taken with the averages of the last step.",
    "In which order do you compute the averages and the step?",
    _corrections('config["m"] / (1 - beta1**t)', 'config["v"] / (1 - beta2**t)'),
)
_adam(
    "gradient_not_squared",
    "v is the average of the gradients or of their sizes; it should be that of their squares.",
    "A root will be taken of it. What has v to hold?",
    [(V, V.replace("dw**2", "dw"))],
    [(V, V.replace("dw**2", "np.abs(dw)"))],
)
_adam(
    "m_of_squares",
    "m is the average of the squared gradients; that is what v is for.",
    "Which of the two averages has a sign?",
    [(M, M.replace("dw", "dw**2"))],
)
_adam(
    "shares_exchanged",
    "The two shares of an average are exchanged: beta is what it keeps of itself.",
    "With a beta of 0.999 an average should change slowly.",
    [(M, 'm = (1 - beta1) * config["m"] + beta1 * dw'), (V, 'v = (1 - beta2) * config["v"] + beta2 * dw**2')],
    [(M, 'm = (1 - beta1) * config["m"] + beta1 * dw')],
    [(V, 'v = (1 - beta2) * config["v"] + beta2 * dw**2')],
)
_adam(
    "gradient_in_full",
    "The new gradient enters an average in full; only the share 1 - beta of it should.",
    "A running average has two shares that add up to 1.",
    [(M, 'm = beta1 * config["m"] + dw'), (V, 'v = beta2 * config["v"] + dw**2')],
    [(M, 'm = beta1 * config["m"] + dw')],
    [(V, 'v = beta2 * config["v"] + dw**2')],
)
_adam(
    "one_beta",
    "Both averages have the same beta.",
    "config has one for each of them.",
    [('config["beta1"], config["beta2"]', 'config["beta1"], config["beta1"]')],
    [('config["beta1"], config["beta2"]', 'config["beta2"], config["beta2"]')],
)
_adam(
    "betas_exchanged",
    "The two betas are exchanged.",
    "Which of the two averages should be the slower one?",
    [("beta1, beta2 =", "beta2, beta1 =")],
)
_adam(
    "betas_hard_coded",
    "A beta is a fixed number; it should be the one in config.",
    "Which item of config does your function not use?",
    [('config["beta1"], config["beta2"]', "0.9, 0.999")],
    [('config["beta1"], config["beta2"]', '0.9, config["beta2"]')],
    [('config["beta1"], config["beta2"]', 'config["beta1"], 0.999')],
)
_adam(
    "rate_hard_coded",
    "The learning rate is a fixed number; it should be the one in config.",
    "Which item of config does your function not use?",
    [(ADAM_STEP, ADAM_STEP.replace(RATE, "1e-3"))],
    [(ADAM_STEP, ADAM_STEP.replace(RATE, "1e-2"))],
)
_adam(
    "averages_not_kept",
    "An average is not put into config: the next step starts from the old one.",
    "What does the caller hand back at the next step, and where does it come from?",
    [(KEEP, 'config["t"] = t')],
    [(KEEP, 'config["m"], config["t"] = m, t')],
    [(KEEP, 'config["v"], config["t"] = v, t')],
)
_adam(
    "averages_exchanged",
    "m and v change places in config.",
    "Look at the order on both sides of your assignment.",
    [(KEEP, 'config["m"], config["v"], config["t"] = v, m, t')],
)
_adam(
    "gradient_added",
    "The step goes along the gradient: the loss goes up.",
    "Which way does the gradient point, and which way is downhill?",
    [(ADAM_STEP, ADAM_STEP.replace("w - ", "w + "))],
)
_adam(
    "float64",
    "A float32 parameter becomes a float64 one.",
    "NumPy's numbers widen float32 arrays, Python's do not. Which function gives one of NumPy's?",
    [(ADAM_STEP, ADAM_STEP.replace('config["learning_rate"] *', 'np.float64(config["learning_rate"]) *'))],
)
