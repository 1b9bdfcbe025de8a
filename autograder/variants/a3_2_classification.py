"""Right default trainings of a3/2_classification in other styles."""

from . import variant

CELL = "modules_default_training"

variant("default training in float64, without keywords", CELL)(
    """
from handgrad.modules import SGD, CrossEntropyLoss, Linear, ReLU, Sequential, Softmax, Trainer

np.random.seed(7)
default_net = Sequential([Linear(3072, 50), ReLU(), Linear(50, 10), Softmax()])
trainer = Trainer(dataset, SGD(default_net, 0.005), default_net, CrossEntropyLoss(), 10, 100, seed=0)
train_error, validation_accuracy = trainer.train()
print(f"best validation accuracy: {max(validation_accuracy):.3f}")
"""
)

variant("default training in a function", CELL)(
    """
from handgrad.modules import SGD, CrossEntropyLoss, Linear, ReLU, Sequential, Softmax, Trainer


def build(hidden_size=50):
    modules = [Linear(32 * 32 * 3, hidden_size, np.float32)]
    modules.append(ReLU())
    modules += [Linear(hidden_size, 10, np.float32), Softmax()]
    return Sequential(modules)


def run(net, lr, epochs):
    optimiser = SGD(net, lr)
    t = Trainer(dataset, optimiser, net, CrossEntropyLoss(), epochs, 100, 1, verbose=False, seed=3)
    return t, t.train()


default_net = build()
trainer, (train_error, validation_accuracy) = run(default_net, 5e-3, 10)
plt.plot(train_error)
plt.show()
"""
)

variant("default training with sequences of sequences", CELL)(
    """
import handgrad.modules as modules
from handgrad.modules import *

hidden = modules.Sequential([Linear(3072, 50, dtype="float32"), ReLU()])
default_net = modules.Sequential((hidden, Linear(50, 10, dtype="float32"), Softmax()))
settings = dict(epoch=10, batch_size=100, validate_interval=1, seed=2, verbose=True)
optim = SGD(net=default_net, lr=5e-3, weight_decay=0.0)
trainer = Trainer(dataset=dataset, optim=optim, net=default_net, loss_func=CrossEntropyLoss(), **settings)
trainer.train()
train_error, validation_accuracy = np.array(trainer.train_error), tuple(trainer.validation_accuracy)
"""
)

variant("default training on data put together again", CELL)(
    """
from handgrad.modules import SGD, CrossEntropyLoss, DataLoader, Linear, ReLU, Sequential, Softmax, Trainer

splits = [(data[f"X_{name}"] / SCALE, data[f"y_{name}"]) for name in ("train", "val", "test")]
loader = DataLoader(*(array for split in splits for array in split))
default_net = Sequential([Linear(x_train[0].size, 50), ReLU(), Linear(50, 10), Softmax()])
loss = CrossEntropyLoss()
optim = SGD(default_net, lr=1e-2 / 2)
trainer = Trainer(loader, optim, default_net, loss, 5 if FAST else 10, 100, verbose=False, seed=1)
result = trainer.train()
train_error, validation_accuracy = result
assert None not in (default_net, trainer, train_error, validation_accuracy)
"""
)
