"""Where the maxima of windows are in an image."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array
from npconv.geometry import PoolGeometry


def flat_indices(indices: Array, geometry: PoolGeometry) -> Array:
    """Turn positions in windows, (N, C, OH, OW), into positions in an unpadded image."""
    position = np.zeros((*indices.shape[:2], *geometry.output), np.int64)
    taps = np.unravel_index(indices.reshape(position.shape), geometry.kernel)
    for axis, tap in enumerate(taps):
        step, start = geometry.stride[axis], geometry.pad_before[axis]
        first = step * np.arange(geometry.output[axis]) - start
        along = first.reshape([-1 if other == axis else 1 for other in range(3)])
        position = position * geometry.input[axis] + along + geometry.dilation[axis] * tap
    return position.reshape(indices.shape)
