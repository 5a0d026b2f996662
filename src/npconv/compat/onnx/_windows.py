"""ONNX's ways to say where windows lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from npconv.checks import Pairs

Values: TypeAlias = Sequence[int] | None


class Window(NamedTuple):
    """A window's size, step, padding (before, after) and dilation, one value an axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Pairs
    dilation: tuple[int, ...]


def window(
    input_size: Sequence[int],
    kernel_shape: Sequence[int],
    strides: Values,
    pads: Values,
    dilations: Values,
    auto_pad: str | None,
) -> Window:
    """Resolve a node's attributes for images of a size (D1, ..., Dn)."""
    ndim = len(input_size)
    kernel = tuple(kernel_shape)
    if len(kernel) != ndim:
        raise ValueError(f"kernel_shape is {list(kernel)}, the input has {ndim} spatial axes")
    stride, dilation = per_axis(strides, ndim), per_axis(dilations, ndim)
    padding = begin_end(pads, ndim)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        padding = tuple(
            [
                split(max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0), auto_pad)
                for n, k, s, d in zip(input_size, kernel, stride, dilation, strict=True)
            ]
        )
    elif auto_pad == "VALID":
        padding = ((0, 0),) * ndim
    return Window(kernel, stride, padding, dilation)


def per_axis(values: Values, ndim: int) -> tuple[int, ...]:
    """One value an axis, 1 unless given."""
    return tuple(values) if values else (1,) * ndim


def begin_end(pads: Values, ndim: int) -> tuple[tuple[int, int], ...]:
    """Turn [begin1, begin2, ..., end1, end2, ...] into pairs; 0 unless given."""
    if not pads:
        return ((0, 0),) * ndim
    return tuple(zip(pads[:ndim], pads[ndim:], strict=True))


def split(total: int, auto_pad: str) -> tuple[int, int]:
    """Share a padding between both sides, the odd element after the image, or before it.

    A negative one, elements to add, is all after it.
    """
    if total < 0:
        return 0, total
    less, more = total // 2, total - total // 2
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)
