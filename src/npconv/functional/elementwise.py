"""What the operations element by element share: result arrays and calls of the C core."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.runtime import native, options


def forward(
    activation: str, x: object, slope: float, isa: object, num_threads: object, out: object
) -> Array:
    """Apply an activation to an array."""
    how = options(isa=isa, num_threads=num_threads)
    (given,), dtype = elementwise.operands(x=x)
    result = elementwise.output(out, given.shape, dtype, given)
    if result is None:
        result = like(given, dtype)
    native.activate(activation, slope, given, None, result, how)
    return result


def backward(
    activation: str | None,
    grad: object,
    slope: float,
    isa: object,
    num_threads: object,
    out: object,
    **value: object,
) -> Array:
    """Compute an activation's gradient from that of its result and from one other array."""
    how = options(isa=isa, num_threads=num_threads)
    (errors, known), dtype = elementwise.operands(grad=grad, **value)
    dx = elementwise.output(out, errors.shape, dtype, errors, known)
    if dx is None:
        dx = like(known, dtype)
    native.activate_grad(activation, slope, errors, known, dx, how)
    return dx


def like(x: Array, dtype: np.dtype[Any]) -> Array:
    """Make an array of x's shape, with its up to five axes in the same order in memory."""
    if x.flags.c_contiguous or x.ndim < 2 or x.ndim > 5:
        return native.empty(x.shape, dtype)
    order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    made = native.empty([x.shape[axis] for axis in order], dtype)
    return made.transpose(np.argsort(order))


def five_axes(x: Array) -> Array:
    """See (N, C, ...) with at most five axes, which is what the C core takes.

    A view, but of arrays with more axes that are not contiguous; those made by `like` are.
    """
    return x if x.ndim <= 5 else x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
