"""Softmax, its logarithm, and their gradients, in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.reference.delivery import deliver, quiet


@quiet
def softmax(
    x: Any, axis: int = 1, *, isa: str | None = None, num_threads: int | None = None
) -> Array:
    """``exp(x) / sum(exp(x))`` along an axis; :func:`npconv.softmax`."""
    (given,), dtype = elementwise.operands(x=x)
    along = elementwise.axis(axis, given)
    return deliver(np.exp(_log_softmax(given, along)), given.shape, dtype)


@quiet
def softmax_backward(
    grad: Any, y: Any, axis: int = 1, *, isa: str | None = None, num_threads: int | None = None
) -> Array:
    """``y * (grad - sum(grad * y))`` along an axis; :func:`npconv.softmax_backward`."""
    (g, v), dtype = elementwise.operands(grad=grad, y=y)
    along = elementwise.axis(axis, g)
    g, v = g.astype("f8"), v.astype("f8")
    return deliver(v * (g - (g * v).sum(axis=along, keepdims=True)), g.shape, dtype)


@quiet
def log_softmax(
    x: Any, axis: int = 1, *, isa: str | None = None, num_threads: int | None = None
) -> Array:
    """The logarithm of :func:`softmax`; :func:`npconv.log_softmax`."""
    (given,), dtype = elementwise.operands(x=x)
    along = elementwise.axis(axis, given)
    return deliver(_log_softmax(given, along), given.shape, dtype)


@quiet
def log_softmax_backward(
    grad: Any, y: Any, axis: int = 1, *, isa: str | None = None, num_threads: int | None = None
) -> Array:
    """``grad - exp(y) * sum(grad)`` along an axis; :func:`npconv.log_softmax_backward`."""
    (g, v), dtype = elementwise.operands(grad=grad, y=y)
    along = elementwise.axis(axis, g)
    g, v = g.astype("f8"), v.astype("f8")
    return deliver(g - np.exp(v) * g.sum(axis=along, keepdims=True), g.shape, dtype)


def _log_softmax(x: Array, axis: int) -> Array:
    x = x.astype("f8")
    if x.shape[axis] == 0:
        return x
    shifted = x - x.max(axis=axis, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return result
