"""Convolutions."""

from __future__ import annotations

from npconv import functional
from npconv.checks import Array
from npconv.compat.functional._conventions import PerAxis, one, same


def conv1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: PerAxis = 1,
    padding: PerAxis | str = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
) -> Array:
    """Convolve sequences, ``(N, C, W) ⋆ (K, C/groups, S) -> (N, K, OW)``."""
    return functional.conv1d(
        input, weight, bias, one(stride), same(padding, stride), one(dilation), groups
    )


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


def conv3d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: PerAxis = 1,
    padding: PerAxis | str = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
) -> Array:
    """Convolve volumes, ``(N, C, D, H, W) ⋆ (K, C/groups, T, R, S) -> (N, K, OD, OH, OW)``."""
    return functional.conv3d(
        input, weight, bias, one(stride), same(padding, stride), one(dilation), groups
    )


def conv_transpose1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: PerAxis = 1,
    padding: PerAxis = 0,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dilation: PerAxis = 1,
) -> Array:
    """Convolve, transposed: ``(N, C, W), (C, K/groups, S) -> (N, K, OW)``."""
    return functional.conv_transpose1d(
        input,
        weight,
        bias,
        one(stride),
        one(padding),
        one(output_padding),
        groups,
        one(dilation),
    )


def conv_transpose2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: PerAxis = 1,
    padding: PerAxis = 0,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dilation: PerAxis = 1,
) -> Array:
    """Convolve, transposed: ``(N, C, H, W), (C, K/groups, R, S) -> (N, K, OH, OW)``."""
    return functional.conv_transpose2d(
        input,
        weight,
        bias,
        one(stride),
        one(padding),
        one(output_padding),
        groups,
        one(dilation),
    )


def conv_transpose3d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: PerAxis = 1,
    padding: PerAxis = 0,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dilation: PerAxis = 1,
) -> Array:
    """Convolve, transposed: ``(N, C, D, H, W), (C, K/groups, T, R, S) -> (N, K, OD, OH, OW)``."""
    return functional.conv_transpose3d(
        input,
        weight,
        bias,
        one(stride),
        one(padding),
        one(output_padding),
        groups,
        one(dilation),
    )
