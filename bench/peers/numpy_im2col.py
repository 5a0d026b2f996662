"""The textbook's way in plain NumPy: im2col, one matrix product, and col2im backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from peers import Call, SkipError
from workload import Case

ROLE = "baseline"
OPTIONS: dict[str, str] = {}

CORES = {"avx2": "Haswell", "plain": "Nehalem"}  # OpenBLAS's names of what it is held to


def environment(threads: int, isa: str, options: dict[str, str]) -> dict[str, str]:
    return {"OPENBLAS_CORETYPE": CORES[isa]} if isa in CORES else {}


def im2col(case: Case, x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) -> (N, G, C/G * R * S, OH * OW)"""
    layer, (height, width) = case.layer, case.layer.output_plane
    p, stride, dilation = layer.padding, layer.stride, layer.dilation
    image = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    cols = np.empty((*x.shape[:2], *layer.kernel, height, width), x.dtype)
    for r in range(layer.kernel_height):
        for s in range(layer.kernel_width):
            rows = slice(r * dilation, r * dilation + stride * height, stride)
            columns = slice(s * dilation, s * dilation + stride * width, stride)
            cols[:, :, r, s] = image[:, :, rows, columns][:, :, :height, :width]
    return cols.reshape(x.shape[0], layer.groups, -1, height * width)


def col2im(case: Case, cols: np.ndarray) -> np.ndarray:
    """The adjoint of im2col: every column is added back to where it came from."""
    layer, (height, width) = case.layer, case.layer.output_plane
    n, c, h, w = case.x_shape
    p, stride, dilation = layer.padding, layer.stride, layer.dilation
    cols = cols.reshape(n, c, *layer.kernel, height, width)
    image = np.zeros((n, c, h + 2 * p, w + 2 * p), cols.dtype)
    for r in range(layer.kernel_height):
        for s in range(layer.kernel_width):
            rows = slice(r * dilation, r * dilation + stride * (height - 1) + 1, stride)
            columns = slice(s * dilation, s * dilation + stride * (width - 1) + 1, stride)
            image[:, :, rows, columns] += cols[:, :, r, s]
    return image[:, :, p : p + h, p : p + w]


class Contender:
    def __init__(self, threads: int, isa: str, options: dict[str, str]) -> None:
        self.versions = {"numpy": np.__version__}

    def bind(self, case: Case, arrays: dict[str, np.ndarray]) -> Call:
        if case.channels_last:
            raise SkipError("it knows NCHW only")
        if case.operation == "pad":
            x, mode, width = arrays["x"], case.layer.mode, case.layer.padding
            widths = ((0, 0), (0, 0), (width, width), (width, width))
            return lambda: {"y": np.pad(x, widths, mode)}
        if case.layer.kind != "conv":
            raise SkipError("the NumPy baseline has no pooling")
        if case.operation == "forward":
            return lambda: {"y": self._forward(case, arrays)}
        return lambda: self._backward(case, arrays)

    def _forward(self, case: Case, arrays: dict[str, np.ndarray]) -> np.ndarray:
        groups = case.layer.groups
        filters = arrays["weight"].reshape(groups, case.layer.out_channels // groups, -1)
        y = (filters @ im2col(case, arrays["x"])).reshape(case.y_shape)
        return y + arrays["bias"][:, None, None] if case.bias else y

    def _backward(self, case: Case, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        groups, grad = case.layer.groups, arrays["grad"]
        dy = grad.reshape(case.batch, groups, case.layer.out_channels // groups, -1)
        results = {}
        if case.operation != "weight_grad":
            filters = arrays["weight"].reshape(groups, dy.shape[2], -1)
            results["dx"] = col2im(case, filters.swapaxes(1, 2) @ dy)
        if case.operation != "input_grad":
            products = dy @ im2col(case, arrays["x"]).swapaxes(2, 3)
            results["dweight"] = products.sum(axis=0).reshape(case.weight_shape)
        if case.operation == "backward":
            results["dbias"] = grad.sum(axis=(0, 2, 3))
        return results

    def outputs(self, result: Any) -> dict[str, np.ndarray]:
        return result

    def plan(self) -> dict | None:
        return None
