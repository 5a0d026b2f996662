"""Layers one after the other."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Self

from npconv.checks import Array
from npconv.layers.flat_view import FlatView
from npconv.layers.layer import Layer


class Sequential(Layer):
    """A chain of layers; itself a layer, so chains nest.

    Parameters
    ----------
    *layers : Layer, or one mapping of str to Layer
        Named ``"0"``, ``"1"``, ... or as given.

    Attributes
    ----------
    layers : dict of str to Layer
        In the order of the forward pass.
    params, grads
        All layers' parameters and gradients under ``"<layer>.<name>"``, e.g. ``"0.weight"``:
        live views, through which arrays can be replaced too.
    """

    def __init__(self, *layers: Layer | Mapping[str, Layer]) -> None:
        super().__init__()
        self.layers: dict[str, Layer] = {}
        named: dict[str, Any] = {str(i): layer for i, layer in enumerate(layers)}
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            named = dict(layers[0])
        for name, layer in named.items():
            self._append(name, layer)

    def _append(self, name: str, layer: Any) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"layer {name!r} is a {type(layer).__name__}, expected a Layer")
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"layer name {name!r} must be a non-empty string without dots")
        if layer in self.layers.values():
            # It keeps what one backward pass needs, so the second forward would undo the first.
            raise ValueError(f"layer {name!r} stands in the chain twice")
        self.layers[name] = layer

    @property
    def params(self) -> MutableMapping[str, Array]:
        return FlatView({name: layer.params for name, layer in self.layers.items()})

    @property
    def grads(self) -> MutableMapping[str, Array]:
        return FlatView({name: layer.grads for name, layer in self.layers.items()})

    def train(self, mode: bool = True) -> Self:
        for layer in self.layers.values():
            layer.train(mode)
        return super().train(mode)

    def forward(self, x: Array) -> Array:
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def backward(self, grad: Array) -> Array:
        for layer in reversed(self.layers.values()):
            grad = layer.backward(grad)
        return grad

    def backward_params(self, grad: Array) -> None:
        layers = list(self.layers.values())
        for layer in reversed(layers[1:]):
            grad = layer.backward(grad)
        for layer in layers[:1]:
            layer.backward_params(grad)

    def __repr__(self) -> str:
        lines = "".join(f"\n  {name}: {layer!r}," for name, layer in self.layers.items())
        return f"Sequential({lines}\n)" if lines else "Sequential()"
