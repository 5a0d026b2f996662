"""Largest and smallest elements of windows and their gradients, in plain NumPy.

Each function exists for one, two and three spatial dimensions, made from one definition.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import checks, geometry, layouts
from npconv.checks import LAYOUTS, Array
from npconv.functional import pooling_calls as calls
from npconv.functional.pooling_fractional import samples_of, scattered
from npconv.functional.pooling_global import global_images, global_shape
from npconv.functional.pooling_max_calls import INDEX_KINDS
from npconv.functional.pooling_unpool import between, positions
from npconv.geometry import PoolGeometry
from npconv.reference.delivery import deliver, quiet
from npconv.reference.pooling_windows import Function, folded, meetings, named, padded

# ---- picking --------------------------------------------------------------------------------


def _pick(g: PoolGeometry, x: Array, kind: str, smallest: bool) -> tuple[Array, Array]:
    """Compare the elements of each window in order; NaN beats numbers, the first equal stays."""
    x = x.reshape(g.batch, g.channels, *g.input)
    picked = np.zeros((g.batch, g.channels, *g.output), x.dtype.newbyteorder("="))
    at = np.full(picked.shape, -1, np.int64)
    plane = np.arange(np.prod(g.input)).reshape(g.input)
    for here, inputs, number in meetings(g):
        candidate, best = x[inputs], picked[here]
        better = candidate < best if smallest else candidate > best
        taken = better | (np.isnan(candidate) & ~np.isnan(best)) | (at[here] < 0)
        position = plane[inputs] if kind == "flat" else number
        picked[here] = np.where(taken, candidate, best)
        at[here] = np.where(taken, position, at[here])
    return picked, at


def _pick_at(g: PoolGeometry, x: Array, starts: Array) -> tuple[Array, Array]:
    """Pick from windows whose starts along D, H and W stand in a row for each plane."""
    planes = x.reshape(g.batch * g.channels, *g.input)
    picked = np.zeros((len(planes), *g.output), x.dtype.newbyteorder("="))
    at = np.zeros(picked.shape, np.int64)
    split = np.cumsum(g.output)[:2]
    for p, plane in enumerate(planes):
        axes = np.split(starts[p], split)
        for output in np.ndindex(g.output):
            low = [starts_of[o] for starts_of, o in zip(axes, output, strict=True)]
            window = tuple(slice(a, a + k) for a, k in zip(low, g.kernel, strict=True))
            tap = np.unravel_index(plane[window].argmax(), g.kernel)  # NumPy's rule for NaN, too
            where = tuple(a + t for a, t in zip(low, tap, strict=True))
            picked[(p, *output)] = plane[where]
            at[(p, *output)] = np.ravel_multi_index(where, g.input)
    return picked, at


def _result(
    g: PoolGeometry,
    given: calls.Images,
    picked: tuple[Array, Array],
    index_dtype: Any,
    out: Any,
    apart: calls.Images,
) -> Any:
    """Deliver values, and indices if they have a dtype, in the caller's layout."""
    _, dtype = calls.picked_dtypes(given.values, "x")
    shape = layouts.shape_given(g.output_shape, given.batched, given.last)
    if out is not None:
        checks.output(out, shape, dtype, x=apart.values)
    y, at = (each.reshape(g.output_shape) for each in picked)
    if given.last:
        y, at = np.moveaxis(y, 1, -1), np.moveaxis(at, 1, -1)
    result = deliver(y, shape, dtype, out)
    return result if index_dtype is None else (result, deliver(at, shape, index_dtype))


# ---- and back -------------------------------------------------------------------------------


@quiet
def _send_back(
    g: PoolGeometry, grad: Any, indices: Any, kind: str, batched: bool, last: bool
) -> Array:
    """Give every gradient to the element that its index names."""
    errors = calls.gradients(grad, g.output_shape, batched, last)
    _, dtype = calls.float_dtypes(errors, "grad")
    at = positions(indices, g.output_shape, batched, last).reshape(-1, *g.output)
    planes, size = g.batch * g.channels, int(np.prod(g.input))
    flat = at if kind == "flat" else _flat_positions(g, at)
    if ((flat < 0) | (flat >= size)).any():
        raise ValueError(f"indices has positions outside of the input's plane of {size}")
    dx = np.zeros((planes, size))
    plane = np.arange(planes).reshape(planes, 1, 1, 1)
    np.add.at(dx, (plane, flat), errors.reshape(flat.shape).astype(np.float64))
    dx = dx.reshape(g.input_shape)
    shape = layouts.shape_given(g.input_shape, batched, last)
    return deliver(np.moveaxis(dx, 1, -1) if last else dx, shape, dtype)


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


# ---- max- and min-pooling -------------------------------------------------------------------


def _pool(ndim: int, smallest: bool) -> Function:
    def pool(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: Any = False,
        return_indices: bool = False,
        *,
        padding_value: float | None = None,
        padding_mode: str = "constant",
        indices: str = "flat",
        index_dtype: Any = "int64",
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
        out: Array | None = None,
    ) -> Any:
        """Take the largest (smallest) element of every window; padding never is, if not made.

        A NaN beats every number; among equals, and among NaNs, the first in row-major order is
        taken.
        """
        wanted = checks.flag(return_indices, "return_indices")
        kind = checks.choice(indices, "indices", INDEX_KINDS)
        given = calls.images(x, "x", ndim, layout)
        made = padding_value is not None or padding_mode != "constant"
        g = geometry.pool_geometry(
            ndim, given.shape, kernel_size, stride, padding, dilation, ceil_mode, may_be_empty=made
        )
        border, g = calls.border(g, padding_mode, padding_value)
        dtype = checks.index_dtype(index_dtype, kind, g.kernel)
        calls.picked_dtypes(given.values, "x")
        source = padded(border, given) if border else given
        picked = _pick(g, source.values, kind, smallest)
        return _result(g, source, picked, dtype if wanted else None, out, given)

    return named(pool, f"{'min' if smallest else 'max'}_pool{ndim}d")


def _pool_backward(ndim: int, smallest: bool) -> Function:
    def pool_backward(
        grad: Any,
        indices: Any,
        input_shape: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: Any = False,
        *,
        padding_value: float | None = None,
        padding_mode: str = "constant",
        index_kind: str = "flat",
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
    ) -> Array:
        """Every output sends its gradient to the element that was picked."""
        kind = checks.choice(index_kind, "index_kind", INDEX_KINDS)
        shape, batched, last = calls.input_shape(input_shape, ndim, layout)
        made = padding_value is not None or padding_mode != "constant"
        g = geometry.pool_geometry(
            ndim, shape, kernel_size, stride, padding, dilation, ceil_mode,
            input_name="input_shape", may_be_empty=made,
        )  # fmt: skip
        border, g = calls.border(g, padding_mode, padding_value)
        dx = _send_back(g, grad, indices, kind, batched, last)
        return folded(border, dx, batched, last) if border else dx

    return named(pool_backward, f"{'min' if smallest else 'max'}_pool{ndim}d_backward")


max_pool1d, max_pool2d, max_pool3d = (_pool(ndim, False) for ndim in (1, 2, 3))
max_pool1d_backward, max_pool2d_backward, max_pool3d_backward = (
    _pool_backward(ndim, False) for ndim in (1, 2, 3)
)
min_pool1d, min_pool2d, min_pool3d = (_pool(ndim, True) for ndim in (1, 2, 3))
min_pool1d_backward, min_pool2d_backward, min_pool3d_backward = (
    _pool_backward(ndim, True) for ndim in (1, 2, 3)
)


# ---- adaptive, global and fractional --------------------------------------------------------


def _adaptive_max_pool(ndim: int) -> Function:
    def adaptive_max_pool(
        x: Any,
        output_size: Any,
        return_indices: bool = False,
        *,
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
        out: Array | None = None,
    ) -> Any:
        """Take the largest element of every window [floor(i n / m), ceil((i + 1) n / m))."""
        wanted = checks.flag(return_indices, "return_indices")
        given = calls.images(x, "x", ndim, layout)
        g = geometry.adaptive_geometry(ndim, given.shape, output_size)
        picked = _pick(g, given.values, "flat", False)
        return _result(g, given, picked, np.int64 if wanted else None, out, given)

    return named(adaptive_max_pool, f"adaptive_max_pool{ndim}d")


def _adaptive_max_pool_backward(ndim: int) -> Function:
    def adaptive_max_pool_backward(
        grad: Any,
        indices: Any,
        input_shape: Any,
        *,
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
    ) -> Array:
        """Every output sends its gradient to the element that was picked."""
        shape, batched, last = calls.input_shape(input_shape, ndim, layout)
        given = calls.images(grad, "grad", ndim, layout)
        sizes = given.shape[2:] if given.batched == batched else shape[2:]
        g = geometry.adaptive_geometry(ndim, shape, sizes, input_name="input_shape")
        return _send_back(g, grad, indices, "flat", batched, last)

    return named(adaptive_max_pool_backward, f"adaptive_max_pool{ndim}d_backward")


adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_adaptive_max_pool, (1, 2, 3))
(
    adaptive_max_pool1d_backward,
    adaptive_max_pool2d_backward,
    adaptive_max_pool3d_backward,
) = map(_adaptive_max_pool_backward, (1, 2, 3))


def global_max_pool(
    x: Any,
    return_indices: bool = False,
    *,
    channels_last: bool = False,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Any:
    """Take the largest element of every channel, (N, C, ...) -> (N, C, 1, ...)."""
    wanted = checks.flag(return_indices, "return_indices")
    given, ndim = global_images(x, "x", channels_last)
    g = geometry.global_geometry(ndim, given.shape)
    picked = _pick(g, given.values, "flat", False)
    return _result(g, given, picked, np.int64 if wanted else None, out, given)


def global_max_pool_backward(
    grad: Any,
    indices: Any,
    input_shape: Any,
    *,
    channels_last: bool = False,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`global_max_pool`."""
    shape, ndim, last = global_shape(input_shape, channels_last)
    g = geometry.global_geometry(ndim, shape, input_name="input_shape")
    return _send_back(g, grad, indices, "flat", True, last)


def _fractional_max_pool(ndim: int) -> Function:
    def fractional_max_pool(
        x: Any,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        *,
        rng: np.random.Generator | None = None,
        random_samples: Any = None,
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
        out: Array | None = None,
    ) -> Any:
        """Take the largest element of windows at random distances."""
        wanted = checks.flag(return_indices, "return_indices")
        given = calls.images(x, "x", ndim, layout)
        g = geometry.fractional_geometry(ndim, given.shape, kernel_size, output_size, output_ratio)
        starts = geometry.fractional_starts(g, samples_of(given.shape, rng, random_samples))
        picked = _pick_at(g, given.values, starts)
        return _result(g, given, picked, np.int64 if wanted else None, out, given)

    return named(fractional_max_pool, f"fractional_max_pool{ndim}d")


def _fractional_max_pool_backward(ndim: int) -> Function:
    def fractional_max_pool_backward(
        grad: Any,
        indices: Any,
        input_shape: Any,
        *,
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
    ) -> Array:
        """Every output sends its gradient to the element that was picked."""
        shape, batched, last = calls.input_shape(input_shape, ndim, layout)
        given = calls.images(grad, "grad", ndim, layout)
        sizes = given.shape[2:] if given.batched == batched else shape[2:]
        return _send_back(scattered(ndim, shape, sizes), grad, indices, "flat", batched, last)

    return named(fractional_max_pool_backward, f"fractional_max_pool{ndim}d_backward")


fractional_max_pool2d, fractional_max_pool3d = map(_fractional_max_pool, (2, 3))
fractional_max_pool2d_backward, fractional_max_pool3d_backward = map(
    _fractional_max_pool_backward, (2, 3)
)


# ---- unpooling ------------------------------------------------------------------------------


def _max_unpool(ndim: int) -> Function:
    def max_unpool(
        x: Any,
        indices: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        output_size: Any = None,
        *,
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
    ) -> Array:
        """Put values at their flat positions, the last one where several have the same."""
        given = calls.images(x, "x", ndim, layout)
        g = geometry.unpool_geometry(
            ndim, given.shape, kernel_size, stride, padding, output_size, given.last
        )
        at = positions(indices, given.shape, given.batched, given.last)
        _, dtype = calls.float_dtypes(given.values, "x")
        planes, size = g.batch * g.channels, int(np.prod(g.input))
        if ((at < 0) | (at >= size)).any():
            raise ValueError(f"indices has positions outside of the result's plane of {size}")
        y = np.zeros((planes, size), dtype)
        pooled = int(np.prod(g.output))
        values = given.values.reshape(planes, pooled)
        for plane, where, from_plane in zip(y, at.reshape(planes, pooled), values, strict=True):
            plane[where] = from_plane
        y = y.reshape(g.input_shape)
        shape = layouts.shape_given(g.input_shape, given.batched, given.last)
        return deliver(np.moveaxis(y, 1, -1) if given.last else y, shape, dtype)

    return named(max_unpool, f"max_unpool{ndim}d")


def _max_unpool_backward(ndim: int) -> Function:
    def max_unpool_backward(
        grad: Any,
        indices: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        *,
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
    ) -> Array:
        """Fetch the gradients from where the values went."""
        errors = calls.images(grad, "grad", ndim, layout)
        given = calls.images(indices, "indices", ndim, layout)
        g = between(ndim, errors.shape, given.shape)
        at = positions(indices, given.shape, errors.batched, errors.last)
        _, dtype = calls.float_dtypes(errors.values, "grad")
        planes, size = g.batch * g.channels, int(np.prod(g.input))
        if ((at < 0) | (at >= size)).any():
            raise ValueError(f"indices has positions outside of grad's plane of {size}")
        flat = errors.values.reshape(planes, size)
        dx = np.take_along_axis(flat, at.reshape(planes, int(np.prod(g.output))), 1).reshape(
            given.shape
        )
        shape = layouts.shape_given(given.shape, errors.batched, errors.last)
        return deliver(np.moveaxis(dx, 1, -1) if errors.last else dx, shape, dtype)

    return named(max_unpool_backward, f"max_unpool{ndim}d_backward")


max_unpool1d, max_unpool2d, max_unpool3d = map(_max_unpool, (1, 2, 3))
max_unpool1d_backward, max_unpool2d_backward, max_unpool3d_backward = map(
    _max_unpool_backward, (1, 2, 3)
)
