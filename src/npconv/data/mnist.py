"""MNIST, and data sets stored as MNIST is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from npconv.checks import Array
from npconv.data.dataset import DataError, Dataset
from npconv.data.idx import read_idx


def load_mnist(directory: str | os.PathLike[str]) -> Dataset:
    """Read the four idx files of MNIST from `directory`, each gzipped (``.gz``) or not.

    ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``. Images get a channel axis: (N, 1, 28, 28).

    Raises
    ------
    FileNotFoundError
        The directory or a file is missing.
    DataError
        A file does not hold what it should, or images and labels do not belong together.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise FileNotFoundError(f"{directory} is not a directory")
    train_images, train_labels = _load_part(directory, "train")
    test_images, test_labels = _load_part(directory, "t10k")
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{directory}: training images have shape {train_images.shape[1:]}, "
            f"test images {test_images.shape[1:]}"
        )
    return Dataset(train_images, train_labels, test_images, test_labels)


def _load_part(directory: Path, part: str) -> tuple[Array, Array]:
    images_path = _find(directory, f"{part}-images-idx3-ubyte")
    labels_path = _find(directory, f"{part}-labels-idx1-ubyte")
    images = _read_bytes(images_path, "images", rank=3)
    labels = _read_bytes(labels_path, "labels", rank=1)
    if len(images) != len(labels):
        raise DataError(
            f"{images_path} holds {len(images)} images, {labels_path} {len(labels)} labels"
        )
    if images.size == 0:
        raise DataError(f"{images_path} holds no pixels: its shape is {images.shape}")
    if labels.max() > 9:
        raise DataError(f"{labels_path} has a label {labels.max()}, expected 0 to 9")
    return images[:, None] / np.float32(255), labels.astype(np.int64)


def _find(directory: Path, name: str) -> Path:
    for path in (directory / name, directory / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{directory} has neither {name} nor {name}.gz")


def _read_bytes(path: Path, what: str, rank: int) -> Array:
    values = read_idx(path)
    if values.dtype != np.uint8 or values.ndim != rank:
        raise DataError(
            f"{path} holds {values.dtype} values in {values.ndim} axes, "
            f"expected {what}: bytes in {rank}"
        )
    return values
