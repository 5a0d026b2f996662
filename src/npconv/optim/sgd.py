"""Stochastic gradient descent."""

from __future__ import annotations

from npconv.checks import Array
from npconv.optim.optimiser import Optimiser


class SGD(Optimiser):
    """``p -= learning_rate * g``."""

    def __init__(self, learning_rate: float = 0.01) -> None:
        super().__init__(learning_rate)

    def _step(self, name: str, param: Array, grad: Array) -> None:
        param -= self.learning_rate * grad
