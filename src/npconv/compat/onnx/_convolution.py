"""Conv, ConvTranspose, ConvInteger and QLinearConv."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

from npconv import functional
from npconv.checks import Array
from npconv.compat.onnx._numbers import computable, spatial
from npconv.compat.onnx._windows import Window, begin_end, per_axis, split, window


class Conv(OpRun):
    """Convolution."""

    def _run(
        self,
        X: Array,
        W: Array,
        B: Array | None = None,
        auto_pad: str | None = None,
        dilations: Any = None,
        group: int = 1,
        kernel_shape: Any = None,
        pads: Any = None,
        strides: Any = None,
    ) -> tuple[Array]:
        where = window(X.shape[2:], kernel_shape or W.shape[2:], strides, pads, dilations, auto_pad)
        bias = None if B is None else computable(B)
        y = _convolved(computable(X), computable(W), bias, where, group)
        return (y.astype(X.dtype, copy=False),)


class ConvInteger(OpRun):
    """Convolution of 8-bit integers around zero points, exact in 32 bits."""

    def _run(
        self,
        x: Array,
        w: Array,
        x_zero_point: Array | None = None,
        w_zero_point: Array | None = None,
        auto_pad: str | None = None,
        dilations: Any = None,
        group: int = 1,
        kernel_shape: Any = None,
        pads: Any = None,
        strides: Any = None,
    ) -> tuple[Array]:
        where = window(x.shape[2:], kernel_shape or w.shape[2:], strides, pads, dilations, auto_pad)
        return (_integer_sums(x, w, x_zero_point, w_zero_point, where, group),)


class QLinearConv(OpRun):
    """Convolution of quantised images, with a quantised result."""

    def _run(
        self,
        x: Array,
        x_scale: Array,
        x_zero_point: Array,
        w: Array,
        w_scale: Array,
        w_zero_point: Array,
        y_scale: Array,
        y_zero_point: Array,
        B: Array | None = None,
        auto_pad: str | None = None,
        dilations: Any = None,
        group: int = 1,
        kernel_shape: Any = None,
        pads: Any = None,
        strides: Any = None,
    ) -> tuple[Array]:
        where = window(x.shape[2:], kernel_shape or w.shape[2:], strides, pads, dilations, auto_pad)
        sums = _integer_sums(x, w, x_zero_point, w_zero_point, where, group)
        if B is not None:
            sums += _per_filter(B, sums.ndim)
        scale = (x_scale * _per_filter(w_scale, sums.ndim) / y_scale).astype(np.float32)
        limits = np.iinfo(y_zero_point.dtype)
        y = np.rint(sums * scale) + y_zero_point
        return (np.clip(y, limits.min, limits.max).astype(y_zero_point.dtype),)


class ConvTranspose(OpRun):
    """Transposed convolution."""

    def _run(
        self,
        X: Array,
        W: Array,
        B: Array | None = None,
        auto_pad: str | None = None,
        dilations: Any = None,
        group: int = 1,
        kernel_shape: Any = None,
        output_padding: Any = None,
        output_shape: Any = None,
        pads: Any = None,
        strides: Any = None,
    ) -> tuple[Array]:
        ndim = X.ndim - 2
        kernel = tuple(kernel_shape or W.shape[2:])
        stride, dilation = per_axis(strides, ndim), per_axis(dilations, ndim)
        more = tuple(output_padding or (0,) * ndim)
        full = [
            (n - 1) * s + (k - 1) * d + 1 + m
            for n, k, s, d, m in zip(X.shape[2:], kernel, stride, dilation, more, strict=True)
        ]
        cut = begin_end(pads, ndim)
        if auto_pad == "VALID":
            cut = ((0, 0),) * ndim
        if output_shape or auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            size = output_shape or [n * s for n, s in zip(X.shape[2:], stride, strict=True)]
            size = size[-ndim:]
            cut = tuple(
                [split(have - want, auto_pad or "") for have, want in zip(full, size, strict=True)]
            )
        how = stride, dilation, group
        y = _transposed(computable(X), computable(W), B, cut, more, *how)
        return (y.astype(X.dtype, copy=False),)


def _convolved(
    x: Array, w: Array, bias: Array | None, where: Window, group: int, **options: Any
) -> Array:
    conv = spatial("conv", x.ndim - 2)
    _, stride, padding, dilation = where
    result: Array = conv(x, w, bias, stride, padding, dilation, group, **options)
    return result


def _transposed(
    x: Array,
    w: Array,
    bias: Array | None,
    cut: tuple[tuple[int, int], ...],
    more: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    group: int,
) -> Array:
    transposed = spatial("conv_transpose", x.ndim - 2)
    # A cut after the image undoes the elements that were asked for there.
    kept = [max(m - after, 0) for m, (_, after) in zip(more, cut, strict=True)]
    cuts = [(a, max(b - m, 0)) for m, (a, b) in zip(more, cut, strict=True)]
    offsets = None if bias is None else computable(bias)
    usual = all(a >= 0 for a, _ in cuts) and all(
        m < max(s, d) for m, s, d in zip(kept, stride, dilation, strict=True)
    )
    if usual:
        y: Array = transposed(x, w, offsets, stride, cuts, kept, group, dilation)
        return y
    # Elements that no window reaches are the bias alone.
    y = transposed(x, w, None, stride, 0, 0, group, dilation)
    inner = [slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(y.shape[2:], cuts, strict=True)]
    whole = [slice(None)] * 2
    around = [(max(-a, 0), m) for (a, _), m in zip(cuts, kept, strict=True)]
    y = functional.pad(y[tuple(whole + inner)], [(0, 0), (0, 0), *around])
    return y if offsets is None else y + _per_filter(offsets, y.ndim)


def _integer_sums(
    x: Array,
    w: Array,
    x_zero_point: Array | None,
    w_zero_point: Array | None,
    where: Window,
    group: int,
) -> Array:
    """Convolve integers exactly: products of 9 bits, of which float64 adds up 2**35."""
    images, filters = x.astype(np.float64), w.astype(np.float64)
    if x_zero_point is not None:
        images -= x_zero_point
    if w_zero_point is not None:
        filters -= np.reshape(w_zero_point, (-1, *[1] * (w.ndim - 1)))
    return _convolved(images, filters, None, where, group).astype(np.int32)


def _per_filter(values: Array, ndim: int) -> Array:
    """One value for all filters, or one each, to go with (N, K, ...)."""
    return np.reshape(values, (1, -1, *[1] * (ndim - 2)))
