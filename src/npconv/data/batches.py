"""A data set in pieces."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from npconv.checks import Array


def batches(
    images: Array,
    labels: Array,
    size: int,
    rng: np.random.Generator | None = None,
) -> Iterator[tuple[Array, Array]]:
    """Iterate once over all images and their labels, `size` at a time (the last batch may be less).

    Without `rng` the order stays; with it, it is shuffled anew at each call.
    """
    if len(images) != len(labels):
        raise ValueError(f"there are {len(images)} images and {len(labels)} labels")
    if size < 1:
        raise ValueError(f"size is {size}, expected at least 1")
    return _slices(images, labels, size, rng)


def _slices(
    images: Array,
    labels: Array,
    size: int,
    rng: np.random.Generator | None,
) -> Iterator[tuple[Array, Array]]:
    # A generator of its own, so that the checks above run at the call, not at the first batch.
    order = None if rng is None else rng.permutation(len(images))
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        picked = part if order is None else order[part]
        yield images[picked], labels[picked]
