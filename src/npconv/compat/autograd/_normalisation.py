"""Normalisations: of channels, of neighbours among channels, and softmax."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
from autograd.extend import defvjp, primitive

from npconv import functional
from npconv.compat.autograd._calls import bias_gradient, defined_gradient, public

# --- batch normalisation -----------------------------------------------------------------------


def _per_channel(values: Any, ndim: int) -> Any:
    return anp.reshape(values, (1, -1, *[1] * (ndim - 2)))


def _batch_norm_definition(x: Any, weight: Any, how: Any, training: Any, saved: Any) -> Any:
    if training:
        axes = (0, *range(2, x.ndim))
        centred = x - anp.mean(x, axis=axes, keepdims=True)
        variance = anp.mean(centred * centred, axis=axes, keepdims=True)
        y = centred / anp.sqrt(variance + how.get("eps", 1e-5))
    else:
        mean, scale = [_per_channel(values, x.ndim) for values in saved[0]]
        y = (x - mean) * scale
    return y if weight is None else y * _per_channel(weight, x.ndim)


@primitive
def _batch_norm(x: Any, weight: Any, bias: Any, how: Any, training: Any, saved: list[Any]) -> Any:
    y, kept = functional.batch_norm(x, weight, bias, training=training, return_saved=True, **how)
    saved[:] = [kept]
    return y


def _batch_norm_gradient(argnum: int) -> Any:
    needs = (argnum == 0, argnum == 1, False)

    def gradient(grad: Any, x: Any, weight: Any, how: Any, training: Any, saved: Any) -> Any:
        return functional.batch_norm_backward(grad, x, weight, saved[0], training, needs=needs)[
            argnum
        ]

    return defined_gradient(gradient, _batch_norm_definition, argnum)


_batch_norm_dx, _batch_norm_dweight = _batch_norm_gradient(0), _batch_norm_gradient(1)
defvjp(
    _batch_norm,
    lambda ans, x, weight, _, *rest: lambda g: _batch_norm_dx(g, x, weight, *rest),
    lambda ans, x, weight, _, *rest: lambda g: _batch_norm_dweight(g, x, weight, *rest),
    lambda ans, x, weight, _, *rest: lambda g: bias_gradient(g, 1),
)


@public(functional.batch_norm, "x", "weight", "bias")
def batch_norm(
    x: Any, weight: Any, bias: Any, training: Any = False, return_saved: Any = False, **how: Any
) -> Any:
    saved: list[Any] = []
    y = _batch_norm(x, weight, bias, how, training, saved)
    return (y, saved[0]) if return_saved else y


# --- local response normalisation ----------------------------------------------------------------


def _response_norm_definition(
    x: Any, size: Any, alpha: Any = 1e-4, beta: Any = 0.75, k: Any = 1.0
) -> Any:
    around = [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 2)]
    squares = anp.pad(x * x, around, "constant")
    channels = x.shape[1]
    total = sum(squares[:, first : first + channels] for first in range(size))
    return x / (k + alpha / size * total) ** beta


@primitive
def _response_norm(x: Any, how: Any, *settings: Any) -> Any:
    return functional.local_response_norm(x, *settings, **how)


_response_norm_dx = defined_gradient(
    lambda grad, x, *settings: functional.local_response_norm_backward(grad, x, *settings),
    _response_norm_definition,
    0,
)
defvjp(
    _response_norm,
    lambda ans, x, how, *settings: lambda g: _response_norm_dx(g, x, *settings),
)


@public(functional.local_response_norm, "x", "size")
def local_response_norm(
    x: Any, size: Any, alpha: Any = 1e-4, beta: Any = 0.75, k: Any = 1.0, **how: Any
) -> Any:
    return _response_norm(x, how, size, alpha, beta, k)


# --- softmax ---------------------------------------------------------------------------------


@primitive
def _softmax(x: Any, axis: Any, how: Any) -> Any:
    return functional.softmax(x, axis, **how)


@primitive
def _softmax_backward(grad: Any, y: Any, axis: Any, how: Any) -> Any:
    return functional.softmax_backward(grad, y, axis, **how)


def _total(values: Any, axis: Any) -> Any:
    return anp.sum(values, axis=axis, keepdims=True)


# backward(g, y) = y (g - sum(g y)), which is its own adjoint in g.
defvjp(_softmax, lambda ans, x, axis, how: lambda g: _softmax_backward(g, ans, axis, how))
defvjp(
    _softmax_backward,
    lambda ans, g, y, axis, how: lambda h: _softmax_backward(h, y, axis, how),
    lambda ans, g, y, axis, how: lambda h: h * (g - _total(g * y, axis)) - g * _total(h * y, axis),
)


@public(functional.softmax, "x")
def softmax(x: Any, axis: Any = 1, **how: Any) -> Any:
    return _softmax(x, axis, how)


@primitive
def _log_softmax(x: Any, axis: Any, how: Any) -> Any:
    return functional.log_softmax(x, axis, **how)


@primitive
def _log_softmax_backward(grad: Any, y: Any, axis: Any, how: Any) -> Any:
    return functional.log_softmax_backward(grad, y, axis, **how)


# backward(g, y) = g - exp(y) sum(g)
defvjp(_log_softmax, lambda ans, x, axis, how: lambda g: _log_softmax_backward(g, ans, axis, how))
defvjp(
    _log_softmax_backward,
    lambda ans, g, y, axis, how: lambda h: h - _total(h * anp.exp(y), axis),
    lambda ans, g, y, axis, how: lambda h: -h * anp.exp(y) * _total(g, axis),
)


@public(functional.log_softmax, "x")
def log_softmax(x: Any, axis: Any = 1, **how: Any) -> Any:
    return _log_softmax(x, axis, how)
