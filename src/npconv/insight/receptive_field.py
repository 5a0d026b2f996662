"""Which pixels an output of a layer can see."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from npconv.checks import Array
from npconv.insight.hooks import evaluation, watched
from npconv.layers import Layer


class Field(NamedTuple):
    """The receptive fields of a layer's outputs, cut off at the image's edges.

    ``rows[i]`` is (first, last + 1) row of the image that output row i depends on; ``columns``
    likewise.
    """

    rows: Array
    columns: Array

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the largest field."""
        height, width = (int(np.ptp(part, axis=1).max()) for part in (self.rows, self.columns))
        return height, width


def receptive_fields(
    net: Layer, image_shape: tuple[int, int, int], *, batch: int = 16
) -> dict[str, Field]:
    """Find the receptive fields of every layer with maps, for images of `image_shape` (C, H, W).

    Not from a formula but by trying: a row of NaN in the image reaches exactly the outputs whose
    field it crosses, through any kind of layer, branch and shortcut. One run for each row and
    column.
    """
    channels, height, width = image_shape
    dtype = next((value.dtype for value in net.params.values()), np.dtype(np.float32))
    rows: dict[str, list[Array]] = {}
    columns: dict[str, list[Array]] = {}
    # A NaN is meant here and raises no warning.
    with evaluation(net), np.errstate(invalid="ignore"):
        for reached, count, axis in ((rows, height, 2), (columns, width, 3)):

            def note(
                name: str, _: Any, result: Array, reached: Any = reached, axis: int = axis
            ) -> None:
                if result.ndim == 4:
                    nan = np.isnan(result).any(axis=(1, 5 - axis))
                    reached.setdefault(name, []).append(nan)

            with watched(net, "forward", note):
                for start in range(0, count, batch):
                    places = np.arange(start, min(start + batch, count))
                    images = np.zeros((len(places), channels, height, width), dtype)
                    view = images if axis == 2 else images.swapaxes(2, 3)
                    view[np.arange(len(places)), :, places] = np.nan
                    net.forward(images)
    return {
        name: Field(_ranges(np.concatenate(rows[name])), _ranges(np.concatenate(columns[name])))
        for name in rows
    }


def _ranges(reached: Array) -> Array:
    """Turn (place in the image, output) into (first, last + 1) for each output."""
    first = reached.argmax(axis=0)
    last = len(reached) - reached[::-1].argmax(axis=0)
    return np.where(reached.any(axis=0), [first, last], 0).T
