"""Several augmentations as one."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from npconv.checks import Array


class Augmentation(Protocol):
    """A function that changes a batch of images."""

    def __call__(  # noqa: D102 -- the class says it
        self, images: Array, rng: np.random.Generator, /
    ) -> Array: ...


def chain(*steps: Augmentation) -> Augmentation:
    """Return an augmentation that takes `steps` one after the other.

    Options are given with ``functools.partial(random_crop, padding=4)``.
    """

    def run(images: Array, rng: np.random.Generator, /) -> Array:
        for step in steps:
            images = step(images, rng)
        return images

    return run
