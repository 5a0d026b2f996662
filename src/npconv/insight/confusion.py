"""What is taken for what."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array


def confusion_matrix(labels: Array, predictions: Array, classes: int | None = None) -> Array:
    """Count how often an image of class i (row) was taken for class j (column)."""
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape or labels.ndim != 1:
        raise ValueError(
            f"labels has shape {labels.shape} and predictions {predictions.shape}, "
            "expected (N,) for both"
        )
    both = np.concatenate([labels, predictions])
    if both.size and both.min() < 0:
        raise ValueError(f"there is a class {both.min()}, expected 0 and more")
    needed = int(both.max()) + 1 if both.size else 0
    classes = needed if classes is None else classes
    if classes < needed:
        raise ValueError(f"classes is {classes}, but there is a class {needed - 1}")
    counts = np.bincount(labels * classes + predictions, minlength=classes * classes)
    return counts.reshape(classes, classes)
