"""Which data, which network and how long: the demo's two recipes."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from npconv.data import Dataset, load_digits, load_mnist
from npconv.layers import Initialiser, Sequential, he, normal
from npconv.models import simple_convnet


class Recipe(NamedTuple):
    """A data set and what suits it."""

    source: str
    data: Dataset
    epochs: int
    batch: int
    cool_down: int
    padding: int
    init: Initialiser

    def network(self, rng: np.random.Generator) -> Sequential:
        """Return a new network for this data, 30 filters of 5x5 and 100 hidden units."""
        shape = self.data.train_images.shape
        return simple_convnet(
            (shape[1], shape[2], shape[3]), padding=self.padding, rng=rng, init=self.init
        )


def choose(directory: str | os.PathLike[str] | None, rng: np.random.Generator) -> Recipe:
    """Return the recipe for the MNIST files in `directory`, or for scikit-learn's digits."""
    if directory is not None:
        # As in the book: 20 epochs, batches of 100, weights from normal(0.01), no padding. The book
        # keeps the learning rate to the end; then the last epoch's accuracy is a matter of luck.
        data = load_mnist(directory)
        return Recipe(f"MNIST files in {directory}", data, 20, 100, 5, 0, normal(0.01))
    # Without padding a 5x5 filter would leave 4x4 pixels of 8x8, and 2x2 after pooling.
    return Recipe("scikit-learn's digits", load_digits(rng), 40, 50, 0, 2, he)
