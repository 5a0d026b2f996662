"""The networks that commands can train, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from npconv import models
from npconv.layers import Layer, he

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


NETWORKS: dict[str, Callable[[Shape, int, np.random.Generator], Layer]] = {
    "simple": _simple,
    "deep": _deep,
    "lenet5": _lenet5,
    "cifar": _cifar,
    "pattern": _pattern,
    "resnet9": _resnet9,
}
