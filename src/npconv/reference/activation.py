"""Activations and their gradients, element by element, in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from npconv import checks
from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.reference.delivery import deliver


def relu(
    x: Any, *, isa: str | None = None, num_threads: int | None = None, out: Array | None = None
) -> Array:
    """``max(x, 0)``; :func:`npconv.relu`."""
    return _forward(x, out, lambda v: np.where(v <= 0, 0.0, v))


def relu_backward(
    grad: Any,
    y: Any,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """``grad`` where y is above zero; :func:`npconv.relu_backward`."""
    return _backward(grad, out, lambda g, v: np.where(v <= 0, 0.0, g), y=y)


def relu6(
    x: Any, *, isa: str | None = None, num_threads: int | None = None, out: Array | None = None
) -> Array:
    """``min(max(x, 0), 6)``; :func:`npconv.relu6`."""
    return _forward(x, out, lambda v: np.where(v <= 0, 0.0, np.where(v > 6, 6.0, v)))


def relu6_backward(
    grad: Any,
    y: Any,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """``grad`` where y lies between 0 and 6; :func:`npconv.relu6_backward`."""
    return _backward(grad, out, lambda g, v: np.where((v <= 0) | (v >= 6), 0.0, g), y=y)


def leaky_relu(
    x: Any,
    slope: float = 0.01,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """``x``, or ``slope * x`` below zero; :func:`npconv.leaky_relu`."""
    slope = elementwise.number(slope, "slope")
    return _forward(x, out, lambda v: np.where(v < 0, v * v.dtype.type(slope), v), exact=True)


def leaky_relu_backward(
    grad: Any,
    x: Any,
    slope: float = 0.01,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """``grad``, or ``slope * grad`` from zero down; :func:`npconv.leaky_relu_backward`."""
    slope = elementwise.number(slope, "slope")
    return _backward(
        grad, out, lambda g, v: np.where(v <= 0, g * g.dtype.type(slope), g), exact=True, x=x
    )


def elu(
    x: Any,
    alpha: float = 1.0,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """``x``, or ``alpha * (exp(x) - 1)`` below zero; :func:`npconv.elu`."""
    alpha = elementwise.number(alpha, "alpha", 0)
    return _forward(x, out, lambda v: np.where(v < 0, alpha * np.expm1(v), v))


def elu_backward(
    grad: Any,
    y: Any,
    alpha: float = 1.0,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """``grad``, or ``grad * (y + alpha)`` from zero down; :func:`npconv.elu_backward`."""
    alpha = elementwise.number(alpha, "alpha", 0)
    return _backward(grad, out, lambda g, v: np.where(v <= 0, g * (v + alpha), g), y=y)


def sigmoid(
    x: Any, *, isa: str | None = None, num_threads: int | None = None, out: Array | None = None
) -> Array:
    """``1 / (1 + exp(-x))``; :func:`npconv.sigmoid`."""

    def formula(v: Array) -> Array:
        e = np.exp(-abs(v))
        result: Array = np.where(v < 0, e, 1.0) / (1 + e)
        return result

    return _forward(x, out, formula)


def sigmoid_backward(
    grad: Any,
    y: Any,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """``grad * y * (1 - y)``; :func:`npconv.sigmoid_backward`."""
    return _backward(grad, out, lambda g, v: g * (v * (1 - v)), y=y)


def tanh(
    x: Any, *, isa: str | None = None, num_threads: int | None = None, out: Array | None = None
) -> Array:
    """The hyperbolic tangent; :func:`npconv.tanh`."""
    return _forward(x, out, np.tanh)


def tanh_backward(
    grad: Any,
    y: Any,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """``grad * (1 - y * y)``; :func:`npconv.tanh_backward`."""
    return _backward(grad, out, lambda g, v: g * (1 - v * v), y=y)


def add(
    x: Any,
    y: Any,
    activation: Any = None,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """``x + y`` and an activation of it; :func:`npconv.add`."""
    name, slope = checks.activation(activation)
    operands, dtype = elementwise.operands(x=x, y=y)
    target = elementwise.output(out, operands[0].shape, dtype, *operands)
    with np.errstate(all="ignore"):
        total: Array = operands[0].astype(dtype) + operands[1].astype(dtype)
    total = deliver(total, total.shape, dtype, target)
    return total if name is None else _ACTIVATIONS[name](total, slope, target)


def add_backward(
    grad: Any,
    y: Any,
    activation: Any = None,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Gradient of :func:`add` to either operand; :func:`npconv.add_backward`."""
    name, slope = checks.activation(activation)
    if name == "relu":
        return relu_backward(grad, y, out=out)
    if name == "relu6":
        return relu6_backward(grad, y, out=out)
    if name == "leaky_relu":
        slope = elementwise.number(slope, "activation's slope", 0)
        return _backward(
            grad, out, lambda g, v: np.where(v <= 0, g * g.dtype.type(slope), g), exact=True, y=y
        )
    return _backward(grad, out, lambda g, v: g, y=y)


_ACTIVATIONS: dict[str, Callable[[Array, float, Array | None], Array]] = {
    "relu": lambda v, slope, out: relu(v, out=out),
    "relu6": lambda v, slope, out: relu6(v, out=out),
    "leaky_relu": lambda v, slope, out: leaky_relu(v, slope, out=out),
}


def _forward(
    x: Any, out: Array | None, formula: Callable[[Array], Array], exact: bool = False
) -> Array:
    """Apply a formula in float64, or where one rounding makes the result, in the result's dtype."""
    (given,), dtype = elementwise.operands(x=x)
    target = elementwise.output(out, given.shape, dtype, given)
    with np.errstate(all="ignore"):
        return deliver(formula(given.astype(dtype if exact else "f8")), given.shape, dtype, target)


def _backward(
    grad: Any,
    out: Array | None,
    formula: Callable[[Array, Array], Array],
    exact: bool = False,
    **value: Any,
) -> Array:
    (g, v), dtype = elementwise.operands(grad=grad, **value)
    target = elementwise.output(out, g.shape, dtype, g, v)
    with np.errstate(all="ignore"):
        wide = dtype if exact else "f8"
        return deliver(formula(g.astype(wide), v.astype(wide)), g.shape, dtype, target)
