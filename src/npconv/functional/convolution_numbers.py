"""Convolutions of every kind of number, by those of the C core: floats, integers, complex.

The functions take checked operands with their batch axis. ``dtype`` is what they write, float32,
float64, integer or complex; float16 and bfloat16 are :mod:`npconv.functional.convolution_stages`'.

A complex convolution is two real ones. For the real part, real and imaginary parts of the images
stand side by side as channels, and the filters' as ``(re, -im)``; for the imaginary part the
filters are ``(im, re)``. So each part of a result is one sum, with the bounds of a real one. The
gradients are those of a real loss in PyTorch's convention, with the factor conjugated.

A border is for floats only: for other numbers it is convolution_stages that pads the images.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import checks
from npconv.border import Border
from npconv.checks import Array
from npconv.functional import integers
from npconv.geometry import ConvGeometry
from npconv.number_types import is_integer, real_dtype
from npconv.runtime import Options, native

STAGE_BYTES = 4 << 20
"""About how much memory copies of images take; at least that of one."""


def images_at_once(geometry: ConvGeometry, bytes_per_image: int) -> list[slice]:
    """Cut the batch, so that copies of a part stay small. Results do not depend on it."""
    step = max(1, STAGE_BYTES // max(bytes_per_image, 1))
    return [slice(n, min(n + step, geometry.batch)) for n in range(0, geometry.batch, step)]


def forward(
    geometry: ConvGeometry,
    dtype: np.dtype[Any],
    x: Array,
    weight: Array,
    bias: Array | None,
    y: Array,
    how: Options,
    activation: str | None = None,
    slope: float = 0.0,
    add: Array | None = None,
    prepared: Array | None = None,
    border: Border | None = None,
) -> None:
    """Write y = activation(x ⋆ weight + bias + add)."""
    if dtype.kind == "c":
        _complex_forward(geometry, real_dtype(dtype), x, weight, bias, y, how, add)
        return
    offsets = None if bias is None else checks.settled(bias, dtype)
    if is_integer(dtype):
        integers.forward(geometry, dtype, x, weight, offsets, y, how, activation, add)
        return
    filters = checks.settled(weight, dtype)
    native.conv_forward(
        geometry, x, filters, offsets, y, how, activation, slope, add, prepared, border
    )


def input_grad(
    geometry: ConvGeometry,
    dtype: np.dtype[Any],
    grad: Array,
    weight: Array,
    dx: Array,
    how: Options,
    bias: Array | None = None,
    activation: str | None = None,
    slope: float = 0.0,
    add: Array | None = None,
    border: Border | None = None,
) -> None:
    """Write the gradient by the input; what follows is for transposed convolutions."""
    if dtype.kind == "c":
        _complex_input_grad(geometry, real_dtype(dtype), grad, weight, dx, how, bias, add)
        return
    offsets = None if bias is None else checks.settled(bias, dtype)
    if is_integer(dtype):
        integers.input_grad(geometry, dtype, grad, weight, dx, how, offsets, activation, add)
        return
    filters = checks.settled(weight, dtype)
    native.conv_input_grad(
        geometry, grad, filters, dx, how, offsets, activation, slope, add, border
    )


def weight_grad(
    geometry: ConvGeometry,
    dtype: np.dtype[Any],
    grad: Array,
    x: Array,
    dweight: Array,
    how: Options,
    border: Border | None = None,
    dbias: Array | None = None,
) -> None:
    """Write the gradient by the weight, which is contiguous; by the bias, too, if it is given."""
    if dtype.kind == "c":
        _complex_weight_grad(geometry, real_dtype(dtype), grad, x, dweight, how)
    elif is_integer(dtype):
        integers.weight_grad(geometry, dtype, grad, x, dweight, how)
    else:
        native.conv_weight_grad(geometry, grad, x, dweight, how, border, dbias)
        return
    if dbias is not None:
        bias_grad(geometry, dtype, grad, dbias, how)


def bias_grad(
    geometry: ConvGeometry, dtype: np.dtype[Any], grad: Array, dbias: Array, how: Options
) -> None:
    """Write the gradient by the bias, which is contiguous."""
    if dtype.kind == "c":
        part = np.empty(dbias.shape, real_dtype(dtype))
        native.conv_bias_grad(geometry, grad.real, part, how)
        dbias.real = part
        native.conv_bias_grad(geometry, grad.imag, part, how)
        dbias.imag = part
    elif is_integer(dtype):
        # The weight's gradient of a pointwise convolution of ones.
        ones = geometry._replace(
            groups=1, in_channels=1, input=geometry.output, kernel=(1, 1, 1), stride=(1, 1, 1),
            dilation=(1, 1, 1), pad_before=(0, 0, 0), pad_after=(0, 0, 0),
        )  # fmt: skip
        x = np.broadcast_to(np.ones((), grad.dtype), ones.input_shape)
        dweight = dbias.reshape(ones.weight_shape)
        native.conv_integer("weight_grad", ones, x, dweight, grad, how)
    else:
        native.conv_bias_grad(geometry, grad, dbias, how)


# --- complex numbers -------------------------------------------------------------------------


def _is_complex(array: Array) -> bool:
    return array.dtype.kind == "c"


def _parts(array: Array | None) -> tuple[Array | None, Array | None]:
    """Real and imaginary part; the latter None where there is none."""
    if array is None or not _is_complex(array):
        return array, None
    return array.real, array.imag


def _complex_forward(
    geometry: ConvGeometry,
    real: np.dtype[Any],
    x: Array,
    weight: Array,
    bias: Array | None,
    y: Array,
    how: Options,
    add: Array | None,
) -> None:
    biases, adds = _parts(bias), _parts(add)
    targets = y.real, y.imag
    if not _is_complex(x) and not _is_complex(weight):
        weight = weight.astype(np.result_type(weight.dtype, np.complex64))
    if _is_complex(x) and _is_complex(weight):
        g, parts = geometry, _planar_slices(geometry, geometry.in_channels, geometry.input, real)
        g = geometry._replace(in_channels=2 * geometry.in_channels)
        filters = [
            _joined(weight, geometry.groups, real, 2, ("re", "-im")),
            _joined(weight, geometry.groups, real, 2, ("im", "re")),
        ]
        for part in parts:
            images = _planar(x[part], geometry.groups, real, how)
            for target, wanted, offset, addend in zip(targets, filters, biases, adds, strict=True):
                some = None if addend is None else addend[part]
                forward(g._replace(batch=len(images)), real, images, wanted, offset, target[part],
                        how, add=some)  # fmt: skip
        return
    images_of, filters_of = _parts(x), _parts(weight)
    for i in (0, 1):
        image = images_of[i] if _is_complex(x) else x
        some = filters_of[i] if _is_complex(weight) else weight
        assert image is not None
        assert some is not None
        forward(geometry, real, image, some, biases[i], targets[i], how, add=adds[i])


def _complex_input_grad(
    geometry: ConvGeometry,
    real: np.dtype[Any],
    grad: Array,
    weight: Array,
    dx: Array,
    how: Options,
    bias: Array | None,
    add: Array | None,
) -> None:
    targets, biases, adds = (dx.real, dx.imag), _parts(bias), _parts(add)
    if not _is_complex(grad) and not _is_complex(weight):
        weight = weight.astype(np.result_type(weight.dtype, np.complex64))
    if _is_complex(grad) and _is_complex(weight):
        g = geometry._replace(out_channels=2 * geometry.out_channels)
        filters = [
            _joined(weight, geometry.groups, real, 1, ("re", "im")),
            _joined(weight, geometry.groups, real, 1, ("-im", "re")),
        ]
        for part in _planar_slices(geometry, geometry.out_channels, geometry.output, real):
            errors = _planar(grad[part], geometry.groups, real, how)
            for target, wanted, offset, addend in zip(targets, filters, biases, adds, strict=True):
                some = None if addend is None else addend[part]
                input_grad(g._replace(batch=len(errors)), real, errors, wanted, target[part], how,
                           offset, add=some)  # fmt: skip
        return
    errors_of = _parts(grad) if _is_complex(grad) else (grad, grad)
    if _is_complex(weight):
        filters_of = _part(weight, "re", real), _part(weight, "-im", real)
    else:
        filters_of = weight, weight
    for target, some, wanted, offset, addend in zip(
        targets, errors_of, filters_of, biases, adds, strict=True
    ):
        assert some is not None
        input_grad(geometry, real, some, wanted, target, how, offset, add=addend)


def _complex_weight_grad(
    geometry: ConvGeometry,
    real: np.dtype[Any],
    grad: Array,
    x: Array,
    dweight: Array,
    how: Options,
) -> None:
    (grad_re, grad_im), (x_re, x_im) = _parts(grad), _parts(x)

    def product(errors: Array | None, images: Array | None) -> Array:
        part = np.zeros(dweight.shape, real)
        if errors is not None and images is not None:
            weight_grad(geometry, real, errors, images, part, how)
        return part

    dweight.real = product(grad_re, x_re) + product(grad_im, x_im)
    dweight.imag = product(grad_im, x_re) - product(grad_re, x_im)


def _part(weight: Array, which: str, real: np.dtype[Any]) -> Array:
    part: Array = (weight.real if which == "re" else weight.imag).astype(real)
    return -part if which == "-im" else part


def _joined(
    weight: Array, groups: int, real: np.dtype[Any], axis: int, which: tuple[str, str]
) -> Array:
    """Two parts of (K, C/groups, ...), one after the other along K (axis 1) or C (axis 2)."""
    parts = [
        part.reshape(groups, len(weight) // groups, *weight.shape[1:])
        for part in (_part(weight, name, real) for name in which)
    ]
    shape = list(weight.shape)
    shape[axis - 1] *= 2
    return np.concatenate(parts, axis).reshape(shape)


def _planar_slices(
    geometry: ConvGeometry, channels: int, size: tuple[int, ...], real: np.dtype[Any]
) -> list[slice]:
    pixels = size[0] * size[1] * size[2]
    return images_at_once(geometry, 2 * channels * pixels * real.itemsize)


def _planar(images: Array, groups: int, real: np.dtype[Any], how: Options) -> Array:
    """(N, C, ...) -> (N, 2C, ...), of each group the real parts, then the imaginary ones."""
    per_group = images.shape[1] // groups
    shape = (groups, per_group, *images.shape[2:])
    result = np.empty((len(images), 2 * images.shape[1], *images.shape[2:]), real)
    for image, to in zip(images, result, strict=True):
        both = to.reshape(groups, 2, *shape[1:])
        native.convert(image.real.reshape(shape), both[:, 0], how)
        native.convert(image.imag.reshape(shape), both[:, 1], how)
    return result
