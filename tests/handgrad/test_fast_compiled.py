"""The compiled backend: instruction sets, threads, forks change nothing; memory does not grow; it builds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import handgrad

compiled = pytest.importorskip("handgrad.fast_layers._compiled", reason="the extension was not built")

SUITE = Path(__file__).with_name("test_fast_layers.py")


def _run(*command, **environment):
    """Run Python in a process of its own, where the variables are read anew."""
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done


@pytest.mark.parametrize("isa", compiled.ISA_NAMES)
def test_every_instruction_set_passes_the_tests_of_the_fast_layers(isa):
    if isa not in compiled.available_isas():
        pytest.skip(f"this processor has no {isa}")
    done = _run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "compiled", str(SUITE), HANDGRAD_ISA=isa
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_an_instruction_set_that_is_not_there_is_refused():
    done = _run("-c", "import handgrad.fast_layers", HANDGRAD_ISA="mmx", HANDGRAD_BACKEND="compiled")
    assert "HANDGRAD_ISA must be one of plain" in done.stderr


COMPARE = """
import numpy as np
from handgrad.fast_layers import _compiled as fast
rng = np.random.default_rng(0)
for dtype in (np.float32, np.float64):
    x, w, b = (rng.normal(size=s).astype(dtype) for s in ((7, 3, 40, 40), (8, 3, 5, 5), (8,)))
    out, cache = fast.conv_forward_fast(x, w, b, {"stride": 1, "pad": 2})
    gradients = fast.conv_backward_fast(out, cache)
    pooled, pool_cache = fast.max_pool_forward_fast(out, {"pool_height": 3, "pool_width": 3, "stride": 1})
    normal, norm_cache = fast.spatial_batchnorm_forward_fast(x, w[0, :, 0, 0], b[:3], {"mode": "train"})
    big = rng.normal(size=3_000_000).astype(dtype)
    next_w, config = fast.adam_fast(big, big)
    relu, relu_cache = fast.relu_forward_fast(big)
    results = (
        out, *gradients, pooled, fast.max_pool_backward_fast(pooled, pool_cache), normal,
        *fast.spatial_batchnorm_backward_fast(x, norm_cache), next_w, config["m"], config["v"], relu,
        fast.relu_backward_fast(big, relu_cache),
    )
    np.savez(f"{__import__('sys').argv[1]}_{np.dtype(dtype).name}.npz", *results)
"""


def test_threads_change_nothing_but_rounding(tmp_path):
    for threads in ("1", "2", "5"):
        done = _run("-c", COMPARE, str(tmp_path / threads), HANDGRAD_NUM_THREADS=threads, OMP_NUM_THREADS="9")
        assert done.returncode == 0, done.stderr
    for dtype, tolerance in {"float32": 1e-4, "float64": 1e-12}.items():
        one = np.load(tmp_path / f"1_{dtype}.npz")
        for threads in ("2", "5"):
            other = np.load(tmp_path / f"{threads}_{dtype}.npz")
            for name in one.files:
                scale = np.abs(one[name]).max()
                np.testing.assert_allclose(other[name], one[name], rtol=0, atol=tolerance * scale)


def test_the_number_of_threads_respects_the_usual_variables():
    ask = "from handgrad.fast_layers import _compiled; print(_compiled.THREADS)"
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for name in ("HANDGRAD_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        others = dict.fromkeys(("HANDGRAD_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "")
        assert _run("-c", ask, **(others | {name: "1"})).stdout.strip() == "1"
        assert _run("-c", ask, **(others | {name: "999"})).stdout.strip() == str(processors)


LOOP = """
import resource, sys
import numpy as np
from handgrad.fast_layers import _compiled as fast
rng = np.random.default_rng(0)
x, w, b = rng.normal(size=(4, 3, 9, 8)), rng.normal(size=(5, 3, 3, 2)), rng.normal(size=5)
scores, y = rng.normal(size=(6, 4)), np.zeros(6, int)
pool = {"pool_height": 3, "pool_width": 2, "stride": 1}

def once():
    out, cache = fast.conv_forward_fast(x, w, b, {"stride": 1, "pad": 1})
    fast.conv_backward_fast(out, cache)
    out, cache = fast.max_pool_forward_fast(x, pool)
    fast.max_pool_backward_fast(out, cache)
    out, cache = fast.spatial_batchnorm_forward_fast(x, b[:3], b[:3], {"mode": "train"})
    fast.spatial_batchnorm_backward_fast(out, cache)
    out, cache = fast.relu_forward_fast(x)
    fast.relu_backward_fast(out, cache)
    fast.softmax_loss_fast(scores, y)
    for rule in (fast.sgd_fast, fast.sgd_momentum_fast, fast.rmsprop_fast, fast.adam_fast):
        rule(x, x)
    try:
        fast.conv_forward_fast(x, w[:, :2], b, {"stride": 1, "pad": 1})
    except ValueError:
        pass

for _ in range(500):
    once()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(10_000):
    once()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is counted as Linux does")
def test_ten_thousand_calls_do_not_grow_memory():
    done = _run("-c", LOOP, HANDGRAD_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1000  # kilobytes; one leaked array of x a call would be 70,000


def test_works_after_a_fork():
    code = (
        "import os, numpy as np; from handgrad.fast_layers import _compiled as fast\n"
        "x, w, b = np.ones((8, 3, 64, 64)), np.ones((8, 3, 5, 5)), np.ones(8)\n"
        "call = lambda: fast.conv_forward_fast(x, w, b, {'stride': 1, 'pad': 2})[0].sum()\n"
        "right = call()\n"
        "pid = os.fork()\n"
        "if pid == 0: os._exit(0 if call() == right else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    assert _run("-c", code, HANDGRAD_NUM_THREADS="2").stdout.strip() == "0"


class TestBuild:
    @pytest.fixture
    def folder(self, tmp_path):
        """A student's folder: the package's sources alone."""
        source = Path(handgrad.__file__).parent
        ignore = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "_compiled.c")
        shutil.copytree(source, tmp_path / "handgrad", ignore=ignore)
        return tmp_path

    def _in(self, folder, *arguments, **environment):
        environment = {**os.environ, "PYTHONPATH": "", **environment}
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    def test_says_so_when_there_is_no_compiler(self, folder):
        pytest.importorskip("Cython")
        done = self._in(folder, "handgrad.fast_layers.build", CC="no-such-compiler")
        assert done.returncode == 1
        assert "The fast layers were not compiled. The compiler failed" in done.stderr
        assert "They go on working with NumPy." in done.stderr
        assert "uses the numpy backend" in self._in(folder, "handgrad.fast_layers").stdout

    def test_an_extension_that_does_not_load_is_named_and_numpy_used(self, folder):
        name = Path(compiled.__file__).name
        (folder / "handgrad" / "fast_layers" / name).write_bytes(b"no shared object")
        done = self._in(folder, "handgrad.fast_layers")
        assert done.returncode == 0
        assert "uses the numpy backend: the compiled extension does not load (" in done.stdout

    def test_says_what_to_install(self, folder):
        (folder / "Cython.py").write_text(
            "raise ModuleNotFoundError(\"No module named 'Cython'\", name='Cython')"
        )
        done = self._in(folder, "handgrad.fast_layers.build")
        assert done.returncode == 1
        assert "Cython is not installed: pip install 'cython>=3' setuptools" in done.stderr
