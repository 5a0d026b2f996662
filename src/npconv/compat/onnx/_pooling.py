"""MaxPool, AveragePool, LpPool, their global forms, and MaxUnpool."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

from npconv import functional
from npconv.checks import Array
from npconv.compat.onnx._numbers import as_given, computable, spatial
from npconv.compat.onnx._windows import window


class MaxPool(OpRun):
    """The largest value of every window, and where it was."""

    def _run(
        self,
        x: Array,
        auto_pad: str | None = None,
        ceil_mode: int = 0,
        dilations: Any = None,
        kernel_shape: Any = None,
        pads: Any = None,
        storage_order: int = 0,
        strides: Any = None,
    ) -> tuple[Array, ...]:
        where = window(x.shape[2:], kernel_shape, strides, pads, dilations, auto_pad)
        pool = spatial("max_pool", x.ndim - 2)
        wanted = len(self.output) > 1
        found = pool(computable(x), *where, bool(ceil_mode), return_indices=wanted)
        if not wanted:
            return (found.astype(x.dtype, copy=False),)
        y, indices = found
        return y.astype(x.dtype, copy=False), _in_tensor(indices, x.shape, storage_order)


class AveragePool(OpRun):
    """The mean of every window."""

    def _run(
        self,
        x: Array,
        auto_pad: str | None = None,
        ceil_mode: int = 0,
        count_include_pad: int = 0,
        dilations: Any = None,
        kernel_shape: Any = None,
        pads: Any = None,
        strides: Any = None,
    ) -> tuple[Array]:
        kernel, stride, padding, dilation = window(
            x.shape[2:], kernel_shape, strides, pads, dilations, auto_pad
        )
        pool = spatial("avg_pool", x.ndim - 2)
        modes = bool(ceil_mode), bool(count_include_pad)
        return (as_given(x, lambda x: pool(x, kernel, stride, padding, *modes, dilation=dilation)),)


class GlobalAveragePool(OpRun):
    """The mean of every channel."""

    def _run(self, x: Array) -> tuple[Array]:
        return (as_given(x, lambda x: functional.global_avg_pool(x).reshape(_pixel(x))),)


def _pixel(x: Array) -> tuple[int, ...]:
    return (*x.shape[:2], *[1] * (x.ndim - 2))


def _in_tensor(indices: Array, shape: tuple[int, ...], storage_order: int) -> Array:
    """Count positions in a channel's image from the tensor's start, by rows or by columns."""
    image = shape[2:]
    if storage_order:
        places = np.unravel_index(indices, image)
        indices = np.ravel_multi_index(places[::-1], image[::-1])
    size = int(np.prod(image))
    first = size * np.arange(shape[0] * shape[1]).reshape(*shape[:2], *[1] * len(image))
    return indices + first
