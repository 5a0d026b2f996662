"""How well a classifier does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from npconv.checks import Array
from npconv.layers import Layer
from npconv.training.views import View


def predict(
    net: Layer,
    images: Array,
    batch: int = 500,
    *,
    views: Sequence[View] = (),
) -> Array:
    """Return the most likely class of every image, ``(N, C, H, W) -> (N,)``.

    With `views`, functions that change images, the outputs for all of them are added up, such as
    those of :func:`npconv.training.views`; those for the images themselves count only if one
    of the functions returns them.
    """
    if batch < 1:
        raise ValueError(f"batch is {batch}, expected at least 1")
    training = net.training
    net.eval()
    try:
        starts = range(0, len(images), batch)
        batches = (images[start : start + batch] for start in starts)
        classes = [_outputs(net, some, views).argmax(axis=1) for some in batches]
    finally:
        net.train(training)
    return np.concatenate(classes) if classes else np.empty(0, np.intp)


def _outputs(net: Layer, images: Array, views: Sequence[View]) -> Array:
    if not views:
        return net.forward(images)
    total = net.forward(views[0](images)).copy()
    for view in views[1:]:
        total += net.forward(view(images))
    return total


def accuracy(net: Layer, images: Array, labels: Array, batch: int = 500) -> float:
    """Return the share of images, 0 to 1, that `net` puts into the class of their label."""
    if len(images) != len(labels):
        raise ValueError(f"there are {len(images)} images and {len(labels)} labels")
    if not len(images):
        raise ValueError("there are no images to measure the accuracy on")
    return float(np.mean(predict(net, images, batch) == labels))
