"""What the transposed convolutions of one, two and three dimensions share.

A transposed convolution is the input gradient of the convolution that its geometry describes, so
it runs on the same engines with the roles of input and output exchanged: forward is that
convolution's input gradient, the input's gradient is that convolution, and the weight's gradient
is the same with x and grad in each other's place.
"""

from __future__ import annotations

import numpy as np

from npconv import checks, layouts
from npconv.checks import TRANSPOSED_WEIGHT_AXES, Array
from npconv.functional import convolution_stages as stages
from npconv.functional.convolution_calls import Plan
from npconv.geometry import ConvGeometry, pixels_geometry, transposed_geometry
from npconv.number_types import fits_options, sum_dtype
from npconv.runtime import native, options

_OUTPUT = "the shape of this transposed convolution's output"


def prepare_forward(
    ndim: int,
    x: object,
    weight: object,
    bias: object,
    stride: object,
    padding: object,
    output_padding: object,
    groups: object,
    dilation: object,
    padding_mode: object,
    layout: object,
    activation: object,
    add: object,
    precision: object,
    algorithm: object,
    isa: object,
    num_threads: object,
    out: object,
) -> Plan:
    """Check a forward call."""
    last = checks.channels_last(layout, ndim)
    checks.zeros_around(padding_mode)
    how = layouts.told(options(algorithm, isa, num_threads, precision), last)
    after = checks.activation(activation)
    images, batched = checks.batched(x, "x", ndim, last)
    filters = checks.weight(weight, ndim, TRANSPOSED_WEIGHT_AXES)
    geometry = transposed_geometry(
        ndim, images.shape, filters.shape, stride, padding, output_padding, dilation, groups
    )
    offsets = None
    if bias is not None:
        offsets = checks.array(bias, "bias")
        why = "one for each output channel"
        checks.same_shape(offsets, "bias", (geometry.in_channels,), why)
    shape = layouts.shape_given(geometry.input_shape, batched, last)
    addend = None
    if add is not None:
        addend = checks.array(add, "add")
        checks.same_shape(addend, "add", shape, _OUTPUT)
    dtype = sum_dtype(x=images, weight=filters, bias=offsets, add=addend)
    fits_options(dtype, algorithm, after[0], False)
    if out is not None:
        inputs = {"x": images, "weight": filters, "bias": offsets, "add": addend}
        out = checks.output(out, shape, dtype, **inputs)
    if addend is not None:
        addend = layouts.channels_first(addend, batched, last)
    return geometry, dtype, how, (images, filters, offsets, after, addend), shape, batched, out


def prepare_input_grad(
    ndim: int,
    grad: object,
    weight: object,
    input_shape: object,
    stride: object,
    padding: object,
    output_padding: object,
    groups: object,
    dilation: object,
    padding_mode: object,
    layout: object,
    precision: object,
    algorithm: object,
    isa: object,
    num_threads: object,
) -> Plan:
    """Check a call for the input's gradient."""
    last = checks.channels_last(layout, ndim)
    checks.zeros_around(padding_mode)
    how = layouts.told(options(algorithm, isa, num_threads, precision), last)
    shape, batched = checks.input_shape(input_shape, ndim, last)
    filters = checks.weight(weight, ndim, TRANSPOSED_WEIGHT_AXES)
    geometry = transposed_geometry(
        ndim, shape, filters.shape, stride, padding, output_padding, dilation, groups,
        input_name="input_shape",
    )  # fmt: skip
    errors = _output_grad(grad, geometry, batched, last)
    dtype = sum_dtype(grad=errors, weight=filters)
    fits_options(dtype, algorithm, None, False)
    shape = layouts.shape_given(shape, batched, last)
    return geometry, dtype, how, (errors, filters), shape, batched, None


def prepare_weight_grad(
    ndim: int,
    grad: object,
    x: object,
    weight_shape: object,
    stride: object,
    padding: object,
    output_padding: object,
    groups: object,
    dilation: object,
    padding_mode: object,
    layout: object,
    precision: object,
    algorithm: object,
    isa: object,
    num_threads: object,
) -> Plan:
    """Check a call for the weight's gradient."""
    last = checks.channels_last(layout, ndim)
    checks.zeros_around(padding_mode)
    how = layouts.told(options(algorithm, isa, num_threads, precision), last)
    images, batched = checks.batched(x, "x", ndim, last)
    axes = TRANSPOSED_WEIGHT_AXES[ndim]
    shape = checks.shape(weight_shape, "weight_shape", (ndim + 2,), axes)
    geometry = transposed_geometry(
        ndim, images.shape, shape, stride, padding, output_padding, dilation, groups,
        weight_name="weight_shape",
    )  # fmt: skip
    errors = _output_grad(grad, geometry, batched, last)
    dtype = sum_dtype(grad=errors, x=images)
    fits_options(dtype, algorithm, None, False)
    return geometry, dtype, how, (errors, images), shape, True, None


def run_forward(plan: Plan) -> Array:
    """Compute a checked forward call."""
    geometry, dtype, how, operands, shape, batched, out = plan
    x, weight, bias, (activation, slope), add = operands
    y = native.empty(shape, dtype) if out is None else out
    target = layouts.target(y, batched, how)
    # Gradients conjugate.
    stages.input_grad(
        geometry, None, dtype, x, _conjugate(weight), target, how, bias, activation, slope, add
    )
    return y


def run_input_grad(plan: Plan) -> Array:
    """Compute the input's gradient."""
    geometry, dtype, how, (grad, weight), shape, batched, _ = plan
    dx = native.empty(shape, dtype)
    target = layouts.target(dx, batched, how)
    stages.forward(
        geometry, None, dtype, grad, _conjugate(weight), None, target, how, None, 0.0, None, None
    )
    return dx


def run_weight_grad(plan: Plan) -> Array:
    """Compute the weight's gradient."""
    geometry, dtype, how, (grad, x), shape, _, _ = plan
    dweight = native.empty(shape, dtype)
    stages.weight_grad(geometry, None, dtype, x, grad, dweight, how)
    return np.conjugate(dweight, out=dweight) if dtype.kind == "c" else dweight


def _conjugate(weight: Array) -> Array:
    return weight.conj() if weight.dtype.kind == "c" else weight


def run_backward(
    ndim: int,
    grad: object,
    x: object,
    weight: object,
    stride: object,
    padding: object,
    output_padding: object,
    groups: object,
    dilation: object,
    needs: object,
    padding_mode: object,
    layout: object,
    precision: object,
    algorithm: object,
    isa: object,
    num_threads: object,
) -> tuple[Array | None, Array | None, Array | None]:
    """Check a call for the gradients that are needed, and compute them."""
    last = checks.channels_last(layout, ndim)
    checks.zeros_around(padding_mode)
    how = layouts.told(options(algorithm, isa, num_threads, precision), last)
    need_dx, need_dweight, need_dbias = checks.three_flags(needs)
    images, batched = checks.batched(x, "x", ndim, last)
    filters = checks.weight(weight, ndim, TRANSPOSED_WEIGHT_AXES)
    geometry = transposed_geometry(
        ndim, images.shape, filters.shape, stride, padding, output_padding, dilation, groups
    )
    errors = _output_grad(grad, geometry, batched, last)
    dtype = sum_dtype(grad=errors, x=images, weight=filters)
    fits_options(dtype, algorithm, None, False)
    dx = dweight = dbias = None
    if need_dx:
        shape = layouts.shape_given(geometry.output_shape, batched, last)
        dx = run_input_grad((geometry, dtype, how, (errors, filters), shape, batched, None))
    if need_dweight:
        operands = (errors, images)
        dweight = run_weight_grad((geometry, dtype, how, operands, filters.shape, True, None))
    if need_dbias:
        dbias = native.empty((geometry.in_channels,), dtype)
        pixels = pixels_geometry(ndim, errors.shape)
        stages.bias_grad(pixels, dtype, errors, dbias, how)
    return dx, dweight, dbias


def _output_grad(grad: object, geometry: ConvGeometry, batched: bool, last: bool) -> Array:
    """``grad`` with a batch axis, if it has the shape of the output."""
    checked = checks.array(grad, "grad")
    expected = layouts.shape_given(geometry.input_shape, batched, last)
    checks.same_shape(checked, "grad", expected, _OUTPUT)
    return layouts.channels_first(checked, batched, last)
