"""Convolutions."""

from __future__ import annotations

from npconv import functional
from npconv.checks import Array
from npconv.compat.functional._conventions import PerAxis, one, same


def conv2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: PerAxis = 1,
    padding: PerAxis | str = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
) -> Array:
    """Convolve images, ``(N, C, H, W) ⋆ (K, C/groups, R, S) -> (N, K, OH, OW)``."""
    return functional.conv2d(
        input, weight, bias, one(stride), same(padding, stride), one(dilation), groups
    )
