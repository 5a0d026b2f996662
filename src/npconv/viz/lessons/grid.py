"""Arrays drawn as tables of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npconv._extras import require
from npconv.checks import Array
from npconv.viz.figure import BLUE, INK, SOFT

PAPER = "#f7f7f7"
PADDING = "#e8e4da"
WINDOW = "#fde0c5"
RESULT = "#d6e6f4"


def draw_grid(
    axes: Any,
    values: Array,
    at: tuple[float, float] = (0, 0),
    *,
    colours: Array | str = PAPER,
    frames: Sequence[tuple[int, int, int, int]] = (),
    hidden: Array | None = None,
    text: str = "",
) -> None:
    """Draw a table with its upper left corner `at` (column, row), one unit a cell.

    Parameters
    ----------
    axes
        Prepared by :func:`stage`.
    values : ndarray
        (rows, columns); integers are written as such.
    at : (float, float)
        Where.
    colours : str or ndarray of str
        Of the cells.
    frames : sequence of (top, left, height, width)
        Cells with a frame around them.
    hidden : ndarray of bool, optional
        Cells whose number is not known yet.
    text : str
        Above the table.
    """
    patches = require("matplotlib.patches", "drawing pictures", extra="viz")
    left, top = at
    fills = np.broadcast_to(np.asarray(colours, dtype=object), values.shape)
    for (i, j), value in np.ndenumerate(values):
        axes.add_patch(
            patches.Rectangle(
                (left + j, top + i), 1, 1, facecolor=fills[i, j], edgecolor=SOFT, linewidth=0.8
            )
        )
        if hidden is None or not hidden[i, j]:
            axes.text(
                left + j + 0.5, top + i + 0.52, number(value), ha="center", va="center",
                fontsize=10, color=INK,
            )  # fmt: skip
    for row, column, height, width in frames:
        axes.add_patch(
            patches.Rectangle(
                (left + column, top + row), width, height, fill=False, edgecolor=BLUE, linewidth=2.5
            )
        )
    if text:
        middle = left + values.shape[1] / 2
        axes.text(middle, top - 0.25, text, ha="center", va="bottom", fontsize=10, color=INK)


def stage(axes: Any, width: float, height: float) -> None:
    """Make `axes` a sheet of `width` by `height` cells, with room for text above."""
    axes.set_axis_off()
    axes.set_xlim(-0.3, width + 0.3)
    axes.set_ylim(height + 0.3, -1.1)
    axes.set_aspect("equal")


def sign(axes: Any, column: float, row: float, text: str, size: float = 14) -> None:
    """Write a sign such as ⋆ or = between tables."""
    axes.text(column, row, text, ha="center", va="center", fontsize=size, color=INK)


def number(value: Any) -> str:
    """Write 3.0 as 3 and 0.3333 as 0.33."""
    value = float(value)
    return f"{value:.0f}" if value == round(value) else f"{value:.2f}".rstrip("0")
