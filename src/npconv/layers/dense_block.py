"""Layers that all see what came before them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from npconv.checks import Array
from npconv.layers.container import Container, named
from npconv.layers.layer import Layer


class DenseBlock(Container):
    """The input, and behind its channels those that each layer makes of all channels before.

    Huang et al. 2016. All features lie in one array, of which every layer sees the front and fills
    the next channels; nothing is joined again and again.

    Parameters
    ----------
    *layers : Layer, or one mapping of str to Layer
        Named ``"0"``, ``"1"``, ... or as given. They keep height and width.
    """

    def __init__(self, *layers: Layer | Mapping[str, Layer]) -> None:
        super().__init__(named(layers))

    def _forward(self, x: Array) -> Array:
        features, filled = x, x.shape[1]
        starts = [filled]
        for i, layer in enumerate(self.layers.values()):
            new = layer.forward(features[:, :filled])
            stop = filled + new.shape[1]
            if features is x or stop > features.shape[1]:
                coming = (len(self.layers) - i) * new.shape[1]
                features = _grown(features[:, :filled], filled + coming, new)
            features[:, filled:stop] = new
            filled = stop
            starts.append(filled)
        self._keep(starts)
        return features[:, :filled]

    def backward(self, grad: Array) -> Array:
        (starts,) = self._recall()
        if grad.shape[1] != starts[-1]:
            raise ValueError(f"grad has {grad.shape[1]} channels, the output has {starts[-1]}")
        grads = grad.copy()
        layers = list(self.layers.values())
        for layer, start, stop in reversed(list(zip(layers, starts, starts[1:], strict=False))):
            grads[:, :start] += layer.backward(grads[:, start:stop])
        return np.ascontiguousarray(grads[:, : starts[0]])


def _grown(features: Array, channels: int, like: Array) -> Array:
    """Copy features to the front of an array for more channels."""
    batch, filled, *sides = features.shape
    grown = np.empty((batch, channels, *sides), np.result_type(features, like))
    grown[:, :filled] = features
    return grown
