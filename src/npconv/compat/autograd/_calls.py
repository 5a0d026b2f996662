"""What the adapters of all operations share: arguments, activations, derived gradients."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from autograd.core import make_vjp
from autograd.extend import Box, defvjp, primitive

from npconv import functional
from npconv.compat._sums import channel_sums

Function: TypeAlias = Callable[..., Any]


def public(function: Function, *arrays: str) -> Callable[[Function], Function]:
    """Give ``adapter(*arrays, **settings)`` the name, signature and page of npconv's function."""
    signature = inspect.signature(function)

    def decorate(adapter: Function) -> Function:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            settings = signature.bind(*args, **kwargs).arguments
            if settings.pop("out", None) is not None:
                raise TypeError(f"{function.__name__}: out= cannot be differentiated")
            return adapter(*[settings.pop(name, None) for name in arrays], **settings)

        return call

    return decorate


def traced(*values: Any) -> bool:
    """Whether a derivative may be asked for by one of the values."""
    return any(isinstance(value, Box) for value in values)


def linear_pair(there: Function, back: Function) -> tuple[Function, Function]:
    """Make primitives of a linear function and its adjoint.

    ``there(x, settings)`` and ``back(grad, settings)``: what else they need is constant.
    """
    forward, backward = primitive(there), primitive(back)
    defvjp(forward, lambda ans, x, *rest: lambda g: backward(g, *rest))
    defvjp(backward, lambda ans, g, *rest: lambda h: forward(h, *rest))
    return forward, backward


def defined_gradient(backward: Function, definition: Function, argnum: int) -> Function:
    """Make a primitive of a gradient that is not linear in all that it depends on.

    ``backward(grad, *args)`` is the gradient of ``definition(*args)`` by its ``argnum``-th
    argument. The definition is written in autograd.numpy and only runs where the gradient itself
    is differentiated.
    """
    gradient: Function = primitive(backward)

    def defined(grad: Any, *args: Any) -> Any:
        return derivative(definition, args, argnum)(grad)

    def vjp(number: int) -> Function:
        return lambda ans, *args: derivative(defined, args, number)

    argnums = range(1 + len(inspect.signature(definition).parameters))
    defvjp(gradient, *[vjp(number) for number in argnums])
    return gradient


def derivative(function: Function, args: tuple[Any, ...], argnum: int) -> Function:
    """Return the vector-Jacobian product of ``function`` by one argument, at ``args``."""

    def of_one(value: Any) -> Any:
        return _attached(function(*args[:argnum], value, *args[argnum + 1 :]), value)

    product: Function = make_vjp(of_one, args[argnum])[0]
    return product


@primitive
def _attached(result: Any, value: Any) -> Any:
    """The result, in a trace of the value even where it does not depend on it."""
    return result


defvjp(_attached, lambda ans, result, value: lambda g: g, None)


# --- activations that other operations apply -------------------------------------------------

_BACKWARD: dict[str, Function] = {
    "relu": functional.relu_backward,
    "relu6": functional.relu6_backward,
    "leaky_relu": functional.leaky_relu_backward,
}


@primitive
def _kinked_backward(grad: Any, y: Any, activation: Any) -> Any:
    name, *slope = (activation,) if isinstance(activation, str) else activation
    return _BACKWARD[name](grad, y, *slope)


# Linear in grad; y decides which piece it is, so that the derivative by it is zero.
defvjp(
    _kinked_backward,
    lambda ans, grad, y, activation: lambda h: _kinked_backward(h, y, activation),
    None,
)


def before_activation(grad: Any, y: Any, activation: Any) -> Any:
    """Take a gradient from behind an activation with result y to before it."""
    return grad if activation is None else _kinked_backward(grad, y, activation)


# --- sums over channels ----------------------------------------------------------------------


def _spread(sums: Any, shape: tuple[int, ...], axis: int) -> Any:
    wide = [1] * len(shape)
    wide[axis] = -1
    return np.array(np.broadcast_to(sums.reshape(wide), shape))


def _channel_sums(grad: Any, shape: tuple[int, ...], axis: int) -> Any:
    return channel_sums(grad[np.newaxis] if axis == 0 else grad)


_sums, _ = linear_pair(_channel_sums, _spread)


def bias_gradient(grad: Any, channel_axis: int) -> Any:
    """Sum over all axes but the channels', which is the first or the second."""
    return _sums(grad, grad.shape, channel_axis)
