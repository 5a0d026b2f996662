"""What happens to images before and after a convolution: borders, and half precision.

Images that a padding mode surrounds with more than zeros are convolved without padding: floats by
the C core, which sees to the border, other numbers after padding. Results in float16 and bfloat16
are computed in float32 and rounded. All pass through buffers for a few images at a time
(``STAGE_BYTES``, at least one image).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv.border import Border
from npconv.checks import Array
from npconv.functional import convolution_numbers as numbers
from npconv.geometry import ConvGeometry, PadGeometry
from npconv.number_types import computed_dtype, is_half, real_dtype
from npconv.runtime import Options, native


def _is_direct(border: Border | None, dtype: np.dtype[Any], *arrays: Array) -> bool:
    """Whether the C core takes these arrays with their border, if they have one."""
    if is_half(dtype) or any(is_half(array.dtype) for array in arrays):
        return False
    return border is None or dtype.kind == "f"


def surround(border: Border, images: Array, how: Options) -> Array:
    """Pad some images."""
    padded = native.empty(border.of(len(images)).padded_shape, images.dtype.newbyteorder("="))
    seen, target = images, padded
    if images.dtype.kind == "V":  # bfloat16, of which only the bits matter
        seen, target = images.view(np.uint16), padded.view(np.uint16)
    zeros = np.zeros((images.ndim, 2), target.dtype)
    native.pad_forward(border.of(len(images)), border.mode, seen, zeros, target, how)
    return padded


def collect(border: Border, grad: Array, dx: Array, how: Options) -> None:
    """Add the gradients of copies to those of what they were copied from."""
    geometry = border.of(len(grad))
    if not dx.flags.c_contiguous:  # the channels last
        made = np.empty(dx.shape, dx.dtype)
        collect(border, grad, made, how)
        dx[...] = made
    elif grad.dtype.kind == "c":
        pairs = PadGeometry((*geometry.shape, 2), (*geometry.before, 0), (*geometry.after, 0))
        real = real_dtype(grad.dtype)
        seen = grad.view(real).reshape(*grad.shape, 2)
        native.pad_backward(pairs, border.mode, seen, dx.view(real).reshape(*dx.shape, 2), how)
    else:
        native.pad_backward(geometry, border.mode, grad, dx, how)


def forward(
    geometry: ConvGeometry,
    border: Border | None,
    dtype: np.dtype[Any],
    x: Array,
    weight: Array,
    bias: Array | None,
    y: Array,
    how: Options,
    activation: str | None,
    slope: float,
    add: Array | None,
    prepared: Array | None,
) -> None:
    """Write y = activation(x ⋆ weight + bias + add)."""
    if _is_direct(border, dtype, x):
        numbers.forward(
            geometry, dtype, x, weight, bias, y, how, activation, slope, add, prepared, border
        )
        return
    rounded = is_half(dtype)
    widened = is_half(x.dtype)
    computed = computed_dtype(dtype)
    for part in numbers.images_at_once(geometry, _image_bytes(geometry, computed)):
        images, results = x[part], y[part]
        count = len(images)
        if border is not None:
            images = surround(border, images, how)
        if widened:
            images = _converted(images, np.empty(images.shape, np.float32), how)
        target = np.empty(results.shape, computed) if rounded else results
        numbers.forward(
            geometry._replace(batch=count), computed, images, weight, bias, target, how,
            activation, slope, None if add is None else add[part], prepared,
        )  # fmt: skip
        if rounded:
            _converted(target, results, how)


def input_grad(
    geometry: ConvGeometry,
    border: Border | None,
    dtype: np.dtype[Any],
    grad: Array,
    weight: Array,
    dx: Array,
    how: Options,
    bias: Array | None = None,
    activation: str | None = None,
    slope: float = 0.0,
    add: Array | None = None,
) -> None:
    """Write the gradient by the input; what follows is for transposed convolutions."""
    if _is_direct(border, dtype, grad):
        numbers.input_grad(
            geometry, dtype, grad, weight, dx, how, bias, activation, slope, add, border
        )
        return
    rounded = is_half(dtype)
    widened = is_half(grad.dtype)
    computed = computed_dtype(dtype)
    for part in numbers.images_at_once(geometry, _image_bytes(geometry, computed)):
        errors, results = grad[part], dx[part]
        g = geometry._replace(batch=len(errors))
        if widened:
            errors = _converted(errors, np.empty(errors.shape, np.float32), how)
        staged = rounded or border is not None
        target = np.empty(g.input_shape, computed) if staged else results
        some = None if add is None else add[part]
        numbers.input_grad(g, computed, errors, weight, target, how, bias, activation, slope, some)
        if border is not None:
            padded, target = target, np.empty(results.shape, computed) if rounded else results
            collect(border, padded, target, how)
        if rounded:
            _converted(target, results, how)


def weight_grad(
    geometry: ConvGeometry,
    border: Border | None,
    dtype: np.dtype[Any],
    grad: Array,
    x: Array,
    dweight: Array,
    how: Options,
    dbias: Array | None = None,
) -> None:
    """Write the gradient by the weight, and by the bias if it is given, which takes no pass then.

    They sum over the images, so all are padded at once.
    """
    if _is_direct(border, dtype, x, grad):
        numbers.weight_grad(geometry, dtype, grad, x, dweight, how, border, dbias)
        return
    images = x if border is None else surround(border, x, how)
    target = np.empty(dweight.shape, np.float32) if is_half(dtype) else dweight
    sums = dbias
    if dbias is not None and is_half(dtype):
        sums = np.empty(dbias.shape, np.float32)
    numbers.weight_grad(geometry, target.dtype, grad, images, target, how, None, sums)
    if is_half(dtype):
        _converted(target, dweight, how)
        if dbias is not None and sums is not None:
            _converted(sums, dbias, how)


def bias_grad(
    geometry: ConvGeometry, dtype: np.dtype[Any], grad: Array, dbias: Array, how: Options
) -> None:
    """Write the gradient by the bias."""
    target = np.empty(dbias.shape, np.float32) if is_half(dtype) else dbias
    numbers.bias_grad(geometry, target.dtype, grad, target, how)
    if is_half(dtype):
        _converted(target, dbias, how)


def _converted(source: Array, to: Array, how: Options) -> Array:
    native.convert(source, to, how)
    return to


def _image_bytes(geometry: ConvGeometry, computed: np.dtype[Any]) -> int:
    shapes = geometry.input_shape[1:], geometry.output_shape[1:]
    return sum(int(np.prod(shape, dtype=object)) for shape in shapes) * computed.itemsize
