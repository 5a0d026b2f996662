"""The logistic function."""

from __future__ import annotations

from npconv import functional
from npconv.checks import Array
from npconv.layers.layer import Layer


class Sigmoid(Layer):
    """``1 / (1 + exp(-x))`` element by element, any shape."""

    def forward(self, x: Array) -> Array:
        y = functional.sigmoid(x)
        self._keep(y)
        return y

    def backward(self, grad: Array) -> Array:
        (y,) = self._recall()
        return functional.sigmoid_backward(grad, y)
