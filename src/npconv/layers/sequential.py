"""Layers one after the other."""

from __future__ import annotations

from collections.abc import Mapping

from npconv.checks import Array
from npconv.layers import rectified
from npconv.layers.container import Container, named
from npconv.layers.layer import Layer


class Sequential(Container):
    """A chain of layers; itself a layer, so chains nest.

    Parameters
    ----------
    *layers : Layer, or one mapping of str to Layer
        Named ``"0"``, ``"1"``, ... or as given.

    Attributes
    ----------
    layers : dict of str to Layer
        In the order of the forward pass.
    params, grads, buffers
        All layers' parameters, gradients and buffers under ``"<layer>.<name>"``, e.g.
        ``"0.weight"``: live views, through which arrays can be replaced too.
    """

    def __init__(self, *layers: Layer | Mapping[str, Layer]) -> None:
        super().__init__(named(layers))

    def _forward(self, x: Array) -> Array:
        return rectified.forward(list(self.layers.values()), x)

    def backward(self, grad: Array) -> Array:
        return rectified.backward(list(self.layers.values()), grad)

    def backward_params(self, grad: Array) -> None:
        layers = list(self.layers.values())
        grad = rectified.backward(layers[1:], grad)
        for layer in layers[:1]:
            layer.backward_params(grad)
