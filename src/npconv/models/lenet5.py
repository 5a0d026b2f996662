"""LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998), as published and as it is used today."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from npconv import checks
from npconv.checks import Array
from npconv.inference.graph import Graph
from npconv.inference.trace import append, traces
from npconv.layers import (
    AvgPool2d,
    Conv2d,
    Flatten,
    Initialiser,
    Layer,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    glorot,
)
from npconv.models.maker import Maker

# Table I of the paper: the maps of S2 that each of the 16 maps of C3 sees.
_SEEN = (
    *((i, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6) for i in range(6)),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip
_SQUASHING: dict[str, type[Layer]] = {"sigmoid": Sigmoid, "tanh": Tanh}


def lenet5(
    classes: int = 10,
    *,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """LeNet-5 with ReLU and max-pooling, ``(N, 1, 28, 28) -> (N, classes)``.

    Parameters
    ----------
    classes : int
        Outputs of the last layer.
    rng, init, dtype
        As in :func:`npconv.models.alexnet`.
    """
    make = Maker(rng, init, dtype)
    return Sequential(
        {
            "conv1": make.conv(1, 6, 5, padding=2),
            "relu1": ReLU(),
            "pool1": MaxPool2d(2),
            "conv2": make.conv(6, 16, 5),
            "relu2": ReLU(),
            "pool2": MaxPool2d(2),
            "flatten": Flatten(),
            "fc1": make.linear(400, 120),
            "relu3": ReLU(),
            "fc2": make.linear(120, 84),
            "relu4": ReLU(),
            "fc3": make.linear(84, classes),
        }
    )


def lenet5_1998(
    classes: int = 10,
    *,
    activation: str = "sigmoid",
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """LeNet-5 as published, ``(N, 1, 28, 28) -> (N, classes)``.

    Subsampling layers average 2×2 pixels and have a trained coefficient and bias for each map; C3
    has the paper's table of connections. The output is affine, where the paper has distances from
    fixed pictures of the digits.

    Parameters
    ----------
    classes : int
        Outputs of the last layer.
    activation : {"sigmoid", "tanh"}
        What squashes the results of every layer but the last.
    rng, init, dtype
        As in :func:`npconv.models.alexnet`; `init` is ``glorot`` unless given.
    """
    squash = _SQUASHING[checks.choice(activation, "activation", tuple(_SQUASHING))]
    make = Maker(rng, init or glorot, dtype)
    return Sequential(
        {
            "c1": make.conv(1, 6, 5, padding=2),
            "squash1": squash(),
            "pool2": AvgPool2d(2),
            "s2": make.conv(6, 6, 1, groups=6),
            "squash2": squash(),
            "c3": TableConv2d(make.conv(6, 16, 5)),
            "squash3": squash(),
            "pool4": AvgPool2d(2),
            "s4": make.conv(16, 16, 1, groups=16),
            "squash4": squash(),
            "c5": make.conv(16, 120, 5),
            "squash5": squash(),
            "flatten": Flatten(),
            "f6": make.linear(120, 84),
            "squash6": squash(),
            "output": make.linear(84, classes),
        }
    )


class TableConv2d(Layer):
    """A convolution of 6 maps to 16, of which each sees the maps that the paper's table lists.

    The other weights are zero, and their gradients too, so that they stay zero.
    """

    def __init__(self, conv: Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.mask = np.zeros((len(_SEEN), 6, 1, 1), np.bool_)
        for output, inputs in enumerate(_SEEN):
            self.mask[output, list(inputs)] = True
        conv.params["weight"] *= self.mask

    @property
    def params(self) -> Any:
        return self.conv.params

    @property
    def grads(self) -> Any:
        return self.conv.grads

    def train(self, mode: bool = True) -> TableConv2d:
        self.conv.train(mode)
        return super().train(mode)

    def forward(self, x: Array) -> Array:
        return self.conv.forward(x)

    def backward(self, grad: Array) -> Array:
        dx = self.conv.backward(grad)
        self.grads["weight"] *= self.mask
        return dx


@traces(TableConv2d)
def _table_conv2d(layer: TableConv2d, graph: Graph, x: int, path: str) -> int:
    return append(layer.conv, graph, x, path)
