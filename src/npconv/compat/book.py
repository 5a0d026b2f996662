"""The convolution layers of the book 'Deep Learning from Scratch'.

Change the import in a chapter's network, ::

    from npconv.compat.book import Convolution, Pooling, im2col, col2im

or leave the network as it is and replace the layers where the book keeps them::

    import npconv.compat.book
    npconv.compat.book.install()  # in common.layers, common.util and who imported from them

Arguments, attributes and results are those of the book's. Results are float64 whatever goes in, as
the book's are; ``dtype=`` or :func:`set_dtype` chooses float32.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from npconv import checks, functional
from npconv.checks import Array
from npconv.compat._installing import Installed

__all__ = ["Convolution", "Pooling", "col2im", "im2col", "install", "set_dtype"]

_default_dtype: np.dtype[Any] = checks.FLOAT64


class Convolution:
    """The book's convolution layer, ``(N, C, H, W) -> (N, FN, OH, OW)``.

    `W` and `b` are read at every forward call, so they may be updated in place or bound anew.

    Parameters
    ----------
    W : ndarray, (FN, C, FH, FW)
        The filters.
    b : ndarray, (FN,), or a number
        The bias.
    stride, pad : int
        The step between windows, and the zeros around the images.
    dtype : dtype, optional
        In what to compute, and of what to be; see :func:`set_dtype`.

    Attributes
    ----------
    dW, db : ndarray or None
        The gradients, once ``backward`` has run.
    """

    def __init__(
        self,
        W: Array,
        b: ArrayLike | None,
        stride: int = 1,
        pad: int = 0,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.W = W
        self.b = b
        self.stride = stride
        self.pad = pad
        self.dtype = _chosen(dtype)
        self.x: Array | None = None
        self.dW: Array | None = None
        self.db: Array | None = None
        self._seen: tuple[Array, Array] | None = None

    def forward(self, x: ArrayLike) -> Array:
        """Return the layer's output for a batch of images."""
        # A copy: backward belongs to the x of now, also if x is written to in the meantime.
        images = np.array(x, self.dtype, order="C")
        _four_axes(images, "x")
        self.x, self._seen = np.asarray(x), (images, self.W)
        weight = np.asarray(self.W, self.dtype)
        bias = None
        if self.b is not None:
            bias = np.broadcast_to(np.asarray(self.b, self.dtype), (1, len(weight)))[0]
        return functional.conv2d(images, weight, bias, self.stride, self.pad)

    def backward(self, dout: ArrayLike) -> Array:
        """Return the gradient by the last forward call's images; leave `dW` and `db`."""
        if self._seen is None:
            raise RuntimeError("backward was called before forward")
        images, weight = self._seen
        dx, self.dW, self.db = functional.conv2d_backward(
            np.asarray(dout, self.dtype),
            images,
            np.asarray(weight, self.dtype),
            self.stride,
            self.pad,
        )
        assert dx is not None  # was asked for
        return dx


class Pooling:
    """The book's max-pooling layer, ``(N, C, H, W) -> (N, C, OH, OW)``.

    Among equal values the first wins. Padding is never the largest.

    Parameters
    ----------
    pool_h, pool_w : int
        The height and width of a window.
    stride : int
        The step between windows.
    pad : int
        How far windows reach over the images' borders.
    dtype : dtype, optional
        In what to compute, and of what to be; see :func:`set_dtype`.
    """

    def __init__(
        self,
        pool_h: int,
        pool_w: int,
        stride: int = 2,
        pad: int = 0,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.pool_h = pool_h
        self.pool_w = pool_w
        self.stride = stride
        self.pad = pad
        self.dtype = _chosen(dtype)
        self.x: Array | None = None
        self._seen: tuple[Array, tuple[int, ...]] | None = None

    def forward(self, x: ArrayLike) -> Array:
        """Return the layer's output for a batch of images."""
        images = np.asarray(x, self.dtype)
        _four_axes(images, "x")
        small = self.pool_h * self.pool_w <= 256
        y, indices = functional.max_pool2d(
            images,
            (self.pool_h, self.pool_w),
            self.stride,
            self.pad,
            return_indices=True,
            indices="window",
            index_dtype="uint8" if small else "int64",
        )
        self.x, self._seen = np.asarray(x), (indices, images.shape)
        return y

    def backward(self, dout: ArrayLike) -> Array:
        """Return the gradient by the last forward call's images."""
        if self._seen is None:
            raise RuntimeError("backward was called before forward")
        indices, shape = self._seen
        return functional.max_pool2d_backward(
            np.asarray(dout, self.dtype).reshape(indices.shape),
            indices,
            shape,
            (self.pool_h, self.pool_w),
            self.stride,
            self.pad,
            index_kind="window",
        )


def im2col(
    input_data: ArrayLike,
    filter_h: int,
    filter_w: int,
    stride: int = 1,
    pad: int = 0,
    *,
    dtype: DTypeLike | None = None,
) -> Array:
    """Lay every window out as a row, ``(N, C, H, W) -> (N·OH·OW, C·FH·FW)``."""
    images = np.asarray(input_data, _chosen(dtype))
    _four_axes(images, "input_data")
    cols = functional.im2col(images, (filter_h, filter_w), stride, pad, order="NPC")
    return cols.reshape(-1, cols.shape[2])


def col2im(
    col: ArrayLike,
    input_shape: Sequence[int],
    filter_h: int,
    filter_w: int,
    stride: int = 1,
    pad: int = 0,
    *,
    dtype: DTypeLike | None = None,
) -> Array:
    """Add every row back to its window, ``(N·OH·OW, C·FH·FW) -> (N, C, H, W)``."""
    rows = np.asarray(col, _chosen(dtype))
    n, channels, _, _ = input_shape
    return functional.col2im(
        rows.reshape(n, -1, channels * filter_h * filter_w),
        input_shape,
        (filter_h, filter_w),
        stride,
        pad,
        order="NPC",
    )


def set_dtype(dtype: DTypeLike) -> None:
    """Choose what layers made from now on compute in, and what ``im2col`` and ``col2im`` return.

    Parameters
    ----------
    dtype : float64 or float32
        float64 is the book's, and the default. float32 is about twice as fast.
    """
    global _default_dtype
    _default_dtype = _chosen(dtype)


def install(
    layers: ModuleType | None = None,
    util: ModuleType | None = None,
    *,
    dtype: DTypeLike | None = None,
) -> Installed:
    """Replace the book's layers and functions by those of this module, wherever they are in use.

    Parameters
    ----------
    layers, util : module, optional
        The book's ``common.layers`` and ``common.util``, which are imported unless given. Modules
        that have taken the names from them, as chapters' networks do, get the new ones too.
        Layers that were made before stay what they are.
    dtype : dtype, optional
        As by :func:`set_dtype`.

    Returns
    -------
    Installed
        Its ``undo()`` puts the book's back; so does the end of a ``with`` block.
    """
    layers = importlib.import_module("common.layers") if layers is None else layers
    util = importlib.import_module("common.util") if util is None else util
    installed = Installed()
    installed.bind(globals(), "_default_dtype", _chosen(dtype))
    functions = {"im2col": im2col, "col2im": col2im}
    installed.replace(util, functions)
    installed.replace(layers, {"Convolution": Convolution, "Pooling": Pooling, **functions})
    return installed


def _chosen(dtype: DTypeLike | None) -> np.dtype[Any]:
    if dtype is None:
        return _default_dtype
    wanted = np.dtype(dtype)
    if wanted not in (checks.FLOAT32, checks.FLOAT64):
        raise TypeError(f"dtype must be float32 or float64, got {wanted}")
    return wanted


def _four_axes(images: Array, name: str) -> None:
    checks.rank(images, name, (4,), "(N, C, H, W)")
