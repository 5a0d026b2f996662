"""The rectifier that lets some of the negative side through."""

from __future__ import annotations

from npconv import functional
from npconv.arguments import elementwise
from npconv.checks import LEAKY_SLOPE, Array
from npconv.layers.layer import Layer


class LeakyReLU(Layer):
    """``x``, but ``slope * x`` below zero, element by element, any shape.

    Parameters
    ----------
    slope : float
        Finite.
    """

    def __init__(self, slope: float = LEAKY_SLOPE) -> None:
        super().__init__()
        self._slope = elementwise.number(slope, "slope")

    def forward(self, x: Array) -> Array:
        y = functional.leaky_relu(x, self._slope)
        # The result tells the input's sign where the slope has not turned it; it is kept by the
        # next layer too.
        self._keep(y if self._slope >= 0 else x)
        return y

    def backward(self, grad: Array) -> Array:
        (x,) = self._recall()
        return functional.leaky_relu_backward(grad, x, self._slope)
