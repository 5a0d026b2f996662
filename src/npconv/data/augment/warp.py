"""Turned and resized images."""

from __future__ import annotations

import math

import numpy as np

from npconv.checks import Array
from npconv.data.augment.arguments import at_least, checked


def random_rotation(images: Array, rng: np.random.Generator, degrees: float = 10.0) -> Array:
    """Turn each image about its centre by an angle drawn evenly from ±`degrees`."""
    images = checked(images, rng)
    at_least(degrees, "degrees", 0)
    angles = np.deg2rad(rng.uniform(-degrees, degrees, len(images)))
    cosine, sine = np.cos(angles), np.sin(angles)
    return _warp(images, np.array([[cosine, sine], [-sine, cosine]]).transpose(2, 0, 1))


def random_scale(
    images: Array, rng: np.random.Generator, smallest: float = 0.9, largest: float = 1.1
) -> Array:
    """Resize each image about its centre by a factor drawn evenly; its frame stays."""
    images = checked(images, rng)
    if not 0 < smallest <= largest < float("inf"):
        raise ValueError(
            f"smallest is {smallest} and largest {largest}, expected 0 < smallest <= largest"
        )
    factors = rng.uniform(smallest, largest, len(images))
    return _warp(images, np.eye(2) / factors[:, None, None])


def _warp(images: Array, matrices: Array) -> Array:
    """Fetch pixel p of image n from ``matrices[n] @ p``, both measured from the centre.

    Between four pixels the value is interpolated linearly.
    """
    count, channels, height, width = images.shape
    if images.size == 0:
        return images.copy()
    down = np.arange(height) - (height - 1) / 2
    right = np.arange(width) - (width - 1) / 2
    m = matrices.reshape(count, 2, 2, 1, 1)
    rows = m[:, 0, 0] * down[:, None] + m[:, 0, 1] * right + (height - 1) / 2
    columns = m[:, 1, 0] * down[:, None] + m[:, 1, 1] * right + (width - 1) / 2

    # A frame of zeros, two wide at the end, takes what points outside: -1 and height to height + 1.
    framed = np.pad(images, ((0, 0), (0, 0), (1, 2), (1, 2)))
    rows = rows.clip(-1, height) + 1
    columns = columns.clip(-1, width) + 1
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    below = (rows - top).astype(images.dtype)[:, None]
    beside = (columns - left).astype(images.dtype)[:, None]

    # One flat index a pixel: np.take is several times as fast as indexing along the axes.
    stride = framed.shape[3]
    plane = np.arange(count * channels).reshape(count, channels, 1, 1) * math.prod(framed.shape[2:])
    first = (top * stride + left)[:, None] + plane
    values = framed.reshape(-1)
    upper = values.take(first)
    upper += (values.take(first + 1) - upper) * beside
    first += stride
    lower = values.take(first)
    lower += (values.take(first + 1) - lower) * beside
    result: Array = upper + (lower - upper) * below
    return result
