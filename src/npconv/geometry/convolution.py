"""Sizes of convolutions of one to three dimensions, and of the windows of im2col."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from npconv import checks
from npconv.checks import SPATIAL_AXES, Pairs, show
from npconv.geometry.windows import WIDEST_ITEM, PerAxis, Triple, check_settings, find_windows


class ConvGeometry(NamedTuple):
    """One convolution; ``in_channels`` and ``out_channels`` count all groups together."""

    ndim: int
    batch: int
    groups: int
    in_channels: int
    out_channels: int
    input: Triple
    kernel: Triple
    output: Triple
    stride: Triple
    dilation: Triple
    pad_before: Triple
    pad_after: Triple

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        return (self.batch, self.in_channels, *self.input[-self.ndim :])

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """(K, C/groups, R, S)."""
        per_group = self.in_channels // self.groups
        return (self.out_channels, per_group, *self.kernel[-self.ndim :])

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(N, K, OH, OW)."""
        return (self.batch, self.out_channels, *self.output[-self.ndim :])

    @property
    def columns_shape(self) -> tuple[int, int, int]:
        """(N, C·R·S, OH·OW), the shape of ``im2col``'s result in its default order."""
        r, s, t = self.kernel
        d, h, w = self.output
        return (self.batch, self.in_channels * r * s * t, d * h * w)


def conv_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
    groups: object = 1,
    *,
    input_name: str = "x",
    weight_name: str = "weight",
) -> ConvGeometry:
    """Describe the convolution of a batched (N, C, ...) input with a (K, C/groups, ...) weight.

    The names are those of the arguments that the two shapes came from, for error messages.
    """
    return _conv_geometry(
        ndim,
        input_shape,
        weight_shape,
        *check_settings(ndim, stride, padding, dilation),
        groups if type(groups) is int else checks.integer(groups, "groups", 1),
        input_name,
        weight_name,
    )


def pixels_geometry(ndim: int, shape: tuple[int, ...]) -> ConvGeometry:
    """Describe the convolution that leaves (N, C, ...) as it is: each channel's own 1×1 filter."""
    channels = shape[1]
    weight_shape = (channels, min(channels, 1), *[1] * ndim)
    return conv_geometry(ndim, shape, weight_shape, groups=max(channels, 1))


def columns_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    kernel_size: object,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
    *,
    input_name: str = "x",
) -> ConvGeometry:
    """Describe the windows that ``im2col`` lists: one group with no output channels."""
    return _columns_geometry(
        ndim,
        input_shape,
        checks.per_axis(kernel_size, "kernel_size", ndim, 1),
        *check_settings(ndim, stride, padding, dilation),
        input_name,
    )


# Geometries are kept because the same few shapes come back call after call. The keys hold exact
# ints only (the functions above see to that), so that True or 1.0 is never taken for a kept 1.
@lru_cache(maxsize=512)
def _conv_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: PerAxis,
    padding: int | str | Pairs,
    dilation: PerAxis,
    groups: int,
    input_name: str,
    weight_name: str,
) -> ConvGeometry:
    batch, in_channels = input_shape[:2]
    out_channels, per_group = weight_shape[:2]
    groups = checks.integer(groups, "groups", 1)
    if in_channels % groups:
        raise ValueError(
            f"{input_name} has {in_channels} channels, which groups={show(groups)} does not divide"
        )
    if out_channels % groups:
        raise ValueError(
            f"{weight_name} has {out_channels} output channels, which groups={show(groups)} "
            f"does not divide"
        )
    if per_group != in_channels // groups:
        raise ValueError(
            f"{weight_name} has {per_group} input channels per group, {input_name} has "
            f"{in_channels} channels and groups={groups} needs {in_channels // groups}"
        )
    if in_channels == out_channels == 0:
        groups = 1  # any number divides nothing; C need not count to it
    kernel = weight_shape[2:]
    for axis, length in zip(SPATIAL_AXES[ndim], kernel, strict=True):
        if length < 1:
            raise ValueError(
                f"{weight_name} has shape {weight_shape}: its window is empty along {axis}"
            )
    axes = find_windows(ndim, input_shape[2:], kernel, stride, padding, dilation, input_name)
    geometry = ConvGeometry(ndim, batch, groups, in_channels, out_channels, *axes)
    checks.fits_memory(input_name, geometry.input_shape, WIDEST_ITEM)
    checks.fits_memory(weight_name, geometry.weight_shape, WIDEST_ITEM)
    checks.fits_memory("the output", geometry.output_shape, WIDEST_ITEM)
    return geometry


@lru_cache(maxsize=512)
def _columns_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: PerAxis,
    padding: int | str | Pairs,
    dilation: PerAxis,
    input_name: str,
) -> ConvGeometry:
    axes = find_windows(ndim, input_shape[2:], kernel, stride, padding, dilation, input_name)
    geometry = ConvGeometry(ndim, input_shape[0], 1, input_shape[1], 0, *axes)
    checks.fits_memory(input_name, geometry.input_shape, WIDEST_ITEM)
    # Axis by axis, so that an empty one hides no overflow of the others.
    factors = (*input_shape[:2], *kernel, *axes.output[-ndim:])
    checks.fits_memory("the array of columns", factors, WIDEST_ITEM)
    return geometry
