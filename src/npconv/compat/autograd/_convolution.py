"""Convolutions: functions that are linear in images and in filters."""

from __future__ import annotations

from typing import Any

from autograd.extend import defvjp, defvjp_argnums, primitive

from npconv import functional
from npconv.compat.autograd._calls import Function, before_activation, bias_gradient, public


class _Family:
    """A convolution, its gradients by images and filters, and how they lead to each other.

    All three are sums of products of an image, a filter and a result: whichever two are given,
    the third is one of them, and so are all their derivatives.
    """

    def __init__(self, name: str, ndim: int) -> None:
        forward = getattr(functional, name)
        input_grad = getattr(functional, f"{name}_input_grad")
        weight_grad = getattr(functional, f"{name}_weight_grad")
        channel_axis = {ndim + 1: 0, ndim + 2: 1}

        @primitive
        def to_result(x: Any, weight: Any, how: dict[str, Any]) -> Any:
            return forward(x, weight, **how)

        @primitive
        def to_images(grad: Any, weight: Any, shape: Any, how: dict[str, Any]) -> Any:
            return input_grad(grad, weight, shape, **how)

        @primitive
        def to_filters(grad: Any, x: Any, shape: Any, how: dict[str, Any]) -> Any:
            return weight_grad(grad, x, shape, **how)

        @primitive
        def fused(x: Any, weight: Any, bias: Any, add: Any, activation: Any, how: Any) -> Any:
            if add is not None:
                how = {**how, "add": add}
            return forward(x, weight, bias, activation=activation, **how)

        defvjp(
            to_result,
            lambda ans, x, weight, how: lambda g: to_images(g, weight, x.shape, how),
            lambda ans, x, weight, how: lambda g: to_filters(g, x, weight.shape, how),
        )
        defvjp(
            to_images,
            lambda ans, grad, weight, shape, how: lambda h: to_result(h, weight, how),
            lambda ans, grad, weight, shape, how: lambda h: to_filters(grad, h, weight.shape, how),
        )
        defvjp(
            to_filters,
            lambda ans, grad, x, shape, how: lambda h: to_result(x, h, how),
            lambda ans, grad, x, shape, how: lambda h: to_images(grad, h, x.shape, how),
        )

        def fused_vjp(argnums: Any, ans: Any, args: Any, kwargs: Any) -> Function:
            x, weight, _, _, activation, how = args
            gradients = {
                0: lambda g: to_images(g, weight, x.shape, how),
                1: lambda g: to_filters(g, x, weight.shape, how),
                2: lambda g: bias_gradient(g, channel_axis[x.ndim]),
                3: lambda g: g,
            }

            def vjp(g: Any) -> tuple[Any, ...]:
                g = before_activation(g, ans, activation)
                return tuple([gradients[number](g) for number in argnums])

            return vjp

        defvjp_argnums(fused, fused_vjp)

        @public(forward, "x", "weight", "bias", "add")
        def result(x: Any, weight: Any, bias: Any, add: Any, **how: Any) -> Any:
            return fused(x, weight, bias, add, how.pop("activation", None), how)

        @public(input_grad, "grad", "weight", "input_shape")
        def images(grad: Any, weight: Any, input_shape: Any, **how: Any) -> Any:
            return to_images(grad, weight, input_shape, how)

        @public(weight_grad, "grad", "x", "weight_shape")
        def filters(grad: Any, x: Any, weight_shape: Any, **how: Any) -> Any:
            return to_filters(grad, x, weight_shape, how)

        self.result, self.images, self.filters = result, images, filters


_conv1d, _conv2d, _conv3d = [_Family(f"conv{ndim}d", ndim) for ndim in (1, 2, 3)]
conv1d, conv1d_input_grad, conv1d_weight_grad = _conv1d.result, _conv1d.images, _conv1d.filters
conv2d, conv2d_input_grad, conv2d_weight_grad = _conv2d.result, _conv2d.images, _conv2d.filters
conv3d, conv3d_input_grad, conv3d_weight_grad = _conv3d.result, _conv3d.images, _conv3d.filters

_upward = {ndim: _Family(f"conv_transpose{ndim}d", ndim) for ndim in (1, 2, 3)}
conv_transpose1d = _upward[1].result
conv_transpose1d_input_grad = _upward[1].images
conv_transpose1d_weight_grad = _upward[1].filters
conv_transpose2d = _upward[2].result
conv_transpose2d_input_grad = _upward[2].images
conv_transpose2d_weight_grad = _upward[2].filters
conv_transpose3d = _upward[3].result
conv_transpose3d_input_grad = _upward[3].images
conv_transpose3d_weight_grad = _upward[3].filters
