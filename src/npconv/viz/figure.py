"""What all pictures share: a figure without pyplot, its style, and writing it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from npconv._extras import require

INK = "#222222"
SOFT = "#8a8a8a"
BLUE = "#2166ac"
RED = "#b2182b"
DPI = 150


def new_figure(width: float, height: float, title: str) -> Any:
    """Return an empty matplotlib Figure of `width` by `height` inches with a title."""
    figure = require("matplotlib.figure", "drawing pictures", extra="viz").Figure(
        figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white"
    )
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1, wspace=0.02, hspace=0.04)
    figure.suptitle(title, fontsize=13, color=INK, fontweight="bold")
    return figure


def caption(axes: Any, text: str) -> None:
    """Set the text above a panel."""
    axes.set_title(text, fontsize=10, color=INK)


def save(figure: Any, path: str | os.PathLike[str]) -> Path:
    """Write `figure` to `path` as PNG, making its folder, and return the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    agg = require("matplotlib.backends.backend_agg", "drawing pictures", extra="viz")
    agg.FigureCanvasAgg(figure)
    figure.savefig(path, format="png")
    return path
