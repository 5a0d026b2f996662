"""The fast layers and the compiled helper of CS231n's second assignment.

The layers have the signatures of the course's ``fast_layers``. :func:`install` makes this module's
functions what ``cs231n.im2col_cython`` provides, so that nothing has to be compiled::

    import npconv.compat.cs231n
    npconv.compat.cs231n.install()
    from cs231n.fast_layers import conv_forward_fast
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from types import ModuleType
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks, functional
from npconv.checks import Array
from npconv.compat._installing import Installed

__all__ = [
    "col2im_6d_cython",
    "col2im_cython",
    "conv_backward_fast",
    "conv_forward_fast",
    "im2col_cython",
    "install",
    "max_pool_backward_fast",
    "max_pool_forward_fast",
]

ConvCache: TypeAlias = tuple[Array, Array, Array, Mapping[str, int]]
PoolCache: TypeAlias = tuple[Array, tuple[int, ...], Mapping[str, int]]


def conv_forward_fast(
    x: ArrayLike, w: ArrayLike, b: ArrayLike, conv_param: Mapping[str, int]
) -> tuple[Array, ConvCache]:
    """Convolve a batch of images.

    Parameters
    ----------
    x : array_like, (N, C, H, W)
        The images.
    w : array_like, (F, C, HH, WW)
        The filters.
    b : array_like, (F,)
        The bias.
    conv_param : dict
        With the integers ``"stride"`` and ``"pad"``.

    Returns
    -------
    out : ndarray, (N, F, OH, OW)
    cache
        What :func:`conv_backward_fast` needs.
    """
    images, weight, bias = _images(x), np.asarray(w), np.asarray(b)
    out = functional.conv2d(images, weight, bias, conv_param["stride"], conv_param["pad"])
    return out, (images, weight, bias, conv_param)


def conv_backward_fast(dout: ArrayLike, cache: ConvCache) -> tuple[Array, Array, Array]:
    """Return the gradients (dx, dw, db) of :func:`conv_forward_fast`."""
    x, w, _, conv_param = cache
    dx, dw, db = functional.conv2d_backward(dout, x, w, conv_param["stride"], conv_param["pad"])
    assert dx is not None  # all three
    assert dw is not None  # were
    assert db is not None  # asked for
    return dx, dw, db


def max_pool_forward_fast(x: ArrayLike, pool_param: Mapping[str, int]) -> tuple[Array, PoolCache]:
    """Take the largest value of every window.

    Parameters
    ----------
    x : array_like, (N, C, H, W)
        The images.
    pool_param : dict
        With the integers ``"pool_height"``, ``"pool_width"`` and ``"stride"``.

    Returns
    -------
    out : ndarray, (N, C, OH, OW)
    cache
        What :func:`max_pool_backward_fast` needs.
    """
    images = _images(x)
    window, stride = _window(pool_param)
    out, indices = functional.max_pool2d(
        images,
        window,
        stride,
        return_indices=True,
        indices="window",
        index_dtype="uint8" if window[0] * window[1] <= 256 else "int64",
    )
    return out, (indices, images.shape, pool_param)


def max_pool_backward_fast(dout: ArrayLike, cache: PoolCache) -> Array:
    """Return the gradient of :func:`max_pool_forward_fast`; of equal values the first gets it."""
    indices, shape, pool_param = cache
    window, stride = _window(pool_param)
    return functional.max_pool2d_backward(dout, indices, shape, window, stride, index_kind="window")


def im2col_cython(
    x: ArrayLike, field_height: int, field_width: int, padding: int, stride: int
) -> Array:
    """Lay every window out as a column, ``(N, C, H, W) -> (C·FH·FW, OH·OW·N)``, images fastest."""
    cols = functional.im2col(_images(x), (field_height, field_width), stride, padding, order="CPN")
    return cols.reshape(len(cols), -1)


def col2im_cython(
    cols: ArrayLike,
    N: int,
    C: int,
    H: int,
    W: int,
    field_height: int,
    field_width: int,
    padding: int,
    stride: int,
) -> Array:
    """Add the columns of :func:`im2col_cython` back to their windows, giving (N, C, H, W)."""
    columns = np.asarray(cols).reshape(C * field_height * field_width, -1, N)
    window = (field_height, field_width)
    return functional.col2im(columns, (N, C, H, W), window, stride, padding, order="CPN")


def col2im_6d_cython(
    cols: ArrayLike,
    N: int,
    C: int,
    H: int,
    W: int,
    HH: int,
    WW: int,
    pad: int,
    stride: int,
) -> Array:
    """Add ``(C, HH, WW, N, OH, OW)`` back to the windows, giving (N, C, H, W)."""
    columns = np.asarray(cols).reshape(C * HH * WW, N, -1)
    return functional.col2im(columns, (N, C, H, W), (HH, WW), stride, pad, order="CNP")


def install(package: str = "cs231n") -> Installed:
    """Stand in for the course's compiled module and its fast layers.

    Afterwards ``cs231n.im2col_cython`` can be imported without having been compiled, and the four
    fast layers of ``cs231n.fast_layers`` (where there is that module) are those of this one, also
    in modules that have imported them already.

    Parameters
    ----------
    package : str
        The name of the course's package.

    Returns
    -------
    Installed
        Its ``undo()`` puts the course's back; so does the end of a ``with`` block.
    """
    compiled = f"{package}.im2col_cython"
    helper = ModuleType(compiled, "npconv's stand-in for the course's compiled module.")
    for function in _HELPERS:
        setattr(helper, function.__name__, function)
    installed = Installed()
    installed.add_module(compiled, helper)
    if _exists(f"{package}.fast_layers"):
        layers = importlib.import_module(f"{package}.fast_layers")
        installed.replace(layers, {function.__name__: function for function in _LAYERS + _HELPERS})
        for function in _HELPERS:  # where importing them had failed
            if function.__name__ not in vars(layers):
                installed.bind(vars(layers), function.__name__, function)
    return installed


_LAYERS = (
    conv_forward_fast,
    conv_backward_fast,
    max_pool_forward_fast,
    max_pool_backward_fast,
)
_HELPERS = (im2col_cython, col2im_cython, col2im_6d_cython)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its package does not
        return False


def _images(x: ArrayLike) -> Array:
    images = checks.array(x, "x")
    checks.rank(images, "x", (4,), "(N, C, H, W)")
    return images


def _window(pool_param: Mapping[str, int]) -> tuple[tuple[int, int], int]:
    return (pool_param["pool_height"], pool_param["pool_width"]), pool_param["stride"]
