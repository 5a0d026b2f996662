"""What every layer of a network makes of one image."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from npconv.checks import Array
from npconv.insight import layer_outputs
from npconv.layers import Layer
from npconv.viz.colours import show_image
from npconv.viz.figure import BLUE, caption, new_figure, save
from npconv.viz.tiles import show, tile

_MOST = 64
_COLUMNS = 4


def save_layers(path: str | os.PathLike[str], net: Layer, image: Array, title: str) -> Path:
    """Draw an image (C, H, W) and the output of every layer of `net` for it, down to the scores.

    At most 64 maps of a layer are drawn. Layers that change no number are left out.
    """
    outputs = {
        name: value[0] for name, value in layer_outputs(net, image[None]).items() if _drawn(value)
    }
    # What flattening and, in evaluation, dropout return is what they got.
    names = [
        name
        for i, name in enumerate(outputs)
        if not (i and _same(outputs[name], list(outputs.values())[i - 1]))
    ]
    rows = math.ceil((1 + len(names)) / _COLUMNS)
    figure = new_figure(3.4 * _COLUMNS, 0.6 + 3.6 * rows, title)
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    show_image(panels[0], image)
    caption(panels[0], f"the image, {image.shape[1]} × {image.shape[2]}")
    for axes, name in zip(panels[1:], names, strict=False):
        _draw(axes, name, outputs[name])
    return save(figure, path)


def _drawn(value: Array) -> bool:
    return value.ndim in (2, 4) and value.size > 0


def _same(a: Array, b: Array) -> bool:
    return a.size == b.size and bool((a.ravel() == b.ravel()).all())


def _draw(axes: Any, name: str, value: Array) -> None:
    if value.ndim == 1:
        axes.set_axis_on()
        axes.bar(np.arange(len(value)), value, color=BLUE, width=0.9)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        caption(axes, f"{name}: {len(value)} values")
        return
    shown = value[:_MOST]
    show(axes, tile(shown), "magma", float(min(value.min(), 0)), float(value.max()) or 1.0)
    some = "" if len(shown) == len(value) else f", the first {len(shown)}"
    caption(axes, f"{name}: {len(value)} maps, {value.shape[1]} × {value.shape[2]}{some}")
