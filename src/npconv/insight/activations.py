"""What every layer makes of an image."""

from __future__ import annotations

from typing import Any

from npconv.checks import Array
from npconv.insight.hooks import evaluation, watched
from npconv.layers import Layer


def layer_outputs(net: Layer, images: Array) -> dict[str, Array]:
    """Return the output of every layer for `images` ``(N, C, H, W)``, by name, in running order."""
    outputs: dict[str, Array] = {}

    def note(name: str, _: Any, result: Array) -> None:
        outputs[name] = result

    with evaluation(net), watched(net, "forward", note):
        net.forward(images)
    return outputs
