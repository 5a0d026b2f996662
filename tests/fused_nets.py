"""Small networks in which everything occurs that fusing has to deal with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from npconv.layers import (
    ELU,
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Container,
    Conv2d,
    DenseBlock,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Identity,
    Layer,
    LeakyReLU,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    PatchWhitening2d,
    ReLU,
    ReLU6,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
)

RNG = np.random.default_rng(5)


class Halve(ReLU):
    """Derived from a known layer, which must not be taken for it."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x / 2


class Twice(Container):
    """A container of which nothing is known."""

    def __init__(self, layer: Layer) -> None:
        super().__init__({"layer": layer}.items())

    def _forward(self, x: np.ndarray) -> np.ndarray:
        return 2 * self.layers["layer"].forward(x)


class Unflatten(Layer):
    """The inverse of Flatten for square images."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: np.ndarray) -> np.ndarray:
        side = int((x.shape[1] // self.channels) ** 0.5)
        return x.reshape(len(x), self.channels, side, side)


def conv(inputs: int, outputs: int, kernel_size: int = 3, **options: Any) -> Conv2d:
    options.setdefault("padding", kernel_size // 2)
    return Conv2d(inputs, outputs, kernel_size, rng=RNG, **options)


def norm(channels: int) -> BatchNorm2d:
    layer = BatchNorm2d(channels)
    layer.buffers["running_mean"][:] = RNG.standard_normal(channels)
    layer.buffers["running_var"][:] = RNG.uniform(0.5, 2, channels)
    layer.params["weight"][:] = RNG.uniform(0.5, 2, channels)
    layer.params["bias"][:] = RNG.standard_normal(channels)
    return layer


def whitening() -> PatchWhitening2d:
    layer = PatchWhitening2d(4, (2, 1), rng=RNG)
    layer.buffers["mean"][:] = RNG.standard_normal(4)
    layer.params["bias"][:] = RNG.standard_normal(16)
    return layer


# What each is, and which operations must be left of it.
NETS: dict[str, tuple[Callable[[], Container], list[str]]] = {
    "nothing": (lambda: Sequential(), []),
    "dropout alone": (lambda: Sequential(Dropout(0.5, rng=RNG)), []),
    "convolution, norm, activation": (
        lambda: Sequential(
            conv(4, 6, bias=False),
            norm(6),
            ReLU(),
            conv(6, 6, groups=3),
            norm(6),
            ReLU6(),
            conv(6, 4, stride=2),
            LeakyReLU(0.2),
            MaxPool2d(2),
            Flatten(),
            Linear(4, 3, rng=RNG),
            ReLU(),
        ),
        ["Convolution"] * 3 + ["MaxPool", "Flat", "FullyConnected"],
    ),
    "norm before convolutions": (
        lambda: Sequential(norm(4), conv(4, 6, 1, groups=2), norm(6), conv(6, 4), norm(4), Tanh()),
        ["Convolution", "Convolution", "Elementwise"],
    ),
    "norm before a padded convolution": (
        lambda: Sequential(norm(4), conv(4, 6), norm(6), ReLU(), norm(6)),
        ["Affine", "Convolution", "Affine"],
    ),
    "norms in a row": (
        lambda: Sequential(norm(4), norm(4), conv(4, 2)),
        ["Affine"] * 2 + ["Convolution"],
    ),
    "whitened patches": (
        lambda: Sequential(whitening(), ReLU(), conv(16, 2)),
        ["Convolution", "Convolution"],
    ),
    "residual": (
        lambda: Sequential(
            conv(4, 4),
            ReLU(),
            Residual(
                conv(4, 4, bias=False), norm(4), ReLU(), conv(4, 4), norm(4), activation=ReLU()
            ),
            Residual(conv(4, 6), shortcut=Sequential(conv(4, 6, 1), norm(6)), activation=ReLU6()),
            Residual(conv(6, 6), Sigmoid(), activation=ReLU()),
            Residual(Identity()),
        ),
        ["Convolution"] * 6 + ["Elementwise", "Add", "Add"],
    ),
    "residual with pre-activation": (
        lambda: Sequential(
            conv(4, 4),
            Residual(norm(4), ReLU(), conv(4, 4), norm(4), ReLU(), conv(4, 4)),
            norm(4),
            ReLU(),
        ),
        ["Convolution", "Affine", "Convolution", "Convolution", "Affine"],
    ),
    "branches": (
        lambda: Sequential(
            conv(4, 4),
            Concat(
                Sequential(conv(4, 3, 1), ReLU()),
                Sequential(MaxPool2d(3, 1, 1), conv(4, 2, 1)),
                Identity(),
                Concat(conv(4, 1), Sequential(ReLU(), conv(4, 2))),
            ),
            Flatten(),
        ),
        [
            "Convolution",
            "Convolution",
            "MaxPool",
            "Convolution",
            "Convolution",
            "Elementwise",
            "Convolution",
            "Join",
            "Join",
            "Flat",
        ],
    ),
    "branches of the input": (
        lambda: Sequential(Concat(Identity(), Identity(), ReLU())),
        ["Elementwise", "Join"],
    ),
    "a branch used twice": (
        lambda: Sequential(conv(4, 4), Concat(Identity(), Sequential(Flatten(), Unflatten(4)))),
        ["Convolution", "Flat", "Anything", "Join"],
    ),
    "dense": (
        lambda: Sequential(
            conv(4, 4),
            DenseBlock(
                *[Sequential(norm(4 + 2 * i), ReLU(), conv(4 + 2 * i, 2)) for i in range(3)]
            ),
            conv(10, 3, 1),
        ),
        ["Convolution"] + ["Affine", "Convolution", "Join"] * 3 + ["Convolution"],
    ),
    "averages": (
        lambda: Sequential(
            conv(4, 6, 1), AvgPool2d(2), conv(6, 4, 1), AvgPool2d(2, 1, 1), AdaptiveAvgPool2d(2)
        ),
        ["AveragePool", "Convolution", "Convolution", "AveragePool", "AdaptiveAveragePool"],
    ),
    "global average": (
        lambda: Sequential(conv(4, 6), GlobalAvgPool2d(), conv(6, 2, 1)),
        ["Convolution", "AdaptiveAveragePool", "Convolution"],
    ),
    "other layers": (
        lambda: Sequential(
            conv(4, 4),
            Halve(),
            LocalResponseNorm(3),
            ELU(),
            Twice(conv(4, 4)),
            Sequential(Sequential()),
        ),
        ["Convolution", "Anything", "Anything", "Elementwise", "Anything"],
    ),
}


def images(batch: int = 3, dtype: type = np.float32, side: int = 6) -> np.ndarray:
    return np.random.default_rng(batch).standard_normal((batch, 4, side, side)).astype(dtype)
