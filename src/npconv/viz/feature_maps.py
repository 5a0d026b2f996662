"""What the layers make of one image."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from npconv.checks import Array
from npconv.viz.figure import caption, new_figure, save
from npconv.viz.tiles import show, tile


def save_feature_maps(
    path: str | os.PathLike[str], image: Array, maps: Mapping[str, Array], title: str
) -> Path:
    """Draw an image ``(H, W)`` and beside it the maps ``(C, OH, OW)`` of each named layer."""
    figure = new_figure(2.6 + 4.6 * len(maps), 4.6, title)
    panels = figure.subplots(1, 1 + len(maps), width_ratios=[0.6] + [1.0] * len(maps))
    panels = [panels] if not maps else panels
    show(panels[0], image, "gray_r", 0, float(image.max()) or 1.0)
    caption(panels[0], f"the image, {_size(image)}")
    for axes, (name, channels) in zip(panels[1:], maps.items(), strict=True):
        show(axes, tile(channels), "magma", 0, float(channels.max()) or 1.0)
        caption(axes, f"{name}: {len(channels)} maps, {_size(channels[0])}")
    return save(figure, path)


def _size(image: Array) -> str:
    return f"{image.shape[0]} × {image.shape[1]}"
