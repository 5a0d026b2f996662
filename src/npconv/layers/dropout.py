"""Dropout."""

from __future__ import annotations

import numpy as np

from npconv import functional
from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.layers.layer import Layer


class Dropout(Layer):
    """Each element zeroed with probability `p`, the others scaled by ``1 / (1 - p)``, any shape.

    In evaluation mode it does nothing. The mask is kept as bytes.

    Parameters
    ----------
    p : float
        At least 0 and less than 1.
    rng : numpy.random.Generator
        Where the draws come from.
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator) -> None:
        super().__init__()
        self.p = elementwise.number(p, "p", 0, 1)
        self.rng = elementwise.generator(rng)

    def forward(self, x: Array) -> Array:
        if not self.training:
            self._keep()
            return x
        y, mask = functional.dropout(x, self.p, rng=self.rng)
        self._keep(mask, self.p)
        return y

    def backward(self, grad: Array) -> Array:
        mask, p = self._recall()
        return functional.dropout_backward(grad, mask, p)
