"""Images changed so little that nobody sees it, and so that a network errs."""

from __future__ import annotations

import numpy as np

from npconv.checks import Array
from npconv.insight.gradients import input_gradient
from npconv.layers import Layer


def fast_gradient_sign(
    net: Layer,
    images: Array,
    labels: Array,
    strength: float,
    *,
    limits: tuple[float, float] | None = (0.0, 1.0),
) -> Array:
    """Move every pixel by `strength` in the direction that makes the loss grow.

    Goodfellow, Shlens and Szegedy 2014. The result is clipped to `limits`, unless that is None.
    """
    if not 0 <= strength < float("inf"):
        raise ValueError(f"strength is {strength}, expected a finite number from 0")
    signs = np.sign(input_gradient(net, images, labels))
    changed: Array = images + images.dtype.type(strength) * signs
    return changed if limits is None else changed.clip(*limits)
