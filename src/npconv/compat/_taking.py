"""The adjoint of max-pooling's gradient."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array


def taken(x: Array, indices: Array) -> Array:
    """Read an image where a pooling found its maxima, ``(N, C, H, W), (N, C, OH, OW) -> same``.

    The indices are flat positions in an image, as PyTorch's.
    """
    flat = indices.reshape(*indices.shape[:2], -1)
    values = np.take_along_axis(x.reshape(*x.shape[:2], -1), flat, axis=2)
    return values.reshape(indices.shape)


def flat_indices(
    indices: Array, kernel: tuple[int, int], stride: tuple[int, int], width: int
) -> Array:
    """Turn positions in windows into positions in an unpadded image of that width."""
    row, column = np.divmod(indices.astype(np.int64), kernel[1])
    row += stride[0] * np.arange(indices.shape[2])[:, np.newaxis]
    column += stride[1] * np.arange(indices.shape[3])
    return row * width + column
