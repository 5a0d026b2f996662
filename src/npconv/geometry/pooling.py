"""Sizes of all poolings: over windows, adaptive, global, fractional, and back."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from npconv import checks
from npconv.checks import SPATIAL_AXES, Array, Pairs, show
from npconv.geometry.coverage import check_every_window
from npconv.geometry.windows import (
    WIDEST_ITEM,
    PerAxis,
    Triple,
    check_settings,
    find_windows,
    windows_of,
)


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
        *check_settings(ndim, kernel if stride is None else stride, padding, dilation),
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
    checks.fits_memory("the output", (*pooled_shape[:2], *spatial), WIDEST_ITEM)
    columns = [(n, 1, m, 1, 1, 0, 0) for n, m in zip(spatial, pooled_shape[2:], strict=True)]
    axes = windows_of(ndim, columns)
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
    columns = [(n, k, m, 1, 1, 0, 0) for n, k, m in zip(spatial, kernel, sizes, strict=True)]
    axes = windows_of(ndim, columns)
    geometry = PoolGeometry(ndim, input_shape[0], input_shape[1], *axes)
    checks.fits_memory("x", geometry.input_shape, WIDEST_ITEM)
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
    axes = find_windows(
        ndim, input_shape[2:], kernel, stride, padding, dilation, input_name, ceil_mode
    )
    geometry = PoolGeometry(ndim, input_shape[0], input_shape[1], *axes)
    checks.fits_memory("the window", kernel, WIDEST_ITEM)
    if not may_be_empty:
        check_every_window(geometry, input_name)
    checks.fits_memory(input_name, geometry.input_shape, WIDEST_ITEM)
    checks.fits_memory("the output", geometry.output_shape, WIDEST_ITEM)
    return geometry


@lru_cache(maxsize=512)
def _adaptive_geometry(
    ndim: int, input_shape: tuple[int, ...], sizes: tuple[int, ...], input_name: str
) -> PoolGeometry:
    spatial, adaptive = input_shape[2:], False
    windows = []
    checks.fits_memory("the output", (*input_shape[:2], *sizes), WIDEST_ITEM)
    for name, n, m in zip(SPATIAL_AXES[ndim], spatial, sizes, strict=True):
        if n == 0:
            raise ValueError(f"{input_name} has shape {input_shape}: it is empty along {name}")
        even = _even_windows(n, m)
        adaptive = adaptive or even is None
        windows.append(even or (-(-n // m), 1))
    columns = [
        (n, length, m, step, 1, 0, 0)
        for n, m, (length, step) in zip(spatial, sizes, windows, strict=True)
    ]
    axes = windows_of(ndim, columns)
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
