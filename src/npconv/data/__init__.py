"""Image data to train on: readers that check what they read, and a batch iterator.

>>> import numpy as np
>>> from npconv.data import batches
>>> images, labels = np.zeros((5, 1, 8, 8), np.float32), np.arange(5)
>>> [y.tolist() for _, y in batches(images, labels, 2)]
[[0, 1], [2, 3], [4]]
"""

from npconv.data.batches import batches
from npconv.data.dataset import DataError, Dataset
from npconv.data.digits import load_digits
from npconv.data.idx import read_idx
from npconv.data.mnist import load_mnist

__all__ = ["DataError", "Dataset", "batches", "load_digits", "load_mnist", "read_idx"]
