"""The networks that commands can train, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from npconv import models
from npconv.checks import Array
from npconv.insight.hooks import leaves
from npconv.layers import Layer, PatchWhitening2d, he

Shape = tuple[int, int, int]


def _simple(shape: Shape, classes: int, rng: np.random.Generator) -> Layer:
    if min(shape[1:]) < 16:
        # Without padding a 5x5 filter would leave 4x4 pixels of 8x8, and 2x2 after pooling.
        return models.simple_convnet(shape, classes=classes, padding=2, rng=rng, init=he)
    return models.simple_convnet(shape, classes=classes, rng=rng)


def _deep(shape: Shape, classes: int, rng: np.random.Generator) -> Layer:
    return models.deep_convnet(shape, classes=classes, rng=rng)


def _lenet5(shape: Shape, classes: int, rng: np.random.Generator) -> Layer:
    if shape != (1, 28, 28):
        raise ValueError(f"lenet5 reads grey images of 28x28 pixels, these are {shape}")
    return models.lenet5(classes, rng=rng)


def _cifar(shape: Shape, classes: int, rng: np.random.Generator) -> Layer:
    return models.cifar_convnet(shape, classes=classes, rng=rng)


def _pattern(shape: Shape, classes: int, rng: np.random.Generator) -> Layer:
    blocks = 2 if min(shape[1:]) < 16 else 3
    return models.pattern(shape, 2, blocks, 1, classes, filters=24, dropout=0.3, rng=rng)


def _resnet9(shape: Shape, classes: int, rng: np.random.Generator) -> Layer:
    return models.resnet9(shape, 24, classes, rng=rng)


def _whitened(shape: Shape, classes: int, rng: np.random.Generator) -> Layer:
    return models.whitened_convnet(shape, (64, 192, 256), classes, rng=rng)


NETWORKS: dict[str, Callable[[Shape, int, np.random.Generator], Layer]] = {
    "simple": _simple,
    "deep": _deep,
    "lenet5": _lenet5,
    "cifar": _cifar,
    "pattern": _pattern,
    "resnet9": _resnet9,
    "whitened": _whitened,
}


def make(name: str, images: Array, classes: int, rng: np.random.Generator) -> Layer:
    """Make the network called `name`; what is computed from images follows from the first ones."""
    net = NETWORKS[name](images.shape[1:], classes, rng)
    for _, layer in leaves(net):
        if isinstance(layer, PatchWhitening2d):
            layer.fit(images[:5000])
    return net
