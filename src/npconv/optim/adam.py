"""Adam (Kingma and Ba 2015)."""

from __future__ import annotations

import math

from npconv.arguments.elementwise import number
from npconv.optim.optimiser import Optimiser


class Adam(Optimiser):
    """Steps scaled by running means of the gradient (m) and of its square (v).

    At step t = 1, 2, ..., as in section 2 of the paper and in the book 'Deep Learning from
    Scratch'::

        m += (1 - beta1) * (g - m)
        v += (1 - beta2) * (g * g - v)
        p -= learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + epsilon)

    Here epsilon joins the plain sqrt(v). PyTorch adds its 1e-8 to the corrected
    sqrt(v / (1 - beta2**t)); the two differ only where gradients are as small as epsilon.
    `weight_decay` is added to the gradient, so that it is scaled like it; :class:`AdamW` keeps the
    two apart.
    """

    _rule = "adam"
    _slots = ("m", "v")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-7,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.beta1 = number(beta1, "beta1", 0, 1)
        self.beta2 = number(beta2, "beta2", 0, 1)
        self.epsilon = number(epsilon, "epsilon", 0)

    def _settings(self) -> tuple[float, float, float, float, float, float]:
        rate = self.learning_rate * self._root() / (1 - self.beta1**self.steps)
        return rate, 1.0, self.weight_decay, self.beta1, self.beta2, self.epsilon

    def _root(self) -> float:
        return math.sqrt(1 - self.beta2**self.steps)
