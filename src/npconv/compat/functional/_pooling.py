"""Poolings."""

from __future__ import annotations

from typing import Any

from npconv import functional
from npconv.checks import Array
from npconv.compat.functional._conventions import PerAxis, one, stride_or_none


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
