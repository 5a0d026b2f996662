"""p-norms of windows and their gradients, in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import checks, geometry, layouts
from npconv.checks import LAYOUTS, Array
from npconv.functional import pooling_calls as calls
from npconv.functional.pooling_lp import norm
from npconv.geometry import PoolGeometry
from npconv.reference.delivery import deliver, quiet
from npconv.reference.pooling_windows import Function, named, window_spread, window_sums


@quiet
def _norms(g: PoolGeometry, x: Array, p: float) -> Array:
    powers = abs(x.reshape(g.batch, g.channels, *g.input).astype(np.float64)) ** p
    norms: Array = window_sums(g, powers) ** (1 / p)
    return norms


@quiet
def _gradient(g: PoolGeometry, grad: Array, x: Array, p: float) -> Array:
    """Return dx, from dy/dx = sign(x) (|x| / y)^(p - 1)."""
    x = x.reshape(g.batch, g.channels, *g.input).astype(np.float64)
    y, errors = _norms(g, x, p), grad.reshape(g.batch, g.channels, *g.output)
    shares = np.where(y == 0, 0, errors * y ** (1 - p))
    factor = np.where(x == 0, 0, np.sign(x) * abs(x) ** (p - 1))
    return window_spread(g, shares) * factor


def _lp_pool(ndim: int) -> Function:
    def lp_pool(
        x: Any,
        norm_type: float,
        kernel_size: Any,
        stride: Any = None,
        ceil_mode: Any = False,
        *,
        padding: Any = 0,
        dilation: Any = 1,
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
        out: Array | None = None,
    ) -> Array:
        """(Sum of |x|^p)^(1/p) over every window."""
        p = norm(norm_type)
        given = calls.images(x, "x", ndim, layout)
        g = geometry.pool_geometry(
            ndim, given.shape, kernel_size, stride, padding, dilation, ceil_mode
        )
        _, dtype = calls.float_dtypes(given.values, "x")
        shape = layouts.shape_given(g.output_shape, given.batched, given.last)
        if out is not None:
            checks.output(out, shape, dtype, x=given.values)
        y = _norms(g, given.values, p).reshape(g.output_shape)
        return deliver(np.moveaxis(y, 1, -1) if given.last else y, shape, dtype, out)

    return named(lp_pool, f"lp_pool{ndim}d")


def _lp_pool_backward(ndim: int) -> Function:
    def lp_pool_backward(
        grad: Any,
        x: Any,
        norm_type: float,
        kernel_size: Any,
        stride: Any = None,
        ceil_mode: Any = False,
        *,
        padding: Any = 0,
        dilation: Any = 1,
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
    ) -> Array:
        """Every element gets the shares of its windows' gradients."""
        p = norm(norm_type)
        given = calls.images(x, "x", ndim, layout)
        g = geometry.pool_geometry(
            ndim, given.shape, kernel_size, stride, padding, dilation, ceil_mode
        )
        errors = calls.gradients(grad, g.output_shape, given.batched, given.last)
        _, dtype = calls.float_dtypes(errors, "grad")
        calls.float_dtypes(given.values, "x")
        dx = _gradient(g, errors, given.values, p).reshape(g.input_shape)
        shape = layouts.shape_given(g.input_shape, given.batched, given.last)
        return deliver(np.moveaxis(dx, 1, -1) if given.last else dx, shape, dtype)

    return named(lp_pool_backward, f"lp_pool{ndim}d_backward")


lp_pool1d, lp_pool2d, lp_pool3d = map(_lp_pool, (1, 2, 3))
lp_pool1d_backward, lp_pool2d_backward, lp_pool3d_backward = map(_lp_pool_backward, (1, 2, 3))
