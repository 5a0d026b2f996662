"""scipy.ndimage's correlation and convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from npconv import checks
from npconv.checks import Array
from npconv.compat.signal._filtering import CONVOLUTIONS, filtered

__all__ = ["convolve", "correlate"]

# SciPy's names, and npconv.pad's.
_MODES = {
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "constant": "constant",
    "grid-constant": "constant",
    "nearest": "edge",
    "mirror": "reflect",
    "wrap": "wrap",
    "grid-wrap": "wrap",
}


def correlate(
    input: ArrayLike,
    weights: ArrayLike,
    output: Array | DTypeLike | None = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
) -> Array:
    """Correlate the last axes of an array with weights; the result has the array's shape.

    Parameters
    ----------
    input : array_like
        An image, or a stack: axes before those of the weights are images of their own.
    weights : array_like
        The filter, of one to three axes.
    output : ndarray or dtype, optional
        Where to write the result, or of which dtype it is to be; unless given, of the input's.
    mode : {"reflect", "constant", "nearest", "mirror", "wrap"}
        What lies beyond the border: ``dcba|abcd|dcba``, `cval`, ``aaaa|abcd|dddd``,
        ``dcb|abcd|cba`` or ``abcd|abcd|abcd``.
    cval : number
        See `mode`.
    origin : int or sequence of int
        How far the filter's centre is moved, for all of its axes or for each.

    Returns
    -------
    ndarray
    """
    return _applied(input, weights, output, mode, cval, origin, flip=False)


def convolve(
    input: ArrayLike,
    weights: ArrayLike,
    output: Array | DTypeLike | None = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
) -> Array:
    """Convolve the last axes of an array with flipped weights; see :func:`correlate`."""
    return _applied(input, weights, output, mode, cval, origin, flip=True)


def _applied(
    input: ArrayLike,
    weights: ArrayLike,
    output: Any,
    mode: str,
    cval: float,
    origin: int | Sequence[int],
    flip: bool,
) -> Array:
    images, filters = checks.array(input, "input"), checks.array(weights, "weights")
    border = _MODES[checks.choice(mode, "mode", tuple(_MODES))]
    ndim = filters.ndim
    if ndim not in CONVOLUTIONS or images.ndim < ndim:
        raise ValueError(
            f"weights must have 1 to 3 axes, at most those of input, got shapes {filters.shape} "
            f"and {images.shape}"
        )
    origins = [int(value) for value in np.broadcast_to(origin, ndim)]
    widths = []
    for size, shift in zip(filters.shape, origins, strict=True):
        # A flipped filter's centre is on the other side, and so is what moves it.
        before = (size - 1) // 2 - shift if flip else size // 2 + shift
        if not 0 <= before < size:
            raise ValueError(f"origin {shift} moves a filter of size {size} off its centre")
        widths.append((before, size - 1 - before))
    if flip:
        filters = filters[(slice(None, None, -1),) * ndim]
    # float32 stays; what else there is SciPy computes in float64, too.
    dtype = images.dtype if images.dtype.kind == "f" and images.dtype.itemsize == 4 else "f8"
    if "c" in (images.dtype.kind, filters.dtype.kind):
        raise TypeError("input and weights must be real")
    y = filtered(images, filters, tuple(widths), border, cval, np.dtype(dtype))
    if isinstance(output, np.ndarray):
        checks.same_shape(output, "output", images.shape, "the shape of input")
        output[...] = y
        return output
    return y.astype(images.dtype if output is None else output, copy=False)
