"""Large kernels by SciPy's Fourier transforms, where that is predicted to be faster.

The image is cut into tiles that stay in cache, each transformed with what its sums reach of the
neighbours (overlap-save). Tiles depend on the geometry of one image only.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from itertools import product
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from npconv.checks import Array
from npconv.geometry import ConvGeometry
from npconv.number_types import real_dtype
from npconv.runtime import Candidate, Options, native

# Measured beside the convolutions of bench/, in float64: seconds for each point and level of a real
# transform, for each point of a product, for each transform and for each tile that is cut out.
# Complex numbers take twice as long. Transforms of more than _CACHE bytes cost _BEYOND more with
# each doubling.
_TRANSFORM, _PRODUCT, _CALL, _TILE = 0.5e-9, 0.7e-9, 15e-6, 10e-6
_CACHE, _BEYOND = 1 << 19, 0.13
_NARROW = 0.52  # of _TRANSFORM and _PRODUCT in float32

_WHOLE = 1 << 22  # bytes of a tile beyond which page faults hardly matter

# A direct sum of so few products, or taps, takes less than any transform.
_FEW_PRODUCTS, _FEW_TAPS = 1 << 19, 32


class Tiling(NamedTuple):
    """How an image is cut: the transforms' lengths, sums of a tile along each axis, seconds."""

    lengths: tuple[int, int]
    sums: tuple[int, int]
    seconds: float


def scipy_fft() -> ModuleType | None:
    """SciPy's transforms, if SciPy is installed."""
    try:
        return import_module("scipy.fft")
    except ImportError:
        return None


def wins(geometry: ConvGeometry, dtype: np.dtype[Any], how: Options, precision: object) -> bool:
    """Whether transforms are predicted to be faster than a direct sum."""
    taps = geometry.kernel[1] * geometry.kernel[2]
    sums = geometry.output[1] * geometry.output[2] * geometry.out_channels
    if taps <= _FEW_TAPS or taps * sums <= _FEW_PRODUCTS:
        return False
    rival = candidate(geometry, dtype, precision)
    if not rival.accepted or rival.seconds is None:
        return False
    direct = _direct_seconds(geometry._replace(batch=1), dtype, how)
    return direct is not None and rival.seconds < direct


def candidate(geometry: ConvGeometry, dtype: np.dtype[Any], precision: object) -> Candidate:
    """Whether transforms can compute a call, and how long they would take for one image."""
    if scipy_fft() is None:
        return Candidate("fft", False, "SciPy is not installed")
    if dtype.kind not in "fc" or dtype.itemsize < 4:
        return Candidate("fft", False, f"the result is {dtype}, transforms are for float32 and up")
    if precision == "strict":
        return Candidate("fft", False, "precision='strict' allows direct summation only")
    return Candidate("fft", True, "", _tiling(geometry._replace(batch=1), dtype).seconds)


@lru_cache(maxsize=256)
def _direct_seconds(g: ConvGeometry, dtype: np.dtype[Any], how: Options) -> float | None:
    """How long the convolution is predicted to take for one image."""
    found, chosen = native.conv_candidates("forward", g, real_dtype(dtype).name, how)
    seconds = {name: time for name, _, _, time, _ in found}.get(chosen or "")
    return seconds if seconds is None or dtype.kind == "f" else 4 * seconds


def correlate(images: Array, weight: Array, geometry: ConvGeometry, out: Array) -> Array:
    """Write the cross-correlation of (N, 1, H, W) images; return which it could not.

    These are images with sums that are not finite: for an element that is not, for the transforms'
    sums are larger than those that are wanted, or in truth. An infinite element is in the mean of
    its tile, so that no sum of the tile is finite.

    All is computed in ``out``'s dtype, on one thread: bits depend on nothing else in the batch.
    """
    fft = scipy_fft()
    assert fft is not None
    lengths, sums, _ = _tiling(geometry._replace(batch=1), out.dtype)
    real = out.dtype.kind == "f"
    forward, backward = (fft.rfft2, fft.irfft2) if real else (fft.fft2, fft.ifft2)
    tile = _tile(lengths, out.dtype)
    rows, columns = [_cuts(geometry, i, lengths[i], sums[i]) for i in (0, 1)]
    failed: Array = np.zeros(len(images), np.bool_)
    with np.errstate(all="ignore"):
        spectra = []
        for one in weight[:, 0, ::-1, ::-1]:
            _fill(tile, one, (slice(0, one.shape[0]), slice(0, one.shape[1])))
            spectra.append(forward(tile, workers=1))
        for n, (image, result) in enumerate(zip(images[:, 0], out, strict=True)):
            for row, column in product(rows, columns):
                part = image[row.source, column.source]
                _fill(tile, part, (row.place, column.place))
                spectrum = forward(tile, workers=1)
                there = result[:, row.sums, column.sums]
                for k, other in enumerate(spectra):
                    last = spectrum if k + 1 == len(spectra) else None
                    both = np.multiply(spectrum, other, out=last)
                    whole = backward(both, s=lengths, workers=1, overwrite_x=True)
                    there[k] = whole[row.found, column.found]
            failed[n] = not np.isfinite(result).all()
    return failed


class _Cut(NamedTuple):
    """Of one tile along an axis: where its elements come from and go to, and its sums."""

    source: slice
    place: slice
    sums: slice
    found: slice


def _cuts(g: ConvGeometry, axis: int, length: int, sums: int) -> list[_Cut]:
    size, taps = g.input[1 + axis], g.kernel[1 + axis]
    before, outputs = g.pad_before[1 + axis], g.output[1 + axis]
    if sums == outputs:  # the image whole; see _needed
        first = taps - 1 - before
        return [_Cut(slice(0, size), slice(0, size), slice(0, sums), slice(first, first + sums))]
    cuts = []
    for start in range(0, outputs, sums):
        begin = start - before
        low, high = max(begin, 0), max(min(begin + length, size), 0)
        source = slice(min(low, size), max(high, min(low, size)))
        count = min(sums, outputs - start)
        cuts.append(
            _Cut(
                source,
                slice(source.start - begin, source.stop - begin),
                slice(start, start + count),
                slice(taps - 1, taps - 1 + count),
            )
        )
    return cuts


def _tile(lengths: tuple[int, int], dtype: np.dtype[Any]) -> Array:
    """Memory for a tile.

    C's malloc gives memory back to the system beyond twice the largest block that it has seen
    freed, and the next call takes a page fault for every 4 KB of it, up to half of its time. So one
    block is as large as all that a tile needs; what nobody touches of it costs nothing.
    """
    whole = lengths[0] * lengths[1] * dtype.itemsize > _WHOLE
    tile: Array = np.empty((1 if whole else 8, *lengths), dtype)[0]
    return tile


def _fill(tile: Array, part: Array, place: tuple[slice, slice]) -> None:
    """Put something into a tile, and zeros around it."""
    if part.shape != tile.shape:
        tile.fill(0)
    tile[place] = part


def _needed(size: int, taps: int, before: int, sums: int) -> int:
    """The length of a transform of a whole axis.

    Sums wrap around: those behind the last length are added to the first ones, which may be so
    where nobody looks at them.
    """
    first = taps - 1 - before
    return max(size + taps - 1 - max(first, 0), first + sums, size, taps)


@lru_cache(maxsize=256)
def _tiling(g: ConvGeometry, dtype: np.dtype[Any]) -> Tiling:
    """The fastest of all tilings, for one image."""
    fft = scipy_fft()
    assert fft is not None
    real = dtype.kind == "f"
    axes: list[tuple[list[int], list[int]]] = []
    for size, taps, before, outputs in zip(
        g.input[1:], g.kernel[1:], g.pad_before[1:], g.output[1:], strict=True
    ):
        found = {fft.next_fast_len(_needed(size, taps, before, outputs), real=real): outputs}
        for count in range(2, 65):
            length = fft.next_fast_len(-(-outputs // count) + taps - 1, real=real)
            if length - taps + 1 < outputs:
                found.setdefault(length, length - taps + 1)
        axes.append((list(found), list(found.values())))
    (heights, rows), (widths, columns) = axes
    tiles = np.outer(
        [-(-g.output[1] // n) for n in rows], [-(-g.output[2] // n) for n in columns]
    ).astype(float)
    points = np.outer(heights, widths).astype(float)
    size = real_dtype(dtype).itemsize
    narrow = _NARROW if size == 4 else 1.0
    octaves = np.maximum(np.log2(points * size / _CACHE), 0)
    level = _TRANSFORM * narrow * points * np.log2(np.maximum(points, 2)) * (1 + _BEYOND * octaves)
    k = g.out_channels
    transforms = (tiles * (1 + k) + k) * (_CALL + level)
    seconds = transforms + tiles * (_TILE + k * _PRODUCT * narrow * points)
    seconds *= 1 if real else 2
    i, j = divmod(int(np.argmin(seconds)), len(widths))
    return Tiling((heights[i], widths[j]), (rows[i], columns[j]), float(seconds[i, j]))
