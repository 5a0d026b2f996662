"""Pooling and its gradients, in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import checks, geometry
from npconv.checks import Array
from npconv.geometry import PoolGeometry
from npconv.reference.delivery import deliver, gradient, quiet
from npconv.reference.taps import Tap, taps


def max_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    indices: str = "flat",
    index_dtype: Any = "int64",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array | tuple[Array, Array]:
    """Maximum of every window, (N, C, H, W) -> (N, C, OH, OW), with its position if wanted.

    The padding is never the maximum. A NaN is greater than every number; among equals,
    and among NaNs, the first in row-major order is taken.

    Parameters and result are those of :func:`npconv.max_pool2d`.
    """
    checks.built_options(layout=layout)
    checks.flag(return_indices, "return_indices")
    checks.choice(indices, "indices", ("flat", "window"))
    x, batched = checks.batched(x, "x", 2)
    g = geometry.pool_geometry(2, x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    dtype = checks.float_dtype(x=x)
    shape = g.output_shape[not batched :]
    if out is not None:
        checks.output(out, shape, dtype, x=x)
    positions_dtype = checks.index_dtype(index_dtype, indices, g.kernel)
    maximum, positions = _max_pool(g, x, indices)
    positions = positions.astype(positions_dtype)
    result = deliver(maximum, shape, dtype, out)
    return (result, positions.reshape(shape)) if return_indices else result


def _max_pool(g: PoolGeometry, x: Array, kind: str) -> tuple[Array, Array]:
    x = x.reshape(g.batch, g.channels, *g.input)
    maximum = np.zeros((g.batch, g.channels, *g.output), x.dtype)
    positions = np.full(maximum.shape, -1, np.int64)
    plane = np.arange(np.prod(g.input)).reshape(g.input)
    for tap in taps(g):
        here = tap.outputs
        candidate = x[tap.inputs]
        best = maximum[here]
        greater = (candidate > best) | (np.isnan(candidate) & ~np.isnan(best))
        taken = greater | (positions[here] < 0)
        position = plane[tap.inputs] if kind == "flat" else _tap_number(g, tap)
        maximum[here] = np.where(taken, candidate, best)
        positions[here] = np.where(taken, position, positions[here])
    return maximum, positions


def _tap_number(g: PoolGeometry, tap: Tap) -> int:
    """Count the taps before this one, row by row."""
    number = 0
    for length, position in zip(g.kernel, tap.position[1:], strict=True):
        number = number * length + position
    return number


def max_pool2d_backward(
    grad: Any,
    indices: Any,
    input_shape: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    *,
    index_kind: str = "flat",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`max_pool2d`, (N, C, OH, OW), (N, C, OH, OW) -> (N, C, H, W).

    Every output sends its gradient to the input that was its maximum.

    Parameters and result are those of :func:`npconv.max_pool2d_backward`.
    """
    checks.built_options(layout=layout)
    checks.choice(index_kind, "index_kind", ("flat", "window"))
    full_shape, batched = checks.input_shape(input_shape, 2)
    g = geometry.pool_geometry(
        2,
        full_shape,
        kernel_size,
        stride,
        padding,
        dilation,
        ceil_mode,
        input_name="input_shape",
    )
    grad = gradient(grad, g.output_shape[not batched :], "pooling")
    dtype = checks.float_dtype(grad=grad)
    indices = checks.array(indices, "indices")
    checks.same_shape(indices, "indices", grad.shape, "the shape of grad")
    dx = _max_pool_backward(g, grad, checks.indices(indices), index_kind)
    return deliver(dx, full_shape[not batched :], dtype)


@quiet
def _max_pool_backward(g: PoolGeometry, grad: Array, indices: Array, kind: str) -> Array:
    planes, size = g.batch * g.channels, int(np.prod(g.input))
    indices = indices.reshape(planes, *g.output)
    positions = indices if kind == "flat" else _flat_positions(g, indices)
    if ((positions < 0) | (positions >= size)).any():
        raise ValueError(f"indices has positions outside of the input's plane of {size}")
    dx = np.zeros((planes, size))
    plane = np.arange(planes).reshape(planes, 1, 1, 1)
    np.add.at(dx, (plane, positions), grad.reshape(positions.shape).astype(np.float64))
    return dx


def _flat_positions(g: PoolGeometry, taps: Array) -> Array:
    """Where in the plane tap number ``taps`` of each window lies; -1 outside of the input."""
    inside = (taps >= 0) & (taps < np.prod(g.kernel, dtype=object))
    flat = np.zeros_like(taps)
    remaining = taps
    strides = [int(np.prod(g.input[axis + 1 :])) for axis in range(3)]
    for axis in (2, 1, 0):
        remaining, tap = np.divmod(remaining, g.kernel[axis])
        start = np.arange(g.output[axis]) * g.stride[axis] - g.pad_before[axis]
        start = start.reshape([-1 if axis == other else 1 for other in range(3)])
        coordinate = start + np.where(inside, tap, 0) * g.dilation[axis]
        inside = inside & (coordinate >= 0) & (coordinate < g.input[axis])
        flat += coordinate * strides[axis]
    return np.where(inside, flat, -1)
