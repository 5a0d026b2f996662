"""Operations that only move numbers, or add them up."""

from __future__ import annotations

from typing import Any

from autograd.extend import defvjp, primitive

from npconv import functional
from npconv.compat.autograd._calls import public


@primitive
def _pad(x: Any, width: Any, mode: Any, values: Any, how: Any) -> Any:
    return functional.pad(x, width, mode, values, **how)


@primitive
def _pad_backward(grad: Any, width: Any, mode: Any, how: Any) -> Any:
    return functional.pad_backward(grad, width, mode, **how)


defvjp(_pad, lambda ans, x, width, mode, _, how: lambda g: _pad_backward(g, width, mode, how))
defvjp(_pad_backward, lambda ans, g, width, mode, how: lambda h: _pad(h, width, mode, 0, how))


@public(functional.pad, "x", "pad_width")
def pad(
    x: Any, pad_width: Any, mode: Any = "constant", constant_values: Any = 0, **how: Any
) -> Any:
    return _pad(x, pad_width, mode, constant_values, how)


@public(functional.pad_backward, "grad", "pad_width")
def pad_backward(grad: Any, pad_width: Any, mode: Any = "constant", **how: Any) -> Any:
    return _pad_backward(grad, pad_width, mode, how)


@primitive
def _im2col(x: Any, kernel_size: Any, how: Any) -> Any:
    return functional.im2col(x, kernel_size, **how)


@primitive
def _col2im(cols: Any, input_shape: Any, kernel_size: Any, how: Any) -> Any:
    return functional.col2im(cols, input_shape, kernel_size, **how)


defvjp(_im2col, lambda ans, x, kernel, how: lambda g: _col2im(g, x.shape, kernel, how))
defvjp(_col2im, lambda ans, cols, shape, kernel, how: lambda h: _im2col(h, kernel, how))


@public(functional.im2col, "x", "kernel_size")
def im2col(x: Any, kernel_size: Any, **how: Any) -> Any:
    return _im2col(x, kernel_size, how)


@public(functional.col2im, "cols", "input_shape", "kernel_size")
def col2im(cols: Any, input_shape: Any, kernel_size: Any, **how: Any) -> Any:
    return _col2im(cols, input_shape, kernel_size, how)


@primitive
def _unfold(x: Any, kernel_size: Any, how: Any) -> Any:
    return functional.unfold(x, kernel_size, **how)


@primitive
def _fold(cols: Any, output_size: Any, kernel_size: Any, how: Any) -> Any:
    return functional.fold(cols, output_size, kernel_size, **how)


defvjp(_unfold, lambda ans, x, k, how: lambda g: _fold(g, x.shape[-2:], k, how))
defvjp(_fold, lambda ans, cols, size, k, how: lambda h: _unfold(h, k, how))


@public(functional.unfold, "x", "kernel_size")
def unfold(x: Any, kernel_size: Any, **how: Any) -> Any:
    return _unfold(x, kernel_size, how)


@public(functional.fold, "cols", "output_size", "kernel_size")
def fold(cols: Any, output_size: Any, kernel_size: Any, **how: Any) -> Any:
    return _fold(cols, output_size, kernel_size, how)
