"""Right solutions of a2/6_pytorch in other styles: sources of the notebook's cells."""

from . import variant

FC = "torch_fc_code"
CONVNET = "torch_convnet_code"
WEIGHTS = "torch_weights_code"
STEP = "torch_sgd_step_code"
MODULE_FC = "torch_modules_fc_code"
MODULE_CONV = "torch_modules_conv_code"
ACCURACY = "torch_accuracy_code"
SEQUENTIAL = "torch_sequential_code"

# ---- methods of tensors, one line each

variant("methods", FC)("""
def flatten(x):
    return x.flatten(1)

def two_layer_fc(x, params):
    return flatten(x).mm(params[0]).clamp(min=0).mm(params[1])
""")
variant("methods", CONVNET)("""
def three_layer_convnet(x, params):
    w1, b1, w2, b2, w3, b3 = params
    hidden = torch.conv2d(x, w1, b1, padding=2).relu()
    hidden = torch.conv2d(hidden, w2, b2, padding=1).relu()
    return hidden.flatten(1).mm(w3).add(b3)
""")
variant("methods", WEIGHTS)("""
def random_weight(shape, device="cpu"):
    fan_in = shape[0] if len(shape) == 2 else shape[1] * shape[2] * shape[3]
    return torch.empty(shape, device=device).normal_(0, (2.0 / fan_in) ** 0.5).requires_grad_()

def zero_weight(shape, device="cpu"):
    return torch.empty(shape, device=device).zero_().requires_grad_()
""")
variant("methods", STEP)("""
def sgd_step(model_fn, params, x, y, learning_rate):
    loss = nn.CrossEntropyLoss()(model_fn(x, params), y)
    loss.backward()
    for w in params:
        w.data.sub_(learning_rate * w.grad.data)
        w.grad.data.zero_()
    return float(loss)
""")
variant("methods", ACCURACY)("""
@torch.no_grad()
def check_accuracy(net, X, y):
    net.eval()
    scores = net(X)
    return scores.argmax(1).eq(y).float().mean()
""")
variant("methods", SEQUENTIAL)("""
def sequential_convnet(in_channel, channel_1, channel_2, num_classes):
    net = nn.Sequential()
    net.append(nn.Conv2d(in_channel, channel_1, kernel_size=(5, 5), stride=1, padding=(2, 2)))
    net.append(nn.ReLU(inplace=True))
    net.append(nn.Conv2d(channel_1, channel_2, kernel_size=(3, 3), stride=1, padding=(1, 1)))
    net.append(nn.ReLU(inplace=True))
    net.append(nn.Flatten(start_dim=1))
    net.append(nn.Linear(channel_2 * 1024, num_classes, bias=True))
    return net

def nesterov_sgd(net, learning_rate):
    parameters = [p for p in net.parameters() if p.requires_grad]
    return torch.optim.SGD(parameters, learning_rate, 0.9, nesterov=True)
""")

# ---- modules made for one call

variant("throwaway modules", FC)("""
def flatten(x):
    "With PyTorch's own module."
    return nn.Flatten()(x)

def two_layer_fc(x, params):
    w1, w2 = params
    relu = nn.ReLU()
    return torch.matmul(relu(torch.matmul(flatten(x), w1)), w2)
""")
variant("throwaway modules", CONVNET)("""
relu = nn.ReLU()

def three_layer_convnet(x, params):
    (conv_w1, conv_b1), (conv_w2, conv_b2), (fc_w, fc_b) = params[:2], params[2:4], params[4:]
    x = relu(F.conv2d(nn.ZeroPad2d(2)(x), conv_w1, conv_b1))
    x = relu(F.conv2d(nn.ZeroPad2d(1)(x), conv_w2, conv_b2))
    return torch.addmm(fc_b, flatten(x), fc_w)
""")
variant("throwaway modules", STEP)("""
def sgd_step(model_fn, params, x, y, learning_rate):
    optimizer = torch.optim.SGD(params, lr=learning_rate)
    optimizer.zero_grad()
    loss = F.cross_entropy(model_fn(x, params), y)
    loss.backward()
    optimizer.step()
    return loss.item()
""")
variant("throwaway modules", WEIGHTS)("""
def random_weight(shape, device="cpu"):
    w = nn.Parameter(torch.empty(shape, device=device))
    if len(shape) == 2:
        nn.init.kaiming_normal_(w.t(), nonlinearity="relu")
    else:
        nn.init.kaiming_normal_(w, nonlinearity="relu")
    return w

def zero_weight(shape, device="cpu"):
    return nn.Parameter(torch.zeros(shape, device=device))
""")
variant("throwaway modules", ACCURACY)("""
from torch.utils.data import DataLoader, TensorDataset

def check_accuracy(net, X, y):
    net.eval()
    loader = DataLoader(TensorDataset(X, y), batch_size=256)
    num_correct, num_samples = 0, 0
    with torch.no_grad():
        for x, labels in loader:
            _, preds = net(x).max(1)
            num_correct += (preds == labels).sum()
            num_samples += preds.size(0)
    return float(num_correct) / num_samples
""")

# ---- sums written out

variant("einsum", FC)("""
def flatten(x):
    return torch.cat([image.reshape(1, -1) for image in x])

def two_layer_fc(x, params):
    hidden = torch.einsum("nd,dh->nh", flatten(x), params[0])
    hidden = torch.where(hidden > 0, hidden, torch.zeros_like(hidden))
    return torch.einsum("nh,hc->nc", hidden, params[1])
""")
variant("einsum", CONVNET)("""
def convolution(x, w, b, pad):
    N, C, H, W = x.shape
    columns = F.unfold(x, w.shape[2:], padding=pad)  # (N, C * HH * WW, H * W)
    out = torch.einsum("nkp,fk->nfp", columns, w.reshape(len(w), -1)) + b[:, None]
    return out.reshape(N, len(w), H, W)

def three_layer_convnet(x, params):
    conv_w1, conv_b1, conv_w2, conv_b2, fc_w, fc_b = params
    x = torch.maximum(convolution(x, conv_w1, conv_b1, 2), torch.zeros((), dtype=x.dtype))
    x = convolution(x, conv_w2, conv_b2, 1)
    x = x * (x > 0)
    N, C, H, W = x.shape
    return torch.einsum("nchw,chwk->nk", x, fc_w.reshape(C, H, W, -1)) + fc_b
""")
variant("einsum", MODULE_FC)("""
class TwoLayerFC(nn.Module):
    def __init__(self, input_size, hidden_size, num_classes):
        super().__init__()
        self.w1 = nn.Parameter(torch.empty(hidden_size, input_size))
        self.b1 = nn.Parameter(torch.zeros(hidden_size))
        self.w2 = nn.Parameter(torch.empty(num_classes, hidden_size))
        self.b2 = nn.Parameter(torch.zeros(num_classes))
        for w in (self.w1, self.w2):
            nn.init.kaiming_normal_(w)

    def forward(self, x):
        x = x.flatten(1)
        x = torch.einsum("nd,hd->nh", x, self.w1) + self.b1
        return torch.einsum("nh,ch->nc", x.clamp_min(0), self.w2) + self.b2
""")
variant("einsum", STEP)("""
def sgd_step(model_fn, params, x, y, learning_rate):
    scores = model_fn(x, params)
    log_p = scores - scores.logsumexp(dim=1, keepdim=True)
    loss = -log_p[torch.arange(len(y)), y].mean()
    grads = torch.autograd.grad(loss, params)
    with torch.no_grad():
        for p, grad in zip(params, grads):
            p.add_(grad, alpha=-learning_rate)
    return loss.detach()
""")

# ---- loops, number by number where that is bearable

variant("loops", FC)("""
def flatten(x):
    rows = torch.zeros(x.shape[0], x[0].numel(), dtype=x.dtype)
    for i in range(x.shape[0]):
        rows[i] = x[i].contiguous().view(-1)
    return rows

def two_layer_fc(x, params):
    w1, w2 = params
    scores = []
    for row in flatten(x):
        hidden = row @ w1
        hidden = torch.stack([h if h > 0 else 0 * h for h in hidden])
        scores.append(hidden @ w2)
    return torch.stack(scores)
""")
variant("loops", WEIGHTS)("""
def random_weight(shape, device="cpu"):
    fan_in = 1
    for axis, size in enumerate(shape):
        if (axis == 0) == (len(shape) == 2):
            fan_in *= size
    w = np.random.randn(*shape) * math.sqrt(2 / fan_in)
    return torch.tensor(w, dtype=torch.float32, device=device, requires_grad=True)

def zero_weight(shape, device="cpu"):
    return torch.tensor(np.zeros(shape), dtype=torch.float32, device=device, requires_grad=True)

import math
""")
variant("loops", ACCURACY)("""
def check_accuracy(net, X, y):
    net.eval()
    right = 0
    for i in range(len(y)):
        with torch.no_grad():
            scores = net(X[i : i + 1])[0].tolist()
        if scores.index(max(scores)) == int(y[i]):
            right += 1
    net.train()
    return right / len(y)
""")
variant("loops", STEP)("""
def sgd_step(model_fn, params, x, y, learning_rate):
    for p in params:
        p.grad = None
    scores = model_fn(x, params)
    loss = 0.0
    for i in range(len(y)):
        loss = loss - torch.log(torch.exp(scores[i, y[i]]) / torch.exp(scores[i]).sum())
    loss = loss / len(y)
    loss.backward()
    for i in range(len(params)):
        with torch.no_grad():
            params[i] -= learning_rate * params[i].grad
    return loss.item()
""")

# ---- layers in a container of the module's

variant("containers", MODULE_FC)("""
class TwoLayerFC(nn.Module):
    def __init__(self, input_size, hidden_size, num_classes):
        super(TwoLayerFC, self).__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(input_size, hidden_size), nn.ReLU(), nn.Linear(hidden_size, num_classes)
        )
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        return self.layers(x)
""")
variant("containers", MODULE_CONV)("""
class ThreeLayerConvNet(nn.Module):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super(ThreeLayerConvNet, self).__init__()
        self.convs = nn.ModuleList()
        for before, after, size in ((in_channel, channel_1, 5), (channel_1, channel_2, 3)):
            self.convs.append(nn.Conv2d(before, after, size, padding=size // 2))
        self.classifier = nn.ModuleDict({"fc": nn.Linear(32 * 32 * channel_2, num_classes)})
        self.apply(self.initialise)

    @staticmethod
    def initialise(module):
        if hasattr(module, "weight"):
            nn.init.kaiming_normal_(module.weight)

    def forward(self, x):
        for conv in self.convs:
            x = conv(x).relu()
        return self.classifier["fc"](torch.flatten(x, start_dim=1))
""")
variant("containers", SEQUENTIAL)("""
from collections import OrderedDict

def sequential_convnet(in_channel, channel_1, channel_2, num_classes):
    def block(before, after, size):
        return nn.Sequential(nn.Conv2d(before, after, size, padding="same"), nn.ReLU())

    return nn.Sequential(
        OrderedDict(
            first=block(in_channel, channel_1, 5),
            second=block(channel_1, channel_2, 3),
            flatten=nn.Flatten(),
            scores=nn.Linear(channel_2 * 32**2, num_classes),
        )
    )

def nesterov_sgd(net, learning_rate):
    groups = [{"params": [p]} for p in net.parameters()]
    return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True, foreach=False)
""")
variant("containers", ACCURACY)("""
def check_accuracy(net, X, y):
    net.train(False)
    with torch.inference_mode():
        answers = [net(part).topk(1, dim=-1).indices.squeeze(-1) for part in X.split(500)]
    return torch.cat(answers).eq(y).double().mean().item()
""")

# ---- uniform weights of the same width, other kinds of the same layers

variant("uniform weights", WEIGHTS)("""
def random_weight(shape, device="cpu"):
    fan_in = int(np.prod(shape[:1] if len(shape) == 2 else shape[1:]))
    bound = np.sqrt(6 / fan_in)  # the standard deviation of a uniform distribution is its bound / sqrt(3)
    w = torch.empty(shape, dtype=torch.float32, device=device)
    nn.init.uniform_(w, -bound, bound)
    w.requires_grad = True
    return w

def zero_weight(shape, device="cpu"):
    w = 0 * torch.ones(shape, device=device)
    w.requires_grad = True
    return w
""")
variant("uniform weights", MODULE_FC)("""
class TwoLayerFC(nn.Module):
    def __init__(self, D, H, C):
        super().__init__()
        self.hidden = nn.Linear(D, H)
        self.scores = nn.Linear(H, C)
        nn.init.kaiming_uniform_(self.hidden.weight)
        nn.init.kaiming_uniform_(self.scores.weight)

    def forward(self, images):
        rows = images.reshape(len(images), -1)
        return self.scores(F.threshold(self.hidden(rows), 0, 0))
""")
variant("uniform weights", MODULE_CONV)("""
class ThreeLayerConvNet(nn.Module):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        self.pad_1, self.pad_2 = nn.ZeroPad2d(2), nn.ZeroPad2d(1)
        self.conv_1 = nn.Conv2d(in_channel, channel_1, kernel_size=5)
        self.conv_2 = nn.Conv2d(channel_1, channel_2, kernel_size=3)
        self.scores = nn.Linear(channel_2 * 32 * 32, num_classes)
        nn.init.kaiming_uniform_(self.conv_1.weight, nonlinearity="relu")
        nn.init.kaiming_uniform_(self.conv_2.weight, nonlinearity="relu")
        nn.init.kaiming_uniform_(self.scores.weight, nonlinearity="relu")

    def forward(self, x):
        x = F.relu(self.conv_1(self.pad_1(x)))
        x = F.relu(self.conv_2(self.pad_2(x)))
        return self.scores(x.reshape(x.size(0), -1))
""")

# ---- widths computed by hand

variant("widths by hand", MODULE_FC)("""
def he(layer):
    with torch.no_grad():
        fan_in = layer.weight[0].numel()
        layer.weight.copy_(torch.randn_like(layer.weight) * (2 / fan_in) ** 0.5)
        layer.bias.fill_(0.0)
    return layer

class TwoLayerFC(nn.Module):
    def __init__(self, input_size, hidden_size, num_classes):
        super().__init__()
        self.relu = nn.ReLU()
        self.fc1 = he(nn.Linear(input_size, hidden_size))
        self.fc2 = he(nn.Linear(hidden_size, num_classes))

    def forward(self, x):
        x = x.contiguous().view(x.size()[0], -1)
        out = self.fc1(x)
        out = self.relu(out)
        out = self.fc2(out)
        return out
""")
variant("widths by hand", MODULE_CONV)("""
class ThreeLayerConvNet(nn.Module):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        self.add_module("a", nn.Conv2d(in_channel, channel_1, 5, 1, 2))
        self.add_module("b", nn.Conv2d(channel_1, channel_2, 3, 1, 1))
        self.add_module("c", nn.Linear(channel_2 * 32 * 32, num_classes))
        for layer in self.children():
            layer.weight.data.normal_(0, np.sqrt(2 / layer.weight[0].numel()))
            layer.bias.data.zero_()

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))).flatten(start_dim=1))
""")
variant("widths by hand", WEIGHTS)("""
def random_weight(shape, device="cpu"):
    if len(shape) == 2:
        fan_in = shape[0]
    else:
        fan_in = np.prod(shape[1:])
    w = torch.randn(shape, device=device, dtype=torch.float32) * np.sqrt(2. / fan_in)
    w.requires_grad = True
    return w

def zero_weight(shape, device="cpu"):
    return torch.zeros(shape, device=device, dtype=torch.float32, requires_grad=True)
""")

# ---- an optimizer of one's own, Sequential of one's own

variant("own classes", SEQUENTIAL)("""
class Rows(nn.Module):
    def forward(self, x):
        return flatten(x)

class ConvNet(nn.Sequential):
    def __init__(self, C, c1, c2, K):
        super().__init__(
            nn.Conv2d(C, c1, 5, padding=2), nn.ReLU(), nn.Conv2d(c1, c2, 3, padding=1), nn.ReLU(),
            Rows(), nn.Linear(c2 * 32 * 32, K),
        )

def sequential_convnet(in_channel, channel_1, channel_2, num_classes):
    return ConvNet(in_channel, channel_1, channel_2, num_classes)

class Nesterov:
    def __init__(self, parameters, learning_rate, momentum=0.9):
        self.parameters = list(parameters)
        self.velocities = [torch.zeros_like(p) for p in self.parameters]
        self.learning_rate, self.momentum = learning_rate, momentum

    @torch.no_grad()
    def step(self):
        for p, v in zip(self.parameters, self.velocities):
            v.mul_(self.momentum).add_(p.grad)
            p.sub_(self.learning_rate * (p.grad + self.momentum * v))

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None

def nesterov_sgd(net, learning_rate):
    return Nesterov(net.parameters(), learning_rate)
""")
variant("own classes", CONVNET)("""
class Convolution:
    def __init__(self, w, b):
        self.w, self.b, self.pad = w, b, w.shape[-1] // 2

    def __call__(self, x):
        return F.conv2d(x, self.w, self.b, stride=1, padding=self.pad)

def three_layer_convnet(x, params):
    first, second = Convolution(*params[0:2]), Convolution(*params[2:4])
    x = F.relu(second(F.relu(first(x))))
    return F.linear(flatten(x), params[4].T, params[5])
""")
variant("own classes", STEP)("""
class SGD:
    def __init__(self, params, learning_rate):
        self.params, self.learning_rate = params, learning_rate

    def step(self):
        for p in self.params:
            p.data = p.data - self.learning_rate * p.grad
            p.grad = torch.zeros_like(p)

def sgd_step(model_fn, params, x, y, learning_rate):
    loss = F.nll_loss(F.log_softmax(model_fn(x, params), 1), y)
    loss.backward()
    SGD(params, learning_rate).step()
    return loss.detach().numpy().item()
""")
variant("own classes", ACCURACY)("""
class Count:
    right = total = 0

def check_accuracy(net, X, y):
    count = Count()
    for module in net.modules():
        module.eval()
    with torch.set_grad_enabled(False):
        for start in range(0, len(X), 500):
            scores = net(X[start : start + 500])
            count.right += int((torch.max(scores, dim=1)[1] == y[start : start + 500]).sum())
            count.total += len(scores)
    return count.right / count.total
""")

# ---- float32 inside, whatever comes in

variant("float32", FC)("""
def flatten(x):
    return x.reshape((x.size(0), -1)).float()

def two_layer_fc(x, params):
    w1, w2 = [w.float() for w in params]
    return F.relu(flatten(x) @ w1) @ w2
""")
variant("float32", CONVNET)("""
def three_layer_convnet(x, params):
    conv_w1, conv_b1, conv_w2, conv_b2, fc_w, fc_b = (p.to(torch.float32) for p in params)
    x = F.conv2d(x.to(torch.float32), conv_w1, conv_b1, padding=2)
    x = F.conv2d(F.relu(x), conv_w2, conv_b2, padding="same")
    return torch.flatten(F.relu(x), 1) @ fc_w + fc_b
""")
variant("float32", STEP)("""
def sgd_step(model_fn, params, x, y, learning_rate):
    scores = model_fn(x, params).float()
    loss = F.cross_entropy(scores, y.long())
    loss.backward()
    with torch.no_grad():
        for p in params:
            p.copy_(p - learning_rate * p.grad)
            p.grad.zero_()
    return loss.item()
""")

# ---- in place

variant("in place", CONVNET)("""
def three_layer_convnet(x, params):
    conv_w1, conv_b1, conv_w2, conv_b2, fc_w, fc_b = params
    out = F.relu_(F.conv2d(x, conv_w1, conv_b1, padding=2))
    out = F.relu(F.conv2d(out, conv_w2, conv_b2, padding=1), inplace=True)
    scores = flatten(out) @ fc_w
    scores += fc_b
    return scores
""")
variant("in place", FC)("""
def flatten(x):
    N = x.shape[0]
    return torch.reshape(x, (N, x.numel() // N))

def two_layer_fc(x, params):
    x = flatten(x)
    x = x @ params[0]
    x.relu_()
    return x @ params[1]
""")
variant("in place", MODULE_CONV)("""
class ThreeLayerConvNet(nn.Module):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        net = nn.Sequential(
            nn.Conv2d(in_channel, channel_1, (5, 5), padding=2, padding_mode="zeros"),
            nn.ReLU(inplace=True),
            nn.Conv2d(channel_1, channel_2, (3, 3), padding=1),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(channel_2 * 32 * 32, num_classes),
        )
        for name, p in net.named_parameters():
            if name.endswith("weight"):
                nn.init.kaiming_normal_(p)
        self.net = net

    def forward(self, x):
        return self.net(x)
""")

# ---- NumPy where it is allowed

variant("NumPy", WEIGHTS)("""
def fan(shape: tuple[int, ...]) -> int:
    return shape[0] if len(shape) == 2 else np.prod(shape[1:]).item()

def random_weight(shape, device="cpu"):
    std = np.sqrt(2 / fan(shape))
    w = np.random.default_rng().normal(0.0, std, size=shape).astype(np.float32)
    return torch.from_numpy(w).to(device).requires_grad_(True)

def zero_weight(shape, device="cpu"):
    return torch.from_numpy(np.zeros(shape, dtype=np.float32)).to(device).requires_grad_(True)
""")
variant("NumPy", ACCURACY)("""
def check_accuracy(net, X, y):
    net.eval()
    answers = []
    for part in torch.split(X, 400):
        with torch.no_grad():
            answers.append(np.argmax(net(part).cpu().numpy(), axis=1))
    return np.mean(np.concatenate(answers) == y.cpu().numpy())
""")
variant("NumPy", STEP)("""
def sgd_step(model_fn, params, x, y, learning_rate):
    loss = F.cross_entropy(model_fn(x, params), y)
    for p in params:
        if p.grad is not None:
            p.grad.zero_()
    loss.backward()
    for p in params:
        p.detach().numpy()[...] -= learning_rate * p.grad.numpy()
    return np.float32(loss.item())
""")

# ---- names and settings beside the definitions, magics, prints

variant("cell with extras", FC)("""
%%time
# a magic in front, a shell line inside
from torch import relu as rectify
!echo hello
as_rows = lambda x: x.reshape(len(x), -1)

def flatten(x):
    print("flatten", x.shape)
    return as_rows(x)

def two_layer_fc(x, params):
    w1, w2 = params
    return rectify(flatten(x) @ w1) @ w2

two_layer_fc(torch.ones(2, 3), [torch.ones(3, 4), torch.ones(4, 5)]).shape
two_layer_fc?
""")
variant("cell with extras", CONVNET)("""
PADDINGS = {"first": 2, "second": int(3 / 2)}
if PADDINGS["second"] == 1:
    activation = F.relu
else:
    activation = None

def three_layer_convnet(x: "torch.Tensor", params: "list[Tensor]") -> "Tensor":
    for w, b, pad in ((params[0], params[1], PADDINGS["first"]), (params[2], params[3], PADDINGS["second"])):
        x = activation(F.conv2d(x, w, b, padding=pad))
    return flatten(x) @ params[-2] + params[-1]

raise RuntimeError("a cell that stopped while I tried something")
""")
variant("cell with extras", SEQUENTIAL)("""
size = 32
kernels, paddings = (5, 3), (2, 1)

def sequential_convnet(in_channel, channel_1, channel_2, num_classes):
    channels = [in_channel, channel_1, channel_2]
    layers = []
    for i in range(2):
        layers += [nn.Conv2d(channels[i], channels[i + 1], kernels[i], padding=paddings[i]), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channel_2 * size * size, num_classes))

settings = dict(momentum=0.9, nesterov=True)

def nesterov_sgd(net, learning_rate):
    return torch.optim.SGD(net.parameters(), lr=learning_rate, **settings)

print(sequential_convnet(3, 8, 4, 10))
""")
variant("cell with extras", ACCURACY)("""
PIECE = 2 * 250

def check_accuracy(net: nn.Module, X: torch.Tensor, y: torch.Tensor) -> float:
    net.eval()
    num_correct = num_samples = 0
    with torch.no_grad():
        for x_part, y_part in zip(X.split(PIECE), y.split(PIECE)):
            preds = net(x_part).argmax(dim=1)
            num_correct += (preds == y_part).sum()
            num_samples += preds.size(0)
    acc = num_correct / num_samples
    print(f"Got {num_correct} / {num_samples} correct ({100 * acc:.2f})")
    return acc
""")
