"""The base class of layers that are made of layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from npconv import checks
from npconv.checks import Array
from npconv.layers import state
from npconv.layers.flat_view import FlatView
from npconv.layers.layer import Entry, Layer

if TYPE_CHECKING:
    from npconv.inference import Session


class Container(Layer):
    """A layer made of named layers.

    A class derived from it defines ``_forward`` and ``backward``.

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
        self._session: Session | None = None
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

    def forward(self, x: Array) -> Array:
        return self._forward(x) if self._session is None else self._session(x)

    def _forward(self, x: Array) -> Array:
        """Run the layers."""
        raise NotImplementedError(f"{type(self).__name__} does not define _forward")

    def train(self, mode: bool = True) -> Self:
        if mode:
            self._session = None
        for layer in self.layers.values():
            layer.train(mode)
        return super().train(mode)

    def fuse(self) -> Self:
        """Switch to evaluation mode, and run ``forward`` with fewer and larger steps from now on.

        Batch normalisation is folded into the weights of convolutions; bias, ReLU and the residual
        sum become part of the convolution before them; branches write straight into the array in
        which they are joined; all activations lie in one block of memory that is used again and
        again. Results differ by rounding.

        The network remains as it is, ``params`` and ``state_dict`` too; ``train()`` undoes it.
        ``load_state_dict`` repeats it. Changes of parameters by other means are not seen: call
        ``fuse`` again. Copies and pickles are not fused.
        """
        from npconv.inference import fused

        self.eval()
        self._session = None
        self._session = fused(self)
        return self

    def prepare(self, input_shape: Sequence[int]) -> Self:
        """Do as ``fuse``, and transform the weights for images of one shape, too.

        Spares every call what :func:`npconv.prepare` does, for the memory that this takes. Images
        of other shapes can be given all the same.

        Parameters
        ----------
        input_shape : (N, C, H, W) or (C, H, W)
            Of the images to come. N does not matter.
        """
        shape = checks.shape(input_shape, "input_shape", (3, 4), "(N, C, H, W) or (C, H, W)")
        self.fuse()
        if self._session is not None:
            self._session.prepare((1, *shape[-3:]))
        return self

    def load_state_dict(
        self, state_dict: Mapping[str, Array], strict: bool = True
    ) -> state.Difference:
        difference = super().load_state_dict(state_dict, strict)
        if self._session is not None:
            self.fuse()
        return difference

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_session": None}

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
