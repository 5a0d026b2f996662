"""Large kernels by SciPy's Fourier transforms, where that is predicted to be faster."""

from __future__ import annotations

import math
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from npconv.checks import Array
from npconv.geometry import ConvGeometry
from npconv.number_types import real_dtype
from npconv.runtime import Candidate, Options, native

# Measured beside the convolutions of bench/, in float64: seconds for each point and level of a real
# transform, for each point of a product, and for each call. Complex ones take twice as long.
_TRANSFORM, _PRODUCT, _CALL = 1.2e-9, 1.5e-9, 15e-6


def scipy_fft() -> ModuleType | None:
    """SciPy's transforms, if SciPy is installed."""
    try:
        return import_module("scipy.fft")
    except ImportError:
        return None


def candidate(geometry: ConvGeometry, dtype: np.dtype[Any], precision: object) -> Candidate:
    """Whether transforms can compute a call, and how long they would take for one image."""
    fft = scipy_fft()
    if fft is None:
        return Candidate("fft", False, "SciPy is not installed")
    if dtype.kind not in "fc" or dtype.itemsize < 4:
        return Candidate("fft", False, f"the result is {dtype}, transforms are for float32 and up")
    if precision == "strict":
        return Candidate("fft", False, "precision='strict' allows direct summation only")
    points = math.prod(_lengths(fft, geometry, dtype))
    filters = geometry.out_channels
    transforms = (1 + 2 * filters) * (_CALL + _TRANSFORM * points * math.log2(max(points, 2)))
    seconds = transforms + filters * _PRODUCT * points
    return Candidate("fft", True, "", seconds * (2 if dtype.kind == "c" else 1))


def direct_seconds(geometry: ConvGeometry, dtype: np.dtype[Any], how: Options) -> float | None:
    """How long the convolution is predicted to take for one image."""
    found, chosen = native.conv_candidates("forward", geometry, real_dtype(dtype).name, how)
    seconds = {name: time for name, _, _, time, _ in found}.get(chosen or "")
    return seconds if seconds is None or dtype.kind == "f" else 4 * seconds


def correlate(images: Array, weight: Array, geometry: ConvGeometry, out: Array) -> Array:
    """Write the cross-correlation of finite (N, 1, H, W) images; return which were not.

    In double precision, image by image, on one thread: bits depend on nothing else in the batch.
    """
    fft = scipy_fft()
    assert fft is not None
    lengths = _lengths(fft, geometry, out.dtype)
    rows, columns = geometry.output[1:]
    skip = [
        taps - 1 - before
        for taps, before in zip(geometry.kernel[1:], geometry.pad_before[1:], strict=True)
    ]
    wide = np.complex128 if out.dtype.kind == "c" else np.float64
    forward, backward = (fft.fft2, fft.ifft2) if out.dtype.kind == "c" else (fft.rfft2, fft.irfft2)
    flipped = weight[:, 0, ::-1, ::-1].astype(wide)
    spectra = [forward(one, s=lengths, workers=1) for one in flipped]
    finite: Array = np.asarray(np.isfinite(images).all(axis=(1, 2, 3)))
    for n in np.flatnonzero(finite):
        spectrum = forward(images[n, 0].astype(wide), s=lengths, workers=1)
        for k, other in enumerate(spectra):
            whole = backward(spectrum * other, s=lengths, workers=1)
            out[n, k] = whole[skip[0] : skip[0] + rows, skip[1] : skip[1] + columns]
    return ~finite


def _lengths(fft: ModuleType, g: ConvGeometry, dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Of transforms in which the sums that are wanted do not meet the ends of others.

    Sums wrap around: those behind the last length are added to the first ones, which may be so
    where nobody looks at them.
    """
    found = []
    axes = zip(g.input[1:], g.kernel[1:], g.pad_before[1:], g.output[1:], strict=True)
    for length, taps, before, sums in axes:
        first = taps - 1 - before
        needed = max(length + taps - 1 - max(first, 0), first + sums, length, taps)
        found.append(fft.next_fast_len(needed, real=dtype.kind == "f"))
    return tuple(found)
