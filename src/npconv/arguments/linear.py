"""The checked arguments of the affine map."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from npconv import checks
from npconv.checks import Array, show


class Linear(NamedTuple):
    """Rows times a matrix."""

    x: Array
    weight: Array
    bias: Array | None
    activation: str | None
    slope: float
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def linear_case(
    x: object, weight: object, bias: object, activation: object, out: Array | None
) -> Linear:
    """Check the arguments of a forward call."""
    name, slope = checks.activation(activation)
    matrix = _matrix(weight)
    rows = checks.array(x, "x")
    if rows.ndim == 0 or rows.shape[-1] != matrix.shape[1]:
        raise ValueError(f"x has shape {rows.shape}, expected rows of {matrix.shape[1]} values")
    shift = None if bias is None else checks.array(bias, "bias")
    if shift is not None:
        checks.same_shape(shift, "bias", matrix.shape[:1], "one value a row of weight")
    dtype = checks.float_dtype(x=rows, weight=matrix, bias=shift)
    shape = (*rows.shape[:-1], len(matrix))
    checks.fits_memory("the result", shape, dtype.itemsize)
    if out is not None:
        checks.output(out, shape, dtype, x=rows, weight=matrix, bias=shift)
    return Linear(rows, matrix, shift, name, slope, shape, dtype)


class LinearBackward(NamedTuple):
    """The gradients of rows times a matrix; `grad` and `x` as matrices."""

    grad: Array
    x: Array
    weight: Array
    needs: tuple[bool, bool, bool]
    x_shape: tuple[int, ...]
    dtype: np.dtype[Any]


def linear_backward_case(grad: object, x: object, weight: object, needs: object) -> LinearBackward:
    """Check the arguments of a backward call."""
    wanted = needed(needs)
    matrix = _matrix(weight)
    rows, errors = checks.array(x, "x"), checks.array(grad, "grad")
    if rows.ndim == 0 or rows.shape[-1] != matrix.shape[1]:
        raise ValueError(f"x has shape {rows.shape}, expected rows of {matrix.shape[1]} values")
    checks.same_shape(errors, "grad", (*rows.shape[:-1], len(matrix)), "the shape of this product")
    dtype = checks.float_dtype(grad=errors, x=rows, weight=matrix)
    count = math.prod(rows.shape[:-1])
    return LinearBackward(
        errors.reshape(count, len(matrix)),
        rows.reshape(count, rows.shape[-1]),
        matrix,
        wanted,
        rows.shape,
        dtype,
    )


def needed(value: object) -> tuple[bool, bool, bool]:
    """Check which of three gradients are wanted."""
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        raise TypeError(f"needs must be three bools, got {show(value)}")
    first, second, third = (checks.flag(item, "needs") for item in value)
    return first, second, third


def _matrix(weight: object) -> Array:
    checked = checks.array(weight, "weight")
    if checked.ndim != 2:
        raise ValueError(f"weight must be (out, in), got shape {checked.shape}")
    return checked
