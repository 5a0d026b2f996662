"""The image and the filter of the worked examples."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array


def image() -> Array:
    """Return the 4x4 image that 'Deep Learning from Scratch' convolves by hand."""
    return np.array([[1, 2, 3, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1]], np.float64)


def kernel() -> Array:
    """Return its 3x3 filter."""
    return np.array([[2, 0, 1], [0, 1, 2], [1, 0, 2]], np.float64)


def larger() -> Array:
    """Return its 7x7 image, for strides."""
    return np.array([[(i + j) % 4 for j in range(1, 8)] for i in range(7)], np.float64)
