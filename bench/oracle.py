"""The right answer to every case, in float64, and how far from it a contender may be.

A convolution is summed tap by tap with matmul: neither fast nor the contenders' way, but nothing in
it can be got subtly wrong. The tolerance of an output is TOLERANCE * u * sum |x| |w| with the
largest such sum of its plane, u being half the spacing of the dtype at 1: Winograd's error at one
pixel depends on the neighbours' sums too. Pooling and padding must be exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workload import Case, Layer

TOLERANCE = 32.0


@dataclass
class Expected:
    """One output: its name, value, and the largest error (None: every bit must agree)."""

    name: str
    value: np.ndarray
    tolerance: np.ndarray | None = None
    scale: np.ndarray | None = None  # the error is also told in units of u * scale


def taps(layer: Layer) -> Iterator[tuple[int, int, tuple]]:
    """(r, s, slice of the padded image that meets tap (r, s)) for every tap."""
    height, width = layer.output_plane
    for r in range(layer.kernel_height):
        for s in range(layer.kernel_width):
            top, left = r * layer.dilation, s * layer.dilation
            rows = slice(top, top + (height - 1) * layer.stride + 1, layer.stride)
            columns = slice(left, left + (width - 1) * layer.stride + 1, layer.stride)
            yield r, s, (..., rows, columns)


def padded(x: np.ndarray, padding: int, value: float = 0.0) -> np.ndarray:
    return np.pad(
        x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), constant_values=value
    )


def grouped(x: np.ndarray, groups: int) -> np.ndarray:
    """(N, C, H, W) -> (N, G, C/G, H*W)"""
    return x.reshape(x.shape[0], groups, x.shape[1] // groups, -1)


def forward(case: Case, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    layer, image = case.layer, padded(x, case.layer.padding)
    filters = weight.reshape(layer.groups, -1, *weight.shape[1:])
    y = np.zeros(grouped(np.empty(case.y_shape, bool), layer.groups).shape, x.dtype)
    for r, s, window in taps(layer):
        y += filters[..., r, s] @ grouped(image[window], layer.groups)
    return y.reshape(case.y_shape)


def input_grad(case: Case, grad: np.ndarray, weight: np.ndarray) -> np.ndarray:
    layer = case.layer
    filters = weight.reshape(layer.groups, -1, *weight.shape[1:])
    n, c, h, w = case.x_shape
    image = np.zeros((n, c, h + 2 * layer.padding, w + 2 * layer.padding), grad.dtype)
    for r, s, window in taps(layer):
        part = filters[..., r, s].swapaxes(1, 2) @ grouped(grad, layer.groups)
        image[window] += part.reshape(n, c, *layer.output_plane)
    return image[:, :, layer.padding : layer.padding + h, layer.padding : layer.padding + w]


def weight_grad(case: Case, grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    layer, image = case.layer, padded(x, case.layer.padding)
    dw = np.empty(case.weight_shape, grad.dtype)
    dy = grouped(grad, layer.groups)
    for r, s, window in taps(layer):
        product = dy @ grouped(image[window], layer.groups).swapaxes(2, 3)
        dw[..., r, s] = product.sum(axis=0).reshape(case.weight_shape[:2])
    return dw


def max_pool(case: Case, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maxima and their flat int64 positions in the input plane, the first one among equals."""
    layer, image = case.layer, padded(x, case.layer.padding, -np.inf)
    height, width = layer.output_plane
    rows = (np.arange(height) * layer.stride - layer.padding)[:, None]
    columns = (np.arange(width) * layer.stride - layer.padding)[None, :]
    y = np.full(case.y_shape, -np.inf, x.dtype)
    indices = np.zeros(case.y_shape, np.int64)
    for r, s, window in taps(layer):
        better = image[window] > y
        y = np.where(better, image[window], y)
        flat = (rows + r * layer.dilation) * layer.width + columns + s * layer.dilation
        indices = np.where(better, flat, indices)
    return y, indices


def pad(case: Case, x: np.ndarray) -> np.ndarray:
    width = case.layer.padding
    return np.pad(x, ((0, 0), (0, 0), (width, width), (width, width)), case.layer.mode)  # type: ignore[call-overload]


def expected(case: Case, arrays: dict[str, np.ndarray]) -> list[Expected]:
    """Every output of the case, in the order in which contenders return them."""
    if case.operation == "pad":
        return [Expected("y", pad(case, arrays["x"]))]
    if case.operation in ("max_pool", "max_pool_indices"):
        y, indices = max_pool(case, arrays["x"])
        outputs = [Expected("y", y), Expected("indices", indices)]
        return outputs[:1] if case.operation == "max_pool" else outputs
    if case.operation == "max_pool_backward":
        return [_pool_gradient(case, arrays)]
    if case.operation.startswith("avg_pool"):
        mean = _means if case.operation == "avg_pool" else _mean_gradient
        ((name, given),) = arrays.items()
        value, scale = mean(case, given.astype(np.float64)), mean(case, abs(given))
        unit = np.finfo(case.dtype).eps / 2
        name = "y" if name == "x" else "dx"
        return [Expected(name, value, TOLERANCE * unit * scale, unit * scale)]
    sums = _sums(case, {name: array.astype(np.float64) for name, array in arrays.items()})
    scales = _sums(case, {name: np.abs(array) for name, array in arrays.items()})
    unit = np.finfo(case.dtype).eps / 2
    outputs = []
    for name, value in sums.items():
        scale = scales[name].astype(np.float64)
        if scale.ndim == 4:
            scale = scale.max(axis=(2, 3), keepdims=True)
        outputs.append(Expected(name, value, TOLERANCE * unit * scale, unit * scale))
    return outputs


def _sums(case: Case, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if case.operation == "forward":
        y = forward(case, arrays["x"], arrays["weight"])
        return {"y": y + arrays["bias"][:, None, None] if case.bias else y}
    results = {}
    if case.operation in ("input_grad", "backward"):
        results["dx"] = input_grad(case, arrays["grad"], arrays["weight"])
    if case.operation in ("weight_grad", "backward"):
        results["dweight"] = weight_grad(case, arrays["grad"], arrays["x"])
    if case.operation == "backward":
        results["dbias"] = arrays["grad"].sum(axis=(0, 2, 3))
    return results


def _means(case: Case, x: np.ndarray) -> np.ndarray:
    image = padded(x, case.layer.padding)
    windows = [image[window] for _, _, window in taps(case.layer)]
    return np.sum(windows, axis=0) / len(windows)


def _mean_gradient(case: Case, grad: np.ndarray) -> np.ndarray:
    layer, p = case.layer, case.layer.padding
    dx = padded(np.zeros(case.x_shape), p)
    windows = list(taps(layer))
    for _, _, window in windows:
        dx[window] += grad / len(windows)
    return dx[..., p : p + layer.height, p : p + layer.width]


def _pool_gradient(case: Case, arrays: dict[str, np.ndarray]) -> Expected:
    planes = case.batch * case.layer.channels
    size = case.layer.height * case.layer.width
    flat = max_pool(case, arrays["x"])[1].reshape(planes, -1) + np.arange(planes)[:, None] * size
    grad = arrays["grad"].reshape(-1).astype(np.float64)
    dx = np.bincount(flat.reshape(-1), grad, planes * size).reshape(case.x_shape)
    scale = np.bincount(flat.reshape(-1), np.abs(grad), planes * size).reshape(case.x_shape)
    unit = np.finfo(case.dtype).eps / 2
    # A pixel that wins one window or none gets its gradient unrounded; more are summed.
    return Expected("dx", dx, TOLERANCE * unit * scale, unit * scale)


def check(case: Case, wanted: list[Expected], got: dict[str, np.ndarray]) -> tuple[float, str]:
    """(largest error in units of u * sum |x||w|, what is wrong or "")."""
    worst = 0.0
    for output in wanted:
        value = got.get(output.name)
        if value is None:
            return worst, f"{output.name} is missing; got {', '.join(got)}"
        exact_type = output.value.dtype if output.name == "indices" else np.dtype(case.dtype)
        if value.shape != output.value.shape or value.dtype != exact_type:
            return worst, (
                f"{output.name} is {value.dtype} {value.shape}, "
                f"expected {exact_type} {output.value.shape}"
            )
        if output.tolerance is None or output.scale is None:
            wrong = value != output.value
            allowed = np.float64(0)
        else:
            error = np.abs(value - output.value)
            wrong = ~(error <= output.tolerance)  # so that NaN is wrong
            smallest = np.finfo(np.float64).tiny
            worst = max(worst, float(np.max(error / np.maximum(output.scale, smallest))))
            allowed = np.broadcast_to(output.tolerance, value.shape)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            limit = float(allowed[at]) if allowed.shape else 0.0
            return worst, (
                f"{int(wrong.sum())} of {wrong.size} elements of {output.name} are wrong; "
                f"{output.name}{list(at)} is {value[at]!r}, expected {output.value[at]!r} "
                f"± {limit:.2g}"
            )
    return worst, ""
