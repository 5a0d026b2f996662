"""How windows lie along the axes of an input: what convolutions and poolings share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from npconv import checks
from npconv.checks import SPATIAL_AXES, Pairs, show

Triple: TypeAlias = tuple[int, int, int]
# A checked argument, or a plain int whose value has not been looked at yet.
PerAxis: TypeAlias = int | tuple[int, ...]
# Totals are checked for the widest element that is computed with.
WIDEST_ITEM = 8


class Windows(NamedTuple):
    """The spatial part of every geometry, in its order of fields."""

    input: Triple
    kernel: Triple
    output: Triple
    stride: Triple
    dilation: Triple
    pad_before: Triple
    pad_after: Triple


def windows_of(ndim: int, axes: Iterable[tuple[int, ...]]) -> Windows:
    """Put the axes of an operation behind those of length one, each as (input, kernel, ...)."""
    ones = [(1, 1, 1, 1, 1, 0, 0)] * (3 - ndim)
    return Windows(*zip(*ones, *axes, strict=True))


def check_settings(
    ndim: int, stride: object, padding: object, dilation: object
) -> tuple[PerAxis, int | str | Pairs, PerAxis]:
    """Check what says how windows lie; `find_windows` looks at the value of a plain int."""
    return (
        stride if type(stride) is int else checks.per_axis(stride, "stride", ndim, 1),
        padding if type(padding) is int else checks.padding(padding, ndim),
        dilation if type(dilation) is int else checks.per_axis(dilation, "dilation", ndim, 1),
    )


def find_windows(
    ndim: int,
    spatial: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: PerAxis,
    padding: int | str | Pairs,
    dilation: PerAxis,
    input_name: str,
    ceil_mode: bool | str = False,
) -> Windows:
    """Place the windows along every spatial axis."""
    strides = checks.per_axis(stride, "stride", ndim, 1)
    dilations = checks.per_axis(dilation, "dilation", ndim, 1)
    widths = checks.padding(padding, ndim)
    columns = []
    for index, name in enumerate(SPATIAL_AXES[ndim]):
        n, k, s, d = spatial[index], kernel[index], strides[index], dilations[index]
        window = d * (k - 1) + 1
        if not isinstance(widths, str):
            before, after = widths[index]
        else:
            before, after = same_padding(n, window, s) if widths == "same" else (0, 0)
        padded = n + before + after
        if padded > checks.LARGEST_EXTENT:
            raise ValueError(
                f"{input_name} is {show(n)} long along {name}, and padding it by {show(before)} + "
                f"{show(after)} passes the largest size, 2**62"
            )
        count = count_windows(n, window, s, before, padded, ceil_mode)
        if count < 1:
            raise ValueError(
                f"the window is larger than the padded {input_name} along {name}: kernel "
                f"{show(k)} with dilation {show(d)} covers {show(window)}, {input_name} has "
                f"{n} + padding {before} + {after} = {padded}"
            )
        s, d = min(s, max(padded, 1)), min(d, max(padded, 1))
        columns.append((n, k, count, s, d, before, after))
    return windows_of(ndim, columns)


def same_padding(length: int, window: int, stride: int) -> tuple[int, int]:
    """Make the output ceil(length / stride) long, with the extra element at the end."""
    output = -(-length // stride)
    total = max((output - 1) * stride + window - length, 0)
    return total // 2, total - total // 2


def count_windows(
    length: int, window: int, stride: int, before: int, padded: int, ceil_mode: bool | str
) -> int:
    """Count how many windows fit; below 1 if not even one does."""
    if not ceil_mode:
        return (padded - window) // stride + 1
    count = -((window - padded) // stride) + 1
    if ceil_mode == "cover_all":
        return max(count, 1)
    # A last window that would start past the input, in the padding behind it, is dropped.
    return count - 1 if (count - 1) * stride >= length + before else count
