"""One filter over the last axes of an array, with any border."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import functional
from npconv.checks import Array, Pairs

CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


def filtered(
    images: Array, weights: Array, widths: Pairs, mode: str, filler: Any, dtype: Any
) -> Array:
    """Correlate the last axes of images with weights, in a dtype, around a border.

    ``(..., H, W), (R, S) -> (..., OH, OW)``; `widths` and `mode` are those of ``npconv.pad``.
    """
    ndim = weights.ndim
    stack = images.shape[:-ndim]
    batch = images.astype(dtype, copy=False).reshape(-1, 1, *images.shape[-ndim:])
    if mode == "constant" and np.any(filler):
        around = [(0, 0), (0, 0), *widths]
        batch = functional.pad(batch, around, constant_values=filler)
        widths = ((0, 0),) * ndim
    filters = weights.astype(dtype, copy=False)[np.newaxis, np.newaxis]
    y = CONVOLUTIONS[ndim](batch, filters, padding=widths, padding_mode=mode)
    return y.reshape(*stack, *y.shape[2:])
