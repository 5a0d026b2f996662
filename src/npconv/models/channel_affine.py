"""Images scaled and shifted by fixed numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from npconv.checks import Array
from npconv.inference.graph import Graph
from npconv.inference.operations import Affine
from npconv.inference.trace import traces
from npconv.layers import Layer


class ChannelAffine(Layer):
    """``scale * x + shift`` with fixed numbers for each channel, ``(N, C, H, W)``."""

    def __init__(self, scale: Sequence[float], shift: Sequence[float]) -> None:
        super().__init__()
        self.scale = np.array(scale, np.float32)
        self.shift = np.array(shift, np.float32)

    def forward(self, x: Array) -> Array:
        if x.ndim != 4 or x.shape[1] != len(self.scale):
            raise ValueError(f"x has shape {x.shape}, expected {len(self.scale)} channels")
        self._keep()
        y: Array = x * self.scale[:, np.newaxis, np.newaxis]
        y += self.shift[:, np.newaxis, np.newaxis]
        return y

    def backward(self, grad: Array) -> Array:
        self._recall()
        dx: Array = grad * self.scale[:, np.newaxis, np.newaxis]
        return dx


@traces(ChannelAffine)
def _affine(layer: ChannelAffine, graph: Graph, x: int, path: str) -> int:
    return graph.add(Affine(layer.scale, layer.shift), [x], path)
