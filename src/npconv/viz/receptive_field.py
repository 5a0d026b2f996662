"""How much of an image each layer sees."""

from __future__ import annotations

import os
from pathlib import Path

from npconv._extras import require
from npconv.checks import Array
from npconv.insight import receptive_fields
from npconv.layers import Layer
from npconv.viz.colours import show_image
from npconv.viz.figure import INK, new_figure, save


def save_receptive_fields(path: str | os.PathLike[str], net: Layer, image: Array) -> Path:
    """Draw on an image (C, H, W) the pixels that the middle output of each layer depends on.

    Layers whose field is that of the layer before are not drawn again.
    """
    patch = require("matplotlib.patches", "drawing pictures", extra="viz").Rectangle
    colours = require("matplotlib", "drawing pictures", extra="viz").colormaps["viridis"]
    fields = receptive_fields(net, (image.shape[0], image.shape[1], image.shape[2]))
    boxes: dict[tuple[int, int, int, int], list[str]] = {}
    for name, field in fields.items():
        (top, bottom), (left, right) = (
            part[len(part) // 2].tolist() for part in (field.rows, field.columns)
        )
        boxes.setdefault((top, bottom, left, right), []).append(name)
    figure = new_figure(7.5, 5.2, "How much of the image each layer sees")
    axes, legend = figure.subplots(1, 2, width_ratios=[2, 1])
    show_image(axes, image)
    legend.set_axis_off()
    handles = []
    for i, ((top, bottom, left, right), names) in enumerate(boxes.items()):
        colour = colours(i / max(len(boxes) - 1, 1) * 0.9)
        label = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
        box = patch(
            (left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor=colour,
            linewidth=2, clip_on=False, label=f"{label}: {bottom - top} × {right - left}",
        )  # fmt: skip
        handles.append(axes.add_patch(box))
    legend.legend(handles=handles, frameon=False, fontsize=8, labelcolor=INK, loc="center left")
    return save(figure, path)
