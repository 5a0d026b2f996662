"""GoogLeNet (Szegedy et al. 2014): torchvision's, and the network as published."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from npconv import checks
from npconv.layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    Concat,
    Flatten,
    Initialiser,
    Layer,
    LocalResponseNorm,
    MaxPool2d,
    ReLU,
    Sequential,
)
from npconv.models.auxiliary_heads import AuxiliaryHeads
from npconv.models.channel_affine import ChannelAffine
from npconv.models.maker import Maker


class _Widths(NamedTuple):
    """Outputs of the convolutions of one Inception block."""

    one: int
    before_three: int
    three: int
    before_five: int
    five: int
    pooled: int

    @property
    def total(self) -> int:
        return self.one + self.three + self.five + self.pooled


_BLOCKS = {
    "3a": _Widths(64, 96, 128, 16, 32, 32),
    "3b": _Widths(128, 128, 192, 32, 96, 64),
    "4a": _Widths(192, 96, 208, 16, 48, 64),
    "4b": _Widths(160, 112, 224, 24, 64, 64),
    "4c": _Widths(128, 128, 256, 24, 64, 64),
    "4d": _Widths(112, 144, 288, 32, 64, 64),
    "4e": _Widths(256, 160, 320, 32, 128, 128),
    "5a": _Widths(256, 160, 320, 32, 128, 128),
    "5b": _Widths(384, 192, 384, 48, 128, 128),
}
# Blocks that a head looks at.
_HEADS = {"4a": "aux1", "4d": "aux2"}


def googlenet(
    num_classes: int = 1000,
    aux_logits: bool = True,
    transform_input: bool = False,
    dropout: float = 0.2,
    dropout_aux: float = 0.7,
    *,
    width: float = 1.0,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> AuxiliaryHeads:
    """GoogLeNet as torchvision defines it, ``(N, 3, H, W) -> (N, num_classes)``.

    With batch normalisation, and 3×3 where the paper has 5×5. In training mode the result has the
    auxiliary logits too; see :class:`npconv.models.AuxiliaryHeads`. Takes torchvision's weights;
    see ``load_state_dict``.

    Parameters
    ----------
    num_classes : int
        Outputs of the last layer, and of both heads.
    aux_logits : bool
        Whether the network has the two auxiliary heads.
    transform_input : bool
        Whether images are normalised as torchvision does for ImageNet, and turned here into what
        the published weights were trained with.
    dropout, dropout_aux : float
        The probabilities with which a value is dropped in training: at the end, and in the heads.
    width, rng, init, dtype
        As in :func:`npconv.models.alexnet`.
    """
    build = _Normalised(Maker(rng, init, dtype, width), num_classes)
    layers: dict[str, Layer] = {}
    if checks.flag(transform_input, "transform_input"):
        layers["transform"] = _from_imagenet()
    c1, c3 = build.make.channels(64), build.make.channels(192)
    layers |= {
        "conv1": build.conv(3, c1, 7, stride=2, padding=3),
        "maxpool1": MaxPool2d(3, 2, ceil_mode=True),
        "conv2": build.conv(c1, c1, 1),
        "conv3": build.conv(c1, c3, 3, padding=1),
        "maxpool2": MaxPool2d(3, 2, ceil_mode=True),
    }
    # torchvision pools by 2x2 before the last two blocks, the paper by 3x3.
    return build.network(layers, c3, 2, aux_logits, dropout, dropout_aux)


def googlenet_2014(
    num_classes: int = 1000,
    aux_logits: bool = True,
    dropout: float = 0.4,
    dropout_aux: float = 0.7,
    *,
    width: float = 1.0,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> AuxiliaryHeads:
    """GoogLeNet as published, ``(N, 3, 224, 224) -> (N, num_classes)``.

    With 5×5 convolutions and local response normalisation, without batch normalisation.

    Parameters
    ----------
    num_classes, aux_logits, dropout, dropout_aux, width, rng, init, dtype
        As in :func:`googlenet`.
    """
    build = _Plain(Maker(rng, init, dtype, width), num_classes)
    c1, c3 = build.make.channels(64), build.make.channels(192)
    layers: dict[str, Layer] = {
        "conv1": build.conv(3, c1, 7, stride=2, padding=3),
        "maxpool1": MaxPool2d(3, 2, ceil_mode=True),
        "norm1": LocalResponseNorm(5, alpha=1e-4, beta=0.75),
        "conv2": build.conv(c1, c1, 1),
        "conv3": build.conv(c1, c3, 3, padding=1),
        "norm2": LocalResponseNorm(5, alpha=1e-4, beta=0.75),
        "maxpool2": MaxPool2d(3, 2, ceil_mode=True),
    }
    return build.network(layers, c3, 3, aux_logits, dropout, dropout_aux)


class _Normalised:
    """Makes the parts of torchvision's network."""

    five = 3  # torchvision's kernel size where the paper has 5

    def __init__(self, make: Maker, num_classes: int) -> None:
        self.make = make
        self.num_classes = num_classes

    def conv(
        self, inputs: int, outputs: int, kernel_size: int, stride: int = 1, padding: int = 0
    ) -> Sequential:
        conv = self.make.conv(inputs, outputs, kernel_size, stride, padding, bias=False)
        return Sequential({"conv": conv, "bn": self.make.norm(outputs, 0.001), "relu": ReLU()})

    def pool_of_head(self) -> Layer:
        return AdaptiveAvgPool2d(4)

    def network(
        self,
        layers: dict[str, Layer],
        channels: int,
        last_pool: int,
        aux_logits: bool,
        dropout: float,
        dropout_aux: float,
    ) -> AuxiliaryHeads:
        """Append the Inception blocks and everything behind them."""
        seen: dict[str, int] = {}
        for name, published in _BLOCKS.items():
            widths = _Widths(*map(self.make.channels, published))
            layers[f"inception{name}"] = self._inception(channels, widths)
            channels = seen[name] = widths.total
            if name == "3b":
                layers["maxpool3"] = MaxPool2d(3, 2, ceil_mode=True)
            elif name == "4e":
                layers["maxpool4"] = MaxPool2d(last_pool, 2, ceil_mode=True)
        heads = _HEADS if checks.flag(aux_logits, "aux_logits") else {}
        for block, head in heads.items():
            layers[head] = self._head(seen[block], dropout_aux)
        layers |= {
            "avgpool": AdaptiveAvgPool2d(1),
            "flatten": Flatten(),
            "dropout": self.make.dropout(dropout),
            "fc": self.make.linear(channels, self.num_classes),
        }
        return AuxiliaryHeads(layers, {f"inception{k}": head for k, head in heads.items()})

    def _inception(self, inputs: int, widths: _Widths) -> Concat:
        five = self.five
        return Concat(
            {
                "branch1": self.conv(inputs, widths.one, 1),
                "branch2": Sequential(
                    self.conv(inputs, widths.before_three, 1),
                    self.conv(widths.before_three, widths.three, 3, padding=1),
                ),
                "branch3": Sequential(
                    self.conv(inputs, widths.before_five, 1),
                    self.conv(widths.before_five, widths.five, five, padding=five // 2),
                ),
                "branch4": Sequential(
                    MaxPool2d(3, 1, 1, ceil_mode=True), self.conv(inputs, widths.pooled, 1)
                ),
            }
        )

    def _head(self, inputs: int, dropout: float) -> Sequential:
        channels, full = self.make.channels(128), self.make.channels(1024)
        return Sequential(
            {
                "avgpool": self.pool_of_head(),
                "conv": self.conv(inputs, channels, 1),
                "flatten": Flatten(),
                "fc1": self.make.linear(channels * 16, full),
                "relu": ReLU(),
                "dropout": self.make.dropout(dropout),
                "fc2": self.make.linear(full, self.num_classes),
            }
        )


class _Plain(_Normalised):
    """Makes the parts of the paper's network."""

    five = 5

    def conv(
        self, inputs: int, outputs: int, kernel_size: int, stride: int = 1, padding: int = 0
    ) -> Sequential:
        conv = self.make.conv(inputs, outputs, kernel_size, stride, padding)
        return Sequential({"conv": conv, "relu": ReLU()})

    def pool_of_head(self) -> Layer:
        return AvgPool2d(5, 3)


def _from_imagenet() -> ChannelAffine:
    """From mean 0 and deviation 1 over ImageNet to ``2 * pixel - 1``."""
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return ChannelAffine([d / 0.5 for d in deviation], [(m - 0.5) / 0.5 for m in mean])
