"""The handwritten digits that scikit-learn ships."""

from __future__ import annotations

import numpy as np

from npconv._extras import require
from npconv.data.dataset import Dataset


def load_digits(rng: np.random.Generator, held_out: int = 360) -> Dataset:
    """Read the 1,797 digits of 8x8 pixels inside scikit-learn; nothing is downloaded.

    Parameters
    ----------
    rng : numpy.random.Generator
        Chooses which digits are held out for testing.
    held_out : int
        How many.

    Raises
    ------
    ImportError
        scikit-learn is not installed: ``pip install 'npconv[demo]'``.
    """
    sklearn = require("sklearn.datasets", "reading the digits", package="scikit-learn")
    pixels, labels = sklearn.load_digits(return_X_y=True)
    if not 0 < held_out < len(pixels):
        raise ValueError(f"held_out is {held_out}, expected 1 to {len(pixels) - 1}")
    images = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    labels = labels.astype(np.int64)
    order = rng.permutation(len(images))
    test, train = order[:held_out], order[held_out:]
    return Dataset(images[train], labels[train], images[test], labels[test])
