"""The taps of a window: which outputs meet which inputs, as slices."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from npconv.geometry import ConvGeometry, PoolGeometry


class Tap(NamedTuple):
    """One tap of the window, as three indices of the spatial axes (the last ones).

    ``weight[position]`` is its weight; ``x[inputs]`` and ``y[outputs]`` have the same shape,
    and element by element, ``x[inputs]`` is what the tap lies on for output ``y[outputs]``.
    """

    position: tuple[Any, ...]
    outputs: tuple[Any, ...]
    inputs: tuple[Any, ...]


def taps(g: ConvGeometry | PoolGeometry) -> Iterator[Tap]:
    """Yield all taps in row-major order, but those that lie in the padding for every output."""
    axes = zip(g.input, g.kernel, g.output, g.stride, g.dilation, g.pad_before, strict=True)
    for combination in itertools.product(*(list(_axistaps(*axis)) for axis in axes)):
        position, outputs, inputs = zip(*combination, strict=True)
        yield Tap((..., *position), (..., *outputs), (..., *inputs))


def _axistaps(
    size: int, kernel: int, output: int, stride: int, dilation: int, before: int
) -> Iterator[tuple[int, slice, slice]]:
    """Yield the taps along one axis, as (position, outputs, inputs).

    Drawn for size 4, kernel 3, stride 2, padding 1 (p), which has two outputs:

        input     p 0 1 2 3      output 0 reads p 0 1, output 1 reads 1 2 3
        tap 0     .   1          outputs 1:2, inputs 1:2:2
        tap 1       0   2        outputs 0:2, inputs 0:3:2
        tap 2         1   3      outputs 0:2, inputs 1:4:2
    """
    if size == 0 or output == 0:
        return
    # The window may be far larger than the input: only taps between these two can meet it.
    first = max(0, -(((output - 1) * stride - before) // dilation))
    last = min(kernel - 1, (size - 1 + before) // dilation)
    for tap in range(first, last + 1):
        shift = tap * dilation - before
        low = max(0, -(shift // stride))
        high = min(output, (size - 1 - shift) // stride + 1)
        if low < high:
            inputs = slice(low * stride + shift, (high - 1) * stride + shift + 1, stride)
            yield tap, slice(low, high), inputs
