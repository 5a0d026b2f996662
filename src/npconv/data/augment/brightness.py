"""Lighter and darker images."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array
from npconv.data.augment.arguments import at_least, checked


def random_brightness(
    images: Array,
    rng: np.random.Generator,
    amount: float = 0.2,
    *,
    limits: tuple[float, float] | None = (0.0, 1.0),
) -> Array:
    """Multiply each image by a number drawn evenly from ``1 - amount`` to ``1 + amount``.

    The result is clipped to `limits`, unless that is None (for images that were standardised).
    """
    images = checked(images, rng)
    at_least(amount, "amount", 0)
    factors = rng.uniform(1 - amount, 1 + amount, (len(images), 1, 1, 1)).astype(images.dtype)
    result: Array = images * factors
    if limits is not None:
        result.clip(*limits, out=result)
    return result
