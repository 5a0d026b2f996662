"""Operations on each element by itself."""

from __future__ import annotations

from typing import Any

from autograd.extend import defvjp, primitive

from npconv import functional
from npconv.compat.autograd._calls import Function, before_activation, public


def _from_result(
    name: str, second: Function | None, argument: str | None = None, keeps: str = "y"
) -> Function:
    """Make an activation whose gradient is ``backward(grad, y)``, or of x where `keeps` is "x".

    ``second(h, grad, y, *argument)`` is the gradient of ``sum(h * backward(grad, y))`` by y; None
    where that is zero.
    """
    forward, backward = getattr(functional, name), getattr(functional, f"{name}_backward")

    @primitive
    def result(x: Any, extra: Any, how: Any) -> Any:
        return forward(x, *extra, **how)

    @primitive
    def gradient(grad: Any, kept: Any, extra: Any, how: Any) -> Any:
        return backward(grad, kept, *extra, **how)

    defvjp(
        result,
        lambda ans, x, extra, how: lambda g: gradient(g, ans if keeps == "y" else x, extra, how),
    )
    defvjp(
        gradient,
        lambda ans, grad, kept, extra, how: lambda h: gradient(h, kept, extra, how),
        second and (lambda ans, grad, kept, extra, how: lambda h: second(h, grad, kept, *extra)),
    )

    @public(forward, "x")
    def call(x: Any, **how: Any) -> Any:
        extra = (how.pop(argument),) if argument in how else ()
        return result(x, extra, how)

    return call


relu = _from_result("relu", None)
relu6 = _from_result("relu6", None)
leaky_relu = _from_result("leaky_relu", None, "slope", keeps="x")
elu = _from_result("elu", lambda h, grad, y, alpha=1.0: h * grad * (y <= 0), "alpha")
sigmoid = _from_result("sigmoid", lambda h, grad, y: h * grad * (1 - 2 * y))
tanh = _from_result("tanh", lambda h, grad, y: -2 * h * grad * y)


@primitive
def _add(x: Any, y: Any, activation: Any, how: Any) -> Any:
    return functional.add(x, y, activation, **how)


def _add_vjp(ans: Any, x: Any, y: Any, activation: Any, how: Any) -> Function:
    return lambda g: before_activation(g, ans, activation)


defvjp(_add, _add_vjp, _add_vjp)


@public(functional.add, "x", "y")
def add(x: Any, y: Any, activation: Any = None, **how: Any) -> Any:
    return _add(x, y, activation, how)


@primitive
def _dropout(x: Any, p: Any, rng: Any, how: Any, mask: list[Any]) -> Any:
    y, drawn = functional.dropout(x, p, rng=rng, **how)
    mask[:] = [drawn]
    return y


@primitive
def _dropout_backward(grad: Any, p: Any, how: Any, mask: list[Any]) -> Any:
    return functional.dropout_backward(grad, mask[0], p, **how)


defvjp(_dropout, lambda ans, x, p, rng, how, mask: lambda g: _dropout_backward(g, p, how, mask))
defvjp(  # its own adjoint
    _dropout_backward, lambda ans, g, p, how, mask: lambda h: _dropout_backward(h, p, how, mask)
)


@public(functional.dropout, "x")
def dropout(x: Any, p: Any = 0.5, *, rng: Any, **how: Any) -> Any:
    mask: list[Any] = []
    y = _dropout(x, p, rng, how, mask)
    return y, mask[0]
