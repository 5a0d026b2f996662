"""Pad and Col2Im."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

from npconv import functional
from npconv.checks import Array
from npconv.compat.onnx._numbers import computable
from npconv.compat.onnx._windows import begin_end, per_axis


class Pad(OpRun):
    """More elements around an array, or fewer."""

    def _run(
        self,
        data: Array,
        pads: Any = None,
        constant_value: Any = None,
        axes: Any = None,
        mode: str = "constant",
        paddings: Any = None,
        value: float = 0.0,
    ) -> tuple[Array]:
        # The widths were attributes before opset 11, of this name before opset 2.
        pads = paddings if pads is None else pads
        pairs = begin_end([int(width) for width in pads], len(pads) // 2)
        which = range(data.ndim) if axes is None else [int(axis) % data.ndim for axis in axes]
        widths = [(0, 0)] * data.ndim
        for axis, pair in zip(which, pairs, strict=True):
            widths[axis] = pair
        kept = tuple(
            [
                slice(max(-before, 0), size - max(-after, 0))
                for (before, after), size in zip(widths, data.shape, strict=True)
            ]
        )
        around = [(max(before, 0), max(after, 0)) for before, after in widths]
        filler = np.asarray(value if constant_value is None else constant_value)
        filler = filler.astype(data.dtype).reshape(-1)[:1]
        # Bytes are moved as they are: of bfloat16 and such, NumPy knows no more than that.
        raw = data.dtype if data.dtype.kind in "biufc" else np.dtype(f"u{data.dtype.itemsize}")
        padded = functional.pad(
            np.ascontiguousarray(data[kept]).view(raw),
            around,
            mode or "constant",
            filler.view(raw)[0] if mode in (None, "constant") and filler.size else 0,
        )
        return (padded.view(data.dtype),)


class Col2Im(OpRun):
    """Columns, added back to the windows that they came from."""

    def _run(
        self,
        data: Array,
        image_shape: Array,
        block_shape: Array,
        dilations: Any = None,
        pads: Any = None,
        strides: Any = None,
    ) -> tuple[Array]:
        image, block = [int(n) for n in image_shape], [int(n) for n in block_shape]
        ndim = len(image)
        if ndim not in (1, 2, 3):
            raise ValueError(f"image_shape has {ndim} values, expected 1 to 3")
        n, channels = len(data), data.shape[1] // int(np.prod(block))
        lost = 3 - ndim
        cols = computable(data).reshape(n, channels, *[1] * lost, *block, -1)
        result = _volumes(
            cols,
            (n, channels, *[1] * lost, *image),
            (*[1] * lost, *per_axis(strides, ndim)),
            (*[(0, 0)] * lost, *begin_end(pads, ndim)),
            (*[1] * lost, *per_axis(dilations, ndim)),
        )
        return (result.reshape(n, channels, *image).astype(data.dtype, copy=False),)


def _volumes(
    cols: Array,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
) -> Array:
    """Add (N, C, T, R, S, P) up to (N, C, D, H, W), a depth of the windows at a time."""
    n, channels, depth, *image = shape
    taps, *kernel = cols.shape[2:5]
    before, after = padding[0]
    steps = (depth + before + after - (taps - 1) * dilation[0] - 1) // stride[0] + 1
    layers = np.zeros((n, channels, depth + before + after, *image), cols.dtype)
    for tap in range(taps):
        # Each step along the depth is an image of its own.
        one = cols[:, :, tap].reshape(n, channels * kernel[0] * kernel[1], steps, -1)
        images = functional.col2im(
            one.transpose(0, 2, 1, 3).reshape(n * steps, one.shape[1], -1),
            (n * steps, channels, *image),
            kernel,
            stride[1:],
            padding[1:],
            dilation[1:],
        ).reshape(n, steps, channels, *image)
        first = tap * dilation[0]
        there = slice(first, first + (steps - 1) * stride[0] + 1, stride[0])
        layers[:, :, there] += images.transpose(0, 2, 1, 3, 4)
    return layers[:, :, before : before + depth]
