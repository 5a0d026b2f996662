"""AdaGrad (Duchi, Hazan and Singer 2011)."""

from __future__ import annotations

from npconv.arguments.elementwise import number
from npconv.optim.optimiser import Optimiser


class AdaGrad(Optimiser):
    """``h += g * g; p -= learning_rate * g / (sqrt(h) + epsilon)``, with h starting at zero."""

    _rule = "adagrad"
    _slots = ("h",)

    def __init__(
        self, learning_rate: float = 0.01, *, epsilon: float = 1e-7, weight_decay: float = 0.0
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.epsilon = number(epsilon, "epsilon", 0)

    def _settings(self) -> tuple[float, float, float, float, float, float]:
        return self.learning_rate, 1.0, self.weight_decay, 0.0, 0.0, self.epsilon
