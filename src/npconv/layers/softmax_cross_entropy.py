"""Softmax and cross-entropy loss in one, the last step of a classifier."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array
from npconv.layers.mode import Mode


class SoftmaxCrossEntropy(Mode):
    """Mean over the batch of ``-log softmax(x)[label]``, ``(N, classes), (N,) -> float``.

    Softmax and logarithm are taken together, from ``x - max(x)``, so that neither large nor very
    unequal scores overflow; the gradient is ``(softmax(x) - one_hot(labels)) / N``.
    An empty batch has loss 0.
    """

    def forward(self, x: Array, labels: Array) -> float:
        """Return the loss of scores `x` for integer `labels` in [0, classes)."""
        labels = _checked(x, np.asarray(labels))
        shifted = x - x.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        totals = exponentials.sum(axis=1, keepdims=True)
        self._keep(exponentials / totals, labels)
        rows = np.arange(len(x))
        return float(np.sum(np.log(totals[:, 0]) - shifted[rows, labels])) / max(len(x), 1)

    def backward(self) -> Array:
        """Return the loss's gradient with respect to the scores."""
        softmax, labels = self._recall()
        grad: Array = softmax.copy()
        grad[np.arange(len(grad)), labels] -= 1
        grad /= max(len(grad), 1)
        return grad


def _checked(x: Array, labels: Array) -> Array:
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(f"x has shape {x.shape}, expected (N, classes) with at least one class")
    if labels.shape != x.shape[:1]:
        raise ValueError(f"labels has shape {labels.shape}, expected {x.shape[:1]}")
    if labels.size and labels.dtype.kind not in "iu":
        raise TypeError(f"labels has dtype {labels.dtype}, expected integers")
    if labels.size and (labels.min() < 0 or labels.max() >= x.shape[1]):
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, expected 0 to {x.shape[1] - 1}"
        )
    return labels.astype(np.intp)
