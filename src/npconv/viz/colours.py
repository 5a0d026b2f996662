"""Images with one, two or three channels made fit for drawing."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv.checks import Array


def show_image(axes: Any, image: Array, *, dark_ink: bool = True) -> Any:
    """Draw an image (C, H, W) or (H, W): three channels are red, green, blue, one is ink on paper.

    With ``dark_ink=False`` a single channel is light on black, as photographs are.
    """
    axes.set_axis_off()
    image = np.asarray(image)
    if image.ndim == 3 and len(image) == 3:
        return axes.imshow(image.transpose(1, 2, 0).clip(0, 1), interpolation="nearest")
    if image.ndim == 3:
        image = image.mean(axis=0)
    colours = "gray_r" if dark_ink else "gray"
    return axes.imshow(
        image, cmap=colours, vmin=0, vmax=float(image.max()) or 1.0, interpolation="nearest"
    )


def class_name(names: Any, number: Any) -> str:
    """Return a class's name, or its number where there are no names."""
    return str(number) if names is None else str(names[int(number)])
