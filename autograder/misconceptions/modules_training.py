"""What goes wrong around the modules: the container, the optimiser, batches, accuracy and the trainer."""

from .modules_layers import known

SEQUENTIAL = "handgrad.modules.sequential.Sequential."
STEP = "handgrad.modules.optim.SGD.step"
BATCHES = "handgrad.modules.data.DataLoader.batches"
ACCURACY = "handgrad.modules.trainer.get_classification_accuracy"
TRAINER_STEP = "handgrad.modules.trainer.Trainer.step"

# ---- modules in a row

MODULES = "for module in self.modules:"
THROUGH = "x = module.forward(x)"

known(
    "modules_sequential_last_skipped",
    SEQUENTIAL + "forward",
    "The last module is left out.",
    "A slice or range ends before its end. Which modules does your loop see?",
    [(MODULES, "for module in self.modules[:-1]:")],
)
known(
    "modules_sequential_first_skipped",
    SEQUENTIAL + "forward",
    "The first module is left out.",
    "Python counts from 0. Which modules does your loop see?",
    [(MODULES, "for module in self.modules[1:]:")],
)
known(
    "modules_sequential_reversed",
    SEQUENTIAL + "forward",
    "The modules come in reverse order; that is the order of the backward pass.",
    "The input goes into the first module of the list.",
    [(MODULES, "for module in reversed(self.modules):")],
)
known(
    "modules_sequential_each_on_input",
    SEQUENTIAL + "forward",
    "Every module is given the input of the network; it should get the output of the one before.",
    "What does a loop forget if its result always goes into another variable?",
    [(THROUGH, "out = module.forward(x)"), ("return x", "return out")],
)
known(
    "modules_sequential_first_only",
    SEQUENTIAL + "forward",
    "Only the first module is used: the loop ends after it.",
    "How far is your return indented?",
    [(THROUGH, "return module.forward(x)")],
)
known(
    "modules_sequential_no_change",
    SEQUENTIAL + "forward",
    "The outputs are the inputs: what the modules return is not kept.",
    "A module does not change x itself; what happens to its result?",
    [(THROUGH, "module.forward(x)")],
)
known(
    "modules_sequential_outputs_added",
    SEQUENTIAL + "forward",
    "The input of each module is added to its output; what goes on is the output alone.",
    "That is a residual network, and another exercise.",
    [(THROUGH, "x = x + module.forward(x)")],
)
known(
    "modules_sequential_none",
    SEQUENTIAL + "forward",
    "Nothing is returned.",
    "Is there a return after the loop?",
    [("return x", "")],
)
known(
    "modules_sequential_list",
    SEQUENTIAL + "forward",
    "A list of all modules' outputs is returned; what the last one gives is asked for.",
    "What does the next one who works with the result expect?",
    [
        ("check_float_array", "outs = []; check_float_array"),
        (THROUGH, "x = module.forward(x); outs.append(x)"),
        ("return x", "return outs"),
    ],
)

BACK = "for module in reversed(self.modules):"
BACK_THROUGH = "dout = module.backward(dout)"

known(
    "modules_sequential_backward_not_reversed",
    SEQUENTIAL + "backward",
    "The gradient goes through the modules from the first to the last; it has to go the other way.",
    "With respect to whose output is dout the gradient? That module has to be first.",
    [(BACK, "for module in self.modules:")],
)
known(
    "modules_sequential_backward_last_skipped",
    SEQUENTIAL + "backward",
    "The last module is left out on the way back.",
    "Go back through every module that you went forward through.",
    [(BACK, "for module in self.modules[-2::-1]:")],
    [(BACK, "for module in reversed(self.modules[:-1]):")],
)
known(
    "modules_sequential_backward_first_skipped",
    SEQUENTIAL + "backward",
    "The first module is left out on the way back: its parameters get no gradient.",
    "A slice or range ends before its end. Which modules does your loop see?",
    [(BACK, "for module in self.modules[:0:-1]:")],
)
known(
    "modules_sequential_backward_each_on_dout",
    SEQUENTIAL + "backward",
    "Every module is given the gradient of the network's output; it should get what the one above returned.",
    "What does a loop forget if its result always goes into another variable?",
    [(BACK_THROUGH, "dx = module.backward(dout)"), ("return dout", "return dx")],
    [(BACK_THROUGH, "module.backward(dout)")],
)
known(
    "modules_sequential_backward_last_only",
    SEQUENTIAL + "backward",
    "Only the last module is used: the loop ends after it.",
    "How far is your return indented?",
    [(BACK_THROUGH, "return module.backward(dout)")],
)
known(
    "modules_sequential_backward_none",
    SEQUENTIAL + "backward",
    "dx is not returned.",
    "What falls out at the end is the gradient with respect to the network's input. Is there a return?",
    [("return dout", "")],
)
known(
    "modules_sequential_backward_turned_for_good",
    SEQUENTIAL + "backward",
    "The list of modules itself is turned round: the next pass goes through the network from the wrong end.",
    "Some functions reverse a list in place, others give you a view of it.",
    [(BACK, "self.modules.reverse()\n    for module in self.modules:")],
)
known(
    "modules_sequential_backward_emptied",
    SEQUENTIAL + "backward",
    "The modules are taken out of the list: after the backward pass the network is empty.",
    "Go through the list backwards, but leave it as it is.",
    [(BACK, "while self.modules:\n        module = self.modules.pop()")],
)
known(
    "modules_sequential_backward_list",
    SEQUENTIAL + "backward",
    "A list of all gradients is returned; the one with respect to the network's input is asked for.",
    "The modules keep the gradients of their parameters. What is returned?",
    [("return dout", "return [p.grad for p in self.parameters]")],
)

CHOICE = "self.forward(x).argmax(axis=1)"

known(
    "modules_predict_wrong_axis",
    SEQUENTIAL + "predict",
    "For each class the example with the highest output is found; it should be the class for each example.",
    "How many labels are there to be: N or C?",
    [(CHOICE, "self.forward(x).argmax(axis=0)")],
)
known(
    "modules_predict_one_number",
    SEQUENTIAL + "predict",
    "The place of the largest number of all is found; each example has a choice of its own.",
    "Say along which axis.",
    [(CHOICE, "np.argmax(self.forward(x))")],
)
known(
    "modules_predict_highest_output",
    SEQUENTIAL + "predict",
    "The highest outputs are returned; their places are asked for.",
    "max or argmax?",
    [(CHOICE, "self.forward(x).max(axis=1)")],
)
known(
    "modules_predict_outputs",
    SEQUENTIAL + "predict",
    "All outputs are returned; one class for each example is asked for.",
    "Which of the C outputs is the network's choice?",
    [(CHOICE, "self.forward(x)")],
)
known(
    "modules_predict_lowest",
    SEQUENTIAL + "predict",
    "The class with the lowest output is chosen.",
    "Is a high output good or bad?",
    [(CHOICE, "self.forward(x).argmin(axis=1)")],
)
known(
    "modules_predict_counted_from_one",
    SEQUENTIAL + "predict",
    "The classes are counted from 1; they go from 0 to C - 1.",
    "Compare with the labels of the data.",
    [(CHOICE, "self.forward(x).argmax(axis=1) + 1")],
)
known(
    "modules_predict_one_hot",
    SEQUENTIAL + "predict",
    "A row of zeros and a one is returned for each example; the number of the class is asked for.",
    "The shape should be (N,).",
    [(CHOICE, "np.eye(self.forward(x).shape[1], dtype=int)[self.forward(x).argmax(axis=1)]")],
)
known(
    "modules_predict_column",
    SEQUENTIAL + "predict",
    "The labels stand in a column, (N, 1); the shape should be (N,).",
    "Which option of yours keeps the axis?",
    [(CHOICE, "self.forward(x).argmax(axis=1)[:, None]")],
)
known(
    "modules_predict_floats",
    SEQUENTIAL + "predict",
    "The labels are floating-point numbers; labels are integers.",
    "Nobody can use 2.0 as an index.",
    [(CHOICE, "self.forward(x).argmax(axis=1).astype(float)")],
)
known(
    "modules_predict_threshold",
    SEQUENTIAL + "predict",
    "The outputs are compared with a threshold; what counts is which one is the highest.",
    "There are more classes than two.",
    [(CHOICE, "(self.forward(x) > 0.5).astype(int)")],
    [(CHOICE, "(self.forward(x)[:, 0] > 0.5).astype(int)")],
)
known(
    "modules_predict_argmax_of_input",
    SEQUENTIAL + "predict",
    "The largest number of the input is found; the network is not asked.",
    "What has to happen to x first?",
    [(CHOICE, "x.reshape(len(x), -1).argmax(axis=1)")],
)

# ---- the optimiser

GRADIENT = "direction = parameter.grad"
DECAY = "direction = direction + self.weight_decay * parameter.value"
FLAG = "if parameter.decay:"
UPDATE = "parameter.value = parameter.value - self.lr * direction"

known(
    "modules_sgd_uphill",
    STEP,
    "The step goes along the gradient, uphill; it should go against it.",
    "Which sign makes the loss smaller?",
    [(UPDATE, "parameter.value = parameter.value + self.lr * direction")],
    [
        (
            UPDATE,
            "decay = direction - parameter.grad\n"
            "        parameter.value = parameter.value + self.lr * parameter.grad - self.lr * decay",
        )
    ],
)
known(
    "modules_sgd_no_rate",
    STEP,
    "The learning rate is not used.",
    "Which setting of the optimiser does your step not look at?",
    [(UPDATE, "parameter.value = parameter.value - direction")],
)
known(
    "modules_sgd_rate_for_decay_only",
    STEP,
    "The learning rate is missing in front of the gradient.",
    "Look at the brackets: what is multiplied by the learning rate?",
    [(UPDATE, "parameter.value = parameter.value - parameter.grad - self.lr * (direction - parameter.grad)")],
)
known(
    "modules_sgd_divided_by_rate",
    STEP,
    "The gradient is divided by the learning rate.",
    "A larger learning rate should make larger steps.",
    [(UPDATE, "parameter.value = parameter.value - direction / self.lr")],
)
known(
    "modules_sgd_gradient_for_value",
    STEP,
    "The parameter becomes the step itself; the step should be taken from where the parameter was.",
    "Where does the old value come into your line?",
    [(UPDATE, "parameter.value = -self.lr * direction")],
)
known(
    "modules_sgd_not_stored",
    STEP,
    "The parameters stay as they were: the new values are computed, and not stored.",
    "A local variable is gone when the function ends.",
    [(UPDATE, "value = parameter.value - self.lr * direction")],
)
known(
    "modules_sgd_last_only",
    STEP,
    "Only one of the parameters is changed.",
    "What is inside the loop, and what after it? How far are your lines indented?",
    [("self.net.parameters:", "self.net.parameters[-1:]:")],
    [("self.net.parameters:", "self.net.parameters[:1]:")],
)
known(
    "modules_sgd_weights_only",
    STEP,
    "The biases stay as they were; they are only not decayed.",
    "What happens in your code to a parameter that is not to be decayed?",
    [(FLAG, "if not parameter.decay:\n            continue\n        else:")],
)
known(
    "modules_sgd_sign_of_gradient",
    STEP,
    "Only the sign of the gradient is used, or its length made 1; its size counts as well.",
    "Compare your line with the formula.",
    [(GRADIENT, "direction = np.sign(parameter.grad)")],
    [(GRADIENT, "direction = parameter.grad / np.linalg.norm(parameter.grad)")],
)
known(
    "modules_sgd_no_decay",
    STEP,
    "Weight decay is missing.",
    "Which setting of the optimiser does your step not look at?",
    [(FLAG, "if False:")],
)
known(
    "modules_sgd_decay_without_rate",
    STEP,
    "The decay is not multiplied by the learning rate.",
    "The decay is a part of the gradient. What happens to a gradient?",
    [(DECAY, "direction = direction + self.weight_decay / self.lr * parameter.value")],
)
known(
    "modules_sgd_decay_subtracted",
    STEP,
    "The decay makes the weights larger: its sign is wrong.",
    "By which factor should a weight shrink if its gradient is 0?",
    [(DECAY, "direction = direction - self.weight_decay * parameter.value")],
)
known(
    "modules_sgd_decay_double",
    STEP,
    "The decay is twice as large as it should be.",
    "What becomes of the factor one half when the square is differentiated?",
    [(DECAY, "direction = direction + 2 * self.weight_decay * parameter.value")],
)
known(
    "modules_sgd_decay_half",
    STEP,
    "The decay is half as large as it should be.",
    "What becomes of the factor one half when the square is differentiated?",
    [(DECAY, "direction = direction + 0.5 * self.weight_decay * parameter.value")],
)
known(
    "modules_sgd_decay_squares",
    STEP,
    "The decay is made of squared weights: that is the term of the loss, not its gradient.",
    "What is the derivative of a square?",
    [(DECAY, "direction = direction + self.weight_decay * parameter.value**2")],
    [(DECAY, "direction = direction + 0.5 * self.weight_decay * parameter.value**2")],
)
known(
    "modules_sgd_decay_scalar",
    STEP,
    "The decay is one number for all weights of a parameter, a sum; each weight has its own.",
    "The gradient of the decay has the shape of the weights.",
    [(DECAY, "direction = direction + self.weight_decay * parameter.value.sum()")],
    [(DECAY, "direction = direction + 0.5 * self.weight_decay * (parameter.value**2).sum()")],
)
known(
    "modules_sgd_decay_constant",
    STEP,
    "The decay does not depend on how large the weights are: a constant, or only their sign.",
    "By which factor should a weight shrink if its gradient is 0?",
    [(DECAY, "direction = direction + self.weight_decay")],
    [(DECAY, "direction = direction + self.weight_decay * np.sign(parameter.value)")],
)
known(
    "modules_sgd_decay_of_gradient",
    STEP,
    "The gradient is scaled by the weight decay; the decay is an additional term, made of the weights.",
    "Where do the weights themselves come in?",
    [(DECAY, "direction = direction + self.weight_decay * parameter.grad")],
    [(DECAY, "direction = direction * (1 - self.weight_decay)")],
)
known(
    "modules_sgd_decay_after_step",
    STEP,
    "The decay shrinks the new weights, after the step; its gradient is that at the old ones.",
    "Both parts of the gradient belong to the same place.",
    [
        (FLAG, "if False:"),
        (
            UPDATE,
            "parameter.value = (parameter.value - self.lr * direction)"
            " * (1 - self.lr * self.weight_decay * parameter.decay)",
        ),
    ],
)
known(
    "modules_sgd_biases_decayed",
    STEP,
    "All parameters are decayed; those that do not want it should be left out.",
    "Each parameter says whether it is to be decayed. Who asks it?",
    [(FLAG, "if True:")],
)
known(
    "modules_sgd_only_biases_decayed",
    STEP,
    "The decay goes to those parameters that do not want it, and to no others.",
    "What does the flag say when it is True?",
    [(FLAG, "if not parameter.decay:")],
)
known(
    "modules_sgd_decay_by_name",
    STEP,
    "The name or shape of a parameter decides about its decay; each one has a flag that says it.",
    "There may be parameters with other names. Ask them.",
    [(FLAG, 'if parameter.name == "weight":')],
    [(FLAG, 'if parameter.name != "bias":')],
    [(FLAG, 'if "bias" not in parameter.name:')],
    [(FLAG, "if parameter.value.ndim > 1:")],
)
known(
    "modules_sgd_written_into_old_array",
    STEP,
    "The step writes into the old arrays; somebody may have kept them, such as the trainer.",
    "Some operators change an array, others make a new one.",
    [(UPDATE, "parameter.value -= self.lr * direction")],
    [(UPDATE, "parameter.value[...] = parameter.value - self.lr * direction")],
)
known(
    "modules_sgd_gradient_changed",
    STEP,
    "The step changes the gradients; they should stay what the backward pass found.",
    "Some operators change an array, others make a new one.",
    [(DECAY, "direction += self.weight_decay * parameter.value")],
    [(UPDATE, UPDATE + "\n        parameter.grad = direction")],
    [(UPDATE, UPDATE + "\n        parameter.grad = np.zeros_like(parameter.value)")],
)
known(
    "modules_sgd_momentum",
    STEP,
    "Earlier steps go on acting, as with momentum; this optimiser has no memory.",
    "What may a step depend on: which numbers does the formula name?",
    [
        (GRADIENT, "memory = self.__dict__.setdefault('memory', {})\n        direction = parameter.grad"),
        (
            UPDATE,
            "memory[id(parameter)] = 0.9 * memory.get(id(parameter), 0) + self.lr * direction\n"
            "        parameter.value = parameter.value - memory[id(parameter)]",
        ),
    ],
)

# ---- batches

ORDER = "order = rng.permutation(len(self.x_train))"
STARTS = "for start in range(0, len(order), batch_size):"
CHOSEN = "chosen = order[start : start + batch_size]"
YIELD = "yield self.x_train[chosen], self.y_train[chosen]"

known(
    "modules_batches_last_dropped",
    BATCHES,
    "The last batch is dropped when it is smaller than the others.",
    "What should come if the batch size does not divide the number of examples?",
    [("len(order), batch_size)", "len(order) - batch_size + 1, batch_size)")],
    [(STARTS, "for start in range(0, len(order) // batch_size * batch_size, batch_size):")],
)
known(
    "modules_batches_last_always_dropped",
    BATCHES,
    "The last batch never comes, even if it is a full one.",
    "Where does a range end?",
    [("len(order), batch_size)", "len(order) - batch_size, batch_size)")],
)
known(
    "modules_batches_first_only",
    BATCHES,
    "Only one batch comes; an epoch goes through all the examples.",
    "A function ends at return, and goes on after yield. How far is your line indented?",
    [(STARTS, "for start in (0,):")],
    [(YIELD, YIELD + "\n        return")],
)
known(
    "modules_batches_empty_last",
    BATCHES,
    "An empty batch comes at the end when the batch size divides the number of examples.",
    "How many batches are there for 20 examples in batches of 4?",
    [("len(order), batch_size)", "len(order) + 1, batch_size)")],
)
known(
    "modules_batches_in_order",
    BATCHES,
    "The examples come in the order in which they lie.",
    "What is rng for?",
    [(ORDER, "order = np.arange(len(self.x_train))")],
)
known(
    "modules_batches_batches_shuffled",
    BATCHES,
    "Only the order of the batches is random: neighbours always stay together.",
    "Shuffle first, and cut afterwards.",
    [
        (ORDER, "order = np.arange(len(self.x_train))"),
        (STARTS, "for start in batch_size * rng.permutation(-(-len(order) // batch_size)):"),
    ],
)
known(
    "modules_batches_shuffled_within",
    BATCHES,
    "The examples are shuffled within each batch alone: neighbours always stay together.",
    "Shuffle first, and cut afterwards.",
    [
        (ORDER, "order = np.arange(len(self.x_train))"),
        (CHOSEN, CHOSEN + "\n        rng.shuffle(chosen)"),
    ],
)
known(
    "modules_batches_drawn",
    BATCHES,
    "Each batch is drawn from all examples: some come more than once, and others not at all.",
    "In an epoch every example comes once: draw one order for all of them.",
    [(CHOSEN, CHOSEN + "\n        chosen = rng.choice(len(order), len(chosen), replace=False)")],
    [(CHOSEN, CHOSEN + "\n        chosen = rng.integers(len(order), size=len(chosen))")],
    [(CHOSEN, CHOSEN + "\n        chosen = rng.choice(len(order), len(chosen))")],
    [(ORDER, "order = rng.integers(len(self.x_train), size=len(self.x_train))")],
    [(ORDER, "order = rng.choice(len(self.x_train), len(self.x_train))")],
)
known(
    "modules_batches_drawn_in_full",
    BATCHES,
    "Each batch is drawn from all examples, and the last one is full as well.",
    "In an epoch every example comes once: draw one order for all of them.",
    [(CHOSEN, "chosen = rng.integers(len(order), size=batch_size)")],
    [(CHOSEN, "chosen = rng.choice(len(order), batch_size)")],
)
known(
    "modules_batches_labels_not_shuffled",
    BATCHES,
    "The examples are shuffled and the labels are not: most get the label of another.",
    "Use one order for both.",
    [(YIELD, "yield self.x_train[chosen], self.y_train[start : start + batch_size]")],
)
known(
    "modules_batches_two_orders",
    BATCHES,
    "Examples and labels are shuffled in two different orders: most get the label of another.",
    "Use one order for both.",
    [
        (ORDER, ORDER + "\n    other = rng.permutation(len(order))"),
        (YIELD, "yield self.x_train[chosen], self.y_train[other[start : start + batch_size]]"),
    ],
)
known(
    "modules_batches_examples_not_shuffled",
    BATCHES,
    "The labels are shuffled and the examples are not: most get the label of another.",
    "Use one order for both.",
    [(YIELD, "yield self.x_train[start : start + batch_size], self.y_train[chosen]")],
)
known(
    "modules_batches_own_seed",
    BATCHES,
    "The order is always the same, whatever generator is given: shuffled once, with a seed of its own.",
    "Draw from the generator that you are given, anew in each epoch.",
    [(ORDER, "order = np.random.default_rng(0).permutation(len(self.x_train))")],
    [(ORDER, "order = np.random.RandomState(1).permutation(len(self.x_train))")],
    [
        (
            ORDER,
            "np.random.seed(0)\n    order = np.random.permutation(len(self.x_train))",
        )
    ],
)
known(
    "modules_batches_global_generator",
    BATCHES,
    "The order comes from another generator than the one that is given: the same seed gives another order.",
    "Draw from rng.",
    [(ORDER, "order = np.random.permutation(len(self.x_train))")],
    [(ORDER, "order = np.random.default_rng().permutation(len(self.x_train))")],
)
known(
    "modules_batches_shuffled_once",
    BATCHES,
    "The examples are shuffled once; every epoch after it has the same order.",
    "Draw anew in each epoch.",
    [(ORDER, "order = self.__dict__.setdefault('order', rng.permutation(len(self.x_train)))")],
)
known(
    "modules_batches_one_by_one",
    BATCHES,
    "The start moves by one example, not by a batch: the batches overlap.",
    "A range has a third number.",
    [(STARTS, "for start in range(len(order)):")],
)
known(
    "modules_batches_count_for_size",
    BATCHES,
    "batch_size is taken as the number of batches; it is the number of examples in one.",
    "Read the docstring.",
    [
        (STARTS, "for chosen in np.array_split(order, batch_size):"),
        (CHOSEN, ""),
    ],
)
known(
    "modules_batches_indices",
    BATCHES,
    "The numbers of the examples come; the examples and labels themselves are asked for.",
    "What should the trainer do with an index?",
    [(YIELD, "yield chosen, self.y_train[chosen]")],
)
known(
    "modules_batches_examples_only",
    BATCHES,
    "Only the examples come; each batch is a pair of examples and labels.",
    "How does the trainer know what is right?",
    [(YIELD, "yield self.x_train[chosen]")],
)
known(
    "modules_batches_whole_data",
    BATCHES,
    "The whole data come in each batch.",
    "Use what you have cut out of the order.",
    [(YIELD, "yield self.x_train[order], self.y_train[order]")],
)

# ---- accuracy

SHARE = "return float((chosen == y).mean())"
MAXIMUM = "chosen = out.argmax(axis=1) if out.ndim == 2 else out"

known(
    "modules_accuracy_count",
    ACCURACY,
    "The number of right choices is returned; their share is asked for.",
    "What should the result be if all are right?",
    [(SHARE, "return float((chosen == y).sum())")],
)
known(
    "modules_accuracy_percent",
    ACCURACY,
    "The accuracy is in per cent; it should be between 0 and 1.",
    "What should the result be if all are right?",
    [(SHARE, "return 100 * float((chosen == y).mean())")],
)
known(
    "modules_accuracy_fixed_number",
    ACCURACY,
    "The number of right choices is divided by a constant; the number of examples may be another.",
    "How many examples are there? Ask the arrays.",
    [(SHARE, "return float((chosen == y).sum()) / 100")],
    [(SHARE, "return float((chosen == y).sum()) / 10")],
)
known(
    "modules_accuracy_error",
    ACCURACY,
    "The share of wrong choices is returned; that of right ones is asked for.",
    "What should the result be if all are right?",
    [(SHARE, "return float((chosen != y).mean())")],
)
known(
    "modules_accuracy_divided_by_classes",
    ACCURACY,
    "The number of right choices is divided by the number of outputs or classes.",
    "The share of the examples: how many are there?",
    [(SHARE, "return float((chosen == y).sum() / out.size)")],
    [(SHARE, "return float((chosen == y).sum() / out.shape[-1])")],
)
known(
    "modules_accuracy_wrong_axis",
    ACCURACY,
    "For each class the example with the highest output is found; it should be the class for each example.",
    "How many choices are there to be: N or C?",
    [(MAXIMUM, "chosen = out.argmax(axis=0) if out.ndim == 2 else out")],
)
known(
    "modules_accuracy_labels_not_taken",
    ACCURACY,
    "Chosen labels are not taken: of those, too, the highest along an axis is looked for.",
    "out may have two axes or one. What does it hold in either case?",
    [(MAXIMUM, "chosen = out.argmax(axis=1)")],
    [(MAXIMUM, "chosen = out.argmax(axis=-1)")],
)
known(
    "modules_accuracy_outputs_not_taken",
    ACCURACY,
    "Outputs are compared with the labels as they are; the highest of each row is the choice.",
    "out may have two axes or one. What does it hold in either case?",
    [(MAXIMUM, "chosen = out.max(axis=1) if out.ndim == 2 else out")],
)
known(
    "modules_accuracy_lowest",
    ACCURACY,
    "The class with the lowest output is taken as the choice.",
    "Is a high output good or bad?",
    [(MAXIMUM, "chosen = out.argmin(axis=1) if out.ndim == 2 else out")],
)
known(
    "modules_accuracy_all_or_nothing",
    ACCURACY,
    "The result is 1 if all are right and 0 otherwise; the share of those that are right is asked for.",
    "What should come out if half of them are right? What does // do?",
    [(SHARE, "return float((chosen == y).all())")],
    [(SHARE, "return float((chosen == y).sum() // len(y))")],
)
# ---- one step of training

FORWARD = "out = self.net.forward(x)"
LOSS_LINE = "loss = self.loss_func.forward(out, y)"
BACKWARD = "self.net.backward(self.loss_func.backward())"
OPTIM = "self.optim.step()"

known(
    "modules_trainer_no_update",
    TRAINER_STEP,
    "The parameters are not changed: the optimiser makes no step.",
    "Four calls, in the right order. Which one is missing?",
    [(OPTIM, "")],
)
known(
    "modules_trainer_no_backward",
    TRAINER_STEP,
    "The optimiser steps with gradients of 0: there is no backward pass, or they are cleared after it.",
    "Which way would each parameter have to go? Who finds that out, and who needs it when?",
    [(BACKWARD, "")],
    [(BACKWARD, "self.loss_func.backward()")],
    [(OPTIM, "self.optim.zero_grad(); self.optim.step()")],
)
known(
    "modules_trainer_step_before_backward",
    TRAINER_STEP,
    "The optimiser steps before the backward pass: with old gradients, or with none.",
    "What does each of the four calls use of those before?",
    [(BACKWARD, OPTIM), ("\n    self.optim.step()\n    return", "\n    " + BACKWARD + "\n    return")],
)
known(
    "modules_trainer_wrong_gradient_from_above",
    TRAINER_STEP,
    "The network is given something else than the gradient of the loss with respect to its outputs.",
    "What does backward of the loss return, and what does backward of the network want?",
    [(BACKWARD, "self.loss_func.backward(); self.net.backward(out)")],
    [(BACKWARD, "self.net.backward(self.loss_func.backward() * loss)")],
)
known(
    "modules_trainer_divided_by_n",
    TRAINER_STEP,
    "The gradient of the loss is divided by the number of examples once more; the loss has done that.",
    "Who averages, and how often?",
    [(BACKWARD, "self.net.backward(self.loss_func.backward() / len(x))")],
)
known(
    "modules_trainer_loss_after",
    TRAINER_STEP,
    "The loss after the update is returned; the one before is asked for.",
    "Which of the losses was the gradient made from?",
    [("return loss", "return self.loss_func.forward(self.net.forward(x), y)")],
)
known(
    "modules_trainer_no_loss_returned",
    TRAINER_STEP,
    "The loss is not returned.",
    "What does Trainer.train do with the result of a step?",
    [("return loss", "")],
)
known(
    "modules_trainer_loss_summed",
    TRAINER_STEP,
    "The returned loss is multiplied or divided by the number of examples.",
    "The loss is a mean already, and a mean it should stay.",
    [("return loss", "return loss * len(x)")],
    [("return loss", "return loss / len(x)")],
)
known(
    "modules_trainer_outputs_returned",
    TRAINER_STEP,
    "The outputs of the network are returned; the loss is asked for.",
    "What does Trainer.train do with the result of a step?",
    [("return loss", "return out")],
)
known(
    "modules_trainer_two_steps",
    TRAINER_STEP,
    "The optimiser steps twice with the same gradients.",
    "One update, with the gradients of this batch.",
    [(OPTIM, "self.optim.step(); self.optim.step()")],
)
known(
    "modules_trainer_other_data",
    TRAINER_STEP,
    "The step uses the data set and not the batch that it is given.",
    "What are x and y for?",
    [(FORWARD, "x, y = self.dataset.x_train, self.dataset.y_train; out = self.net.forward(x)")],
    [(FORWARD, "x, y = self.dataset.x_val, self.dataset.y_val; out = self.net.forward(x)")],
    [
        (
            FORWARD,
            "x, y = self.dataset.x_train[:self.batch_size], self.dataset.y_train[:self.batch_size]\n"
            "    out = self.net.forward(x)",
        )
    ],
)
known(
    "modules_trainer_predictions",
    TRAINER_STEP,
    "The loss is given chosen labels; it wants the probabilities of all classes.",
    "What does the loss take the logarithm of?",
    [(FORWARD, "out = self.net.predict(x)")],
)
