"""The convolution layer of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from npconv import functional
from npconv.layers.conv_layer import ConvLayer
from npconv.layers.initialisers import Initialiser, he


class Conv1d(ConvLayer):
    """Cross-correlation of sequences with learned filters, plus a bias per filter.

    ``(N, C, W) ⋆ (K, C/groups, S) -> (N, K, OW)``

    Parameters
    ----------
    in_channels, out_channels : int
        C and K, both multiples of `groups`.
    kernel_size : int or (int,)
        (S,).
    stride, padding, dilation, groups, padding_mode, precision, algorithm
        As in :func:`npconv.conv1d`.
    bias : bool
        Whether to add a bias.
    rng : numpy.random.Generator
        Source of the initial weights. The bias starts at zero.
    init : callable
        ``init(shape, rng, dtype)`` makes the weights; see :mod:`npconv.layers.initialisers`.
    dtype : dtype
        Of the parameters.
    """

    ndim = 1
    _forward = staticmethod(functional.conv1d)
    _backward = staticmethod(functional.conv1d_backward)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        init: Initialiser = he,
        dtype: npt.DTypeLike = np.float32,
        padding_mode: str = "constant",
        precision: str = "standard",
        algorithm: str = "auto",
    ) -> None:
        super().__init__()
        channels = (in_channels, out_channels)
        groups = self._set_up(channels, kernel_size, groups, bias, rng, init, dtype)
        self._geometry = (stride, padding, dilation, groups)
        self._options = {
            "padding_mode": padding_mode,
            "precision": precision,
            "algorithm": algorithm,
        }
