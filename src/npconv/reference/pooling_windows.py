"""What the poolings of :mod:`npconv.reference` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from npconv.checks import Array
from npconv.functional import pooling_calls as calls
from npconv.geometry import PoolGeometry
from npconv.reference.padding import pad, pad_backward
from npconv.reference.taps import taps

Function = Callable[..., Any]


def named(function: Function, name: str) -> Function:
    """Give a function the name it has in one number of dimensions."""
    function.__name__ = function.__qualname__ = name
    return function


# ---- padding before the pooling --------------------------------------------------------------


def padded(border: calls.Border, given: calls.Images) -> calls.Images:
    """Make a border of elements, as :func:`npconv.reference.pad` does."""
    around = ((0, 0), (0, 0), *border.widths)
    return given._replace(values=pad(given.values, around, border.mode, border.value))


def folded(border: calls.Border, dx: Array, batched: bool, last: bool) -> Array:
    """Give the gradients of a border to the elements that it was made of."""
    none = ((0, 0),)
    around = (*border.widths, *none) if last else (*none, *border.widths)
    return pad_backward(dx, (*none, *around) if batched else around, border.mode)


# ---- windows --------------------------------------------------------------------------------


def meetings(g: PoolGeometry) -> Iterator[tuple[Any, Any, int]]:
    """Yield pairs of indices: outputs, and the inputs of the same shape that they meet.

    The third is the tap's number, row by row. Each output meets its inputs in row-major order.
    """
    if not g.adaptive:
        for tap in taps(g):
            number = 0
            for length, position in zip(g.kernel, tap.position[1:], strict=True):
                number = number * length + position
            yield tap.outputs, tap.inputs, number
        return
    for at in np.ndindex(g.output):
        axes = zip(at, g.input, g.output, strict=True)
        window = [range(o * n // m, -(-(o + 1) * n // m)) for o, n, m in axes]
        for position in np.ndindex(*map(len, window)):
            inputs = tuple(slice(w[i], w[i] + 1) for w, i in zip(window, position, strict=True))
            yield (..., *(slice(o, o + 1) for o in at)), (..., *inputs), 0


def window_sums(g: PoolGeometry, x: Array) -> Array:
    """Sum the elements of each window in float64; padding adds nothing."""
    total = np.zeros((g.batch, g.channels, *g.output))
    for outputs, inputs, _ in meetings(g):
        total[outputs] += x[inputs]
    return total


def window_spread(g: PoolGeometry, shares: Array) -> Array:
    """Give each input the sum of the shares of the windows that it is in."""
    dx = np.zeros((g.batch, g.channels, *g.input))
    for outputs, inputs, _ in meetings(g):
        dx[inputs] += shares[outputs]
    return dx


def divisors(g: PoolGeometry, include_pad: bool, override: float) -> Array:
    """Count the elements of each window; where there are none, 1."""
    if override:
        return np.full(g.output, override)
    if not include_pad or g.adaptive:
        one = g._replace(batch=1, channels=1)
        inside: Array = window_sums(one, np.ones((1, 1, *g.input)))[0, 0]
        return np.maximum(inside, 1)
    counts = []
    for k, m, s, d, n, before, after in zip(
        g.kernel, g.output, g.stride, g.dilation, g.input, g.pad_before, g.pad_after, strict=True
    ):
        starts = np.arange(m) * s - before
        counts.append(((starts[:, None] + np.arange(k) * d) < n + after).sum(1))
    depth, height, width = counts
    whole: Array = depth[:, None, None] * height[:, None] * width
    return np.maximum(whole, 1)
