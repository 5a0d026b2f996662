"""The rectifier."""

from __future__ import annotations

from npconv import functional
from npconv.checks import Array
from npconv.layers.layer import Layer


class ReLU(Layer):
    """``max(x, 0)`` element by element, any shape; NaN stays NaN."""

    def forward(self, x: Array) -> Array:
        y = functional.relu(x)
        self._keep(y)
        return y

    def backward(self, grad: Array) -> Array:
        (y,) = self._recall()
        return functional.relu_backward(grad, y)
