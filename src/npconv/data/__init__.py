"""Image data to train on: readers that check what they read, augmentation, and a batch iterator.

>>> import numpy as np
>>> from npconv.data import batches
>>> images, labels = np.zeros((5, 1, 8, 8), np.float32), np.arange(5)
>>> [y.tolist() for _, y in batches(images, labels, 2)]
[[0, 1], [2, 3], [4]]
"""

from npconv.data import augment
from npconv.data.batches import batches
from npconv.data.cifar10 import CIFAR10_CLASSES, load_cifar10, read_cifar10_batch
from npconv.data.dataset import DataError, Dataset
from npconv.data.digits import load_digits
from npconv.data.download import download
from npconv.data.idx import read_idx
from npconv.data.mnist import load_mnist

__all__ = [
    "CIFAR10_CLASSES",
    "DataError",
    "Dataset",
    "augment",
    "batches",
    "download",
    "load_cifar10",
    "load_digits",
    "load_mnist",
    "read_cifar10_batch",
    "read_idx",
]
