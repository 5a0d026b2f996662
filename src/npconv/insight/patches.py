"""What makes a filter fire."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from npconv.checks import Array
from npconv.insight.hooks import evaluation, watched
from npconv.insight.receptive_field import receptive_fields
from npconv.layers import Layer


class Patches(NamedTuple):
    """For each of K filters the `count` places in the data where it answers most.

    ``patches`` is (K, count, C, h, w), 0 beyond an image's edge; ``values`` (K, count), falling;
    ``images`` (K, count), the number of the image of each, never twice in a row.
    """

    patches: Array
    values: Array
    images: Array


def strongest_patches(
    net: Layer, layer: str, images: Array, count: int = 8, *, batch: int = 250
) -> Patches:
    """Find the pieces of `images` that a layer's filters answer to most, one piece an image.

    Parameters
    ----------
    net : Layer
        The network.
    layer : str
        The name of a layer with maps, e.g. ``"relu1"``.
    images : ndarray
        (N, C, H, W), where to look.
    count : int
        How many pieces for each filter; at most N are found.
    batch : int
        Images in one run.
    """
    fields = receptive_fields(net, images.shape[1:])
    if layer not in fields:
        raise ValueError(f"layer is {layer!r}, expected one of {', '.join(fields)}")
    if count < 1 or not len(images):
        raise ValueError(f"count is {count} and there are {len(images)} images, expected both >= 1")
    best, places = _best(net, layer, images, batch)
    rows, columns = fields[layer]
    height, width = fields[layer].size

    chosen = np.argsort(-best, axis=0, kind="stable")[:count].T  # (K, count)
    filters = np.arange(best.shape[1])[:, None]
    tops, lefts = np.divmod(places[chosen, filters], len(columns))
    pieces = np.zeros((*chosen.shape, images.shape[1], height, width), images.dtype)
    for at in np.ndindex(chosen.shape):
        (top, bottom), (left, right) = rows[tops[at]], columns[lefts[at]]
        # A field cut off above or on the left is set against the piece's other edge.
        down = height - (bottom - top) if top == 0 else 0
        across = width - (right - left) if left == 0 else 0
        pieces[at][:, down : down + bottom - top, across : across + right - left] = images[
            chosen[at], :, top:bottom, left:right
        ]
    return Patches(pieces, best[chosen, filters], chosen)


def _best(net: Layer, layer: str, images: Array, batch: int) -> tuple[Array, Array]:
    """Return the largest value of each map for each image (N, K), and where in the map it is."""
    values, places = [], []

    def note(name: str, _: Any, result: Array) -> None:
        if name == layer:
            flat = result.reshape(*result.shape[:2], -1)
            where = flat.argmax(axis=2)
            places.append(where)
            values.append(np.take_along_axis(flat, where[:, :, None], axis=2)[:, :, 0])

    with evaluation(net), watched(net, "forward", note):
        for start in range(0, len(images), batch):
            net.forward(images[start : start + batch])
    return np.concatenate(values), np.concatenate(places)
