"""The rectifier with a ceiling."""

from __future__ import annotations

from npconv import functional
from npconv.checks import Array
from npconv.layers.layer import Layer


class ReLU6(Layer):
    """``min(max(x, 0), 6)`` element by element, any shape; NaN stays NaN."""

    def forward(self, x: Array) -> Array:
        y = functional.relu6(x)
        self._keep(y)
        return y

    def backward(self, grad: Array) -> Array:
        (y,) = self._recall()
        return functional.relu6_backward(grad, y)
