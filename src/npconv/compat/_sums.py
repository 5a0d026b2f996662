"""Sums that several adapters need."""

from __future__ import annotations

import numpy as np

from npconv import functional
from npconv.checks import Array


def channel_sums(grad: Array) -> Array:
    """Sum over images and pixels, ``(N, K, ...) -> (K,)``: the gradient by a bias."""
    n, k = grad.shape[:2]
    images = grad if grad.ndim == 4 else grad.reshape(n, k, 1, -1)
    # Neither images nor filters are read for a bias.
    anything = np.zeros(1, grad.dtype)
    x = np.broadcast_to(anything, (n, 1, *images.shape[2:]))
    weight = np.broadcast_to(anything, (k, 1, 1, 1))
    sums = functional.conv2d_backward(images, x, weight, needs=(False, False, True))[2]
    assert sums is not None  # was asked for
    return sums
