"""The hyperbolic tangent."""

from __future__ import annotations

from npconv import functional
from npconv.checks import Array
from npconv.layers.layer import Layer


class Tanh(Layer):
    """``tanh(x)`` element by element, any shape."""

    def forward(self, x: Array) -> Array:
        y = functional.tanh(x)
        self._keep(y)
        return y

    def backward(self, grad: Array) -> Array:
        (y,) = self._recall()
        return functional.tanh_backward(grad, y)
