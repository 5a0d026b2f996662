"""The matrix product, linear in rows and in weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp, defvjp_argnums, primitive

from npconv import functional
from npconv.compat.autograd._calls import Function, before_activation, public


@primitive
def _product(x: Any, weight: Any, how: Any) -> Any:
    return functional.linear(x, weight, **how)


@primitive
def _to_rows(grad: Any, weight: Any, how: Any) -> Any:
    x = _unread((*grad.shape[:-1], weight.shape[1]), grad)
    return functional.linear_backward(grad, x, weight, needs=(True, False, False), **how)[0]


@primitive
def _to_weight(grad: Any, x: Any, how: Any) -> Any:
    weight = _unread((grad.shape[-1], x.shape[-1]), grad)
    return functional.linear_backward(grad, x, weight, needs=(False, True, False), **how)[1]


@primitive
def _to_bias(grad: Any, how: Any) -> Any:
    x, weight = _unread((*grad.shape[:-1], 1), grad), _unread((grad.shape[-1], 1), grad)
    return functional.linear_backward(grad, x, weight, needs=(False, False, True), **how)[2]


@primitive
def _spread(sums: Any, shape: tuple[int, ...], how: Any) -> Any:
    return np.array(np.broadcast_to(sums, shape))


@primitive
def _fused(x: Any, weight: Any, bias: Any, activation: Any, how: Any) -> Any:
    return functional.linear(x, weight, bias, activation, **how)


def _unread(shape: tuple[int, ...], like: Any) -> Any:
    """An array that has the shape, for what is computed without its values."""
    return np.broadcast_to(np.zeros((), like.dtype), shape)


defvjp(
    _product,
    lambda ans, x, weight, how: lambda g: _to_rows(g, weight, how),
    lambda ans, x, weight, how: lambda g: _to_weight(g, x, how),
)
defvjp(
    _to_rows,
    lambda ans, grad, weight, how: lambda h: _product(h, weight, how),
    lambda ans, grad, weight, how: lambda h: _to_weight(grad, h, how),
)
defvjp(
    _to_weight,
    lambda ans, grad, x, how: lambda h: _product(x, h, how),
    lambda ans, grad, x, how: lambda h: _to_rows(grad, h, how),
)
defvjp(_to_bias, lambda ans, grad, how: lambda h: _spread(h, grad.shape, how))
defvjp(_spread, lambda ans, sums, shape, how: lambda h: _to_bias(h, how))


def _fused_vjp(argnums: Any, ans: Any, args: Any, kwargs: Any) -> Function:
    x, weight, _, activation, how = args
    gradients = {
        0: lambda g: _to_rows(g, weight, how),
        1: lambda g: _to_weight(g, x, how),
        2: lambda g: _to_bias(g, how),
    }

    def vjp(g: Any) -> tuple[Any, ...]:
        g = before_activation(g, ans, activation)
        return tuple([gradients[number](g) for number in argnums])

    return vjp


defvjp_argnums(_fused, _fused_vjp)


@public(functional.linear, "x", "weight", "bias")
def linear(x: Any, weight: Any, bias: Any, activation: Any = None, **how: Any) -> Any:
    return _fused(x, weight, bias, activation, how)
