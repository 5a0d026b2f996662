"""What all layers of a network have in common: generator, initialiser, dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from npconv import checks
from npconv.layers import BatchNorm2d, Conv2d, Dropout, Initialiser, Linear, he, zeros


class Maker:
    """Makes the layers of one network."""

    def __init__(
        self,
        rng: np.random.Generator | None,
        init: Initialiser | None,
        dtype: npt.DTypeLike,
        width: float = 1.0,
    ) -> None:
        if not width > 0:
            raise ValueError(f"width is {width}, expected more than 0")
        init = init or he
        self._rng = np.random.default_rng(0) if rng is None else rng
        self._options: dict[str, Any] = {"init": zeros if rng is None else init, "dtype": dtype}
        self._options["rng"] = self._rng
        self._dtype = dtype
        self._width = width

    def channels(self, count: int, multiple: int = 1) -> int:
        """Scale a published number of channels by the network's width."""
        return max(round(count * self._width / multiple), 1) * multiple

    def conv(
        self,
        inputs: int,
        outputs: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        *,
        groups: int = 1,
        bias: bool = True,
    ) -> Conv2d:
        """Make a convolution."""
        return Conv2d(
            inputs, outputs, kernel_size, stride, padding, 1, groups, bias, **self._options
        )

    def norm(self, channels: int, eps: float = 1e-5, *, scale: bool = True) -> BatchNorm2d:
        """Make a batch normalisation."""
        return BatchNorm2d(channels, eps, scale=scale, dtype=self._dtype)

    def linear(self, inputs: int, outputs: int) -> Linear:
        """Make a fully connected layer."""
        return Linear(checks.integer(inputs, "inputs", 1), outputs, **self._options)

    def dropout(self, p: float) -> Dropout:
        """Make a dropout, which draws from the network's generator."""
        return Dropout(p, rng=self._rng)
