"""Adam (Kingma and Ba 2015)."""

from __future__ import annotations

import math

import numpy as np

from npconv.checks import Array
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
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-7,
    ) -> None:
        super().__init__(learning_rate)
        for name, beta in (("beta1", beta1), ("beta2", beta2)):
            if not 0 <= beta < 1:
                raise ValueError(f"{name} is {beta}, expected at least 0 and below 1")
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self._t = 0
        self._state: dict[str, tuple[Array, Array, Array]] = {}

    def _begin(self) -> None:
        self._t += 1

    def _step(self, name: str, param: Array, grad: Array) -> None:
        if name not in self._state:
            self._state[name] = np.zeros_like(param), np.zeros_like(param), np.empty_like(param)
        m, v, scratch = self._state[name]
        correction = math.sqrt(1 - self.beta2**self._t) / (1 - self.beta1**self._t)

        # One scratch array for all terms: fresh temporaries would cost more than the arithmetic.
        np.subtract(grad, m, out=scratch)
        scratch *= 1 - self.beta1
        m += scratch

        np.multiply(grad, grad, out=scratch)
        scratch -= v
        scratch *= 1 - self.beta2
        v += scratch

        np.sqrt(v, out=scratch)
        scratch += self.epsilon
        np.divide(m, scratch, out=scratch)
        scratch *= self.learning_rate * correction
        param -= scratch
