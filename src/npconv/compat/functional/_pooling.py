"""Poolings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from npconv import checks, functional
from npconv.checks import Array
from npconv.compat.functional._conventions import PerAxis, one, stride_or_none

Sizes: TypeAlias = int | Sequence[int | None] | None


def max_pool1d(
    input: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the largest value of every window, and on request its flat place in the image."""
    wanted: Any = return_indices
    return functional.max_pool1d(
        input,
        one(kernel_size),
        stride_or_none(stride),
        one(padding),
        one(dilation),
        ceil_mode,
        return_indices=wanted,
    )


def max_pool2d(
    input: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the largest value of every window, and on request its flat place in the image."""
    wanted: Any = return_indices
    return functional.max_pool2d(
        input,
        one(kernel_size),
        stride_or_none(stride),
        one(padding),
        one(dilation),
        ceil_mode,
        return_indices=wanted,
    )


def max_pool3d(
    input: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the largest value of every window, and on request its flat place in the image."""
    wanted: Any = return_indices
    return functional.max_pool3d(
        input,
        one(kernel_size),
        stride_or_none(stride),
        one(padding),
        one(dilation),
        ceil_mode,
        return_indices=wanted,
    )


def avg_pool1d(
    input: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """Take the mean of every window."""
    return functional.avg_pool1d(
        input,
        one(kernel_size),
        stride_or_none(stride),
        one(padding),
        ceil_mode,
        count_include_pad,
    )


def avg_pool2d(
    input: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Take the mean of every window."""
    return functional.avg_pool2d(
        input,
        one(kernel_size),
        stride_or_none(stride),
        one(padding),
        ceil_mode,
        count_include_pad,
        divisor_override,
    )


def avg_pool3d(
    input: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Take the mean of every window."""
    return functional.avg_pool3d(
        input,
        one(kernel_size),
        stride_or_none(stride),
        one(padding),
        ceil_mode,
        count_include_pad,
        divisor_override,
    )


def adaptive_avg_pool1d(input: Array, output_size: Sizes) -> Array:
    """Take the means of windows of about one size that give `output_size`."""
    return functional.adaptive_avg_pool1d(input, output_size)


def adaptive_avg_pool2d(input: Array, output_size: Sizes) -> Array:
    """Take the means of windows of about one size that give `output_size`."""
    return functional.adaptive_avg_pool2d(input, output_size)


def adaptive_avg_pool3d(input: Array, output_size: Sizes) -> Array:
    """Take the means of windows of about one size that give `output_size`."""
    return functional.adaptive_avg_pool3d(input, output_size)


def adaptive_max_pool1d(input: Array, output_size: Sizes, return_indices: bool = False) -> Any:
    """Take the largest values of windows of about one size that give `output_size`."""
    wanted: Any = return_indices
    return functional.adaptive_max_pool1d(input, output_size, wanted)


def adaptive_max_pool2d(input: Array, output_size: Sizes, return_indices: bool = False) -> Any:
    """Take the largest values of windows of about one size that give `output_size`."""
    wanted: Any = return_indices
    return functional.adaptive_max_pool2d(input, output_size, wanted)


def adaptive_max_pool3d(input: Array, output_size: Sizes, return_indices: bool = False) -> Any:
    """Take the largest values of windows of about one size that give `output_size`."""
    wanted: Any = return_indices
    return functional.adaptive_max_pool3d(input, output_size, wanted)


def lp_pool1d(
    input: Array,
    norm_type: float,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Add up the powers of every window, and take the root of that power."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Array,
    norm_type: float,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Add up the powers of every window, and take the root of that power."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Array,
    norm_type: float,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Add up the powers of every window, and take the root of that power."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def max_unpool1d(
    input: Array,
    indices: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Put values where a max-pooling found them, between zeros."""
    return functional.max_unpool1d(
        input, indices, one(kernel_size), stride_or_none(stride), one(padding), output_size
    )


def max_unpool2d(
    input: Array,
    indices: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Put values where a max-pooling found them, between zeros."""
    return functional.max_unpool2d(
        input, indices, one(kernel_size), stride_or_none(stride), one(padding), output_size
    )


def max_unpool3d(
    input: Array,
    indices: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Put values where a max-pooling found them, between zeros."""
    return functional.max_unpool3d(
        input, indices, one(kernel_size), stride_or_none(stride), one(padding), output_size
    )


def _lp_pool(
    ndim: int, input: Any, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Array:
    window = one(kernel_size), stride_or_none(stride)
    if norm_type % 2 == 0 and not ceil_mode:
        return LP_POOLS[ndim](input, norm_type, *window)
    # PyTorch takes no absolute values, and the mean of what a window at the border holds for that
    # of all of it.
    powers = np.power(checks.array(input, "input"), norm_type)
    count = math.prod(checks.per_axis(window[0], "kernel_size", ndim, 1))
    means = AVERAGE_POOLS[ndim](powers, *window, 0, ceil_mode)
    roots: Array = np.power(means * count, 1 / norm_type)
    return roots


AVERAGE_POOLS = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
LP_POOLS = {1: functional.lp_pool1d, 2: functional.lp_pool2d, 3: functional.lp_pool3d}
