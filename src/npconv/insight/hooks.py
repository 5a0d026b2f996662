"""Watching the layers of a network while it runs, and running it without training it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from npconv.checks import Array
from npconv.layers import Layer
from npconv.layers.container import Container
from npconv.models import AuxiliaryHeads


def leaves(net: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """Yield every layer that is not made of layers, with its name, in the order of the network."""
    parts: dict[str, Layer] = getattr(net, "layers", {})
    if not parts:
        yield path, net
    for name, layer in parts.items():
        yield from leaves(layer, f"{path}.{name}" if path else name)


def _everything(net: Layer) -> Iterator[Layer]:
    yield net
    for layer in getattr(net, "layers", {}).values():
        yield from _everything(layer)


@contextmanager
def evaluation(net: Layer) -> Iterator[None]:
    """Put the network into evaluation mode for a while."""
    training = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(training)


@contextmanager
def watched(net: Layer, method: str, note: Callable[[str, Any, Any], None]) -> Iterator[None]:
    """Call ``note(name, argument, result)`` after each call of a leaf's `method` for a while."""
    replaced = [
        (layer, _replace(layer, method, _watching(name, getattr(layer, method), note)))
        for name, layer in leaves(net)
    ]
    try:
        with _layer_by_layer(net):
            yield
    finally:
        for layer, before in replaced:
            _put_back(layer, method, before)


@contextmanager
def differentiable(net: Layer) -> Iterator[None]:
    """Let ``backward`` follow a forward pass that computes what evaluation does.

    Layers keep what backward needs in training mode only, in which dropout is random and batch
    normalisation looks at the batch. So those two stay in evaluation mode, where they multiply each
    channel by a number, and pass the gradient through the same multiplication. Auxiliary heads,
    which speak in training mode only, are passed by.
    """
    modes = [(layer, layer.training) for layer in _everything(net)]
    net.eval()
    replaced, heads = [], []
    for layer, _ in modes:
        if isinstance(layer, AuxiliaryHeads):
            heads.append((layer, layer.heads))
            layer.heads = {}
        if type(layer).__name__.startswith(("Dropout", "BatchNorm")):
            replaced.append((layer, _replace(layer, "backward", _scaling(layer))))
        elif getattr(layer, "layers", None):
            layer.training = True  # itself only
        else:
            layer.train()
    try:
        with _layer_by_layer(net):
            yield
    finally:
        net.eval()  # lets go of what was kept
        for chain, names in heads:
            chain.heads = names
        for layer, before in replaced:
            _put_back(layer, "backward", before)
        for layer, training in modes:
            if getattr(layer, "layers", None):
                layer.training = training
            else:
                layer.train(training)


@contextmanager
def _layer_by_layer(net: Layer) -> Iterator[None]:
    """Run the layers even if the network is fused, which would pass them by."""
    fused = [
        (layer, layer._session)
        for layer in _everything(net)
        if isinstance(layer, Container) and layer._session is not None
    ]
    for layer, _ in fused:
        layer._session = None
    try:
        yield
    finally:
        for layer, session in fused:
            layer._session = session


def _watching(
    name: str, method: Callable[[Any], Any], note: Callable[[str, Any, Any], None]
) -> Callable[[Any], Any]:
    def run(argument: Any) -> Any:
        result = method(argument)
        note(name, argument, result)
        return result

    return run


def _scaling(layer: Layer) -> Callable[[Array], Array]:
    """Return the backward of a layer that is ``scale * x + shift`` for each channel."""

    def backward(grad: Array) -> Array:
        shape = (1, grad.shape[1], *(1 for _ in grad.shape[2:]))
        zeros = np.zeros(shape, grad.dtype)
        scale: Array = layer.forward(zeros + 1) - layer.forward(zeros)
        return grad * scale

    return backward


def _replace(layer: Layer, method: str, by: Callable[[Any], Any]) -> Any:
    """Let an attribute of the object hide its class's method; return one that did so before."""
    before = vars(layer).get(method)
    setattr(layer, method, by)
    return before


def _put_back(layer: Layer, method: str, before: Any) -> None:
    if before is None:
        delattr(layer, method)
    else:
        setattr(layer, method, before)
