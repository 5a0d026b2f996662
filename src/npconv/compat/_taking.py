"""The adjoint of max-pooling's gradient."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array
from npconv.geometry import PoolGeometry


def taken(x: Array, indices: Array, geometry: PoolGeometry) -> Array:
    """Read images where a pooling found its maxima, ``(N, C, H, W), (N, C, OH, OW) -> same``.

    The indices are positions in windows.
    """
    planes = x.reshape(*geometry.input_shape[:2], -1)
    position = flat_indices(indices.reshape(*planes.shape[:2], *geometry.output), geometry)
    values = np.take_along_axis(planes, position.reshape(*planes.shape[:2], -1), axis=2)
    return values.reshape(indices.shape)


def flat_indices(indices: Array, geometry: PoolGeometry) -> Array:
    """Turn positions in windows, (N, C, OD, OH, OW), into positions in an image."""
    position = np.zeros(indices.shape, np.int64)
    for axis, tap in enumerate(np.unravel_index(indices, geometry.kernel)):
        step, start = geometry.stride[axis], geometry.pad_before[axis]
        first = step * np.arange(geometry.output[axis]) - start
        along = first.reshape([-1 if other == axis else 1 for other in range(3)])
        position = position * geometry.input[axis] + along + geometry.dilation[axis] * tap
    return position
