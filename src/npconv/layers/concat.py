"""Branches side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from npconv import functional
from npconv.checks import Array
from npconv.layers.container import Container, named
from npconv.layers.layer import Layer


class Concat(Container):
    """The branches' outputs for the same input, joined along the channels: an Inception block.

    Szegedy et al. 2014.

    Parameters
    ----------
    *layers : Layer, or one mapping of str to Layer
        The branches, named ``"0"``, ``"1"``, ... or as given. At least one.
    """

    def __init__(self, *layers: Layer | Mapping[str, Layer]) -> None:
        super().__init__(named(layers))
        if not self.layers:
            raise ValueError("Concat has no branches, expected at least one")

    def _forward(self, x: Array) -> Array:
        parts = [layer.forward(x) for layer in self.layers.values()]
        self._keep([part.shape[1] for part in parts])
        return np.concatenate(parts, axis=1)

    def backward(self, grad: Array) -> Array:
        (channels,) = self._recall()
        total: Array | None = None
        for layer, part in zip(self.layers.values(), _split(grad, channels), strict=True):
            dx = layer.backward(part)
            # Not in place: the first may be an array that its layer keeps.
            total = dx if total is None else functional.add(total, dx)
        assert total is not None  # there is a branch
        return total

    def backward_params(self, grad: Array) -> None:
        (channels,) = self._recall()
        for layer, part in zip(self.layers.values(), _split(grad, channels), strict=True):
            layer.backward_params(part)


def _split(grad: Array, channels: list[int]) -> list[Array]:
    if grad.shape[1] != sum(channels):
        raise ValueError(f"grad has {grad.shape[1]} channels, the output has {sum(channels)}")
    return np.split(grad, np.cumsum(channels)[:-1].tolist(), axis=1)
