"""One image and one filter of the usual kind: what is known of their sizes is kept.

The checks of :mod:`npconv.functional.signal` and the predictions take longer than a small filter.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from npconv.checks import Array
from npconv.functional import signal_fft
from npconv.functional.convolution import conv2d
from npconv.geometry import ConvGeometry, conv_geometry
from npconv.runtime import Options, native, options
from npconv.signals import MODES, padding_of

_ONE = (None, None)
_USUAL = (np.dtype(np.float32), np.dtype(np.float64))


def compute(x: object, kernel: object, mode: object, num_threads: Any, flip: bool) -> Array | None:
    """One image and one filter of the usual kind, with few looks at them; None for any other."""
    if type(x) is not np.ndarray or type(kernel) is not np.ndarray:
        return None
    if x.ndim != 2 or kernel.ndim != 2:
        return None
    dtype = x.dtype
    if dtype != kernel.dtype or dtype not in _USUAL or type(mode) is not str or mode not in MODES:
        return None
    how = options("auto", None, num_threads, "standard")
    geometry, transforms = _usual(x.shape, kernel.shape, dtype, mode, flip, how)
    if geometry is None:
        return None
    if transforms:
        weight = kernel[::-1, ::-1] if flip else kernel
        result = native.empty(geometry.output_shape, dtype)
        failed = signal_fft.correlate(x[_ONE], weight[_ONE], geometry, result)
        return None if failed[0] else result[0, 0]
    weight = kernel[::-1, ::-1].copy() if flip else kernel
    padding = geometry.pad_before[1:]
    result = conv2d(x[_ONE], weight[_ONE], None, 1, padding, num_threads=num_threads)
    return result[0, 0]  # type: ignore[no-any-return]


@lru_cache(maxsize=256)
def _usual(
    size: tuple[int, int],
    taps: tuple[int, int],
    dtype: np.dtype[Any],
    mode: str,
    flip: bool,
    how: Options,
) -> tuple[ConvGeometry | None, bool]:
    """The geometry of a usual call, and whether transforms compute it; None: look closer."""
    if 0 in size or 0 in taps or (mode == "valid" and (taps[0] > size[0] or taps[1] > size[1])):
        return None, False
    padding = padding_of(taps, mode, flip)
    geometry = conv_geometry(2, (1, 1, *size), (1, 1, *taps), 1, padding, 1, 1)
    transforms = signal_fft.wins(geometry, dtype, how, "standard")
    even = geometry.pad_before == geometry.pad_after
    return geometry if even or transforms else None, transforms
