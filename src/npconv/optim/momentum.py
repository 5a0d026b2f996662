"""Gradient descent with momentum."""

from __future__ import annotations

from npconv.arguments.elementwise import number
from npconv.optim.optimiser import Optimiser


class Momentum(Optimiser):
    """``v = momentum * v - learning_rate * g; p += v``, with v starting at zero.

    This is the form of the book 'Deep Learning from Scratch'. PyTorch's velocity is
    ``-v / learning_rate``, which moves parameters alike while the rate stays.
    """

    _rule = "momentum"
    _slots = ("v",)

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.9, *, weight_decay: float = 0.0
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.momentum = number(momentum, "momentum", 0, 1)

    def _settings(self) -> tuple[float, float, float, float, float, float]:
        return self.learning_rate, 1.0, self.weight_decay, self.momentum, 0.0, 0.0
