"""Turned, resized and moved images, interpolated between pixels."""

from __future__ import annotations

import numpy as np

from npconv import checks
from npconv.checks import Array
from npconv.data.augment.arguments import at_least, checked
from npconv.runtime import native, options


def random_rotation(images: Array, rng: np.random.Generator, degrees: float = 10.0) -> Array:
    """Turn each image about its centre by an angle drawn evenly from ±`degrees`."""
    images = checked(images, rng)
    return _warp(images, _turns(rng, degrees, len(images)))


def random_scale(
    images: Array, rng: np.random.Generator, smallest: float = 0.9, largest: float = 1.1
) -> Array:
    """Resize each image about its centre by a factor drawn evenly; its frame stays."""
    images = checked(images, rng)
    return _warp(images, np.eye(2) * _shrinking(rng, smallest, largest, len(images)))


def random_affine(
    images: Array,
    rng: np.random.Generator,
    degrees: float = 10.0,
    smallest: float = 0.9,
    largest: float = 1.1,
    pixels: int | tuple[int, int] = 2,
) -> Array:
    """Turn, resize and move each image, interpolating once: quicker and sharper than one by one.

    The angle, the factor and the way down and right are drawn evenly from ±`degrees`, `smallest` to
    `largest`, and ±`pixels`, of which fractions are taken, too.
    """
    images = checked(images, rng)
    reach = checks.per_axis(pixels, "pixels", 2, 0)
    matrices = _turns(rng, degrees, len(images))
    matrices *= _shrinking(rng, smallest, largest, len(images))
    return _warp(images, matrices, rng.uniform(-1, 1, (len(images), 2)) * reach)


def _turns(rng: np.random.Generator, degrees: float, count: int) -> Array:
    """Return `count` matrices (count, 2, 2) that rotate."""
    at_least(degrees, "degrees", 0)
    angles = np.deg2rad(rng.uniform(-degrees, degrees, count))
    cosine, sine = np.cos(angles), np.sin(angles)
    return np.array([[cosine, sine], [-sine, cosine]]).transpose(2, 0, 1)


def _shrinking(rng: np.random.Generator, smallest: float, largest: float, count: int) -> Array:
    """Return `count` inverse factors (count, 1, 1)."""
    if not 0 < smallest <= largest < float("inf"):
        raise ValueError(
            f"smallest is {smallest} and largest {largest}, expected 0 < smallest <= largest"
        )
    inverse: Array = 1 / rng.uniform(smallest, largest, (count, 1, 1))
    return inverse


def _warp(images: Array, matrices: Array, moves: Array | None = None) -> Array:
    """Fetch pixel p of image n from ``matrices[n] @ (p - moves[n])``, measured from the centre.

    Between four pixels the value is interpolated linearly.
    """
    count, _, height, width = images.shape
    # Where the centre comes from, in pixels of the image with a frame of one.
    centres = np.array([(height + 1) / 2, (width + 1) / 2])
    if moves is None:
        offsets = np.broadcast_to(centres, (count, 2))
    else:
        offsets = centres - (matrices @ moves[:, :, None])[:, :, 0]
    exact = np.dtype(np.float32 if images.dtype.itemsize <= 4 else np.float64)
    result = native.empty(images.shape, exact)
    native.warp(
        np.require(images, exact, ["C", "A"]),
        np.ascontiguousarray(matrices, exact),
        np.ascontiguousarray(offsets, exact),
        result,
        options(),
    )
    return result.astype(images.dtype, copy=False)
