"""Images with noise, to see how much of it a network bears."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array


def add_white_dots(images: Array, rng: np.random.Generator, share: float) -> Array:
    """Make about that `share`, 0 to 1, of the pixels white, the same in all channels."""
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}, expected 0 to 1")
    dots = rng.random((len(images), 1, *images.shape[2:])) < share
    result: Array = np.where(dots, images.dtype.type(1), images)
    return result


def add_noise(images: Array, rng: np.random.Generator, deviation: float) -> Array:
    """Add normally distributed numbers of standard `deviation`; clip to 0 to 1."""
    if not 0 <= deviation < float("inf"):
        raise ValueError(f"deviation is {deviation}, expected a finite number from 0")
    noise: Array = np.asarray(rng.standard_normal(images.shape), images.dtype)
    result: Array = (images + images.dtype.type(deviation) * noise).clip(0, 1)
    return result
