"""Gradient descent with momentum."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array
from npconv.optim.optimiser import Optimiser


class Momentum(Optimiser):
    """``v = momentum * v - learning_rate * g; p += v``, with v starting at zero."""

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__(learning_rate)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum is {momentum}, expected at least 0 and below 1")
        self.momentum = momentum
        self._velocity: dict[str, Array] = {}

    def _step(self, name: str, param: Array, grad: Array) -> None:
        if name not in self._velocity:
            self._velocity[name] = np.zeros_like(param)
        velocity = self._velocity[name]
        velocity *= self.momentum
        velocity -= self.learning_rate * grad
        param += velocity
