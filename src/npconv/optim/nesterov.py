"""Nesterov's accelerated gradient."""

from __future__ import annotations

from npconv.optim.momentum import Momentum


class Nesterov(Momentum):
    """``v = momentum * v - learning_rate * g; p += momentum * v - learning_rate * g``.

    The gradient counts as if taken where the momentum is about to lead; p is that place, as in the
    book 'Deep Learning from Scratch' (``p += momentum**2 * v - (1 + momentum) * learning_rate * g``
    with the old v) and in PyTorch.
    """

    _rule = "nesterov"
