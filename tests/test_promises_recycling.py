"""Memory of large results that is kept for the next ones: how much, and that nothing shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from scripts import assert_succeeds, run_python

import npconv
from npconv import _native

MOST_BLOCKS, MOST_BYTES = 32, 64 * 2**20
X = np.random.default_rng(0).standard_normal((2, 8, 96, 96), dtype=np.float32)
WEIGHT = np.random.default_rng(1).standard_normal((8, 8, 3, 3), dtype=np.float32)
Y = npconv.conv2d(X, WEIGHT, padding=1)
INDICES = npconv.max_pool2d(X, 2, 1, return_indices=True)[1]
OPERATIONS: dict[str, Callable[[], Any]] = {
    "conv2d": lambda: npconv.conv2d(X, WEIGHT, padding=1),
    "conv2d, any call": lambda: npconv.conv2d(X, WEIGHT, padding="same"),
    "conv2d_input_grad": lambda: npconv.conv2d_input_grad(Y, WEIGHT, X.shape, padding=1),
    "conv2d_backward": lambda: npconv.conv2d_backward(Y, X, WEIGHT, padding=1)[0],
    "max_pool2d": lambda: npconv.max_pool2d(X, 2, 1),
    "max_pool2d, indices": lambda: npconv.max_pool2d(X, 2, 1, return_indices=True)[1],
    "max_pool2d_backward": lambda: npconv.max_pool2d_backward(
        Y[:, :, 1:, 1:], INDICES, X.shape, 2, 1
    ),
    "pad": lambda: npconv.pad(X, ((0, 0), (0, 0), (2, 2), (2, 2))),
    "im2col": lambda: npconv.im2col(X, 2),
    "col2im": lambda: npconv.col2im(npconv.im2col(X, 2), X.shape, 2),
}


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    _native.set_recycling(False)
    _native.set_recycling(True)
    yield
    _native.set_recycling(True)


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_lay_in_the_memory_does_not_matter(name: str) -> None:
    operation = OPERATIONS[name]
    first = operation()
    expected, address = first.copy(), first.ctypes.data
    assert address % 64 == 0
    first.view(np.uint8).fill(0xFF)  # NaN; -1
    del first
    second = operation()
    assert second.ctypes.data == address, "its memory was not used again"
    assert second.tobytes() == expected.tobytes()
    assert second.flags.owndata
    assert second.base is None


def test_what_is_alive_is_left_alone() -> None:
    alive = [OPERATIONS["conv2d"]() for _ in range(8)]
    assert len({y.ctypes.data for y in alive}) == 8
    for y in alive:
        assert y.tobytes() == Y.tobytes()


@pytest.mark.parametrize("megabytes", [1, 10, 40, 70])
def test_how_much_is_kept(megabytes: int) -> None:
    results = [_native.empty((megabytes * 2**20,), np.dtype(np.uint8)) for _ in range(40)]
    assert _native.recycling_state() == (0, 0)
    del results
    blocks, size = _native.recycling_state()
    assert blocks == min(MOST_BLOCKS, MOST_BYTES // (megabytes * 2**20))
    assert size == blocks * megabytes * 2**20 <= MOST_BYTES


def test_blocks_much_larger_than_asked_for_are_not_used() -> None:
    large = _native.empty((2**22,), np.dtype(np.uint8))
    address = large.ctypes.data
    del large
    assert _native.empty((2**21,), np.dtype(np.uint8)).ctypes.data != address
    assert _native.empty((2**22 - 100,), np.dtype(np.uint8)).ctypes.data == address


def test_results_can_be_resized() -> None:
    y = OPERATIONS["conv2d"]()
    count = y.size
    y.resize(2 * count, refcheck=False)
    assert (y[:count] == Y.ravel()).all()
    assert not y[count:].any()


def test_threads_share_what_is_kept() -> None:
    wrong = []

    def work() -> None:
        for _ in range(20):
            y = npconv.conv2d(X, WEIGHT, padding=1, num_threads=1)
            if y.tobytes() != Y.tobytes():
                wrong.append(y)
            y.fill(np.nan)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert _native.recycling_state()[0] <= MOST_BLOCKS


CALLS = """
    import os
    import numpy as np
    import npconv
    from npconv import _native
    x, weight = np.ones((1, 8, 128, 128), "f4"), np.ones((8, 8, 1, 1), "f4")
    def blocks():
        npconv.conv2d(x, weight)
        return _native.recycling_state()[0]
    """


def test_a_forked_child_starts_with_nothing() -> None:
    story = """
    assert blocks() == 1
    child = os.fork()
    if child == 0:
        assert _native.recycling_state() == (0, 0)
        assert blocks() == 1
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert _native.recycling_state()[0] == 1
    """
    assert_succeeds(run_python(CALLS + story))


@pytest.mark.parametrize(("value", "kept"), [("0", 0), ("1", 1), ("", 1)])
def test_the_environment_decides(value: str, kept: int) -> None:
    assert_succeeds(run_python(CALLS + f"assert blocks() == {kept}\n", NPCONV_RECYCLE=value))


def test_large_results_begin_at_a_cache_line_in_fresh_memory_too() -> None:
    story = """
    kept = [npconv.conv2d(x, weight) for _ in range(3)]
    assert _native.recycling_state() == (0, 0)
    assert all(y.ctypes.data % 64 == 0 and y.flags.owndata for y in kept)
    """
    assert_succeeds(run_python(CALLS + story, NPCONV_RECYCLE="0"))
