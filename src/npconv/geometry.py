"""Every output size in npconv, computed in Python integers.

The functions here take what the caller passed, refuse what does not fit together, and return
a geometry: a flat record of checked integers that the C core is handed as it is. Sizes are
computed nowhere else.

A geometry always has three spatial dimensions (D, H, W); an operation on fewer of them has
ones in front (zeros for padding). Along every axis::

    padded = input + pad_before + pad_after
    window = dilation * (kernel - 1) + 1
    output = (padded - window) // stride + 1

A geometry can be trusted to fit in C: every extent, stride and dilation is at most 2**62 and
every array it describes has a byte count below 2**63. A stride between windows or a dilation
between taps that does not exist (there is one window, or one tap) is cut to the padded extent,
which changes nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np

from npconv import checks
from npconv.checks import SPATIAL_AXES, Array, Pairs, show

Triple: TypeAlias = tuple[int, int, int]
# A checked argument, or a plain int whose value has not been looked at yet.
PerAxis: TypeAlias = int | tuple[int, ...]
# Totals are checked for the widest element that is computed with.
_WIDEST_ITEM = 8


class ConvGeometry(NamedTuple):
    """One convolution; ``in_channels`` and ``out_channels`` count all groups together."""

    ndim: int
    batch: int
    groups: int
    in_channels: int
    out_channels: int
    input: Triple
    kernel: Triple
    output: Triple
    stride: Triple
    dilation: Triple
    pad_before: Triple
    pad_after: Triple

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        return (self.batch, self.in_channels, *self.input[-self.ndim :])

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """(K, C/groups, R, S)."""
        per_group = self.in_channels // self.groups
        return (self.out_channels, per_group, *self.kernel[-self.ndim :])

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(N, K, OH, OW)."""
        return (self.batch, self.out_channels, *self.output[-self.ndim :])

    @property
    def columns_shape(self) -> tuple[int, int, int]:
        """(N, C·R·S, OH·OW), the shape of ``im2col``'s result in its default order."""
        r, s, t = self.kernel
        d, h, w = self.output
        return (self.batch, self.in_channels * r * s * t, d * h * w)


class PoolGeometry(NamedTuple):
    """One pooling; ``ceil_mode`` shows in ``output`` only, never in ``pad_after``.

    An adaptive one has uneven windows, which ``input`` and ``output`` alone determine.
    """

    ndim: int
    batch: int
    channels: int
    input: Triple
    kernel: Triple
    output: Triple
    stride: Triple
    dilation: Triple
    pad_before: Triple
    pad_after: Triple
    adaptive: bool = False

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        return (self.batch, self.channels, *self.input[-self.ndim :])

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(N, C, OH, OW)."""
        return (self.batch, self.channels, *self.output[-self.ndim :])


class PadGeometry(NamedTuple):
    """One padding: the unpadded shape and the widths before and after each axis."""

    shape: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def padded_shape(self) -> tuple[int, ...]:
        """The shape with both widths added."""
        return tuple(
            [n + a + b for n, a, b in zip(self.shape, self.before, self.after, strict=True)]
        )


# --- the ways in -----------------------------------------------------------------------------


def conv_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
    groups: object = 1,
    *,
    input_name: str = "x",
    weight_name: str = "weight",
) -> ConvGeometry:
    """Describe the convolution of a batched (N, C, ...) input with a (K, C/groups, ...) weight.

    The names are those of the arguments that the two shapes came from, for error messages.
    """
    return _conv_geometry(
        ndim,
        input_shape,
        weight_shape,
        stride if type(stride) is int else checks.per_axis(stride, "stride", ndim, 1),
        padding if type(padding) is int else checks.padding(padding, ndim),
        dilation if type(dilation) is int else checks.per_axis(dilation, "dilation", ndim, 1),
        groups if type(groups) is int else checks.integer(groups, "groups", 1),
        input_name,
        weight_name,
    )


def transposed_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: object = 1,
    padding: object = 0,
    output_padding: object = 0,
    dilation: object = 1,
    groups: object = 1,
    *,
    input_name: str = "x",
    weight_name: str = "weight",
) -> ConvGeometry:
    """Describe the transposed convolution of (N, C, ...) with a (C, K/groups, ...) weight.

    What comes back is the convolution that it transposes, from (N, K, ...) to (N, C, ...): its
    ``input_shape`` is that of the transposed convolution's output, its ``output_shape`` that of
    the input. Where there is output_padding, its last pixels may be read by no window.
    """
    return _transposed_geometry(
        ndim,
        input_shape,
        weight_shape,
        checks.per_axis(stride, "stride", ndim, 1),
        padding if type(padding) is int else checks.padding(padding, ndim),
        checks.per_axis(output_padding, "output_padding", ndim, 0),
        checks.per_axis(dilation, "dilation", ndim, 1),
        checks.integer(groups, "groups", 1),
        input_name,
        weight_name,
    )


def pixels_geometry(ndim: int, shape: tuple[int, ...]) -> ConvGeometry:
    """Describe the convolution that leaves (N, C, ...) as it is: each channel's own 1×1 filter."""
    channels = shape[1]
    weight_shape = (channels, min(channels, 1), *[1] * ndim)
    return conv_geometry(ndim, shape, weight_shape, groups=max(channels, 1))


def columns_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    kernel_size: object,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
    *,
    input_name: str = "x",
) -> ConvGeometry:
    """Describe the windows that ``im2col`` lists: one group with no output channels."""
    return _columns_geometry(
        ndim,
        input_shape,
        checks.per_axis(kernel_size, "kernel_size", ndim, 1),
        stride if type(stride) is int else checks.per_axis(stride, "stride", ndim, 1),
        padding if type(padding) is int else checks.padding(padding, ndim),
        dilation if type(dilation) is int else checks.per_axis(dilation, "dilation", ndim, 1),
        input_name,
    )


def pool_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    dilation: object = 1,
    ceil_mode: object = False,
    *,
    input_name: str = "x",
    may_be_empty: bool = False,
) -> PoolGeometry:
    """Describe the pooling of a batched (N, C, ...) input; no stride means the kernel's.

    Windows without an element of the input are refused unless they ``may_be_empty``.
    """
    kernel = checks.per_axis(kernel_size, "kernel_size", ndim, 1)
    return _pool_geometry(
        ndim,
        input_shape,
        kernel,
        kernel if stride is None else checks.per_axis(stride, "stride", ndim, 1),
        padding if type(padding) is int else checks.padding(padding, ndim),
        dilation if type(dilation) is int else checks.per_axis(dilation, "dilation", ndim, 1),
        checks.size_rule(ceil_mode),
        input_name,
        may_be_empty,
    )


def adaptive_geometry(
    ndim: int, input_shape: tuple[int, ...], output_size: object, *, input_name: str = "x"
) -> PoolGeometry:
    """Describe the pooling whose windows share the input out among ``output_size`` outputs.

    Where all windows have one size and one distance, it is an ordinary pooling.
    """
    sizes = checks.output_size(output_size, input_shape[2:])
    return _adaptive_geometry(ndim, input_shape, sizes, input_name)


def global_geometry(
    ndim: int, input_shape: tuple[int, ...], *, input_name: str = "x"
) -> PoolGeometry:
    """Describe the pooling whose window is the whole input."""
    return _adaptive_geometry(ndim, input_shape, (1,) * ndim, input_name)


def unpool_geometry(
    ndim: int,
    pooled_shape: tuple[int, ...],
    kernel_size: object,
    stride: object,
    padding: object,
    output_size: object,
    last: bool,
) -> PoolGeometry:
    """Describe the pooling that gave (N, C, ...): its input is `output_size` or what follows."""
    kernel = checks.per_axis(kernel_size, "kernel_size", ndim, 1)
    strides = kernel if stride is None else checks.per_axis(stride, "stride", ndim, 1)
    pads = checks.per_axis(padding, "padding", ndim, 0)
    if output_size is None:
        spatial = []
        settings = zip(SPATIAL_AXES[ndim], pooled_shape[2:], kernel, strides, pads, strict=True)
        for name, n, k, s, p in settings:
            spatial.append((n - 1) * s - 2 * p + k)
            if spatial[-1] < 1:
                raise ValueError(
                    f"the result would be {show(spatial[-1])} long along {name}: x has {n}, "
                    f"kernel {show(k)}, stride {show(s)}, padding {show(p)}"
                )
    else:
        ranks = (ndim, ndim + 1, ndim + 2)
        given = checks.shape(output_size, "output_size", ranks, "the result's shape, or its end")
        channels = pooled_shape[1]
        around = {ndim: (), ndim + 1: (channels,), ndim + 2: (pooled_shape[0], channels)}
        named = given[: len(given) - ndim]
        spatial = list(given[len(given) - ndim :])
        if last and named:
            named, spatial = (*named[:-1], given[-1]), list(given[-1 - ndim : -1])
        if named != around[len(given)]:
            raise ValueError(
                f"output_size is {show(output_size)}, which does not fit x with "
                f"{pooled_shape[0]} images of {channels} channels"
            )
    checks.fits_memory("the output", (*pooled_shape[:2], *spatial), _WIDEST_ITEM)
    ones = [(1, 1, 1, 1, 1, 0, 0)] * (3 - ndim)
    columns = [(n, 1, m, 1, 1, 0, 0) for n, m in zip(spatial, pooled_shape[2:], strict=True)]
    axes = _Windows(*zip(*ones, *columns, strict=True))
    return PoolGeometry(ndim, pooled_shape[0], pooled_shape[1], *axes)


def fractional_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    kernel_size: object,
    output_size: object,
    output_ratio: object,
) -> PoolGeometry:
    """Describe a pooling of so many windows at uneven distances."""
    kernel = checks.per_axis(kernel_size, "kernel_size", ndim, 1)
    spatial = input_shape[2:]
    if (output_size is None) == (output_ratio is None):
        raise ValueError("give one of output_size and output_ratio")
    if output_ratio is None:
        sizes = checks.per_axis(output_size, "output_size", ndim, 1)
    else:
        several = isinstance(output_ratio, (tuple, list))
        ratios = list(output_ratio) if several else [output_ratio] * ndim  # type: ignore[call-overload]
        if len(ratios) != ndim:
            raise ValueError(f"output_ratio must be one number or {ndim}, got {show(output_ratio)}")
        checked = [checks.number(ratio, "output_ratio") for ratio in ratios]
        if not all(0 < ratio < 1 for ratio in checked):
            raise ValueError(f"output_ratio must lie between 0 and 1, got {show(output_ratio)}")
        sizes = tuple([max(int(n * r), 1) for n, r in zip(spatial, checked, strict=True)])
    for name, n, k, m in zip(SPATIAL_AXES[ndim], spatial, kernel, sizes, strict=True):
        if m + k - 1 > n:
            raise ValueError(
                f"x has {n} along {name}, too few for {show(m)} windows of {show(k)} at distances "
                f"of at least 1"
            )
    ones = [(1, 1, 1, 1, 1, 0, 0)] * (3 - ndim)
    columns = [(n, k, m, 1, 1, 0, 0) for n, k, m in zip(spatial, kernel, sizes, strict=True)]
    axes = _Windows(*zip(*ones, *columns, strict=True))
    geometry = PoolGeometry(ndim, input_shape[0], input_shape[1], *axes)
    checks.fits_memory("x", geometry.input_shape, _WIDEST_ITEM)
    return geometry


def fractional_starts(geometry: PoolGeometry, samples: Array) -> Array:
    """Place the windows of every plane by its samples (N, C, axes).

    Samples are in PyTorch's order: for W, then H; but in three dimensions for D, H, W.

    Returns (N·C, OD + OH + OW): where they start along D, H and W.
    """
    planes = samples.reshape(-1, geometry.ndim)
    starts = []
    for axis, (n, k, m) in enumerate(
        zip(geometry.input, geometry.kernel, geometry.output, strict=True)
    ):
        at_axis = axis if geometry.ndim == 3 else 2 - axis
        sample = planes[:, at_axis] if axis >= 3 - geometry.ndim else np.zeros(len(planes))
        step = (n - k) / (m - 1) if m > 1 else 0.0
        count = np.arange(m)
        at = np.floor((count + sample[:, None]) * step) - np.floor(sample[:, None] * step)
        at[:, m - 1] = n - k
        starts.append(np.clip(at, 0, n - k).astype(np.int64))
    return np.ascontiguousarray(np.concatenate(starts, axis=1))


def pad_geometry(
    shape: tuple[int, ...], pad_width: object, mode: str, itemsize: int
) -> PadGeometry:
    """Describe the padding of an array by ``pad_width``, in any of numpy.pad's forms."""
    pairs = checks.pad_width(pad_width, len(shape))
    geometry = PadGeometry(shape, tuple([a for a, _ in pairs]), tuple([b for _, b in pairs]))
    check_pad(geometry, mode, itemsize, "x")
    return geometry


def pad_backward_geometry(
    padded_shape: tuple[int, ...], pad_width: object, mode: str
) -> PadGeometry:
    """Describe the padding whose result has ``padded_shape``."""
    pairs = checks.pad_width(pad_width, len(padded_shape))
    shape = []
    for axis, (length, (before, after)) in enumerate(zip(padded_shape, pairs, strict=True)):
        if before + after > length:
            raise ValueError(
                f"grad has {length} elements along axis {axis}, fewer than pad_width adds "
                f"there: {show(before)} + {show(after)}"
            )
        shape.append(length - before - after)
    geometry = PadGeometry(tuple(shape), tuple([a for a, _ in pairs]), tuple([b for _, b in pairs]))
    check_pad(geometry, mode, _WIDEST_ITEM, "the array that grad is for")
    return geometry


# --- convolutions ----------------------------------------------------------------------------


# Geometries are kept because the same few shapes come back call after call. The keys hold exact
# ints only (the functions above see to that), so that True or 1.0 is never taken for a kept 1.
@lru_cache(maxsize=512)
def _conv_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: PerAxis,
    padding: int | str | Pairs,
    dilation: PerAxis,
    groups: int,
    input_name: str,
    weight_name: str,
) -> ConvGeometry:
    batch, in_channels = input_shape[:2]
    out_channels, per_group = weight_shape[:2]
    groups = checks.integer(groups, "groups", 1)
    if in_channels % groups:
        raise ValueError(
            f"{input_name} has {in_channels} channels, which groups={show(groups)} does not divide"
        )
    if out_channels % groups:
        raise ValueError(
            f"{weight_name} has {out_channels} output channels, which groups={show(groups)} "
            f"does not divide"
        )
    if per_group != in_channels // groups:
        raise ValueError(
            f"{weight_name} has {per_group} input channels per group, {input_name} has "
            f"{in_channels} channels and groups={groups} needs {in_channels // groups}"
        )
    if in_channels == out_channels == 0:
        groups = 1  # any number divides nothing; C need not count to it
    kernel = weight_shape[2:]
    for axis, length in zip(SPATIAL_AXES[ndim], kernel, strict=True):
        if length < 1:
            raise ValueError(
                f"{weight_name} has shape {weight_shape}: its window is empty along {axis}"
            )
    axes = _windows(ndim, input_shape[2:], kernel, stride, padding, dilation, input_name)
    geometry = ConvGeometry(ndim, batch, groups, in_channels, out_channels, *axes)
    checks.fits_memory(input_name, geometry.input_shape, _WIDEST_ITEM)
    checks.fits_memory(weight_name, geometry.weight_shape, _WIDEST_ITEM)
    checks.fits_memory("the output", geometry.output_shape, _WIDEST_ITEM)
    return geometry


@lru_cache(maxsize=512)
def _columns_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: PerAxis,
    padding: int | str | Pairs,
    dilation: PerAxis,
    input_name: str,
) -> ConvGeometry:
    axes = _windows(ndim, input_shape[2:], kernel, stride, padding, dilation, input_name)
    geometry = ConvGeometry(ndim, input_shape[0], 1, input_shape[1], 0, *axes)
    checks.fits_memory(input_name, geometry.input_shape, _WIDEST_ITEM)
    # Axis by axis, so that an empty one hides no overflow of the others.
    factors = (*input_shape[:2], *kernel, *axes.output[-ndim:])
    checks.fits_memory("the array of columns", factors, _WIDEST_ITEM)
    return geometry


@lru_cache(maxsize=512)
def _transposed_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    strides: tuple[int, ...],
    padding: int | str | Pairs,
    output_paddings: tuple[int, ...],
    dilations: tuple[int, ...],
    groups: int,
    input_name: str,
    weight_name: str,
) -> ConvGeometry:
    batch, in_channels = input_shape[:2]
    rows, per_group = weight_shape[:2]
    if rows != in_channels:
        raise ValueError(
            f"{weight_name} has {rows} input channels, {input_name} has {in_channels} channels"
        )
    if in_channels % groups:
        raise ValueError(
            f"{input_name} has {in_channels} channels, which groups={show(groups)} does not divide"
        )
    widths = checks.padding(padding, ndim)
    if widths == "same":
        raise ValueError(
            "padding='same' does not tell a transposed convolution its output's size; expected "
            "numbers or 'valid'"
        )
    sides = ((0, 0),) * ndim if isinstance(widths, str) else widths
    for axis, k in zip(SPATIAL_AXES[ndim], weight_shape[2:], strict=True):
        if k < 1:
            raise ValueError(
                f"{weight_name} has shape {weight_shape}: its window is empty along {axis}"
            )
    columns = [
        _transposed_axis(
            axis, input_shape[2 + i], weight_shape[2 + i], strides[i], dilations[i], sides[i],
            output_paddings[i], input_name,
        )
        for i, axis in enumerate(SPATIAL_AXES[ndim])
    ]  # fmt: skip
    ones = [(1, 1, 1, 1, 1, 0, 0)] * (3 - ndim)
    axes = _Windows(*zip(*ones, *columns, strict=True))
    if in_channels == per_group == 0:
        groups = 1
    geometry = ConvGeometry(ndim, batch, groups, per_group * groups, in_channels, *axes)
    checks.fits_memory(input_name, geometry.output_shape, _WIDEST_ITEM)
    checks.fits_memory(weight_name, geometry.weight_shape, _WIDEST_ITEM)
    checks.fits_memory("the output", geometry.input_shape, _WIDEST_ITEM)
    return geometry


def _transposed_axis(
    axis: str,
    n: int,
    k: int,
    s: int,
    d: int,
    sides: tuple[int, int],
    extra: int,
    input_name: str,
) -> tuple[int, ...]:
    """Place n windows as far apart as the stride says: one axis of a convolution's _Windows."""
    before, after = sides
    if n < 1:
        raise ValueError(f"{input_name} is empty along {axis}, expected at least one element")
    if extra >= max(s, d):
        raise ValueError(
            f"output_padding must be smaller than the stride or the dilation along {axis}: got "
            f"{show(extra)} with stride {show(s)} and dilation {show(d)}"
        )
    padded = (n - 1) * s + d * (k - 1) + 1 + extra
    if padded > checks.LARGEST_EXTENT:
        raise ValueError(
            f"the output would be {show(padded)} long along {axis} before padding is taken off, "
            f"which passes the largest size, 2**62"
        )
    if before + after >= padded:
        raise ValueError(
            f"padding leaves no output along {axis}: {input_name} has {n}, which kernel {k}, "
            f"stride {show(s)}, dilation {show(d)} and output_padding {extra} make {padded}, and "
            f"padding takes {show(before)} + {show(after)}"
        )
    return padded - before - after, k, n, min(s, padded), min(d, padded), before, after


class _Windows(NamedTuple):
    """The spatial part that every geometry ends with, in its order of fields."""

    input: Triple
    kernel: Triple
    output: Triple
    stride: Triple
    dilation: Triple
    pad_before: Triple
    pad_after: Triple


def _windows(
    ndim: int,
    spatial: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: PerAxis,
    padding: int | str | Pairs,
    dilation: PerAxis,
    input_name: str,
    ceil_mode: bool | str = False,
) -> _Windows:
    """Place the windows along every spatial axis."""
    strides = checks.per_axis(stride, "stride", ndim, 1)
    dilations = checks.per_axis(dilation, "dilation", ndim, 1)
    widths = checks.padding(padding, ndim)
    columns = []
    for index, name in enumerate(SPATIAL_AXES[ndim]):
        n, k, s, d = spatial[index], kernel[index], strides[index], dilations[index]
        window = d * (k - 1) + 1
        if not isinstance(widths, str):
            before, after = widths[index]
        else:
            before, after = _same_padding(n, window, s) if widths == "same" else (0, 0)
        padded = n + before + after
        if padded > checks.LARGEST_EXTENT:
            raise ValueError(
                f"{input_name} is {show(n)} long along {name}, and padding it by {show(before)} + "
                f"{show(after)} passes the largest size, 2**62"
            )
        count = _count_windows(n, window, s, before, padded, ceil_mode)
        if count < 1:
            raise ValueError(
                f"the window is larger than the padded {input_name} along {name}: kernel "
                f"{show(k)} with dilation {show(d)} covers {show(window)}, {input_name} has "
                f"{n} + padding {before} + {after} = {padded}"
            )
        s, d = min(s, max(padded, 1)), min(d, max(padded, 1))
        columns.append((n, k, count, s, d, before, after))
    ones = [(1, 1, 1, 1, 1, 0, 0)] * (3 - ndim)
    return _Windows(*zip(*ones, *columns, strict=True))


def _same_padding(length: int, window: int, stride: int) -> tuple[int, int]:
    """Make the output ceil(length / stride) long, with the extra element at the end."""
    output = -(-length // stride)
    total = max((output - 1) * stride + window - length, 0)
    return total // 2, total - total // 2


def _count_windows(
    length: int, window: int, stride: int, before: int, padded: int, ceil_mode: bool | str
) -> int:
    """Count how many windows fit; below 1 if not even one does."""
    if not ceil_mode:
        return (padded - window) // stride + 1
    count = -((window - padded) // stride) + 1
    if ceil_mode == "cover_all":
        return max(count, 1)
    # A last window that would start past the input, in the padding behind it, is dropped.
    return count - 1 if (count - 1) * stride >= length + before else count


# --- pooling ---------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _pool_geometry(
    ndim: int,
    input_shape: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: PerAxis,
    padding: int | str | Pairs,
    dilation: PerAxis,
    ceil_mode: bool | str,
    input_name: str,
    may_be_empty: bool,
) -> PoolGeometry:
    axes = _windows(ndim, input_shape[2:], kernel, stride, padding, dilation, input_name, ceil_mode)
    geometry = PoolGeometry(ndim, input_shape[0], input_shape[1], *axes)
    checks.fits_memory("the window", kernel, _WIDEST_ITEM)
    if not may_be_empty:
        _check_no_window_in_padding(geometry, input_name)
    checks.fits_memory(input_name, geometry.input_shape, _WIDEST_ITEM)
    checks.fits_memory("the output", geometry.output_shape, _WIDEST_ITEM)
    return geometry


@lru_cache(maxsize=512)
def _adaptive_geometry(
    ndim: int, input_shape: tuple[int, ...], sizes: tuple[int, ...], input_name: str
) -> PoolGeometry:
    spatial, adaptive = input_shape[2:], False
    windows = []
    checks.fits_memory("the output", (*input_shape[:2], *sizes), _WIDEST_ITEM)
    for name, n, m in zip(SPATIAL_AXES[ndim], spatial, sizes, strict=True):
        if n == 0:
            raise ValueError(f"{input_name} has shape {input_shape}: it is empty along {name}")
        even = _even_windows(n, m)
        adaptive = adaptive or even is None
        windows.append(even or (-(-n // m), 1))
    ones = [(1, 1, 1, 1, 1, 0, 0)] * (3 - ndim)
    columns = [
        (n, length, m, step, 1, 0, 0)
        for n, m, (length, step) in zip(spatial, sizes, windows, strict=True)
    ]
    axes = _Windows(*zip(*ones, *columns, strict=True))
    return PoolGeometry(ndim, input_shape[0], input_shape[1], *axes, adaptive)


def _even_windows(n: int, m: int) -> tuple[int, int] | None:
    """Return the length and the distance of the windows [i·n // m, -(-(i + 1)·n // m)), i < m.

    None where they are not the same for all of them.
    """
    if n % m == 0:
        return n // m, n // m
    if m > n:
        return None
    length, step = -(-n // m), n // m
    if (m - 1) * n // m != (m - 1) * step:  # n // m is the least distance
        return None
    same = all(-(-(i + 1) * n // m) - i * n // m == length for i in range(m))
    return (length, step) if same else None


def _check_no_window_in_padding(geometry: PoolGeometry, input_name: str) -> None:
    for name, n, k, count, s, d, before, after in zip(
        SPATIAL_AXES[3],
        *geometry[3:10],
        strict=True,
    ):
        window = d * (k - 1) + 1
        if max(before, after) >= window:
            raise ValueError(
                f"padding must be smaller than the window along {name}: padding is {before} + "
                f"{after}, kernel {k} with dilation {d} covers {window}"
            )
        # Windows that start inside the input touch it. The others start before it, and their
        # first tap at or after its beginning lies at (start mod dilation).
        outside = min(count, -(-before // s))
        behind = (count - 1) * s - before >= n  # with "cover_all" only
        if n == 0 or behind or _residues_at_least(n, outside, s, -before, d):
            raise ValueError(
                f"a window lies wholly in the padding along {name}: {input_name} has {n}, "
                f"padding {before} + {after}, kernel {k}, dilation {d}, stride {s}"
            )


def _residues_at_least(bound: int, count: int, step: int, start: int, modulus: int) -> bool:
    """Tell whether (start + i·step) mod modulus >= bound for some 0 <= i < count.

    Such an i makes floor((v + modulus - bound) / modulus) one more than floor(v / modulus), and
    the sums of both have a closed form, however large the count.
    """
    if bound >= modulus or count <= 0:
        return False
    start %= modulus
    raised = _floor_sum(count, modulus, step, start + modulus - bound)
    return raised > _floor_sum(count, modulus, step, start)


def _floor_sum(count: int, modulus: int, step: int, start: int) -> int:
    """Sum (start + i·step) // modulus for 0 <= i < count, as Euclid's algorithm runs."""
    total = 0
    while count > 0:
        total += (step // modulus) * (count * (count - 1) // 2) + (start // modulus) * count
        step, start = step % modulus, start % modulus
        # Count lattice points under the line from the other axis.
        top = step * count + start
        count, start, modulus, step = top // modulus, top % modulus, step, modulus
    return total


# --- padding ---------------------------------------------------------------------------------


def check_pad(geometry: PadGeometry, mode: str, itemsize: int, name: str) -> None:
    """Raise unless the mode can pad it and memory may hold the result."""
    for axis, (length, before, after) in enumerate(zip(*geometry, strict=True)):
        if mode != "constant" and length == 0 and before + after:
            raise ValueError(
                f"{name} is empty along axis {axis}: mode {mode!r} has nothing to repeat there, "
                f"only 'constant' can pad it"
            )
    checks.fits_memory("the padded array", geometry.padded_shape, itemsize)
