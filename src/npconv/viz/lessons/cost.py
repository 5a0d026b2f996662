"""Why networks are made of small filters: parameters and multiply-adds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from npconv.insight import receptive_fields
from npconv.layers import Conv2d, Sequential
from npconv.viz.figure import BLUE, INK, RED, new_figure, save
from npconv.viz.lessons.grid import PAPER, RESULT, WINDOW, draw_grid, sign, stage


def save_two_small(path: str | os.PathLike[str]) -> Path:
    """Draw that two 3x3 convolutions see what one 5x5 sees, with 18 parameters instead of 25."""
    rng = np.random.default_rng(0)
    figure = new_figure(11, 7.5, "One 5 × 5 convolution against two of 3 × 3")
    plans = {
        "one 5 × 5": Sequential(Conv2d(1, 1, 5, bias=False, rng=rng)),
        "two 3 × 3": Sequential(
            Conv2d(1, 1, 3, bias=False, rng=rng), Conv2d(1, 1, 3, bias=False, rng=rng)
        ),
    }
    for axes, (name, net) in zip(figure.subplots(2, 1), plans.items(), strict=True):
        fields = list(receptive_fields(net, (1, 7, 7)).values())
        stage(axes, 24, 7.4)
        sizes = [7, *(len(field.rows) for field in fields)]
        # From the output back: what each output pixel at (1, 1) depends on.
        left = 0.0
        seen = [_field(fields, depth, 1) for depth in range(len(fields))] + [(1, 2)]
        for size, (first, last) in zip(sizes, seen, strict=True):
            colours = np.full((size, size), PAPER, object)
            colours[first:last, first:last] = RESULT if size == sizes[-1] else WINDOW
            seen_here = (first, first, last - first, last - first)
            draw_grid(
                axes, np.zeros((size, size)), (left, (7 - size) / 2), colours=colours,
                hidden=np.ones((size, size), bool), frames=[seen_here],
            )  # fmt: skip
            left += size + 1.5
            if size != sizes[-1]:
                sign(axes, left - 0.75, 3.5, "→")
        parameters = sum(value.size for value in net.params.values())
        height = fields[-1].size[0]
        sign(
            axes, 21.5, 3.5, f"{name}\nsees {height} × {height} pixels\n{parameters} parameters", 11
        )
    return save(figure, path)


def _field(fields: list, depth: int, output: int) -> tuple[int, int]:  # type: ignore[type-arg]
    """Return which rows, before layer `depth`, the last layer's row `output` depends on."""
    first, last = fields[-1].rows[output].tolist()
    if depth == 0:
        return first, last
    rows = fields[depth - 1].rows
    inside = [i for i, (a, b) in enumerate(rows.tolist()) if a >= first and b <= last]
    return inside[0], inside[-1] + 1


def save_bottleneck(path: str | os.PathLike[str]) -> Path:
    """Draw what a 1x1 bottleneck saves: 256 channels through 64 against 3x3 at full width."""
    rng = np.random.default_rng(0)
    plans = {
        "3 × 3, 256 → 256": [Conv2d(256, 256, 3, padding=1, bias=False, rng=rng)],
        "1 × 1, 256 → 64\n3 × 3, 64 → 64\n1 × 1, 64 → 256": [
            Conv2d(256, 64, 1, bias=False, rng=rng),
            Conv2d(64, 64, 3, padding=1, bias=False, rng=rng),
            Conv2d(64, 256, 1, bias=False, rng=rng),
        ],
    }
    figure = new_figure(9, 4, "What a 1 × 1 bottleneck saves")
    axes = figure.subplots()
    totals = []
    for i, layers in enumerate(plans.values()):
        start = 0
        for layer, colour in zip(layers, (RED, BLUE, RED), strict=False):
            size = layer.params["weight"].size
            shade = colour if len(layers) > 1 else BLUE
            axes.barh(i, size, left=start, color=shade, alpha=0.6, edgecolor="white", height=0.5)
            axes.text(start + size / 2, i, f"{size:,}", ha="center", va="center", fontsize=7,
                      rotation=90 if size < 30000 else 0, color=INK)  # fmt: skip
            start += size
        totals.append(start)
        axes.text(start + 8000, i, f"{start:,}", va="center", fontsize=10, color=INK)
    axes.set_yticks(range(len(plans)), list(plans), fontsize=10, color=INK)
    axes.invert_yaxis()
    axes.set_xlim(0, max(totals) * 1.2)
    axes.set_xlabel(
        "parameters, which are the multiply-adds for each pixel too: "
        f"{totals[0] / totals[1]:.1f} times fewer",
        color=INK,
    )
    axes.spines[["top", "right", "left"]].set_visible(False)
    return save(figure, path)
