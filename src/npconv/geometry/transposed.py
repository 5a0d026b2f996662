"""Sizes of transposed convolutions."""

from __future__ import annotations

from functools import lru_cache

from npconv import checks
from npconv.checks import SPATIAL_AXES, Pairs, show
from npconv.geometry.convolution import ConvGeometry
from npconv.geometry.windows import WIDEST_ITEM, windows_of


def transposed_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: object = 1,
    padding: object = 0,
    output_padding: object = 0,
    dilation: object = 1,
    groups: object = 1,
    *,
    input_name: str = "x",
    weight_name: str = "weight",
) -> ConvGeometry:
    """Describe the transposed convolution of (N, C, ...) with a (C, K/groups, ...) weight.

    What comes back is the convolution that it transposes, from (N, K, ...) to (N, C, ...): its
    ``input_shape`` is that of the transposed convolution's output, its ``output_shape`` that of
    the input. Where there is output_padding, its last pixels may be read by no window.
    """
    return _transposed_geometry(
        ndim,
        input_shape,
        weight_shape,
        checks.per_axis(stride, "stride", ndim, 1),
        padding if type(padding) is int else checks.padding(padding, ndim),
        checks.per_axis(output_padding, "output_padding", ndim, 0),
        checks.per_axis(dilation, "dilation", ndim, 1),
        checks.integer(groups, "groups", 1),
        input_name,
        weight_name,
    )


@lru_cache(maxsize=512)
def _transposed_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    strides: tuple[int, ...],
    padding: int | str | Pairs,
    output_paddings: tuple[int, ...],
    dilations: tuple[int, ...],
    groups: int,
    input_name: str,
    weight_name: str,
) -> ConvGeometry:
    batch, in_channels = input_shape[:2]
    rows, per_group = weight_shape[:2]
    if rows != in_channels:
        raise ValueError(
            f"{weight_name} has {rows} input channels, {input_name} has {in_channels} channels"
        )
    if in_channels % groups:
        raise ValueError(
            f"{input_name} has {in_channels} channels, which groups={show(groups)} does not divide"
        )
    widths = checks.padding(padding, ndim)
    if widths == "same":
        raise ValueError(
            "padding='same' does not tell a transposed convolution its output's size; expected "
            "numbers or 'valid'"
        )
    sides = ((0, 0),) * ndim if isinstance(widths, str) else widths
    for axis, k in zip(SPATIAL_AXES[ndim], weight_shape[2:], strict=True):
        if k < 1:
            raise ValueError(
                f"{weight_name} has shape {weight_shape}: its window is empty along {axis}"
            )
    columns = [
        _transposed_axis(
            axis, input_shape[2 + i], weight_shape[2 + i], strides[i], dilations[i], sides[i],
            output_paddings[i], input_name,
        )
        for i, axis in enumerate(SPATIAL_AXES[ndim])
    ]  # fmt: skip
    axes = windows_of(ndim, columns)
    if in_channels == per_group == 0:
        groups = 1
    geometry = ConvGeometry(ndim, batch, groups, per_group * groups, in_channels, *axes)
    checks.fits_memory(input_name, geometry.output_shape, WIDEST_ITEM)
    checks.fits_memory(weight_name, geometry.weight_shape, WIDEST_ITEM)
    checks.fits_memory("the output", geometry.input_shape, WIDEST_ITEM)
    return geometry


def _transposed_axis(
    axis: str,
    n: int,
    k: int,
    s: int,
    d: int,
    sides: tuple[int, int],
    extra: int,
    input_name: str,
) -> tuple[int, ...]:
    """Place n windows as far apart as the stride says: one axis of a convolution's Windows."""
    before, after = sides
    if n < 1:
        raise ValueError(f"{input_name} is empty along {axis}, expected at least one element")
    if extra >= max(s, d):
        raise ValueError(
            f"output_padding must be smaller than the stride or the dilation along {axis}: got "
            f"{show(extra)} with stride {show(s)} and dilation {show(d)}"
        )
    padded = (n - 1) * s + d * (k - 1) + 1 + extra
    if padded > checks.LARGEST_EXTENT:
        raise ValueError(
            f"the output would be {show(padded)} long along {axis} before padding is taken off, "
            f"which passes the largest size, 2**62"
        )
    if before + after >= padded:
        raise ValueError(
            f"padding leaves no output along {axis}: {input_name} has {n}, which kernel {k}, "
            f"stride {show(s)}, dilation {show(d)} and output_padding {extra} make {padded}, and "
            f"padding takes {show(before)} + {show(after)}"
        )
    return padded - before - after, k, n, min(s, padded), min(d, padded), before, after
