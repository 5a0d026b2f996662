"""Checks that all augmentations share."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv.checks import Array


def checked(images: Any, rng: Any) -> Array:
    """Return `images` if it is a batch of images and `rng` a generator."""
    if not isinstance(images, np.ndarray) or images.ndim != 4:
        shape = getattr(images, "shape", type(images).__name__)
        raise ValueError(f"images is {shape}, expected an array (N, C, H, W)")
    if images.dtype.kind != "f":
        raise TypeError(f"images has dtype {images.dtype}, expected floats")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng is a {type(rng).__name__}, expected a numpy.random.Generator "
            "such as numpy.random.default_rng(0)"
        )
    return images


def at_least(value: float, name: str, bound: float) -> float:
    """Return `value` if it is at least `bound` and finite."""
    if not bound <= value < float("inf"):
        raise ValueError(f"{name} is {value}, expected a finite number from {bound}")
    return value
