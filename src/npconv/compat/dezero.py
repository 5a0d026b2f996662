"""The convolution functions of DeZero, the framework of 'Deep Learning from Scratch', volume 3.

Networks stay as they are; once before they run::

    import npconv.compat.dezero
    npconv.compat.dezero.install()

Then ``dezero.functions.conv2d``, ``deconv2d``, ``pooling`` and ``average_pooling``, and the layers
that call them, use the functions of this module, forward, backward and backward again.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import dezero.functions_conv
import numpy as np
from dezero.core import Function

from npconv import functional
from npconv.checks import Array
from npconv.compat._installing import Installed
from npconv.compat._sums import channel_sums
from npconv.compat._taking import flat_indices
from npconv.geometry import pool_geometry

__all__ = [
    "AveragePooling",
    "AveragePooling2DGrad",
    "Conv2DGradW",
    "Conv2d",
    "Deconv2d",
    "Pooling",
    "Pooling2DGrad",
    "Pooling2DWithIndexes",
    "col2im_array",
    "im2col_array",
    "install",
]

PerAxis: TypeAlias = int | tuple[int, int]


class Conv2d(Function):
    """Convolution, ``(N, C, H, W), (OC, C, KH, KW), (OC,) or None -> (N, OC, OH, OW)``."""

    def __init__(self, stride: PerAxis = 1, pad: PerAxis = 0) -> None:
        super().__init__()
        self.stride = _pair(stride)
        self.pad = _pair(pad)

    def forward(self, x: Array, W: Array, b: Array | None) -> Array:
        """Convolve."""
        return functional.conv2d(x, W, _bias(b, x, W), self.stride, self.pad)

    def backward(self, gy: Any) -> tuple[Any, Any, Any]:
        """Return the gradients, variables that can be differentiated again."""
        x, W, b = self.inputs
        gx = Deconv2d(self.stride, self.pad, x.shape[2:])(gy, W, None)
        gW = Conv2DGradW(self)(x, gy)
        return gx, gW, None if b.data is None else _ChannelSums()(gy)


class Deconv2d(Function):
    """Transposed convolution, ``(N, C, H, W), (C, OC, KH, KW), (OC,) or None -> (N, OC, ...)``."""

    def __init__(
        self, stride: PerAxis = 1, pad: PerAxis = 0, outsize: PerAxis | None = None
    ) -> None:
        super().__init__()
        self.stride = _pair(stride)
        self.pad = _pair(pad)
        self.outsize = None if outsize is None else _pair(outsize)

    def forward(self, x: Array, W: Array, b: Array | None) -> Array:
        """Convolve, transposed."""
        size = self.outsize or tuple(
            [
                stride * (n - 1) + kernel - 2 * pad
                for n, kernel, stride, pad in zip(
                    x.shape[2:], W.shape[2:], self.stride, self.pad, strict=True
                )
            ]
        )
        shape = (len(x), W.shape[1], *size)
        y = functional.conv2d_input_grad(x, W, shape, self.stride, self.pad)
        if b is not None:
            y += b.reshape((1, -1, 1, 1))
        return y

    def backward(self, gy: Any) -> tuple[Any, Any, Any]:
        """Return the gradients, variables that can be differentiated again."""
        x, W, b = self.inputs
        gx = Conv2d(self.stride, self.pad)(gy, W, None)
        gW = Conv2DGradW(self)(gy, x)
        return gx, gW, None if b.data is None else _ChannelSums()(gy)


class Conv2DGradW(Function):
    """The gradient of a :class:`Conv2d` or :class:`Deconv2d` by its filters."""

    def __init__(self, conv2d: Any) -> None:
        super().__init__()
        self.kernel_size = conv2d.inputs[1].shape[2:]
        self.stride = conv2d.stride
        self.pad = conv2d.pad

    def forward(self, x: Array, gy: Array) -> Array:
        """Return (OC, C, KH, KW)."""
        shape = (gy.shape[1], x.shape[1], *self.kernel_size)
        return functional.conv2d_weight_grad(gy, x, shape, self.stride, self.pad)

    def backward(self, ggW: Any) -> tuple[Any, Any]:
        """Return the gradients, variables that can be differentiated again."""
        x, gy = self.inputs
        gx = Deconv2d(self.stride, self.pad, x.shape[2:])(gy, ggW, None)
        ggy = Conv2d(self.stride, self.pad)(x, ggW, None)
        return gx, ggy


class _ChannelSums(Function):
    """The gradient by a bias, ``(N, OC, OH, OW) -> (OC,)``."""

    def forward(self, gy: Array) -> Array:
        self.shape = gy.shape
        return channel_sums(gy)

    def backward(self, ggb: Any) -> Any:
        return dezero.functions.broadcast_to(ggb.reshape(1, -1, 1, 1), self.shape)


class Pooling(Function):
    """Max-pooling; padding is zeros, which can be the largest."""

    def __init__(self, kernel_size: PerAxis, stride: PerAxis = 1, pad: PerAxis = 0) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        self.pad = pad

    def forward(self, x: Array) -> Array:
        """Take the maxima; leave their places in the windows in `indexes`."""
        kernel = _pair(self.kernel_size)
        y, self.indexes = functional.max_pool2d(
            _padded(x, self.pad),
            kernel,
            _pair(self.stride),
            return_indices=True,
            indices="window",
            index_dtype="uint8" if kernel[0] * kernel[1] <= 256 else "int64",
        )
        return y

    def backward(self, gy: Any) -> Any:
        """Return the gradient, a variable that can be differentiated again."""
        return Pooling2DGrad(self)(gy)


class _OfPooling(Function):
    """What is linear once it is known where the maxima are."""

    def __init__(self, mpool2d: Any) -> None:
        super().__init__()
        self.mpool2d = mpool2d
        self.kernel_size = mpool2d.kernel_size
        self.stride = mpool2d.stride
        self.pad = mpool2d.pad
        self.input_shape = mpool2d.inputs[0].shape
        self.dtype = mpool2d.inputs[0].dtype
        self.indexes = mpool2d.indexes


class Pooling2DGrad(_OfPooling):
    """The gradient of a :class:`Pooling`: each value goes to where the maximum was."""

    def forward(self, gy: Array) -> Array:
        """Return an array of the images' shape."""
        gx = functional.max_pool2d_backward(
            gy.astype(self.dtype, copy=False),
            self.indexes,
            _padded_shape(self.input_shape, self.pad),
            _pair(self.kernel_size),
            _pair(self.stride),
            index_kind="window",
        )
        return _inner(gx, self.pad)

    def backward(self, ggx: Any) -> Any:
        """Return the gradient, a variable that can be differentiated again."""
        return Pooling2DWithIndexes(self.mpool2d)(ggx)


class Pooling2DWithIndexes(_OfPooling):
    """The values at the places where a :class:`Pooling` found its maxima."""

    def forward(self, x: Array) -> Array:
        """Return an array of the pooling's output shape."""
        padded = _padded(x, self.pad)
        window = _pair(self.kernel_size), _pair(self.stride)
        geometry = pool_geometry(2, padded.shape, *window, 0, 1, False)
        places = flat_indices(self.indexes, geometry)
        return functional.max_unpool2d_backward(padded, places, 1)

    def backward(self, gy: Any) -> Any:
        """Return the gradient, a variable that can be differentiated again."""
        return Pooling2DGrad(self.mpool2d)(gy)


class AveragePooling(Function):
    """Mean of every window; padding is zeros, which count."""

    def __init__(self, kernel_size: PerAxis, stride: PerAxis = 1, pad: PerAxis = 0) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        self.pad = pad
        self.input_shape: tuple[int, ...] | None = None

    def forward(self, x: Array) -> Array:
        """Take the means."""
        self.input_shape = x.shape
        window = _pair(self.kernel_size), _pair(self.stride)
        return functional.avg_pool2d(_padded(x, self.pad), *window)

    def backward(self, gy: Any) -> Any:
        """Return the gradient, a variable that can be differentiated again."""
        return AveragePooling2DGrad(self)(gy)


class AveragePooling2DGrad(Function):
    """The gradient of an :class:`AveragePooling`."""

    def __init__(self, apool2d: AveragePooling) -> None:
        super().__init__()
        self.kernel_size = apool2d.kernel_size
        self.stride = apool2d.stride
        self.pad = apool2d.pad
        self.input_shape = apool2d.input_shape

    def forward(self, gy: Array) -> Array:
        """Return an array of the images' shape."""
        assert self.input_shape is not None  # the pooling has run
        window = _pair(self.kernel_size), _pair(self.stride)
        shape = _padded_shape(self.input_shape, self.pad)
        return _inner(functional.avg_pool2d_backward(gy, shape, *window), self.pad)

    def backward(self, ggx: Any) -> Any:
        """Return the gradient, a variable that can be differentiated again."""
        return AveragePooling(self.kernel_size, self.stride, self.pad)(ggx)


def im2col_array(
    img: Array, kernel_size: PerAxis, stride: PerAxis, pad: PerAxis, to_matrix: bool = True
) -> Array:
    """Lay windows out, as (N·OH·OW, C·KH·KW), or as (N, C, KH, KW, OH, OW)."""
    kernel, stride, pad = _pair(kernel_size), _pair(stride), _pair(pad)
    order = "NPC" if to_matrix else "NCP"
    cols = functional.im2col(img, kernel, stride, pad, order=order)
    if to_matrix:
        return cols.reshape(-1, cols.shape[2])
    n, c, h, w = img.shape
    return cols.reshape(n, c, *kernel, *_output((h, w), kernel, stride, pad))


def col2im_array(
    col: Array,
    img_shape: tuple[int, int, int, int],
    kernel_size: PerAxis,
    stride: PerAxis,
    pad: PerAxis,
    to_matrix: bool = True,
) -> Array:
    """Add what :func:`im2col_array` laid out back to the windows, giving (N, C, H, W)."""
    kernel = _pair(kernel_size)
    n, c, _, _ = img_shape
    taps = c * kernel[0] * kernel[1]
    return functional.col2im(
        col.reshape((n, -1, taps) if to_matrix else (n, taps, -1)),
        img_shape,
        kernel,
        _pair(stride),
        _pair(pad),
        order="NPC" if to_matrix else "NCP",
    )


def install() -> Installed:
    """Replace DeZero's functions by those of this module, in ``dezero.functions_conv``.

    Returns
    -------
    Installed
        Its ``undo()`` puts DeZero's back; so does the end of a ``with`` block.
    """
    names = [name for name in __all__ if name not in ("install", "AveragePooling2DGrad")]
    installed = Installed()
    installed.replace(dezero.functions_conv, {name: globals()[name] for name in names})
    return installed


def _pair(value: PerAxis) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _output(
    image: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]
) -> list[int]:
    return [
        (size + 2 * p - k) // s + 1
        for size, k, s, p in zip(image, kernel, stride, pad, strict=True)
    ]


def _bias(b: Array | None, x: Array, W: Array) -> Array | None:
    """The bias in the dtype that the result has, which does not depend on it."""
    return None if b is None else b.astype(np.result_type(x, W), copy=False)


def _padded(x: Array, pad: PerAxis) -> Array:
    ph, pw = _pair(pad)
    return functional.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw))) if ph or pw else x


def _padded_shape(shape: tuple[int, ...], pad: PerAxis) -> tuple[int, ...]:
    (n, c, h, w), (ph, pw) = shape, _pair(pad)
    return n, c, h + 2 * ph, w + 2 * pw


def _inner(padded: Array, pad: PerAxis) -> Array:
    ph, pw = _pair(pad)
    return padded[:, :, ph : padded.shape[2] - ph, pw : padded.shape[3] - pw]
