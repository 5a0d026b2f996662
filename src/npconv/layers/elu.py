"""The exponential linear unit."""

from __future__ import annotations

from npconv import functional
from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.layers.layer import Layer


class ELU(Layer):
    """``x``, but ``alpha * (exp(x) - 1)`` below zero, element by element, any shape.

    Parameters
    ----------
    alpha : float
        Finite, at least 0.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self._alpha = elementwise.number(alpha, "alpha", 0)

    def forward(self, x: Array) -> Array:
        y = functional.elu(x, self._alpha)
        self._keep(y)
        return y

    def backward(self, grad: Array) -> Array:
        (y,) = self._recall()
        return functional.elu_backward(grad, y, self._alpha)
