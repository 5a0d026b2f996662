"""Mirror images."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array
from npconv.data.augment.arguments import checked


def random_flip(images: Array, rng: np.random.Generator, probability: float = 0.5) -> Array:
    """Exchange left and right in about `probability` of the images."""
    images = checked(images, rng)
    if not 0 <= probability <= 1:
        raise ValueError(f"probability is {probability}, expected 0 to 1")
    flipped = rng.random(len(images)) < probability
    result = images.copy()
    result[flipped] = images[flipped, :, :, ::-1]
    return result
