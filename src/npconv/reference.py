"""Every operation in plain NumPy: the definition of what is right.

The functions here have the names, signatures, checks and results of the fast ones and are
written to be read. They rest on one idea. Along each axis, a window at output ``o`` meets
with its tap ``t`` the input element

    i = o * stride + t * dilation - pad_before

and for one tap, the outputs for which ``i`` lies inside the input are a slice, and so are the
inputs that they meet. A convolution is a sum over taps of slices times a weight; its gradients,
the pools and the column matrices walk over the same taps (see :class:`_Tap`). Taps that fall in
the padding are not in the slices: padding is skipped and never multiplied, so that an infinite
weight over it does not give NaN.

Sums are accumulated in float64 whatever the result's dtype, and rounded once at the end.
The options ``algorithm``, ``isa`` and ``num_threads`` are accepted and ignored.

The private functions work in any number of spatial dimensions; arrays come to them with all
three, (N, C, D, H, W), of which two-dimensional operations have D = 1.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from npconv import checks, geometry
from npconv.checks import Array
from npconv.geometry import ConvGeometry, PadGeometry, PoolGeometry

__all__ = [
    "col2im",
    "conv2d",
    "conv2d_backward",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "im2col",
    "max_pool2d",
    "max_pool2d_backward",
    "pad",
    "pad_backward",
]

# Overflow, Inf - Inf and the like are results here, not something to warn about.
_quiet = np.errstate(all="ignore")


# --- taps ------------------------------------------------------------------------------------


class _Tap(NamedTuple):
    """One tap of the window, as three indices of the spatial axes (the last ones).

    ``weight[position]`` is its weight; ``x[inputs]`` and ``y[outputs]`` have the same shape,
    and element by element, ``x[inputs]`` is what the tap lies on for output ``y[outputs]``.
    """

    position: tuple[Any, ...]
    outputs: tuple[Any, ...]
    inputs: tuple[Any, ...]


def _taps(g: ConvGeometry | PoolGeometry) -> Iterator[_Tap]:
    """Yield all taps in row-major order, but those that lie in the padding for every output."""
    axes = zip(g.input, g.kernel, g.output, g.stride, g.dilation, g.pad_before, strict=True)
    for combination in itertools.product(*(list(_axis_taps(*axis)) for axis in axes)):
        position, outputs, inputs = zip(*combination, strict=True)
        yield _Tap((..., *position), (..., *outputs), (..., *inputs))


def _axis_taps(
    size: int, kernel: int, output: int, stride: int, dilation: int, before: int
) -> Iterator[tuple[int, slice, slice]]:
    """Yield the taps along one axis, as (position, outputs, inputs).

    Drawn for size 4, kernel 3, stride 2, padding 1 (p), which has two outputs:

        input     p 0 1 2 3      output 0 reads p 0 1, output 1 reads 1 2 3
        tap 0     .   1          outputs 1:2, inputs 1:2:2
        tap 1       0   2        outputs 0:2, inputs 0:3:2
        tap 2         1   3      outputs 0:2, inputs 1:4:2
    """
    if size == 0 or output == 0:
        return
    # The window may be far larger than the input: only taps between these two can meet it.
    first = max(0, -(((output - 1) * stride - before) // dilation))
    last = min(kernel - 1, (size - 1 + before) // dilation)
    for tap in range(first, last + 1):
        shift = tap * dilation - before
        low = max(0, -(shift // stride))
        high = min(output, (size - 1 - shift) // stride + 1)
        if low < high:
            inputs = slice(low * stride + shift, (high - 1) * stride + shift + 1, stride)
            yield tap, slice(low, high), inputs


# --- convolution -----------------------------------------------------------------------------


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCHW",
    activation: str | tuple[str, float] | None = None,
    add: Any = None,
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Cross-correlation, (N, C, H, W) ⋆ (K, C/groups, R, S) -> (N, K, OH, OW).

    ``y[n, k, oh, ow] = bias[k] + sum over c, r, s of weight[k, c, r, s] *
    x[n, c, oh*stride + r*dilation - top, ow*stride + s*dilation - left]``,
    where ``c`` counts the input channels of the group that ``k`` belongs to.

    Parameters and result are those of :func:`npconv.conv2d`.
    """
    checks.built_options(padding_mode, layout)
    checks.choice(precision, "precision", ("standard", "strict"))
    name, slope = checks.activation(activation)
    x, batched = checks.batched(x, "x", 2)
    weight = checks.weight(weight, 2)
    g = geometry.conv_geometry(2, x.shape, weight.shape, stride, padding, dilation, groups)
    if bias is not None:
        bias = checks.array(bias, "bias")
        checks.same_shape(bias, "bias", weight.shape[:1], "one for each output channel")
    shape = g.output_shape[not batched :]
    if add is not None:
        add = checks.array(add, "add")
        checks.same_shape(add, "add", shape, "the shape of this convolution's output")
    dtype = checks.float_dtype(x=x, weight=weight, bias=bias, add=add)
    if out is not None:
        checks.output(out, shape, dtype, add, x=x, weight=weight, bias=bias)
    y = _deliver(_conv(g, x, weight, bias), shape, dtype)
    return _deliver(_finish(y, add, name, slope), shape, dtype, out)


@_quiet
def _conv(g: ConvGeometry, x: Array, weight: Array, bias: Array | None) -> Array:
    x, weight = _grouped_input(g, x), _grouped_weight(g, weight)
    y = np.zeros((g.batch, g.groups, g.out_channels // g.groups, *g.output))
    for tap in _taps(g):
        y[tap.outputs] += np.einsum("ngc...,gkc->ngk...", x[tap.inputs], weight[tap.position])
    if bias is not None:
        y += bias.astype(np.float64).reshape(g.groups, -1, 1, 1, 1)
    return y


@_quiet
def _finish(y: Array, add: Array | None, activation: str | None, slope: float) -> Array:
    """Add and activate in the result's dtype, each step rounded, as it would be in NumPy.

    NaN passes through; relu and relu6 make +0 of every zero.
    """
    zero, six, below = y.dtype.type(0), y.dtype.type(6), y.dtype.type(slope)
    if add is not None:
        y = y + add.astype(y.dtype)
    if activation in ("relu", "relu6"):
        y = np.where(y <= zero, zero, y)
    if activation == "relu6":
        y = np.where(y > six, six, y)
    if activation == "leaky_relu":
        y = np.where(y < zero, y * below, y)
    return y


def conv2d_input_grad(
    grad: Any,
    weight: Any,
    input_shape: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`conv2d` by the input.

    (N, K, OH, OW), (K, C/groups, R, S) -> (N, C, H, W)

    Every output sends its gradient, times the weight of each tap, to the input under the tap.

    Parameters and result are those of :func:`npconv.conv2d_input_grad`.
    """
    checks.built_options(padding_mode, layout)
    checks.choice(precision, "precision", ("standard", "strict"))
    shape, batched = checks.input_shape(input_shape, 2)
    weight = checks.weight(weight, 2)
    g = geometry.conv_geometry(
        2, shape, weight.shape, stride, padding, dilation, groups, input_name="input_shape"
    )
    grad = _gradient(grad, g.output_shape[not batched :], "convolution")
    dtype = checks.float_dtype(grad=grad, weight=weight)
    return _deliver(_conv_input_grad(g, grad, weight), shape[not batched :], dtype)


@_quiet
def _conv_input_grad(g: ConvGeometry, grad: Array, weight: Array) -> Array:
    grad, weight = _grouped_output(g, grad), _grouped_weight(g, weight)
    dx = np.zeros((g.batch, g.groups, g.in_channels // g.groups, *g.input))
    for tap in _taps(g):
        dx[tap.inputs] += np.einsum("ngk...,gkc->ngc...", grad[tap.outputs], weight[tap.position])
    return dx


def conv2d_weight_grad(
    grad: Any,
    x: Any,
    weight_shape: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`conv2d` by the weight.

    (N, K, OH, OW), (N, C, H, W) -> (K, C/groups, R, S)

    Each tap sums the inputs that it met, each times the gradient of the output it met it for.

    Parameters and result are those of :func:`npconv.conv2d_weight_grad`.
    """
    checks.built_options(padding_mode, layout)
    checks.choice(precision, "precision", ("standard", "strict"))
    x, batched = checks.batched(x, "x", 2)
    shape = checks.shape(weight_shape, "weight_shape", (4,), checks.WEIGHT_AXES[2])
    g = geometry.conv_geometry(
        2, x.shape, shape, stride, padding, dilation, groups, weight_name="weight_shape"
    )
    grad = _gradient(grad, g.output_shape[not batched :], "convolution")
    dtype = checks.float_dtype(grad=grad, x=x)
    return _deliver(_conv_weight_grad(g, grad, x), shape, dtype)


@_quiet
def _conv_weight_grad(g: ConvGeometry, grad: Array, x: Array) -> Array:
    grad, x = _grouped_output(g, grad), _grouped_input(g, x)
    shape = (g.groups, g.out_channels // g.groups, g.in_channels // g.groups)
    dweight = np.zeros((*shape, *g.kernel))
    for tap in _taps(g):
        dweight[tap.position] = np.einsum("ngkdhw,ngcdhw->gkc", grad[tap.outputs], x[tap.inputs])
    return dweight


def conv2d_backward(
    grad: Any,
    x: Any,
    weight: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    needs: Sequence[bool] = (True, True, True),
    padding_mode: str = "constant",
    layout: str = "NCHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of :func:`conv2d` by input, weight and bias; None where ``needs`` is False.

    The bias met every output of its channel once: its gradient is the sum of theirs.

    Parameters and result are those of :func:`npconv.conv2d_backward`.
    """
    checks.built_options(padding_mode, layout)
    checks.choice(precision, "precision", ("standard", "strict"))
    if not isinstance(needs, (tuple, list)) or len(needs) != 3:
        raise ValueError(
            f"needs must be three bools (dx, dweight, dbias), got {checks.show(needs)}"
        )
    needs_x, needs_weight, needs_bias = [checks.flag(item, "needs") for item in needs]
    x, batched = checks.batched(x, "x", 2)
    weight = checks.weight(weight, 2)
    g = geometry.conv_geometry(2, x.shape, weight.shape, stride, padding, dilation, groups)
    grad = _gradient(grad, g.output_shape[not batched :], "convolution")
    dtype = checks.float_dtype(grad=grad, x=x, weight=weight)
    dx = dweight = dbias = None
    if needs_x:
        dx = _deliver(_conv_input_grad(g, grad, weight), g.input_shape[not batched :], dtype)
    if needs_weight:
        dweight = _deliver(_conv_weight_grad(g, grad, x), weight.shape, dtype)
    if needs_bias:
        dbias = _deliver(_conv_bias_grad(g, grad), weight.shape[:1], dtype)
    return dx, dweight, dbias


@_quiet
def _conv_bias_grad(g: ConvGeometry, grad: Array) -> Array:
    dbias: Array = _grouped_output(g, grad).sum(axis=(0, 3, 4, 5))
    return dbias


def _grouped_input(g: ConvGeometry, x: Array) -> Array:
    """(N, C, H, W) -> (N, groups, C/groups, D, H, W) in float64."""
    shape = (g.batch, g.groups, g.in_channels // g.groups, *g.input)
    return x.astype(np.float64).reshape(shape)


def _grouped_output(g: ConvGeometry, y: Array) -> Array:
    """(N, K, OH, OW) -> (N, groups, K/groups, OD, OH, OW) in float64."""
    shape = (g.batch, g.groups, g.out_channels // g.groups, *g.output)
    return y.astype(np.float64).reshape(shape)


def _grouped_weight(g: ConvGeometry, weight: Array) -> Array:
    """(K, C/groups, R, S) -> (groups, K/groups, C/groups, KD, R, S) in float64."""
    shape = (g.groups, g.out_channels // g.groups, g.in_channels // g.groups, *g.kernel)
    return weight.astype(np.float64).reshape(shape)


# --- pooling ---------------------------------------------------------------------------------


def max_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    indices: str = "flat",
    index_dtype: Any = "int64",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array | tuple[Array, Array]:
    """Maximum of every window, (N, C, H, W) -> (N, C, OH, OW), with its position if wanted.

    The padding is never the maximum. A NaN is greater than every number; among equals,
    and among NaNs, the first in row-major order is taken.

    Parameters and result are those of :func:`npconv.max_pool2d`.
    """
    checks.built_options(layout=layout)
    checks.flag(return_indices, "return_indices")
    checks.choice(indices, "indices", ("flat", "window"))
    x, batched = checks.batched(x, "x", 2)
    g = geometry.pool_geometry(2, x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    dtype = checks.float_dtype(x=x)
    shape = g.output_shape[not batched :]
    if out is not None:
        checks.output(out, shape, dtype, x=x)
    positions_dtype = checks.index_dtype(index_dtype, indices, g.kernel)
    maximum, positions = _max_pool(g, x, indices)
    positions = positions.astype(positions_dtype)
    result = _deliver(maximum, shape, dtype, out)
    return (result, positions.reshape(shape)) if return_indices else result


def _max_pool(g: PoolGeometry, x: Array, kind: str) -> tuple[Array, Array]:
    x = x.reshape(g.batch, g.channels, *g.input)
    maximum = np.zeros((g.batch, g.channels, *g.output), x.dtype)
    positions = np.full(maximum.shape, -1, np.int64)
    plane = np.arange(np.prod(g.input)).reshape(g.input)
    for tap in _taps(g):
        here = tap.outputs
        candidate = x[tap.inputs]
        best = maximum[here]
        greater = (candidate > best) | (np.isnan(candidate) & ~np.isnan(best))
        taken = greater | (positions[here] < 0)
        position = plane[tap.inputs] if kind == "flat" else _tap_number(g, tap)
        maximum[here] = np.where(taken, candidate, best)
        positions[here] = np.where(taken, position, positions[here])
    return maximum, positions


def _tap_number(g: PoolGeometry, tap: _Tap) -> int:
    """Count the taps before this one, row by row."""
    number = 0
    for length, position in zip(g.kernel, tap.position[1:], strict=True):
        number = number * length + position
    return number


def max_pool2d_backward(
    grad: Any,
    indices: Any,
    input_shape: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    *,
    index_kind: str = "flat",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`max_pool2d`, (N, C, OH, OW), (N, C, OH, OW) -> (N, C, H, W).

    Every output sends its gradient to the input that was its maximum.

    Parameters and result are those of :func:`npconv.max_pool2d_backward`.
    """
    checks.built_options(layout=layout)
    checks.choice(index_kind, "index_kind", ("flat", "window"))
    full_shape, batched = checks.input_shape(input_shape, 2)
    g = geometry.pool_geometry(
        2,
        full_shape,
        kernel_size,
        stride,
        padding,
        dilation,
        ceil_mode,
        input_name="input_shape",
    )
    grad = _gradient(grad, g.output_shape[not batched :], "pooling")
    dtype = checks.float_dtype(grad=grad)
    indices = checks.array(indices, "indices")
    checks.same_shape(indices, "indices", grad.shape, "the shape of grad")
    dx = _max_pool_backward(g, grad, checks.indices(indices), index_kind)
    return _deliver(dx, full_shape[not batched :], dtype)


@_quiet
def _max_pool_backward(g: PoolGeometry, grad: Array, indices: Array, kind: str) -> Array:
    planes, size = g.batch * g.channels, int(np.prod(g.input))
    indices = indices.reshape(planes, *g.output)
    positions = indices if kind == "flat" else _flat_positions(g, indices)
    if ((positions < 0) | (positions >= size)).any():
        raise ValueError(f"indices has positions outside of the input's plane of {size}")
    dx = np.zeros((planes, size))
    plane = np.arange(planes).reshape(planes, 1, 1, 1)
    np.add.at(dx, (plane, positions), grad.reshape(positions.shape).astype(np.float64))
    return dx


def _flat_positions(g: PoolGeometry, taps: Array) -> Array:
    """Where in the plane tap number ``taps`` of each window lies; -1 outside of the input."""
    inside = (taps >= 0) & (taps < np.prod(g.kernel, dtype=object))
    flat = np.zeros_like(taps)
    remaining = taps
    strides = [int(np.prod(g.input[axis + 1 :])) for axis in range(3)]
    for axis in (2, 1, 0):
        remaining, tap = np.divmod(remaining, g.kernel[axis])
        start = np.arange(g.output[axis]) * g.stride[axis] - g.pad_before[axis]
        start = start.reshape([-1 if axis == other else 1 for other in range(3)])
        coordinate = start + np.where(inside, tap, 0) * g.dilation[axis]
        inside = inside & (coordinate >= 0) & (coordinate < g.input[axis])
        flat += coordinate * strides[axis]
    return np.where(inside, flat, -1)


# --- padding ---------------------------------------------------------------------------------


def pad(
    x: Any,
    pad_width: Any,
    mode: str = "constant",
    constant_values: Any = 0,
    *,
    num_threads: int | None = None,
) -> Array:
    """:func:`numpy.pad` in its modes constant, reflect, edge, symmetric and wrap.

    Parameters and result are those of :func:`npconv.pad`.
    """
    checks.choice(mode, "mode", checks.PAD_MODES)
    x = checks.array(x, "x")
    dtype = checks.pad_dtype(x)
    g = geometry.pad_geometry(x.shape, pad_width, mode, dtype.itemsize)
    values = checks.constant_values(constant_values, x)
    widths = list(zip(g.before, g.after, strict=True))
    if not widths:
        padded = x  # numpy.pad refuses an array without axes, of which nothing can be padded
    elif mode == "constant":
        padded = np.pad(x, widths, constant_values=values)
    else:
        padded = np.pad(x, widths, mode)  # type: ignore[call-overload]
    return np.array(padded, order="C")


def pad_backward(
    grad: Any, pad_width: Any, mode: str = "constant", *, num_threads: int | None = None
) -> Array:
    """Gradient of :func:`pad`: every element gets the gradients of all its copies.

    Parameters and result are those of :func:`npconv.pad_backward`.
    """
    checks.choice(mode, "mode", checks.PAD_MODES)
    grad = checks.array(grad, "grad")
    dtype = checks.float_dtype(grad=grad)
    g = geometry.pad_backward_geometry(grad.shape, pad_width, mode)
    return _deliver(_pad_backward(g, grad, mode), g.shape, dtype)


@_quiet
def _pad_backward(g: PadGeometry, grad: Array, mode: str) -> Array:
    grad = grad.astype(np.float64)
    for axis, (length, before, after) in enumerate(zip(*g, strict=True)):
        grad = np.moveaxis(grad, axis, 0)
        if mode == "constant":
            grad = grad[before : before + length]
        elif before + after:
            # Padding the numbers 0, 1, 2, ... shows which element each one is a copy of.
            source = np.pad(np.arange(length), (before, after), mode)  # type: ignore[call-overload]
            summed = np.zeros((length, *grad.shape[1:]))
            np.add.at(summed, source, grad)
            grad = summed
        grad = np.moveaxis(grad, 0, axis)
    return grad


# --- column matrices -------------------------------------------------------------------------


def im2col(
    x: Any,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    order: str = "NCP",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Every window as a column, (N, C, H, W) -> (N, C*R*S, OH*OW) in the default order.

    Where a window reaches into the padding the matrix is zero.

    Parameters and result are those of :func:`npconv.im2col`.
    """
    checks.built_options(layout=layout)
    axes = _column_axes(order)
    x, batched = checks.batched(x, "x", 2)
    g = geometry.columns_geometry(2, x.shape, kernel_size, stride, padding, dilation)
    dtype = checks.float_dtype(x=x)
    shape = tuple([g.columns_shape[axis] for axis in axes if batched or axis != 0])
    return _deliver(_im2col(g, x).transpose(axes), shape, dtype)


def _im2col(g: ConvGeometry, x: Array) -> Array:
    x = x.reshape(g.batch, g.in_channels, *g.input)
    cols = np.zeros((g.batch, g.in_channels, *g.kernel, *g.output), x.dtype)
    for tap in _taps(g):
        cols[*tap.position, *tap.outputs[1:]] = x[tap.inputs]
    return cols.reshape(g.columns_shape)


def col2im(
    cols: Any,
    input_shape: Any,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    order: str = "NCP",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Sum of columns where windows overlap: the adjoint of :func:`im2col`, not its inverse.

    Parameters and result are those of :func:`npconv.col2im`.
    """
    checks.built_options(layout=layout)
    axes = _column_axes(order)
    shape, batched = checks.input_shape(input_shape, 2)
    g = geometry.columns_geometry(
        2, shape, kernel_size, stride, padding, dilation, input_name="input_shape"
    )
    cols = checks.array(cols, "cols")
    expected = tuple([g.columns_shape[axis] for axis in axes if batched or axis != 0])
    letters = "".join(letter for letter in order if batched or letter != "N")
    checks.same_shape(cols, "cols", expected, f"its axes being {letters}")
    dtype = checks.float_dtype(cols=cols)
    cols = cols.reshape([g.columns_shape[axis] for axis in axes]).transpose(np.argsort(axes))
    return _deliver(_col2im(g, cols), shape[not batched :], dtype)


@_quiet
def _col2im(g: ConvGeometry, cols: Array) -> Array:
    cols = cols.reshape(g.batch, g.in_channels, *g.kernel, *g.output)
    dx = np.zeros((g.batch, g.in_channels, *g.input))
    for tap in _taps(g):
        dx[tap.inputs] += cols[*tap.position, *tap.outputs[1:]]
    return dx


def _column_axes(order: object) -> tuple[int, ...]:
    """Find the axes of (N, C*R*S, OH*OW) in the given order."""
    if not isinstance(order, str):
        raise TypeError(f"order must be a permutation of 'NCP', got {checks.show(order)}")
    if sorted(order) != sorted("NCP"):
        raise ValueError(f"order must be a permutation of 'NCP', got {order!r}")
    return tuple(["NCP".index(letter) for letter in order])


# --- around every operation ------------------------------------------------------------------


def _gradient(grad: object, expected: tuple[int, ...], operation: str) -> Array:
    """Check the shape of ``grad``."""
    checked = checks.array(grad, "grad")
    checks.same_shape(checked, "grad", expected, f"the shape of this {operation}'s output")
    return checked


@_quiet
def _deliver(
    result: Array, shape: tuple[int, ...], dtype: np.dtype[Any], out: Array | None = None
) -> Array:
    """Give the result the caller's shape and dtype, in ``out`` if there is one."""
    rounded = np.array(result.reshape(shape), dtype, order="C")
    if out is None:
        return rounded
    out[...] = rounded
    return out
