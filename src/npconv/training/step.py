"""One step of training."""

from __future__ import annotations

from typing import Any, Protocol

from npconv.checks import Array
from npconv.layers import Layer
from npconv.optim import Optimiser


class Loss(Protocol):
    """A loss function in two halves, such as :class:`npconv.layers.SoftmaxCrossEntropy`."""

    def forward(self, x: Array, labels: Array, /) -> float:
        """Return the loss of outputs `x`."""

    def backward(self) -> Any:
        """Return the loss's gradient with respect to the outputs."""


def step(net: Layer, loss: Loss, optimiser: Optimiser, images: Array, labels: Array) -> float:
    """Train on one batch and return its loss before the update."""
    value = loss.forward(net.forward(images), labels)
    net.backward_params(loss.backward())
    optimiser.update(net.params, net.grads)
    return value
