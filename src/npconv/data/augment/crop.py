"""Windows at random places."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from npconv import checks
from npconv.checks import Array
from npconv.data.augment.arguments import checked


def random_crop(
    images: Array,
    rng: np.random.Generator,
    size: int | tuple[int, int] | None = None,
    padding: int = 0,
    padding_mode: str = "constant",
) -> Array:
    """Cut a window out of each image, ``(N, C, H, W) -> (N, C, *size)``.

    `padding` zeros are put around the images first, or with `padding_mode` "reflect" the pixels
    beside the edge, in reverse order; without `size` the window is as large as the image was.
    ``padding=4`` alone is the usual augmentation of CIFAR-10.
    """
    images = checked(images, rng)
    padding = checks.integer(padding, "padding", 0)
    height, width = images.shape[2:] if size is None else checks.per_axis(size, "size", 2, 1)
    if padding_mode not in ("constant", "reflect"):
        raise ValueError(f"padding_mode is {padding_mode!r}, expected 'constant' or 'reflect'")
    if padding_mode == "reflect" and padding >= min(images.shape[2:]):
        raise ValueError(
            f"padding is {padding}, too much to reflect images of {images.shape[2:]} pixels"
        )
    around = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    padded = np.pad(images, around, "reflect" if padding_mode == "reflect" else "constant")
    places = padded.shape[2] - height + 1, padded.shape[3] - width + 1
    if min(places) < 1:
        raise ValueError(
            f"size is {(height, width)}, larger than the images of {images.shape[2:]} "
            f"with padding={padding}"
        )
    top, left = (rng.integers(0, count, len(images)) for count in places)
    # A view of all windows; picking one an image copies rows, not single pixels.
    windows = sliding_window_view(padded, (height, width), axis=(2, 3))
    result: Array = windows[np.arange(len(images)), :, top, left]
    return result


def random_shift(
    images: Array, rng: np.random.Generator, pixels: int | tuple[int, int] = 2
) -> Array:
    """Move each image by up to `pixels` (down or up, right or left), zeros moving in."""
    images = checked(images, rng)
    down, right = checks.per_axis(pixels, "pixels", 2, 0)
    padded = np.pad(images, ((0, 0), (0, 0), (down, down), (right, right)))
    return random_crop(padded, rng, size=(images.shape[2], images.shape[3]))
