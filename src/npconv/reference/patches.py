"""Column matrices: im2col and col2im, in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import checks, geometry, layouts
from npconv.checks import Array
from npconv.geometry import ConvGeometry
from npconv.reference.delivery import deliver, quiet
from npconv.reference.taps import taps


def im2col(
    x: Any,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    order: str = "NCP",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Every window as a column, (N, C, H, W) -> (N, C*R*S, OH*OW) in the default order.

    Where a window reaches into the padding the matrix is zero.

    Parameters and result are those of :func:`npconv.im2col`.
    """
    last = checks.channels_last(layout, 2)
    axes = _column_axes(order)
    x, batched = checks.batched(x, "x", 2, last)
    g = geometry.columns_geometry(2, x.shape, kernel_size, stride, padding, dilation)
    dtype = checks.float_dtype(x=x)
    shape = tuple([g.columns_shape[axis] for axis in axes if batched or axis != 0])
    return deliver(_im2col(g, x).transpose(axes), shape, dtype)


def _im2col(g: ConvGeometry, x: Array) -> Array:
    x = x.reshape(g.batch, g.in_channels, *g.input)
    cols = np.zeros((g.batch, g.in_channels, *g.kernel, *g.output), x.dtype)
    for tap in taps(g):
        cols[*tap.position, *tap.outputs[1:]] = x[tap.inputs]
    return cols.reshape(g.columns_shape)


def col2im(
    cols: Any,
    input_shape: Any,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    order: str = "NCP",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Sum of columns where windows overlap: the adjoint of :func:`im2col`, not its inverse.

    Parameters and result are those of :func:`npconv.col2im`.
    """
    last = checks.channels_last(layout, 2)
    axes = _column_axes(order)
    shape, batched = checks.input_shape(input_shape, 2, last)
    g = geometry.columns_geometry(
        2, shape, kernel_size, stride, padding, dilation, input_name="input_shape"
    )
    cols = checks.array(cols, "cols")
    expected = tuple([g.columns_shape[axis] for axis in axes if batched or axis != 0])
    letters = "".join(letter for letter in order if batched or letter != "N")
    checks.same_shape(cols, "cols", expected, f"its axes being {letters}")
    dtype = checks.float_dtype(cols=cols)
    cols = cols.reshape([g.columns_shape[axis] for axis in axes]).transpose(np.argsort(axes))
    dx = layouts.channels_last(_col2im(g, cols).reshape(shape), last)
    return deliver(dx, layouts.shape_given(shape, batched, last), dtype)


@quiet
def _col2im(g: ConvGeometry, cols: Array) -> Array:
    cols = cols.reshape(g.batch, g.in_channels, *g.kernel, *g.output)
    dx = np.zeros((g.batch, g.in_channels, *g.input))
    for tap in taps(g):
        dx[tap.inputs] += cols[*tap.position, *tap.outputs[1:]]
    return dx


def _column_axes(order: object) -> tuple[int, ...]:
    """Find the axes of (N, C*R*S, OH*OW) in the given order."""
    if not isinstance(order, str):
        raise TypeError(f"order must be a permutation of 'NCP', got {checks.show(order)}")
    if sorted(order) != sorted("NCP"):
        raise ValueError(f"order must be a permutation of 'NCP', got {order!r}")
    return tuple(["NCP".index(letter) for letter in order])
