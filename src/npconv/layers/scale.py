"""Numbers multiplied by one that stays."""

from __future__ import annotations

from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.layers.layer import Layer


class Scale(Layer):
    """``factor * x`` element by element, any shape.

    Below 1 behind a network's last layer, it makes that one's scores small and its steps smaller.

    Parameters
    ----------
    factor : float
        Finite, at least 0.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self._factor = elementwise.number(factor, "factor", 0)

    def forward(self, x: Array) -> Array:
        self._keep()
        y: Array = x * self._factor
        return y

    def backward(self, grad: Array) -> Array:
        self._recall()
        dx: Array = grad * self._factor
        return dx
