"""Stochastic gradient descent."""

from __future__ import annotations

from npconv.optim.optimiser import Optimiser


class SGD(Optimiser):
    """``p -= learning_rate * g``, where ``g`` is the gradient plus ``weight_decay * p``."""

    _rule = "sgd"

    def __init__(self, learning_rate: float = 0.01, *, weight_decay: float = 0.0) -> None:
        super().__init__(learning_rate, weight_decay)
