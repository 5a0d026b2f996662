"""The base class of layers."""

from __future__ import annotations

from collections.abc import MutableMapping

from npconv.checks import Array
from npconv.layers.mode import Mode


class Layer(Mode):
    """One step of a network.

    Attributes
    ----------
    params, grads : mutable mapping of str to ndarray
        Parameters, and after ``backward`` the loss's gradients with respect to them, under the
        same names (torchvision's: ``weight``, ``bias``). Parameters are read at each call, nothing
        derived from them is kept: update them in place or replace them, as you like.
    """

    def __init__(self) -> None:
        super().__init__()
        self._params: dict[str, Array] = {}
        self._grads: dict[str, Array] = {}

    @property
    def params(self) -> MutableMapping[str, Array]:
        return self._params

    @property
    def grads(self) -> MutableMapping[str, Array]:
        return self._grads

    def forward(self, x: Array) -> Array:
        """Return the layer's output for `x`; in training mode, keep what ``backward`` needs."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def backward(self, grad: Array) -> Array:
        """Take the output's gradient, fill ``grads`` and return the input's gradient."""
        raise NotImplementedError(f"{type(self).__name__} does not define backward")

    def backward_params(self, grad: Array) -> None:
        """Fill ``grads`` only: for a network's first layer, whose input gradient nobody reads."""
        self.backward(grad)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}={value.shape}" for name, value in self.params.items())
        return f"{type(self).__name__}({shapes})"
