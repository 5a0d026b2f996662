"""Which data a command runs on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npconv.data import CIFAR10_CLASSES, Dataset, load_cifar10, load_digits, load_mnist


class Source(NamedTuple):
    """A data set, its name, and its classes' names if they are not numbers."""

    name: str
    data: Dataset
    classes: tuple[str, ...] | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        _, channels, height, width = self.data.train_images.shape
        return channels, height, width


def choose(directory: str | os.PathLike[str] | None, rng: np.random.Generator) -> Source:
    """Read MNIST or CIFAR-10, whichever lies in `directory`; scikit-learn's digits without one.

    `rng` chooses the digits that are held out, and is not used for the others.
    """
    if directory is None:
        return Source("digits", load_digits(rng), None)
    directory = Path(directory)
    if any((directory / f"train-images-idx3-ubyte{end}").exists() for end in ("", ".gz")):
        return Source("mnist", load_mnist(directory), None)
    if not directory.is_dir():
        raise FileNotFoundError(f"{directory} is not a directory")
    try:
        return Source("cifar10", load_cifar10(directory), CIFAR10_CLASSES)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{directory} holds neither MNIST (it has no train-images-idx3-ubyte, gzipped or not) "
            f"nor CIFAR-10 ({error})"
        ) from error
