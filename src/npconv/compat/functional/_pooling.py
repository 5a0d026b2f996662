"""Poolings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from npconv import functional
from npconv.checks import Array
from npconv.compat.functional._conventions import PerAxis, one, stride_or_none

Sizes: TypeAlias = int | Sequence[int | None] | None


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
