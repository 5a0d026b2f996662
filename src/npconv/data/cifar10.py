"""CIFAR-10, in the binary version or as Python's pickled batches."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from npconv.checks import Array
from npconv.data.dataset import DataError, Dataset
from npconv.data.pickled_batch import read_pickled_batch

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

_SHAPE = 3, 32, 32
_PIXELS = 3 * 32 * 32
_TRAIN = [f"data_batch_{i}" for i in range(1, 6)]
_FOLDERS = ("", "cifar-10-batches-bin", "cifar-10-batches-py")


def load_cifar10(directory: str | os.PathLike[str]) -> Dataset:
    """Read the six files of CIFAR-10 from `directory`, or from the folder that its archive makes.

    ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin`` of the binary version, or
    the same names without ``.bin`` of the Python version, whose pickles are read without running
    anything in them. Images are (N, 3, 32, 32), red, green and blue.

    Raises
    ------
    FileNotFoundError
        The directory or a file is missing.
    DataError
        A file does not hold what it should.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise FileNotFoundError(f"{directory} is not a directory")
    folder, suffix, read = _find(directory)
    parts = {}
    for part, names in (("train", _TRAIN), ("test", ["test_batch"])):
        paths = [folder / f"{name}{suffix}" for name in names]
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(f"{folder} has no {path.name}")
        parts[part] = _scaled([read(path) for path in paths])
    return Dataset(*parts["train"], *parts["test"])


def read_cifar10_batch(path: str | os.PathLike[str]) -> tuple[Array, Array]:
    """Read one file of the binary version: bytes (N, 3, 32, 32) and labels (N,).

    Each image is one byte for its class, then 1,024 each for red, green and blue, row by row.
    """
    path = Path(path)
    content = np.fromfile(path, np.uint8)
    if content.size == 0 or content.size % (1 + _PIXELS):
        raise DataError(
            f"{path} has {content.size} bytes, expected a multiple of {1 + _PIXELS}: "
            "a class and 3x32x32 values for each image"
        )
    records = content.reshape(-1, 1 + _PIXELS)
    return _checked(path, records[:, 1:], records[:, 0])


def _read_pickle(path: Path) -> tuple[Array, Array]:
    batch = read_pickled_batch(path)
    for key in ("data", "labels"):
        if key not in batch:
            raise DataError(f"{path} has no {key!r}; it has {sorted(map(str, batch))}")
    pixels, labels = batch["data"], np.asarray(batch["labels"])
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise DataError(f"{path}: 'data' is not an array of bytes, a row for each image")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"{path}: 'labels' is not a list of integers")
    return _checked(path, pixels, labels)


def _checked(path: Path, pixels: Array, labels: Array) -> tuple[Array, Array]:
    if pixels.shape != (len(labels), _PIXELS) or len(labels) == 0:
        raise DataError(
            f"{path} holds pixels of shape {pixels.shape} and {len(labels)} labels, "
            f"expected (N, {_PIXELS}) and N"
        )
    if labels.min() < 0 or labels.max() > 9:
        wrong = labels.max() if labels.max() > 9 else labels.min()
        raise DataError(f"{path} has a label {wrong}, expected 0 to 9")
    return pixels.reshape(-1, *_SHAPE), labels.astype(np.int64)


def _find(directory: Path) -> tuple[Path, str, Callable[[Path], tuple[Array, Array]]]:
    for folder in (directory / name for name in _FOLDERS):
        if (folder / "data_batch_1.bin").is_file():
            return folder, ".bin", read_cifar10_batch
        if (folder / "data_batch_1").is_file():
            return folder, "", _read_pickle
    raise FileNotFoundError(f"{directory} has neither data_batch_1.bin nor data_batch_1")


def _scaled(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Join the parts; the images become float32 from 0 to 1, written once."""
    images = np.empty((sum(len(labels) for _, labels in parts), *_SHAPE), np.float32)
    start = 0
    for pixels, labels in parts:
        np.divide(pixels, np.float32(255), out=images[start : start + len(labels)])
        start += len(labels)
    return images, np.concatenate([labels for _, labels in parts])
