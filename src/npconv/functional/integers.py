"""Convolutions of integers: in floats where these hold every sum exactly, else in integers.

Processors multiply floats several times as fast as wide integers. The largest values of both
factors say whether float32 (to 2**24) or float64 (to 2**53) holds all sums that may come up, in any
order; then both ways give the same bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npconv.checks import FLOAT32, FLOAT64, Array
from npconv.geometry import ConvGeometry
from npconv.runtime import Options, native

FEW_PRODUCTS = 1 << 20
"""A convolution of fewer products is done before it is known what floats would hold."""

_STAGE_BYTES = 4 << 20  # of floats beside the arrays themselves; at least those of an image
_PIECE_BYTES = 1 << 18  # of results that become integers while they are in cache


def forward(
    geometry: ConvGeometry,
    dtype: np.dtype[Any],
    x: Array,
    weight: Array,
    bias: Array | None,
    y: Array,
    how: Options,
    activation: str | None,
    add: Array | None,
) -> None:
    """Write y = activation(x ⋆ weight + bias + add)."""
    depth = geometry.in_channels // geometry.groups * math.prod(geometry.kernel)
    held = None if add is not None else _held_by(dtype, depth, y, x, weight, bias)
    if held is None:
        native.conv_integer("forward", geometry, x, weight, y, how, bias, activation, add)
        return
    filters = np.ascontiguousarray(weight, held)
    offsets = None if bias is None else bias.astype(held)
    for part in _parts(x, y, held):
        sums = _room(y[part], held)
        images, some = _converted(x[part], held, how), geometry._replace(batch=len(sums))
        native.conv_forward(
            some, images, filters, offsets, sums, _exact(how), activation, 0.0, None, None
        )
        _deliver(sums, y[part])


def input_grad(
    geometry: ConvGeometry,
    dtype: np.dtype[Any],
    grad: Array,
    weight: Array,
    dx: Array,
    how: Options,
    bias: Array | None,
    activation: str | None,
    add: Array | None,
) -> None:
    """Write the gradient by the input."""
    depth = geometry.out_channels // geometry.groups * math.prod(geometry.kernel)
    held = None if add is not None else _held_by(dtype, depth, dx, grad, weight, bias)
    if held is None:
        native.conv_integer("input_grad", geometry, dx, weight, grad, how, bias, activation, add)
        return
    filters = np.ascontiguousarray(weight, held)
    offsets = None if bias is None else bias.astype(held)
    for part in _parts(grad, dx, held):
        sums = _room(dx[part], held)
        errors, some = _converted(grad[part], held, how), geometry._replace(batch=len(sums))
        native.conv_input_grad(
            some, errors, filters, sums, _exact(how), offsets, activation, 0.0, None
        )
        _deliver(sums, dx[part])


def weight_grad(
    geometry: ConvGeometry,
    dtype: np.dtype[Any],
    grad: Array,
    x: Array,
    dweight: Array,
    how: Options,
) -> None:
    """Write the gradient by the weight, which is contiguous."""
    depth = geometry.batch * math.prod(geometry.output)
    held = _held_by(dtype, depth, dweight, x, grad, None)
    if held is None:
        native.conv_integer("weight_grad", geometry, x, dweight, grad, how)
        return
    sums = _room(dweight, held)
    native.conv_weight_grad(geometry, grad, x, sums, _exact(how))
    _deliver(sums, dweight)


def _held_by(
    dtype: np.dtype[Any], depth: int, result: Array, one: Array, other: Array, bias: Array | None
) -> np.dtype[Any] | None:
    """The floats that hold all sums, if there are any and it pays to look."""
    if depth * result.size < FEW_PRODUCTS:
        return None
    largest = depth * _largest(one) * _largest(other)
    if bias is not None:
        largest += _largest(bias)
    if largest <= 1 << 24:
        return FLOAT32
    return FLOAT64 if largest <= 1 << 53 and dtype.itemsize == 8 else None


def _largest(array: Array) -> int:
    """The largest absolute value."""
    if array.dtype.kind == "b" or not array.size:
        return 1
    return max(int(array.max()), -int(array.min()))


def _exact(how: Options) -> Options:
    """Direct sums, for transforms have other values between."""
    return ("auto", how[1], how[2], "strict", *how[4:])


def _parts(source: Array, result: Array, held: np.dtype[Any]) -> list[slice]:
    """Cut the batch, so that floats beside the arrays themselves take little memory."""
    batch, beside = len(result), source.size
    if result.dtype.itemsize != held.itemsize:
        beside += result.size
    step = max(1, _STAGE_BYTES * batch // max(beside * held.itemsize, 1))
    return [slice(n, n + step) for n in range(0, batch, step)]


def _converted(source: Array, held: np.dtype[Any], how: Options) -> Array:
    """Floats that the kernels read at full speed, which they do not read integers at."""
    to = native.empty(source.shape, held)
    native.convert(source, to, how)
    return to


def _room(result: Array, held: np.dtype[Any]) -> Array:
    """Where floats are computed: the result's own memory if they are as large."""
    if result.dtype.itemsize == held.itemsize:
        return result.view(held)
    return native.empty(result.shape, held)


def _deliver(sums: Array, result: Array) -> None:
    """Write floats as integers, a few planes at a time."""
    for one, to in zip(sums, result, strict=True):
        step = max(1, _PIECE_BYTES * len(to) // max(to.nbytes, 1))
        for start in range(0, len(to), step):
            to[start : start + step] = one[start : start + step]
