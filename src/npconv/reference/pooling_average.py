"""Means over windows and their gradients, in plain NumPy.

Each function exists for one, two and three spatial dimensions, made from one definition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from npconv import checks, geometry
from npconv.checks import LAYOUTS, Array
from npconv.functional import pooling_calls as calls
from npconv.functional.pooling_global import global_images, global_shape
from npconv.geometry import PoolGeometry
from npconv.reference.delivery import deliver, quiet
from npconv.reference.taps import taps

Function = Callable[..., Any]


def named(function: Function, name: str) -> Function:
    """Give a function the name it has in one number of dimensions."""
    function.__name__ = function.__qualname__ = name
    return function


# ---- windows --------------------------------------------------------------------------------


def meetings(g: PoolGeometry) -> Iterator[tuple[Any, Any]]:
    """Yield pairs of indices: outputs, and the inputs of the same shape that they meet."""
    if not g.adaptive:
        for tap in taps(g):
            yield tap.outputs, tap.inputs
        return
    for at in np.ndindex(g.output):
        axes = zip(at, g.input, g.output, strict=True)
        window = [range(o * n // m, -(-(o + 1) * n // m)) for o, n, m in axes]
        for position in np.ndindex(*map(len, window)):
            inputs = tuple(slice(w[i], w[i] + 1) for w, i in zip(window, position, strict=True))
            yield (..., *(slice(o, o + 1) for o in at)), (..., *inputs)


def window_sums(g: PoolGeometry, x: Array) -> Array:
    """Sum the elements of each window in float64; padding adds nothing."""
    total = np.zeros((g.batch, g.channels, *g.output))
    for outputs, inputs in meetings(g):
        total[outputs] += x[inputs]
    return total


def window_spread(g: PoolGeometry, shares: Array) -> Array:
    """Give each input the sum of the shares of the windows that it is in."""
    dx = np.zeros((g.batch, g.channels, *g.input))
    for outputs, inputs in meetings(g):
        dx[inputs] += shares[outputs]
    return dx


def divisors(g: PoolGeometry, include_pad: bool, override: float) -> Array:
    """Count the elements of each window; where there are none, 1."""
    if override:
        return np.full(g.output, override)
    if not include_pad or g.adaptive:
        one = g._replace(batch=1, channels=1)
        inside: Array = window_sums(one, np.ones((1, 1, *g.input)))[0, 0]
        return np.maximum(inside, 1)
    counts = []
    for k, m, s, d, n, before, after in zip(
        g.kernel, g.output, g.stride, g.dilation, g.input, g.pad_before, g.pad_after, strict=True
    ):
        starts = np.arange(m) * s - before
        counts.append(((starts[:, None] + np.arange(k) * d) < n + after).sum(1))
    depth, height, width = counts
    whole: Array = depth[:, None, None] * height[:, None] * width
    return np.maximum(whole, 1)


# ---- average --------------------------------------------------------------------------------


@quiet
def _mean(
    g: PoolGeometry, given: calls.Images, out: Any, include_pad: bool, override: float
) -> Array:
    dtype = checks.float_dtype(x=given.values)
    shape = calls.given_shape(g.output_shape, given.batched, given.last)
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
    dtype = checks.float_dtype(grad=errors)
    errors = errors.reshape(g.batch, g.channels, *g.output)
    dx = window_spread(g, errors / divisors(g, include_pad, override)).reshape(g.input_shape)
    shape = calls.given_shape(g.input_shape, batched, last)
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
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
        out: Array | None = None,
    ) -> Array:
        """Sum of every window over the number of its elements, padding counted or not."""
        rule = calls.counting(count_include_pad, divisor_override)
        given = calls.images(x, "x", ndim, layout)
        g = geometry.pool_geometry(
            ndim, given.shape, kernel_size, stride, padding, dilation, ceil_mode, may_be_empty=True
        )
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
        layout: str = LAYOUTS[ndim][0],
        isa: str | None = None,
        num_threads: int | None = None,
    ) -> Array:
        """Every input gets the shares of its windows' gradients."""
        rule = calls.counting(count_include_pad, divisor_override)
        shape, batched, last = calls.input_shape(input_shape, ndim, layout)
        g = geometry.pool_geometry(
            ndim, shape, kernel_size, stride, padding, dilation, ceil_mode,
            input_name="input_shape", may_be_empty=True,
        )  # fmt: skip
        return _mean_backward(g, grad, batched, last, *rule)

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
