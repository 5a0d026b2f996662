"""scipy.signal's two-dimensional convolution and correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks, functional
from npconv.checks import Array


def convolve2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: complex = 0,
) -> Array:
    """Convolve images with a flipped filter, ``(..., H, W) * (R, S) -> (..., OH, OW)``.

    Parameters
    ----------
    in1 : array_like, (..., H, W)
        An image, or a stack of images.
    in2 : array_like, (R, S)
        The filter.
    mode : {"full", "valid", "same"}
        Whether to return all sums, those of whole windows, or as many as there are pixels. For
        "valid" the filter may be the larger one.
    boundary : {"fill", "wrap", "symm"}
        What lies beyond the border: `fillvalue`, the other side, or the image's reflection.
    fillvalue : number
        See `boundary`.

    Returns
    -------
    ndarray
        Of the dtype of both arrays together.
    """
    return _both_ways(in1, in2, mode, boundary, fillvalue, flip=True)


def correlate2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: complex = 0,
) -> Array:
    """Correlate images with a filter, ``(..., H, W) ⋆ (R, S) -> (..., OH, OW)``.

    The filter is not flipped; if it is complex, its conjugate is taken. The rest is as for
    :func:`convolve2d`.
    """
    return _both_ways(in1, in2, mode, boundary, fillvalue, flip=False)


def _both_ways(
    in1: ArrayLike, in2: ArrayLike, mode: str, boundary: str, fillvalue: Any, flip: bool
) -> Array:
    images, kernel = checks.array(in1, "in1"), checks.array(in2, "in2")
    checks.rank(kernel, "in2", (2,), "(R, S)")
    if images.ndim < 2:
        raise ValueError(f"in1 must be (..., H, W), got {images.ndim} axes: shape {images.shape}")
    dtype = np.result_type(images, kernel)
    turned = mode == "valid" and _covers(kernel.shape, images.shape[-2:])
    if turned:
        if images.ndim > 2:
            raise ValueError("in2 is larger than in1, which must then be one image")
        images, kernel = kernel, images
    function = functional.convolve2d if flip else functional.correlate2d
    if boundary == "fill":
        y = function(images, kernel, mode, boundary, fillvalue)
    else:
        y = function(images, kernel, mode, boundary)
    # Integers are added up in wider ones, of which SciPy keeps the low bits, too.
    y = y.astype(dtype, copy=False)
    return y[::-1, ::-1] if turned and not flip else y


def _covers(larger: tuple[int, ...], smaller: tuple[int, ...]) -> bool:
    """Whether the filter has to be the image; raise if neither holds the other."""
    if all(a <= b for a, b in zip(larger, smaller, strict=True)):
        return False
    if all(a >= b for a, b in zip(larger, smaller, strict=True)):
        return True
    raise ValueError(f"mode='valid' needs one shape to hold the other, got {smaller} and {larger}")
