"""What the readers return and raise."""

from __future__ import annotations

from typing import NamedTuple

from npconv.checks import Array


class DataError(ValueError):
    """A file does not hold what it should."""


class Dataset(NamedTuple):
    """Images for training and held-out images for testing.

    Images are float32 of shape (N, C, H, W) with values from 0 to 1, labels int64 of shape (N,).
    """

    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array
