"""Padding, and windows as columns."""

from __future__ import annotations

from collections.abc import Sequence

from npconv import checks, functional
from npconv.checks import Array
from npconv.compat.functional._conventions import PerAxis

_PAD_MODES = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


def pad(
    input: Array, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Array:
    """Pad the last axes; `pad` is (left, right, top, bottom, ...). Negative widths cut off."""
    array = checks.array(input, "input")
    mode = checks.choice(mode, "mode", tuple(_PAD_MODES))
    if len(pad) % 2 or len(pad) > 2 * array.ndim:
        raise ValueError(
            f"pad must have an even number of values, at most {2 * array.ndim}, got {len(pad)}"
        )
    if value is not None and mode != "constant":
        raise ValueError(f"value goes with mode='constant' only, got mode={mode!r}")
    widths = [(0, 0)] * (array.ndim - len(pad) // 2)
    widths += [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    kept = []
    for axis, (before, after) in enumerate(widths):
        start, stop = max(-before, 0), array.shape[axis] - max(-after, 0)
        if stop < start or array.shape[axis] + before + after < 0:
            raise ValueError(f"pad {tuple(pad)} leaves nothing of axis {axis} of {array.shape}")
        kept.append(slice(start, stop))
    width = [(max(before, 0), max(after, 0)) for before, after in widths]
    filler = 0 if value is None else value
    return functional.pad(array[tuple(kept)], width, _PAD_MODES[mode], filler)


def unfold(
    input: Array,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: PerAxis = 0,
    stride: PerAxis = 1,
) -> Array:
    """Copy windows into columns, ``(N, C, H, W) -> (N, C·R·S, OH·OW)``."""
    return functional.im2col(input, kernel_size, stride, padding, dilation)


def fold(
    input: Array,
    output_size: PerAxis,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: PerAxis = 0,
    stride: PerAxis = 1,
) -> Array:
    """Add columns back to their windows, ``(N, C·R·S, OH·OW) -> (N, C, H, W)``."""
    cols = checks.array(input, "input")
    checks.rank(cols, "input", (2, 3), "(N, C·R·S, OH·OW) or (C·R·S, OH·OW)")
    kernel = checks.per_axis(kernel_size, "kernel_size", 2, 1)
    image = checks.per_axis(output_size, "output_size", 2, 0)
    channels, rest = divmod(cols.shape[-2], kernel[0] * kernel[1])
    if rest:
        raise ValueError(
            f"input has {cols.shape[-2]} rows, which windows of {kernel[0]}x{kernel[1]} "
            f"do not divide"
        )
    shape = (*cols.shape[:-2], channels, *image)
    return functional.col2im(cols, shape, kernel, stride, padding, dilation)
