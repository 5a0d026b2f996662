"""The residual connection."""

from __future__ import annotations

from collections.abc import Mapping

from npconv import functional
from npconv.checks import Array
from npconv.layers.container import Container, named
from npconv.layers.layer import Layer
from npconv.layers.relu import ReLU
from npconv.layers.sequential import Sequential


class Residual(Container):
    """``activation(chain(x) + shortcut(x))``, a block of the residual networks.

    He et al. 2015.

    Parameters
    ----------
    *layers : Layer, or one mapping of str to Layer
        The chain: named ``"0"``, ``"1"``, ... or as given.
    shortcut : Layer, or mapping of one str to a Layer, optional
        What the input goes through on its way to the sum, named ``"shortcut"`` or as given; the
        input itself unless given.
    activation : Layer, or mapping of one str to a Layer, optional
        Applied to the sum, named ``"activation"`` or as given.

    Attributes
    ----------
    layers : dict of str to Layer
        Those of the chain, then shortcut and activation.
    """

    def __init__(
        self,
        *layers: Layer | Mapping[str, Layer],
        shortcut: Layer | Mapping[str, Layer] | None = None,
        activation: Layer | Mapping[str, Layer] | None = None,
    ) -> None:
        super().__init__(named(layers))
        self.chain = Sequential(dict(self.layers))
        self.shortcut = self._extra("shortcut", shortcut)
        self.activation = self._extra("activation", activation)

    def _extra(self, role: str, given: Layer | Mapping[str, Layer] | None) -> Layer | None:
        if given is None:
            return None
        if not isinstance(given, Mapping):
            given = {role: given}
        if len(given) != 1:
            raise ValueError(f"{role} has {len(given)} layers, expected one; Sequential joins them")
        ((name, layer),) = given.items()
        self._append(name, layer)
        return layer

    def _forward(self, x: Array) -> Array:
        y = self.chain.forward(x)
        by_pass = x if self.shortcut is None else self.shortcut.forward(x)
        if y.shape != by_pass.shape:
            raise ValueError(
                f"the chain's output has shape {y.shape}, the shortcut's {by_pass.shape}"
            )
        if type(self.activation) is ReLU:  # sum and activation in one pass
            total = functional.add(y, by_pass, "relu")
            self._keep(total)
            return total
        total = functional.add(y, by_pass)
        return total if self.activation is None else self.activation.forward(total)

    def backward(self, grad: Array) -> Array:
        grad = self._before_activation(grad)
        dx = self.chain.backward(grad)
        by_pass = grad if self.shortcut is None else self.shortcut.backward(grad)
        return functional.add(dx, by_pass)

    def backward_params(self, grad: Array) -> None:
        grad = self._before_activation(grad)
        self.chain.backward_params(grad)
        if self.shortcut is not None:
            self.shortcut.backward_params(grad)

    def _before_activation(self, grad: Array) -> Array:
        if type(self.activation) is ReLU:
            (y,) = self._recall()
            return functional.relu_backward(grad, y)
        return grad if self.activation is None else self.activation.backward(grad)
