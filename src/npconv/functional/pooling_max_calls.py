"""Maxima and minima of windows in any number of dimensions and either layout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npconv import checks, layouts
from npconv.checks import Array
from npconv.functional import pooling_calls as calls
from npconv.geometry import PoolGeometry, pool_geometry
from npconv.runtime import Options, native, options

INDEX_KINDS = ("flat", "window")
_INT32_MAX = 2**31 - 1
_LARGEST_LAST = 256
"""Taps of a window for which there are functions with channels innermost."""


def pick(
    ndim: int,
    smallest: bool,
    x: object,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    ceil_mode: object,
    return_indices: object,
    padding_value: object,
    padding_mode: object,
    indices: object,
    index_dtype: object,
    layout: object,
    isa: object,
    num_threads: object,
    out: object,
) -> Array | tuple[Array, Array]:
    """Pool by comparing."""
    how = options(isa=isa, num_threads=num_threads)
    wanted = checks.flag(return_indices, "return_indices")
    kind = checks.choice(indices, "indices", INDEX_KINDS)
    given = calls.images(x, "x", ndim, layout)
    made = padding_value is not None or padding_mode != "constant"
    geometry = pool_geometry(
        ndim, given.shape, kernel_size, stride, padding, dilation, ceil_mode, may_be_empty=made
    )
    border, geometry = calls.border(geometry, padding_mode, padding_value)
    position_dtype = checks.index_dtype(index_dtype, kind, geometry.kernel)
    source = border.add(given, num_threads) if border else given
    return pick_windows(
        geometry, smallest, source, position_dtype if wanted else None, kind, how, out, given
    )


def pick_windows(
    geometry: PoolGeometry,
    smallest: bool,
    given: calls.Images,
    index_dtype: np.dtype[Any] | None,
    kind: str,
    how: Options,
    out: object,
    apart: calls.Images,
    starts: Array | None = None,
) -> Array | tuple[Array, Array]:
    """Pool by comparing, with indices if they have a dtype; `out` lies apart from `apart`."""
    batched, last, values = given.batched, given.last, given.values
    dtypes = calls.picked_dtypes(values, "x")
    result = calls.Result(geometry.output_shape, dtypes, batched, last, out, x=apart.values)
    shape = geometry.output_shape
    if last and starts is None and _has_innermost(geometry):
        shape = layouts.shape_given(shape, True, last)
        positions = None if index_dtype is None else native.empty(shape, index_dtype)
        y = layouts.channels_last(result.view, True)
        direct = y.flags.c_contiguous
        to = y if direct else native.empty(shape, dtypes[0])
        x = checks.settled(layouts.channels_last(values, True), dtypes[0])
        native.max_pool_last_forward(geometry, x, to, positions, kind, how, smallest)
        if not direct:
            y[...] = to
    else:
        positions = None if index_dtype is None else native.empty(shape, index_dtype)
        native.max_pool_forward(
            geometry, values, result.view, positions, kind, how, smallest, starts
        )
        if last and positions is not None:
            positions = np.ascontiguousarray(np.moveaxis(positions, 1, -1))
    y = result.deliver()
    return y if positions is None else (y, positions if batched else positions[0])


def _has_innermost(geometry: PoolGeometry) -> bool:
    return (
        not geometry.adaptive
        and math.prod(geometry.kernel) <= _LARGEST_LAST
        and math.prod(geometry.input) <= _INT32_MAX
        and math.prod(geometry.output) <= _INT32_MAX
    )


def send_back(
    ndim: int,
    grad: object,
    indices: object,
    input_shape: object,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    ceil_mode: object,
    padding_value: object,
    padding_mode: object,
    index_kind: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> Array:
    """Send gradients to the elements that were picked."""
    how = options(isa=isa, num_threads=num_threads)
    kind = checks.choice(index_kind, "index_kind", INDEX_KINDS)
    shape, batched, last = calls.input_shape(input_shape, ndim, layout)
    made = padding_value is not None or padding_mode != "constant"
    geometry = pool_geometry(
        ndim, shape, kernel_size, stride, padding, dilation, ceil_mode,
        input_name="input_shape", may_be_empty=made,
    )  # fmt: skip
    border, geometry = calls.border(geometry, padding_mode, padding_value)
    dx = send_back_windows(geometry, grad, indices, kind, batched, last, how)
    return border.fold(dx, batched, last, num_threads) if border else dx


def send_back_windows(
    geometry: PoolGeometry,
    grad: object,
    indices: object,
    kind: str,
    batched: bool,
    last: bool,
    how: Options,
) -> Array:
    """Send gradients back, given the windows."""
    shape = geometry.output_shape
    errors = calls.gradients(grad, shape, batched, last)
    dtypes = calls.float_dtypes(errors, "grad")
    positions = checks.array(indices, "indices")
    checks.same_shape(
        positions, "indices", layouts.shape_given(shape, batched, last), "the shape of grad"
    )
    positions = checks.indices(positions, bytes_too=kind == "window")
    result = calls.Result(geometry.input_shape, dtypes, batched, last)
    if last:
        positions = positions.reshape(layouts.shape_given(shape, True, last))
        if _has_innermost(geometry):
            values = checks.settled(layouts.channels_last(errors, True), dtypes[0])
            dx = layouts.channels_last(result.view, True)
            if native.max_pool_last_backward(geometry, values, positions, dx, kind, how):
                return result.deliver()
        positions = np.ascontiguousarray(np.moveaxis(positions, -1, 1))
    native.max_pool_backward(geometry, errors, positions.reshape(shape), result.view, kind, how)
    return result.deliver()
