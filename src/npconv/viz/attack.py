"""The fast-gradient-sign attack."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from npconv.checks import Array
from npconv.insight import fast_gradient_sign
from npconv.insight.hooks import evaluation
from npconv.layers import Layer
from npconv.viz.colours import class_name, show_image
from npconv.viz.figure import INK, RED, caption, new_figure, save


def save_attack(
    path: str | os.PathLike[str],
    net: Layer,
    images: Array,
    labels: Array,
    strength: float,
    names: Sequence[str] | None = None,
) -> Path:
    """Draw a few images, what is added to each, the sum, and what the network reads before, after.

    Parameters
    ----------
    path
        Of the PNG.
    net : Layer
        The network that is attacked.
    images, labels : ndarray
        (N, C, H, W) from 0 to 1, and their classes (N,).
    strength : float
        How much each pixel changes; see :func:`npconv.insight.fast_gradient_sign`.
    names : sequence of str, optional
        Of the classes.
    """
    changed = fast_gradient_sign(net, images, labels, strength)
    before, after = _shares(net, images), _shares(net, changed)
    title = f"The fast-gradient-sign attack: no pixel changes by more than {strength:g}"
    figure = new_figure(8.5, 0.6 + 2.7 * len(images), title)
    for row, panels in enumerate(figure.subplots(len(images), 3, squeeze=False)):
        show_image(panels[0], images[row])
        _say(panels[0], names, before[row], labels[row])
        difference = (changed[row] - images[row]).mean(axis=0)
        panels[1].set_axis_off()
        panels[1].imshow(
            difference, cmap="RdBu_r", vmin=-strength, vmax=strength or 1, interpolation="nearest"
        )
        caption(panels[1], "what is added")
        show_image(panels[2], changed[row])
        _say(panels[2], names, after[row], labels[row])
    return save(figure, path)


def _shares(net: Layer, images: Array) -> Array:
    """Return the softmax of the scores."""
    with evaluation(net):
        scores = net.forward(images)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Array = shares / shares.sum(axis=1, keepdims=True)
    return result


def _say(axes: object, names: Sequence[str] | None, shares: Array, label: int) -> None:
    caption(axes, f"read as {class_name(names, shares.argmax())}, {100 * shares.max():.1f} % sure")
    axes.title.set_color(INK if shares.argmax() == label else RED)  # type: ignore[attr-defined]
