"""Filters of signal processing, in plain NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npconv import checks
from npconv.checks import Array
from npconv.reference.convolution import conv2d, conv2d_input_grad, conv2d_weight_grad
from npconv.signals import METHODS, Filter, fill_width, filter_call, kernel_grad, needed


def convolve2d(
    x: Any,
    kernel: Any,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
    *,
    method: str = "auto",
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Convolution with a flipped kernel, (..., H, W), (R, S) -> (..., OH, OW).

    Parameters and result are those of :func:`npconv.convolve2d`.
    """
    checks.choice(method, "method", METHODS)
    return _filter(filter_call(x, kernel, mode, boundary, fillvalue, True), fillvalue)


def convolve2d_backward(
    grad: Any,
    x: Any,
    kernel: Any,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
    *,
    needs: Sequence[bool] = (True, True),
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None]:
    """Gradients of :func:`convolve2d` by image and kernel; None where ``needs`` is False.

    Parameters and result are those of :func:`npconv.convolve2d_backward`.
    """
    call = filter_call(x, kernel, mode, boundary, fillvalue, True)
    return _backward(call, grad, fillvalue, needs, True, np.shape(x), np.shape(kernel))


def correlate2d(
    x: Any,
    kernel: Any,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
    *,
    method: str = "auto",
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Correlation with a conjugated kernel, (..., H, W), (R, S) -> (..., OH, OW).

    Parameters and result are those of :func:`npconv.correlate2d`.
    """
    checks.choice(method, "method", METHODS)
    return _filter(filter_call(x, kernel, mode, boundary, fillvalue, False), fillvalue)


def correlate2d_backward(
    grad: Any,
    x: Any,
    kernel: Any,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
    *,
    needs: Sequence[bool] = (True, True),
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None]:
    """Gradients of :func:`correlate2d` by image and kernel; None where ``needs`` is False.

    Parameters and result are those of :func:`npconv.correlate2d_backward`.
    """
    call = filter_call(x, kernel, mode, boundary, fillvalue, False)
    return _backward(call, grad, fillvalue, needs, False, np.shape(x), np.shape(kernel))


def _surrounded(call: Filter, fillvalue: Any) -> Array:
    values = {"constant_values": fillvalue} if call.padding_mode == "constant" else {}
    widths = fill_width(call.padding)
    return np.pad(call.images, widths, call.padding_mode, **values)  # type: ignore[call-overload,no-any-return]


def _filter(call: Filter, fillvalue: Any) -> Array:
    return conv2d(_surrounded(call, fillvalue), call.weight).reshape(call.output_shape)


def _backward(
    call: Filter,
    grad: Any,
    fillvalue: Any,
    needs: object,
    flip: bool,
    x_shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
) -> tuple[Array | None, Array | None]:
    need_dx, need_dkernel = needed(needs)
    grad = checks.array(grad, "grad")
    checks.same_shape(grad, "grad", call.output_shape, "the shape of this filter's result")
    errors = grad.reshape(len(call.images), len(call.weight), *call.output_shape[-2:])
    together = np.result_type(errors, call.images, call.weight)
    errors = errors.astype(together)
    dx = dkernel = None
    if need_dx:
        dx = conv2d_input_grad(
            errors, call.weight, call.images.shape, padding=call.padding,
            padding_mode=call.padding_mode,
        ).reshape(x_shape)  # fmt: skip
    if need_dkernel:
        dweight = conv2d_weight_grad(errors, _surrounded(call, fillvalue), call.weight.shape)
        dkernel = kernel_grad(dweight, flip, kernel_shape)
    return dx, dkernel
