"""Fixed changes to batches of images, of which a classifier's outputs are added up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from npconv import checks
from npconv.checks import Array

View = Callable[[Array], Array]


def _moved(images: Array, down: int, right: int, mirrored: bool) -> Array:
    if mirrored:
        images = images[..., ::-1]
    height, width = images.shape[-2:]
    result = np.zeros(images.shape, images.dtype)
    result[..., max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = (
        images[..., max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
    )
    return result


def views(pixels: int = 2, *, mirror: bool = True) -> tuple[View, ...]:
    """Return the functions that move images by `pixels` down, up, right and left, and not at all.

    Each takes images ``(N, C, H, W)`` and returns a new array of their shape and dtype; zeros move
    in. With `mirror` there is a second one of each, of the mirror images: ten functions, else five.
    Networks are often surer of the sum of what they say to all of them (Krizhevsky et al. 2012):
    ``predict(net, images, views=views())``.
    """
    pixels = checks.integer(pixels, "pixels", 0)
    moves = ((0, 0), (pixels, 0), (-pixels, 0), (0, pixels), (0, -pixels))
    sides = (False, True) if mirror else (False,)
    return tuple(
        partial(_moved, down=down, right=right, mirrored=side)
        for side in sides
        for down, right in moves
    )
