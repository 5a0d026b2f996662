"""The base class of layers that are made of layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Self

from npconv.checks import Array
from npconv.layers.flat_view import FlatView
from npconv.layers.layer import Entry, Layer


class Container(Layer):
    """A layer made of named layers.

    Parameters
    ----------
    layers : iterable of (str, Layer)
        Names and layers, in the order of the forward pass.

    Attributes
    ----------
    layers : dict of str to Layer
        In the order in which they were given.
    params, grads, buffers
        All layers' parameters, gradients and buffers under ``"<layer>.<name>"``, e.g.
        ``"0.weight"``: live views, through which arrays can be replaced too.
    """

    def __init__(self, layers: Iterable[tuple[str, Layer]] = ()) -> None:
        super().__init__()
        self.layers: dict[str, Layer] = {}
        for name, layer in layers:
            self._append(name, layer)

    def _append(self, name: str, layer: Any) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"layer {name!r} is a {type(layer).__name__}, expected a Layer")
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"layer name {name!r} must be a non-empty string without dots")
        if name in self.layers:
            raise ValueError(f"layer name {name!r} is given twice")
        if layer in self.layers.values():
            # It keeps what one backward pass needs, so the second forward would undo the first.
            raise ValueError(f"layer {name!r} stands in the {type(self).__name__} twice")
        self.layers[name] = layer

    @property
    def params(self) -> MutableMapping[str, Array]:
        return FlatView({name: layer.params for name, layer in self.layers.items()})

    @property
    def grads(self) -> MutableMapping[str, Array]:
        return FlatView({name: layer.grads for name, layer in self.layers.items()})

    @property
    def buffers(self) -> MutableMapping[str, Array]:
        return FlatView({name: layer.buffers for name, layer in self.layers.items()})

    def _entries(self, prefix: str = "") -> Iterator[Entry]:
        for name, layer in self.layers.items():
            yield from layer._entries(f"{prefix}{name}.")

    def train(self, mode: bool = True) -> Self:
        for layer in self.layers.values():
            layer.train(mode)
        return super().train(mode)

    def __repr__(self) -> str:
        lines = "".join(
            f"\n  {name}: {_indented(repr(layer))}," for name, layer in self.layers.items()
        )
        return f"{type(self).__name__}({lines}\n)" if lines else f"{type(self).__name__}()"


def named(layers: tuple[Layer | Mapping[str, Layer], ...]) -> Iterable[tuple[str, Layer]]:
    """Name layers "0", "1", ...; or take the names of the one mapping that is given."""
    if len(layers) == 1 and isinstance(layers[0], Mapping):
        return layers[0].items()
    pairs: Any = [(str(i), layer) for i, layer in enumerate(layers)]
    return list(pairs)


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")
