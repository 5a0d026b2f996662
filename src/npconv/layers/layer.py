"""The base class of layers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TypeAlias

from npconv.checks import Array
from npconv.layers import state
from npconv.layers.mode import Mode

# A key of a state dictionary, and the mapping and the name in it where its array is.
Entry: TypeAlias = tuple[str, MutableMapping[str, Array], str]


class Layer(Mode):
    """One step of a network.

    Attributes
    ----------
    params, grads : mutable mapping of str to ndarray
        Parameters, and after ``backward`` the loss's gradients with respect to them, under the
        same names (torchvision's: ``weight``, ``bias``). Parameters are read at each call, nothing
        derived from them is kept: update them in place or replace them, as you like.
    buffers : mutable mapping of str to ndarray
        What belongs to the state and is not trained, such as running statistics.
    """

    def __init__(self) -> None:
        super().__init__()
        self._params: dict[str, Array] = {}
        self._grads: dict[str, Array] = {}
        self._buffers: dict[str, Array] = {}

    @property
    def params(self) -> MutableMapping[str, Array]:
        return self._params

    @property
    def grads(self) -> MutableMapping[str, Array]:
        return self._grads

    @property
    def buffers(self) -> MutableMapping[str, Array]:
        return self._buffers

    def forward(self, x: Array) -> Array:
        """Return the layer's output for `x`; in training mode, keep what ``backward`` needs."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def backward(self, grad: Array) -> Array:
        """Take the output's gradient, fill ``grads`` and return the input's gradient."""
        raise NotImplementedError(f"{type(self).__name__} does not define backward")

    def backward_params(self, grad: Array) -> None:
        """Fill ``grads`` only: for a network's first layer, whose input gradient nobody reads."""
        self.backward(grad)

    def state_dict(self) -> dict[str, Array]:
        """Return parameters and buffers under torchvision's names, layer after layer.

        The arrays themselves, not copies.
        """
        return {key: part[name] for key, part, name in self._entries()}

    def load_state_dict(
        self, state_dict: Mapping[str, Array], strict: bool = True
    ) -> state.Difference:
        """Copy the arrays of `state_dict` into the parameters and buffers of the same names.

        Values are converted to the dtypes of the arrays that they are copied into. A missing
        ``num_batches_tracked`` counts as zero, as many published weights lack it.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            Such as ``state_dict()`` of the same network here or in torchvision.
        strict : bool
            Whether every name must be on both sides.

        Returns
        -------
        Difference
            The names that were ``missing`` and those that were ``unexpected``, both empty if
            `strict`.

        Raises
        ------
        ValueError
            If an array has another shape, or, if `strict`, a name is missing or unexpected.
            Nothing has been changed then.
        """
        return state.load(list(self._entries()), state_dict, strict)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write ``state_dict()`` to a ``.npz`` or ``.safetensors`` file."""
        state.write(path, self.state_dict())

    def load(self, path: str | os.PathLike[str], strict: bool = True) -> state.Difference:
        """Read a ``.npz`` or ``.safetensors`` file into the parameters and buffers."""
        return self.load_state_dict(state.read(path), strict)

    def _entries(self, prefix: str = "") -> Iterator[Entry]:
        """All parameters, then all buffers; containers pass it on."""
        for part in (self.params, self.buffers):
            for name in part:
                yield prefix + name, part, name

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}={value.shape}" for name, value in self.params.items())
        return f"{type(self).__name__}({shapes})"
