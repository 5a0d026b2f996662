"""The convolutions of signal processing, and separable ones."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
from autograd.extend import defvjp, primitive

from npconv import functional
from npconv.compat.autograd._calls import Function, defined_gradient, public
from npconv.compat.autograd._convolution import conv2d
from npconv.compat.autograd._copying import pad

_BORDERS = {"fill": "constant", "wrap": "wrap", "symm": "symmetric"}


def _filter(name: str, flip: bool) -> Function:
    """Make differentiable a filter of images, whose first derivatives are npconv's own."""
    forward = getattr(functional, name)
    backward = getattr(functional, f"{name}_backward")

    def definition(x: Any, kernel: Any, mode: Any, boundary: Any, fillvalue: Any) -> Any:
        size = kernel.shape[-2:]
        weight = anp.reshape(kernel, (-1, 1, *size))
        weight = weight[:, :, ::-1, ::-1] if flip else weight
        widths = [_width(n, mode, flip) for n in size]
        images = anp.reshape(x, (-1, 1, *x.shape[-2:]))
        y = conv2d(pad(images, [(0, 0), (0, 0), *widths], _BORDERS[boundary], fillvalue), weight)
        return anp.reshape(y, (*x.shape[:-2], *kernel.shape[:-2], *y.shape[2:]))

    @primitive
    def filtered(x: Any, kernel: Any, how: Any, *border: Any) -> Any:
        return forward(x, kernel, *border, **how)

    by_image = defined_gradient(
        lambda grad, *args: backward(grad, *args, needs=(True, False))[0], definition, 0
    )
    by_kernel = defined_gradient(
        lambda grad, *args: backward(grad, *args, needs=(False, True))[1], definition, 1
    )
    defvjp(
        filtered,
        lambda ans, x, kernel, how, *border: lambda g: by_image(g, x, kernel, *border),
        lambda ans, x, kernel, how, *border: lambda g: by_kernel(g, x, kernel, *border),
    )

    @public(forward, "x", "kernel")
    def result(
        x: Any,
        kernel: Any,
        mode: Any = "full",
        boundary: Any = "fill",
        fillvalue: Any = 0,
        **how: Any,
    ) -> Any:
        return filtered(x, kernel, how, mode, boundary, fillvalue)

    return result


def _width(size: int, mode: str, flip: bool) -> tuple[int, int]:
    """The border that gives the results of a mode, for one axis of a kernel."""
    if mode == "same":
        return (size // 2, (size - 1) // 2) if flip else ((size - 1) // 2, size // 2)
    return (0, 0) if mode == "valid" else (size - 1, size - 1)


convolve2d, correlate2d = _filter("convolve2d", flip=True), _filter("correlate2d", flip=False)


@public(functional.separable_conv2d, "x", "depthwise", "pointwise", "bias", "add")
def separable_conv2d(
    x: Any, depthwise: Any, pointwise: Any, bias: Any, add: Any, **how: Any
) -> Any:
    after = {"activation": how.pop("activation", None), "add": add}
    where = {key: how.pop(key) for key in ("stride", "padding", "dilation") if key in how}
    border = {key: how.pop(key) for key in ("padding_mode",) if key in how}
    channels = x.shape[-3]
    inner = conv2d(x, depthwise, groups=channels, **where, **border, **how)
    mixing = anp.reshape(pointwise, (*pointwise.shape[:2], 1, 1))
    return conv2d(inner, mixing, bias, **after, **how)
