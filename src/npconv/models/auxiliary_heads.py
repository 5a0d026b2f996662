"""A chain of layers with further classifiers at its side, and the loss that trains them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from npconv.checks import Array
from npconv.inference.graph import Graph
from npconv.inference.trace import append, below, traces
from npconv.layers import Container, Layer, SoftmaxCrossEntropy
from npconv.layers.mode import Mode


class Logits(NamedTuple):
    """What a network with two auxiliary heads returns in training mode, in torchvision's order."""

    logits: Array
    aux_logits2: Array
    aux_logits1: Array


class AuxiliaryHeads(Container):
    """A chain, two of whose layers have a head that sees their output: GoogLeNet.

    In evaluation mode, and where there are no heads, ``forward`` returns the logits. In training
    mode with heads it returns :class:`Logits`, and ``backward`` takes three gradients likewise;
    :class:`AuxiliaryCrossEntropy` goes between them.

    Parameters
    ----------
    layers : mapping of str to Layer
        The chain, and the heads among its layers.
    heads : mapping of str to str
        For layers of the chain the name of their head: none, or two.
    """

    def __init__(self, layers: Mapping[str, Layer], heads: Mapping[str, str]) -> None:
        super().__init__(layers.items())
        self.heads = dict(heads)
        if len(heads) not in (0, 2) or not {*heads, *heads.values()} <= {*layers}:
            raise ValueError(f"heads is {dict(heads)}, expected the names of two layers and heads")
        self.chain = {n: layer for n, layer in layers.items() if n not in heads.values()}

    def _forward(self, x: Array) -> Any:
        aside: list[Array] = []
        for name, layer in self.chain.items():
            x = layer.forward(x)
            if self.training and name in self.heads:
                aside.append(self.layers[self.heads[name]].forward(x))
        return Logits(x, aside[1], aside[0]) if aside else x

    def backward(self, grad: Any) -> Array:
        return self._backward(grad, list(self.chain.items()))

    def backward_params(self, grad: Any) -> None:
        first, *rest = self.chain.items()
        first[1].backward_params(self._backward(grad, rest))

    def _backward(self, grad: Any, chain: list[tuple[str, Layer]]) -> Array:
        dx: Array
        dx, *aside = grad if self.heads else (grad,)
        if len(aside) != len(self.heads):
            raise ValueError(f"grad has {1 + len(aside)} arrays, expected {1 + len(self.heads)}")
        for name, layer in reversed(chain):
            if name in self.heads:
                dx = dx + self.layers[self.heads[name]].backward(aside.pop(0))
            dx = layer.backward(dx)
        return dx


@traces(AuxiliaryHeads)
def _chain(layer: AuxiliaryHeads, graph: Graph, x: int, path: str) -> int:
    for name, part in layer.chain.items():
        x = append(part, graph, x, below(path, name))
    return x


class AuxiliaryCrossEntropy(Mode):
    """Softmax cross-entropy of the logits and, with less weight, of both auxiliary heads.

    Parameters
    ----------
    weight : float
        Of each head's loss; 0.3 as in GoogLeNet.
    """

    def __init__(self, weight: float = 0.3) -> None:
        super().__init__()
        self.weight = weight
        self._losses: list[SoftmaxCrossEntropy] = []

    def forward(self, x: Any, labels: Array) -> float:
        """Return the weighted sum; of the logits alone in evaluation mode."""
        parts = x if isinstance(x, Logits) else (x,)
        self._losses = [SoftmaxCrossEntropy() for _ in parts]
        values = [
            loss.forward(part, labels) for loss, part in zip(self._losses, parts, strict=True)
        ]
        return values[0] + self.weight * sum(values[1:])

    def backward(self) -> Any:
        """Return the gradients with respect to what ``forward`` was given."""
        first, *aside = [loss.backward() for loss in self._losses]
        return Logits(first, *[self.weight * grad for grad in aside]) if aside else first
