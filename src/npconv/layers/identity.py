"""The layer that does nothing."""

from __future__ import annotations

from npconv.checks import Array
from npconv.layers.layer import Layer


class Identity(Layer):
    """``x``, any shape: a branch of a Concat, or a place to be filled later."""

    def forward(self, x: Array) -> Array:
        self._keep()
        return x

    def backward(self, grad: Array) -> Array:
        self._recall()
        return grad
