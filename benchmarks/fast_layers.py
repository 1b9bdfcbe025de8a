"""The fast layers against PyTorch eager, the courses' im2col, and the limits of the machine.

Every contender does one forward and one backward pass. They take turns in one process, so that a slow moment
of the machine hits all of them; a table gives medians in milliseconds and ratios to PyTorch. `limit` is one
matrix product of as many operations, or one copy of as many bytes: what no implementation of this kind beats.

    python benchmarks/fast_layers.py                     1 and 2 threads, float64 and float32, all layers
    python benchmarks/fast_layers.py --threads 1 --rounds 30 --json build/fast_layers.json conv

A sample waits 0.12 s and runs once untimed before it is timed: threads of OpenBLAS and of PyTorch that have
just finished keep spinning for a while and would slow the next contender.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # BLAS as it comes
    os.environ.pop(name, None)
THREADS = int(os.environ.get("BENCHMARK_THREADS", "0"))  # set in the child that measures
if THREADS:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "HANDGRAD_NUM_THREADS"):
        os.environ[name] = str(THREADS)

import numpy as np

PAUSE = 0.12  # seconds
CONVOLUTIONS = {
    # x, w, stride, pad
    "conv 3x3 stride 2, 3 to 25 channels": ((100, 3, 31, 31), (25, 3, 3, 3), 2, 1),
    "conv 7x7, 3 to 32 channels": ((50, 3, 32, 32), (32, 3, 7, 7), 1, 3),
    "conv 3x3, 64 to 128 channels": ((64, 64, 16, 16), (128, 64, 3, 3), 1, 1),
}
Contenders = dict[str, Callable[[], object]]


def main() -> None:
    """Measure in one child process for each number of threads, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layers", nargs="*", help="beginnings of names, such as conv or pool; default: all")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, default=Path("build/fast_layers.json"))
    arguments = parser.parse_args()
    if THREADS:
        print(json.dumps(measure(arguments.layers, arguments.rounds)))
        return
    results = {}
    for threads in arguments.threads:
        command = [sys.executable, __file__, *arguments.layers, "--rounds", str(arguments.rounds)]
        environment = {**os.environ, "BENCHMARK_THREADS": str(threads)}
        child = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        results[threads] = json.loads(child.stdout.splitlines()[-1])
        print(table(threads, results[threads]), flush=True)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps({"machine": machine(), "milliseconds": results}, indent=1))


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": model[0].split(":")[1].strip() if model else platform.processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def table(threads: int, results: dict[str, dict[str, float]]) -> str:
    """A Markdown table: PyTorch in milliseconds, all others as ratios to it."""
    names = ["compiled", "numpy", "im2col", "limit"]
    lines = [f"\n{threads} thread{'s' * (threads > 1)}, {machine()['processor']}\n"]
    lines.append(
        f"| forward + backward | PyTorch, ms | {' | '.join(names)} |\n|---|---:|{'---:|' * len(names)}"
    )
    for layer, times in results.items():
        ratios = [f"{times[n] / times['torch']:.2f}" if n in times else "" for n in names]
        lines.append(f"| {layer} | {times['torch']:.2f} | {' | '.join(ratios)} |")
    return "\n".join(lines)


def measure(wanted: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Median milliseconds by layer and contender."""
    import torch

    torch.set_num_threads(THREADS)
    results = {}
    for layer, contenders in layers(wanted):
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, run in contenders.items():
                if THREADS > 1:
                    time.sleep(PAUSE)
                run()
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
        results[layer] = {name: 1e3 * float(np.median(samples)) for name, samples in times.items()}
    return results


def layers(wanted: list[str]) -> Iterator[tuple[str, Contenders]]:
    """The layers that were asked for, in both dtypes."""
    makers: dict[str, Callable[[type], Contenders]] = {
        **{name: lambda dtype, case=case: convolution(dtype, *case) for name, case in CONVOLUTIONS.items()},
        "max pool 2x2": max_pool,
        "batch norm, 200 x 100": lambda dtype: batch_norm(dtype, (200, 100)),
        "spatial batch norm": lambda dtype: batch_norm(dtype, (64, 32, 16, 16)),
        "relu": relu,
        "softmax loss, 100 x 10": softmax,
        "adam step, 350,000 parameters": adam,
    }
    for name, make in makers.items():
        if not wanted or any(name.startswith(w) for w in wanted):
            for dtype in (np.float64, np.float32):
                yield f"{name}, {np.dtype(dtype).name}", make(dtype)


def backends() -> dict[str, object]:
    """The backends that can be loaded."""
    from handgrad.fast_layers import numpy_backend

    found: dict[str, object] = {"numpy": numpy_backend}
    try:
        from handgrad.fast_layers import _compiled
    except ImportError:
        print("no compiled extension", file=sys.stderr)
    else:
        found["compiled"] = _compiled
    return found


def ours(function: str, run: Callable[[object], object]) -> Contenders:
    """Each backend that has the function."""
    return {
        name: lambda backend=backend: run(backend)
        for name, backend in backends().items()
        if hasattr(backend, function)
    }


def convolution(dtype, x_shape, w_shape, stride, pad) -> Contenders:
    import torch

    rng = np.random.default_rng(0)
    x, w, b = (rng.normal(size=s).astype(dtype) for s in (x_shape, w_shape, w_shape[:1]))
    param = {"stride": stride, "pad": pad}
    N, C, H, W = x_shape
    F, _, HH, WW = w_shape
    H_out, W_out = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    dout = rng.normal(size=(N, F, H_out, W_out)).astype(dtype)
    K, P = C * HH * WW, N * H_out * W_out
    left, right = rng.normal(size=(3 * F, K)).astype(dtype), rng.normal(size=(K, P)).astype(dtype)
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    cotangent = torch.tensor(dout)

    def in_torch():
        out = torch.nn.functional.conv2d(*leaves, stride=stride, padding=pad)
        return torch.autograd.grad(out, leaves, cotangent)

    def run(backend):
        _, cache = backend.conv_forward_fast(x, w, b, param)
        return backend.conv_backward_fast(dout, cache)

    return {
        "torch": in_torch,
        **ours("conv_forward_fast", run),
        "im2col": lambda: im2col(x, w, b, dout, stride, pad),
        "limit": lambda: left @ right,
    }


def im2col(x, w, b, dout, stride, pad):
    """The usual way: the windows of the whole batch as the columns of one matrix."""
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out, W_out = dout.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    shape = (C, HH, WW, N, H_out, W_out)
    n, c, h, v = padded.strides
    windows = np.lib.stride_tricks.as_strided(padded, shape, (c, h, v, n, stride * h, stride * v))
    columns = np.ascontiguousarray(windows).reshape(C * HH * WW, -1)
    out = (w.reshape(F, -1) @ columns + b[:, np.newaxis]).reshape(F, N, H_out, W_out).transpose(1, 0, 2, 3)
    out = np.ascontiguousarray(out)
    flat = dout.transpose(1, 0, 2, 3).reshape(F, -1)
    dw = (flat @ columns.T).reshape(w.shape)
    dcolumns = (w.reshape(F, -1).T @ flat).reshape(shape)
    dpadded = np.zeros_like(padded)
    for i in range(HH):
        for j in range(WW):
            rows, across = slice(i, i + stride * H_out, stride), slice(j, j + stride * W_out, stride)
            dpadded[:, :, rows, across] += dcolumns[:, i, j].transpose(1, 0, 2, 3)
    return out, dpadded[:, :, pad : pad + H, pad : pad + W], dw, flat.sum(axis=1)


def copies(x: np.ndarray, times: int) -> Callable[[], None]:
    """Copy x so many times: the bytes that a layer must read and write."""
    target = np.empty_like(x)

    def run() -> None:
        for _ in range(times):
            np.copyto(target, x)

    return run


def max_pool(dtype) -> Contenders:
    import torch

    rng = np.random.default_rng(0)
    x, dout = (rng.normal(size=s).astype(dtype) for s in ((64, 32, 32, 32), (64, 32, 16, 16)))
    leaf, cotangent = torch.tensor(x, requires_grad=True), torch.tensor(dout)
    param = {"pool_height": 2, "pool_width": 2, "stride": 2}

    def run(backend):
        _, cache = backend.max_pool_forward_fast(x, param)
        return backend.max_pool_backward_fast(dout, cache)

    return {
        "torch": lambda: torch.autograd.grad(torch.nn.functional.max_pool2d(leaf, 2), leaf, cotangent),
        **ours("max_pool_forward_fast", run),
        "limit": copies(x, 1),
    }


def batch_norm(dtype, shape) -> Contenders:
    import torch

    rng = np.random.default_rng(0)
    x, dout = (rng.normal(size=shape).astype(dtype) for _ in range(2))
    gamma, beta = np.ones(shape[1], dtype), np.zeros(shape[1], dtype)
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
    running = [torch.tensor(beta), torch.tensor(gamma)]
    cotangent, param = torch.tensor(dout), {"mode": "train"}
    kind = "spatial_batchnorm" if len(shape) == 4 else "batchnorm"

    def in_torch():
        out = torch.nn.functional.batch_norm(leaves[0], *running, leaves[1], leaves[2], training=True)
        return torch.autograd.grad(out, leaves, cotangent)

    def run(backend):
        _, cache = getattr(backend, f"{kind}_forward_fast")(x, gamma, beta, param)
        return getattr(backend, f"{kind}_backward_fast")(dout, cache)

    return {"torch": in_torch, **ours(f"{kind}_forward_fast", run), "limit": copies(x, 2)}


def relu(dtype) -> Contenders:
    import torch

    rng = np.random.default_rng(0)
    x, dout = (rng.normal(size=(64, 32, 32, 32)).astype(dtype) for _ in range(2))
    leaf, cotangent = torch.tensor(x, requires_grad=True), torch.tensor(dout)

    def run(backend):
        _, cache = backend.relu_forward_fast(x)
        return backend.relu_backward_fast(dout, cache)

    return {
        "torch": lambda: torch.autograd.grad(torch.relu(leaf), leaf, cotangent),
        **ours("relu_forward_fast", run),
        "limit": copies(x, 2),
    }


def softmax(dtype) -> Contenders:
    import torch

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 10)).astype(dtype), rng.integers(10, size=100)
    leaf, labels = torch.tensor(x, requires_grad=True), torch.tensor(y)
    return {
        "torch": lambda: torch.autograd.grad(torch.nn.functional.cross_entropy(leaf, labels), leaf),
        **ours("softmax_loss_fast", lambda backend: backend.softmax_loss_fast(x, y)),
    }


def adam(dtype) -> Contenders:
    import torch

    rng = np.random.default_rng(0)
    w, dw = (rng.normal(size=350_000).astype(dtype) for _ in range(2))
    leaf = torch.tensor(w, requires_grad=True)
    leaf.grad = torch.tensor(dw)
    optimizer = torch.optim.Adam([leaf])
    states = {name: {"w": w, "config": None} for name in backends()}

    def run(backend):
        state = states[next(name for name, b in backends().items() if b is backend)]
        state["w"], state["config"] = backend.adam_fast(state["w"], dw, state["config"])

    return {"torch": optimizer.step, **ours("adam_fast", run), "limit": copies(w, 4)}


if __name__ == "__main__":
    main()
