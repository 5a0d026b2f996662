"""RMSprop (Tieleman and Hinton 2012)."""

from __future__ import annotations

from npconv.arguments.elementwise import number
from npconv.optim.optimiser import Optimiser


class RMSprop(Optimiser):
    """AdaGrad that forgets.

    ::

        h = decay_rate * h + (1 - decay_rate) * g * g
        p -= learning_rate * g / (sqrt(h) + epsilon)

    h starts at zero. The defaults are those of the book 'Deep Learning from Scratch'.
    """

    _rule = "rmsprop"
    _slots = ("h",)

    def __init__(
        self,
        learning_rate: float = 0.01,
        decay_rate: float = 0.99,
        *,
        epsilon: float = 1e-7,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.decay_rate = number(decay_rate, "decay_rate", 0, 1)
        self.epsilon = number(epsilon, "epsilon", 0)

    def _settings(self) -> tuple[float, float, float, float, float, float]:
        return self.learning_rate, 1.0, self.weight_decay, 0.0, self.decay_rate, self.epsilon
