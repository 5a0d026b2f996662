"""MaxPool, AveragePool, LpPool, their global forms, and MaxUnpool."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

from npconv import functional
from npconv.checks import Array
from npconv.compat.onnx._numbers import as_given, computable, spatial
from npconv.compat.onnx._windows import begin_end, per_axis, window


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


class LpPool(OpRun):
    """The p-norm of every window."""

    def _run(
        self,
        x: Array,
        auto_pad: str | None = None,
        ceil_mode: int = 0,
        dilations: Any = None,
        kernel_shape: Any = None,
        p: float = 2,
        pads: Any = None,
        strides: Any = None,
    ) -> tuple[Array]:
        kernel, stride, padding, dilation = window(
            x.shape[2:], kernel_shape, strides, pads, dilations, auto_pad
        )
        pool = spatial("lp_pool", x.ndim - 2)
        how = {"padding": padding, "dilation": dilation}
        return (as_given(x, lambda x: pool(x, p, kernel, stride, bool(ceil_mode), **how)),)


class MaxUnpool(OpRun):
    """The values of a MaxPool where they were, between zeros."""

    def _run(
        self,
        X: Array,
        indices: Array,
        output_shape: Array | None = None,
        kernel_shape: Any = None,
        pads: Any = None,
        strides: Any = None,
    ) -> tuple[Array]:
        ndim = X.ndim - 2
        image = [
            (n - 1) * s + k - before - after
            for n, s, k, (before, after) in zip(
                X.shape[2:],
                per_axis(strides, ndim),
                kernel_shape,
                begin_end(pads, ndim),
                strict=True,
            )
        ]
        places = indices - _starts(X.shape, image)
        unpool = spatial("max_unpool", ndim)
        y = as_given(X, lambda x: unpool(x, places, 1, output_size=image))
        if output_shape is not None:
            # Indices count in the smallest such image; more comes after it.
            wanted = [int(n) for n in output_shape][-ndim:]
            more = [(0, want - have) for want, have in zip(wanted, image, strict=True)]
            y = functional.pad(y, [(0, 0), (0, 0), *more])
        return (y,)


class GlobalAveragePool(OpRun):
    """The mean of every channel."""

    def _run(self, x: Array) -> tuple[Array]:
        return (as_given(x, lambda x: functional.global_avg_pool(x).reshape(_pixel(x))),)


class GlobalMaxPool(OpRun):
    """The largest value of every channel."""

    def _run(self, x: Array) -> tuple[Array]:
        return (as_given(x, lambda x: functional.global_max_pool(x).reshape(_pixel(x))),)


class GlobalLpPool(OpRun):
    """The p-norm of every channel."""

    def _run(self, x: Array, p: float = 2) -> tuple[Array]:
        rows = x.reshape(*x.shape[:2], -1)
        norms = as_given(rows, lambda rows: functional.lp_pool1d(rows, p, rows.shape[2]))
        return (norms.reshape(_pixel(x)),)


def _pixel(x: Array) -> tuple[int, ...]:
    return (*x.shape[:2], *[1] * (x.ndim - 2))


def _in_tensor(indices: Array, shape: tuple[int, ...], storage_order: int) -> Array:
    """Count positions in a channel's image from the tensor's start, by rows or by columns."""
    image = shape[2:]
    if storage_order:
        places = np.unravel_index(indices, image)
        indices = np.ravel_multi_index(places[::-1], image[::-1])
    return indices + _starts(shape, image)


def _starts(shape: tuple[int, ...], image: Sequence[int]) -> Array:
    """Where each channel's image starts in a tensor, to go with (N, C, ...)."""
    first = math.prod(image) * np.arange(shape[0] * shape[1])
    return first.reshape(*shape[:2], *[1] * len(image))
