"""How well a classifier does."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array
from npconv.layers import Layer


def predict(net: Layer, images: Array, batch: int = 500) -> Array:
    """Return the most likely class of every image, ``(N, C, H, W) -> (N,)``."""
    if batch < 1:
        raise ValueError(f"batch is {batch}, expected at least 1")
    training = net.training
    net.eval()
    try:
        starts = range(0, len(images), batch)
        classes = [net.forward(images[start : start + batch]).argmax(axis=1) for start in starts]
    finally:
        net.train(training)
    return np.concatenate(classes) if classes else np.empty(0, np.intp)


def accuracy(net: Layer, images: Array, labels: Array, batch: int = 500) -> float:
    """Return the share of images, 0 to 1, that `net` puts into the class of their label."""
    if len(images) != len(labels):
        raise ValueError(f"there are {len(images)} images and {len(labels)} labels")
    if not len(images):
        raise ValueError("there are no images to measure the accuracy on")
    return float(np.mean(predict(net, images, batch) == labels))
