"""Softmax and cross-entropy loss in one, the last step of a classifier."""

from __future__ import annotations

import numpy as np

from npconv.arguments.elementwise import number
from npconv.checks import Array
from npconv.layers.mode import Mode
from npconv.runtime import native, options


class SoftmaxCrossEntropy(Mode):
    """Mean over the batch of ``-log softmax(x)[label]``, ``(N, classes), (N,) -> float``.

    Softmax and logarithm are taken together, from ``x - max(x)``, so that neither large nor very
    unequal scores overflow; the gradient is ``(softmax(x) - one_hot(labels)) / N``.
    An empty batch has loss 0. Both come from one pass over the scores; the loss is a sum of doubles
    in order of the rows, so its bits do not depend on threads.

    Parameters
    ----------
    smoothing : float
        What share of each label is spread evenly over all classes (Szegedy et al. 2016), so that
        scores need not grow for ever: from 0 to below 1.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = number(smoothing, "smoothing", 0, 1)

    def forward(self, x: Array, labels: Array) -> float:
        """Return the loss of scores `x` for integer `labels` in [0, classes)."""
        scores = _matrix(x)
        classes = _checked(scores, np.asarray(labels))
        grad = native.empty(scores.shape, scores.dtype) if self.training else None
        loss = native.softmax_loss(scores, classes, grad, options())
        if loss is None:
            raise ValueError(
                f"labels run from {classes.min()} to {classes.max()}, "
                f"expected 0 to {scores.shape[1] - 1}"
            )
        if self.smoothing and len(scores):
            loss += self._smooth(scores, classes, grad)
        self._keep(grad)
        return loss

    def backward(self) -> Array:
        """Return the loss's gradient with respect to the scores, which `forward` computed."""
        grad: Array = self._recall()[0]
        return grad

    def _smooth(self, scores: Array, classes: Array, grad: Array | None) -> float:
        """Move `grad` to what the smoothed labels make it, and return how much the loss differs.

        The mean of all classes' ``-log softmax`` is the label's, plus the label's score, less the
        mean score.
        """
        rows = np.arange(len(scores))
        if grad is not None:
            share = self.smoothing / len(scores)
            grad[rows, classes] += share
            grad -= share / scores.shape[1]
        picked = scores[rows, classes].astype(np.float64)
        return self.smoothing * float(np.mean(picked - scores.mean(axis=1, dtype=np.float64)))


def _matrix(x: Array) -> Array:
    """Return scores as the C core takes them: float32 or float64, each row's side by side."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(f"x has shape {x.shape}, expected (N, classes) with at least one class")
    dtype = np.dtype(np.float32 if x.dtype in (np.float16, np.float32) else np.float64)
    if x.dtype == dtype and x.dtype.isnative and x.flags.c_contiguous and x.flags.aligned:
        return x
    return np.ascontiguousarray(x, dtype)


def _checked(x: Array, labels: Array) -> Array:
    if labels.shape != x.shape[:1]:
        raise ValueError(f"labels has shape {labels.shape}, expected {x.shape[:1]}")
    if labels.size and labels.dtype.kind not in "iu":
        raise TypeError(f"labels has dtype {labels.dtype}, expected integers")
    return np.ascontiguousarray(labels, np.int64)
