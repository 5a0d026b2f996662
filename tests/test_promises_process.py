"""Promise 6: fork, threads, the GIL, the floating-point environment, Ctrl-C, other runtimes."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from scripts import HERE, assert_succeeds, clean_environment, run_python
from tolerance import assert_same_bits

import npconv

posix = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

# ---- fork ----------------------------------------------------------------------------------

FORK = """
import os, threading
import numpy as np
import npconv

rng = np.random.default_rng(1)
x, weight = rng.standard_normal((4, 16, 40, 40), "f4"), rng.standard_normal((32, 16, 3, 3), "f4")

def work(threads=4):
    y = npconv.conv2d(x, weight, padding=1, num_threads=threads)
    dw = npconv.conv2d_weight_grad(y, x, weight.shape, padding=1, num_threads=threads)
    return y.tobytes() + dw.tobytes()

def check_in_child(expected):
    child = os.fork()
    if child == 0:
        os._exit(0 if work() == expected and work(1) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0, "the child failed"
"""


@posix
@pytest.mark.parametrize(
    "story",
    [
        "check_in_child(work())",
        # The parent goes on, and so do children of children.
        "e = work(); check_in_child(e); assert work() == e; check_in_child(e); assert work() == e",
        """
e = work()
child = os.fork()
if child == 0:
    assert work() == e
    check_in_child(e)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
        # Another thread is computing while the process forks.
        """
e = work()
stop = threading.Event()
def keep_computing():
    while not stop.is_set():
        work()
busy = threading.Thread(target=keep_computing)
busy.start()
for _ in range(10):
    check_in_child(e)
stop.set()
busy.join()
assert work() == e
""",
        # The usual way to meet a fork.
        """
import multiprocessing
e = work()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(work, [1, 2, 3, 4]) == [e] * 4
""",
    ],
    ids=["child", "parent goes on", "grandchild", "amid computing", "multiprocessing"],
)
def test_fork_after_a_threaded_call(story: str) -> None:
    assert_succeeds(run_python(FORK + story, timeout=60))


# ---- the GIL -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    [
        lambda n: npconv.conv2d(
            np.ones((n, 16, 64, 64), "f4"), np.ones((32, 16, 3, 3), "f4"), algorithm="reference"
        ),
        lambda n: npconv.max_pool2d(np.ones((n, 64, 64, 64)), 7, 1, return_indices=True),
        lambda n: npconv.im2col(np.ones((n, 4, 64, 64)), 5),
        lambda n: npconv.pad(np.ones((n, 64, 64, 64)), 2, "reflect"),
    ],
    ids=["conv2d", "max_pool2d", "im2col", "pad"],
)
def test_other_python_threads_run_during_a_call(operation: Callable[[int], object]) -> None:
    """A thread that naps 1 ms at a time keeps on waking up while another one computes."""

    def naps_during(size: int) -> tuple[int, float]:
        begin, end = threading.Event(), threading.Event()

        def compute() -> None:
            begin.set()
            operation(size)
            end.set()

        thread = threading.Thread(target=compute)
        naps, longest = 0, 0.0
        thread.start()
        begin.wait()
        start = time.perf_counter()
        while not end.is_set():
            before = time.perf_counter()
            time.sleep(0.001)
            naps, longest = naps + 1, max(longest, time.perf_counter() - before)
        thread.join()
        return naps, time.perf_counter() - start

    size = 1
    while True:
        naps, seconds = naps_during(size)
        if seconds > 0.1:
            break
        size *= 2
    # Were the GIL held, there would be one nap; a busy machine may take most of the others.
    assert naps >= 8, f"{naps} naps of 1 ms in {seconds:.3f} s"


# ---- the floating-point environment --------------------------------------------------------

_libm: ctypes.CDLL | None = None
if sys.platform == "linux" and platform.machine() == "x86_64":
    _libm = ctypes.CDLL("libm.so.6")

x86_linux = pytest.mark.skipif(_libm is None, reason="knows the fenv_t of x86-64 Linux only")

# x86-64's MXCSR register, which glibc keeps at byte 28 of fenv_t.
MXCSR = slice(28, 32)
FLUSH_TO_ZERO, DENORMALS_ARE_ZERO = 1 << 15, 1 << 6
ROUND_DOWN, ROUND_UP, ROUND_TO_ZERO = 1 << 13, 2 << 13, 3 << 13
STICKY_FLAGS, INEXACT = 0x3F, 0x20


def read_mxcsr() -> int:
    assert _libm is not None
    state = ctypes.create_string_buffer(32)
    _libm.fegetenv(state)
    return int.from_bytes(state.raw[MXCSR], "little")


@contextmanager
def mxcsr(value: int) -> Iterator[None]:
    """Set the register of this thread, and put it back."""
    assert _libm is not None
    saved = ctypes.create_string_buffer(32)
    _libm.fegetenv(saved)
    raw = bytearray(saved.raw)
    raw[MXCSR] = value.to_bytes(4, "little")
    try:
        _libm.fesetenv(ctypes.create_string_buffer(bytes(raw), 32))
        yield
    finally:
        _libm.fesetenv(saved)


def sensitive_results(threads: int) -> list[np.ndarray]:
    """Results with subnormal numbers in and out, rounded sums, and enough work for threads."""
    x, weight, small_x, small_weight, columns = _SENSITIVE
    options = {"padding": 1, "num_threads": threads}
    results = []
    for algorithm in ("direct", "im2col", "reference"):
        y = npconv.conv2d(x, weight, **options, algorithm=algorithm)
        dx, dw, db = npconv.conv2d_backward(y, x, weight, **options, algorithm=algorithm)
        tiny = npconv.conv2d(small_x, small_weight, num_threads=threads, algorithm=algorithm)
        results += [y, dx, dw, db, tiny]
    results.append(npconv.col2im(columns, (2, 8, 32, 33), 3, padding=1, num_threads=threads))
    results.append(npconv.pad_backward(x, ((0, 0), (0, 0), (2, 3), (4, 1)), "reflect"))
    results.append(npconv.max_pool2d(small_x, 1))
    return results


_rng = np.random.default_rng(1)
_SENSITIVE = (
    _rng.standard_normal((2, 8, 32, 33), "f4"),
    _rng.standard_normal((20, 8, 3, 3), "f4"),
    (_rng.standard_normal((2, 8, 32, 33)) * 1e-39).astype("f4"),
    _rng.standard_normal((20, 8, 1, 1), "f4"),
    _rng.standard_normal((2, 72, 32 * 33), "f4"),
)


@x86_linux
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "setting",
    [FLUSH_TO_ZERO | DENORMALS_ARE_ZERO, ROUND_DOWN, ROUND_UP, ROUND_TO_ZERO],
    ids=["flush to zero", "round down", "round up", "round to zero"],
)
def test_the_callers_environment_neither_matters_nor_changes(setting: int, threads: int) -> None:
    expected = sensitive_results(1)
    with mxcsr(0x1F80 | setting):
        actual = sensitive_results(threads)
        after = read_mxcsr()
    assert after & ~STICKY_FLAGS == 0x1F80 | setting
    for a, e in zip(actual, expected, strict=True):
        assert_same_bits(a, e)
    assert (expected[4] != 0).any(), "the subnormal numbers are gone"


@x86_linux
@pytest.mark.parametrize("threads", [1, 2])
def test_no_exception_flag_is_left_behind(threads: int) -> None:
    x = np.full((2, 8, 32, 33), 1e30, "f4")
    weight = np.full((20, 8, 3, 3), 1e30, "f4")
    x[0, 0, 0, 0] = np.inf
    weight[0, 0, 0, 0] = -np.inf
    with mxcsr(0x1F80):
        y = npconv.conv2d(x, weight, num_threads=threads)
        # Python's own arithmetic around the call may be inexact.
        flags = read_mxcsr() & STICKY_FLAGS & ~INEXACT
    assert np.isinf(y).any(), "nothing overflowed"
    assert flags == 0


def test_no_warning_about_special_values() -> None:
    """NumPy would warn of overflow; a convolution is silent, in every caller's error state."""
    x = np.full((1, 1, 4, 4), 3e38, "f4")
    with np.errstate(all="raise"):
        y = npconv.conv2d(x, np.full((1, 1, 2, 2), 3e38, "f4"))
    assert np.isinf(y).all()


# ---- Ctrl-C --------------------------------------------------------------------------------

# 10^12 operations and more; thin arrays of zero stride keep the memory small.
INTERRUPTED = """
import signal, sys, time
import numpy as np
import npconv

# A parent that runs in the background may hand down SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
thin = lambda *shape: np.broadcast_to(np.float32(1), shape)
print("started", flush=True)
try:
    while True:
        {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
y = npconv.conv2d(np.ones((1, 2, 3, 3), "f4"), np.ones((1, 2, 3, 3), "f4"))
print("alive" if y.item() == 18 else "wrong", flush=True)
"""

X, GRAD, WEIGHT = (
    "thin(16, 512, 64, 64)",
    "thin(16, 512, 58, 58)",
    "np.ones((512, 512, 7, 7), 'f4')",
)
SMALL_WEIGHT = "np.ones((512, 512, 3, 3), 'f4')"
CALLS = {
    "forward, direct": f"npconv.conv2d({X}, {WEIGHT}, algorithm='direct')",
    "forward, winograd": f"npconv.conv2d({X}, {SMALL_WEIGHT}, algorithm='winograd')",
    "forward, im2col": f"npconv.conv2d({X}, {WEIGHT}, algorithm='im2col')",
    "forward, reference": f"npconv.conv2d({X}, {WEIGHT}, algorithm='reference')",
    "input_grad": f"npconv.conv2d_input_grad({GRAD}, {WEIGHT}, (16, 512, 64, 64))",
    "weight_grad": f"npconv.conv2d_weight_grad({GRAD}, {X}, (512, 512, 7, 7))",
    "max_pool2d": "npconv.max_pool2d(thin(1, 128, 512, 512), 31, 1, 15, return_indices=True)",
    "im2col": "npconv.im2col(thin(1, 4, 256, 256), 16)",
    "col2im": "npconv.col2im(thin(1, 8 * 256, 497 * 497), (1, 8, 512, 512), 16)",
}


@posix
@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_interrupts_a_call_and_leaves_the_process_well(call: str) -> None:
    code = INTERRUPTED.format(call=CALLS[call])
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE,
        env=clean_environment(),
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            time.sleep(0.6)
            sent = time.perf_counter()
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted\n"
            # The promise is 0.1 s on a free machine.
            assert time.perf_counter() - sent < 2
            assert process.stdout.readline() == "alive\n"
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()


# ---- beside other OpenMP runtimes ----------------------------------------------------------

OTHERS = {
    "torch": "import torch; other = lambda: torch.ones(300, 300) @ torch.ones(300, 300)",
    "sklearn": """
from sklearn.cluster import KMeans
points = __import__("numpy").random.default_rng(1).random((3000, 4))
other = lambda: KMeans(4, n_init=1, random_state=0).fit(points)
""",
}
OURS = """
import numpy as np, npconv
x, weight = np.ones((2, 16, 60, 60), "f4"), np.ones((32, 16, 3, 3), "f4")
ours = lambda: npconv.conv2d(x, weight, num_threads=2)
"""


@pytest.mark.parametrize("ours_first", [True, False], ids=["imported first", "imported second"])
@pytest.mark.parametrize("package", OTHERS)
def test_beside_another_openmp_runtime(package: str, ours_first: bool) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    imports = [OURS, OTHERS[package]]
    check = """
for _ in range(5):
    assert np.allclose(ours(), 144)
    other()
"""
    code = "".join(imports if ours_first else imports[::-1]) + check
    assert_succeeds(run_python(code, timeout=120))
