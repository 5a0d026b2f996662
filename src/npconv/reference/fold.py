"""im2col and col2im by PyTorch's names, in plain NumPy."""

from __future__ import annotations

from typing import Any

from npconv.checks import Array
from npconv.folding import folded_shape
from npconv.reference.patches import col2im, im2col


def unfold(
    x: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Every window as a column, (N, C, H, W) -> (N, C*R*S, OH*OW).

    Parameters and result are those of :func:`npconv.unfold`.
    """
    return im2col(x, kernel_size, stride, padding, dilation)


def fold(
    cols: Any,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Sum of columns where windows overlap: the adjoint of :func:`unfold`.

    Parameters and result are those of :func:`npconv.fold`.
    """
    columns, shape = folded_shape(cols, output_size, kernel_size)
    return col2im(columns, shape, kernel_size, stride, padding, dilation)
