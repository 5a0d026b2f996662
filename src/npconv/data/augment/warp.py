"""Turned, resized and moved images, interpolated between pixels."""

from __future__ import annotations

import math

import numpy as np

from npconv import checks
from npconv.checks import Array
from npconv.data.augment.arguments import at_least, checked

# Pixels that are computed at a time: all their intermediate results stay in the cache.
BLOCK = 16384


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
    count, channels, height, width = images.shape
    if images.size == 0:
        return images.copy()
    # Where the centre comes from, in pixels of the frame below.
    centres = np.array([(height + 1) / 2, (width + 1) / 2])
    if moves is None:
        offsets = np.broadcast_to(centres, (count, 2))
    else:
        offsets = centres - (matrices @ moves[:, :, None])[:, :, 0]
    # A frame of zeros, two wide at the end, takes what points outside.
    framed = np.zeros((count, channels, height + 3, width + 3), images.dtype)
    framed[:, :, 1:-2, 1:-2] = images
    result = np.empty(images.shape, images.dtype)
    # Single precision, unless a pixel's number is too large for it.
    single = images.dtype.itemsize <= 4 and math.prod(framed.shape[2:]) < 2**24
    exact = np.dtype(np.float32 if single else np.float64)
    m, offsets = matrices.astype(exact), offsets.astype(exact)
    down = (np.arange(height) - (height - 1) / 2).astype(exact)
    right = (np.arange(width) - (width - 1) / 2).astype(exact)
    step = max(BLOCK // (height * width), 1)
    for n in range(0, count, step):
        part = slice(n, n + step)
        axes = m[part, :, :, None], offsets[part, :, None]
        # Rows of the matrices times down and right: four vectors an image make both coordinates.
        rows = _coordinates(axes[0][:, 0], axes[1][:, 0], down, right, height)
        columns = _coordinates(axes[0][:, 1], axes[1][:, 1], down, right, width)
        _interpolate(framed[part], rows, columns, result[part])
    return result


def _coordinates(row: Array, offset: Array, down: Array, right: Array, size: int) -> Array:
    """Return a coordinate (N, H, W) in the frame, drawn back into it where it lies outside."""
    place = (row[:, 0] * down + offset)[:, :, None] + (row[:, 1] * right)[:, None, :]
    clipped: Array = place.clip(0, size + 1, out=place)
    return clipped


def _interpolate(framed: Array, rows: Array, columns: Array, out: Array) -> None:
    """Write the values of `framed` at (N, H, W) coordinates to `out` (N, C, H, W)."""
    count, channels = framed.shape[:2]
    top, left = np.floor(rows), np.floor(columns)
    rows -= top
    columns -= left
    below = rows.astype(framed.dtype, copy=False)[:, None]
    beside = columns.astype(framed.dtype, copy=False)[:, None]
    # One flat index a pixel: np.take is several times as fast as indexing along the axes.
    stride = framed.shape[3]
    top *= stride
    top += left
    plane = np.arange(count * channels).reshape(count, channels, 1, 1) * math.prod(framed.shape[2:])
    first = top.astype(np.intp)[:, None] + plane
    values = framed.reshape(-1)
    # All indices lie in the frame; without mode="clip" (or "wrap") each would be checked.
    corners = [values[place:].take(first, mode="clip") for place in (0, 1, stride, stride + 1)]
    for near, far in (corners[:2], corners[2:]):
        far -= near
        far *= beside
        near += far
    upper, _, lower, _ = corners
    lower -= upper
    lower *= below
    np.add(upper, lower, out=out)
