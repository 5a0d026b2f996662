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

    def backward(self, grad: Array, overwrite: bool = False) -> Array:
        """Return the input's gradient, which may be written over `grad`."""
        (y,) = self._recall()
        in_place = overwrite and grad.dtype == y.dtype
        return functional.relu_backward(grad, y, out=grad if in_place else None)
