"""Layers and rectifiers that follow each other, in fewer passes over memory.

A convolution or a linear layer applies the rectifier after it while its results are in cache. Of a
rectifier before a max-pooling the gradient is taken behind the pooling, where there is less of it:
what passes to a pixel comes from windows of which it is the largest value, and it is positive where
their maximum is. Other gradients that no one else has seen are rectified where they lie. The bits
are those of one layer after the other.
"""

from __future__ import annotations

from npconv.checks import Array
from npconv.layers.conv1d import Conv1d
from npconv.layers.conv2d import Conv2d
from npconv.layers.conv3d import Conv3d
from npconv.layers.layer import Layer
from npconv.layers.linear import Linear
from npconv.layers.max_pool2d import MaxPool2d
from npconv.layers.relu import ReLU

_ACTIVATING = (Conv1d, Conv2d, Conv3d, Linear)


def forward(layers: list[Layer], x: Array) -> Array:
    """Run the layers one after the other."""
    i = 0
    while i < len(layers):
        layer, after = layers[i], layers[i + 1] if i + 1 < len(layers) else None
        if type(layer) in _ACTIVATING and type(after) is ReLU and _plain("forward", layer, after):
            x = layer.forward(x, "relu")  # type: ignore[call-arg]
            after._keep(x)
            i += 2
        else:
            x = layer.forward(x)
            i += 1
    return x


def backward(layers: list[Layer], grad: Array) -> Array:
    """Run the layers' ``backward``, the last layer's first."""
    i, ours = len(layers) - 1, False  # whether `grad` is an array that only we know
    while i >= 0:
        layer, before = layers[i], layers[i - 1] if i > 0 else None
        if type(layer) is MaxPool2d and type(before) is ReLU and _plain("backward", layer, before):
            before._recall()  # had a forward pass, too
            grad, ours = layer.backward(grad, rectified=True), True
            i -= 2
            continue
        if ours and type(layer) is ReLU and _plain("backward", layer):
            grad = layer.backward(grad, overwrite=True)
        else:
            grad = layer.backward(grad)
            ours = type(layer) in _ACTIVATING and _plain("backward", layer)
        i -= 1
    return grad


def _plain(method: str, *layers: Layer) -> bool:
    """Whether nobody watches the method of these very layers."""
    return not any(method in layer.__dict__ for layer in layers)
