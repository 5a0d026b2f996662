"""Where a network looks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from npconv.checks import Array
from npconv.insight import class_activation, saliency
from npconv.layers import Layer
from npconv.training import predict
from npconv.viz.colours import class_name, show_image
from npconv.viz.figure import caption, new_figure, save


def save_saliency(
    path: str | os.PathLike[str],
    net: Layer,
    images: Array,
    names: Sequence[str] | None = None,
    layer: str | None = None,
) -> Path:
    """Draw for each of a few images (N, C, H, W) which pixels its predicted class hangs on.

    In each row: the image, the gradient of the score, and the class-activation map of `layer`
    (see :func:`npconv.insight.class_activation`) over the image.
    """
    classes = predict(net, images)
    gradients = saliency(net, images, classes)
    maps = class_activation(net, images, classes, layer)
    figure = new_figure(8, 0.6 + 2.7 * len(images), "Where the network looks")
    for row, panels in enumerate(figure.subplots(len(images), 3, squeeze=False)):
        show_image(panels[0], images[row])
        caption(panels[0], f"read as {class_name(names, classes[row])}")
        limit = float(gradients[row].max()) or 1.0
        panels[1].set_axis_off()
        panels[1].imshow(gradients[row], cmap="magma", vmin=0, vmax=limit, interpolation="nearest")
        caption(panels[1], "saliency: how much a pixel counts")
        show_image(panels[2], images[row])
        height, width = images.shape[2:]
        panels[2].imshow(
            maps[row],
            cmap="inferno",
            vmin=0,
            vmax=float(maps[row].max()) or 1.0,
            alpha=np.full(maps[row].shape, 0.6),
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            interpolation="bilinear",
        )
        caption(panels[2], "class-activation map")
    return save(figure, path)
