"""Means over windows and their gradients, in plain NumPy.

Each function exists for one, two and three spatial dimensions, made from one definition.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import checks, geometry, layouts
from npconv.checks import LAYOUTS, Array
from npconv.functional import pooling_calls as calls
from npconv.functional.pooling_global import global_images, global_shape
from npconv.geometry import PoolGeometry
from npconv.reference.delivery import deliver, quiet
from npconv.reference.pooling_windows import (
    Function,
    divisors,
    folded,
    named,
    padded,
    window_spread,
    window_sums,
)

# ---- average --------------------------------------------------------------------------------


@quiet
def _mean(
    g: PoolGeometry, given: calls.Images, out: Any, include_pad: bool, override: float
) -> Array:
    _, dtype = calls.mean_dtypes(given.values, "x")
    shape = layouts.shape_given(g.output_shape, given.batched, given.last)
    if out is not None:
        checks.output(out, shape, dtype, x=given.values)
    x = given.values.reshape(g.batch, g.channels, *g.input)
    y = (window_sums(g, x) / divisors(g, include_pad, override)).reshape(g.output_shape)
    return deliver(np.moveaxis(y, 1, -1) if given.last else y, shape, dtype, out)


@quiet
def _mean_backward(
    g: PoolGeometry, grad: Any, batched: bool, last: bool, include_pad: bool, override: float
) -> Array:
    errors = calls.gradients(grad, g.output_shape, batched, last)
    _, dtype = calls.float_dtypes(errors, "grad")
    errors = errors.reshape(g.batch, g.channels, *g.output)
    dx = window_spread(g, errors / divisors(g, include_pad, override)).reshape(g.input_shape)
    shape = layouts.shape_given(g.input_shape, batched, last)
    return deliver(np.moveaxis(dx, 1, -1) if last else dx, shape, dtype)


def _avg_pool(ndim: int) -> Function:
    def avg_pool(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: Any = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        dilation: Any = 1,
        padding_mode: str = "constant",
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
        out: Array | None = None,
    ) -> Array:
        """Sum of every window over the number of its elements, padding counted or not."""
        rule = calls.counting(count_include_pad, divisor_override)
        given = calls.images(x, "x", ndim, layout)
        made = padding_mode != "constant"
        g = geometry.pool_geometry(
            ndim, given.shape, kernel_size, stride, padding, dilation, ceil_mode, may_be_empty=made
        )
        border, g = calls.border(g, padding_mode)
        if border:
            given = padded(border, given)
        return _mean(g, given, out, *rule)

    return named(avg_pool, f"avg_pool{ndim}d")


def _avg_pool_backward(ndim: int) -> Function:
    def avg_pool_backward(
        grad: Any,
        input_shape: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: Any = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        dilation: Any = 1,
        padding_mode: str = "constant",
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
    ) -> Array:
        """Every input gets the shares of its windows' gradients."""
        rule = calls.counting(count_include_pad, divisor_override)
        shape, batched, last = calls.input_shape(input_shape, ndim, layout)
        g = geometry.pool_geometry(
            ndim, shape, kernel_size, stride, padding, dilation, ceil_mode,
            input_name="input_shape", may_be_empty=padding_mode != "constant",
        )  # fmt: skip
        border, g = calls.border(g, padding_mode)
        dx = _mean_backward(g, grad, batched, last, *rule)
        return folded(border, dx, batched, last) if border else dx

    return named(avg_pool_backward, f"avg_pool{ndim}d_backward")


avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool, (1, 2, 3))
avg_pool1d_backward, avg_pool2d_backward, avg_pool3d_backward = map(_avg_pool_backward, (1, 2, 3))


# ---- adaptive average -----------------------------------------------------------------------


def _adaptive_avg_pool(ndim: int) -> Function:
    def adaptive_avg_pool(
        x: Any,
        output_size: Any,
        *,
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
        out: Array | None = None,
    ) -> Array:
        """Mean of every window [floor(i n / m), ceil((i + 1) n / m))."""
        given = calls.images(x, "x", ndim, layout)
        g = geometry.adaptive_geometry(ndim, given.shape, output_size)
        return _mean(g, given, out, False, 0.0)

    return named(adaptive_avg_pool, f"adaptive_avg_pool{ndim}d")


def _adaptive_avg_pool_backward(ndim: int) -> Function:
    def adaptive_avg_pool_backward(
        grad: Any,
        input_shape: Any,
        *,
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
    ) -> Array:
        """Every input gets the shares of its windows' gradients."""
        shape, batched, last = calls.input_shape(input_shape, ndim, layout)
        given = calls.images(grad, "grad", ndim, layout)
        sizes = given.shape[2:] if given.batched == batched else shape[2:]
        g = geometry.adaptive_geometry(ndim, shape, sizes, input_name="input_shape")
        return _mean_backward(g, grad, batched, last, False, 0.0)

    return named(adaptive_avg_pool_backward, f"adaptive_avg_pool{ndim}d_backward")


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg_pool, (1, 2, 3))
(
    adaptive_avg_pool1d_backward,
    adaptive_avg_pool2d_backward,
    adaptive_avg_pool3d_backward,
) = map(_adaptive_avg_pool_backward, (1, 2, 3))


# ---- global average -------------------------------------------------------------------------


def global_avg_pool(
    x: Any,
    *,
    channels_last: bool = False,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Mean of every channel, (N, C, ...) -> (N, C, 1, ...)."""
    given, ndim = global_images(x, "x", channels_last)
    return _mean(geometry.global_geometry(ndim, given.shape), given, out, False, 0.0)


def global_avg_pool_backward(
    grad: Any,
    input_shape: Any,
    *,
    channels_last: bool = False,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`global_avg_pool`: the same share for every pixel of a channel."""
    shape, ndim, last = global_shape(input_shape, channels_last)
    g = geometry.global_geometry(ndim, shape, input_name="input_shape")
    return _mean_backward(g, grad, True, last, False, 0.0)
