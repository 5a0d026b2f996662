"""Convolution and max-pooling by im2col, in plain NumPy; the course compiles a part of it."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

try:
    from .im2col_cython import col2im_6d_cython
except ImportError:

    def col2im_6d_cython(cols, N, C, H, W, HH, WW, pad, stride):
        """Add (C, HH, WW, N, OH, OW) back to the windows, giving (N, C, H, W)."""
        OH, OW = cols.shape[4:]
        padded = np.zeros((C, N, H + 2 * pad, W + 2 * pad), cols.dtype)
        for i in range(HH):
            rows = slice(i, i + stride * OH, stride)
            for j in range(WW):
                padded[:, :, rows, j : j + stride * OW : stride] += cols[:, i, j]
        return padded[:, :, pad : pad + H, pad : pad + W].transpose(1, 0, 2, 3)


def conv_forward_fast(x, w, b, conv_param):
    """Return (N, F, OH, OW) and what the gradient needs."""
    N, C, _, _ = x.shape
    F, _, HH, WW = w.shape
    stride, pad = conv_param["stride"], conv_param["pad"]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(padded, (HH, WW), (2, 3))[:, :, ::stride, ::stride]
    OH, OW = windows.shape[2:4]
    x_cols = windows.transpose(1, 4, 5, 0, 2, 3).reshape(C * HH * WW, -1)
    out = w.reshape(F, -1).dot(x_cols) + b[:, np.newaxis]
    out = np.ascontiguousarray(out.reshape(F, N, OH, OW).transpose(1, 0, 2, 3))
    return out, (x, w, b, conv_param, x_cols)


def conv_backward_fast(dout, cache):
    """Return the gradients by x, w and b."""
    x, w, _, conv_param, x_cols = cache
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    OH, OW = dout.shape[2:]
    flat = dout.transpose(1, 0, 2, 3).reshape(F, -1)
    dw = flat.dot(x_cols.T).reshape(w.shape)
    dx_cols = w.reshape(F, -1).T.dot(flat).reshape(C, HH, WW, N, OH, OW)
    window = HH, WW, conv_param["pad"], conv_param["stride"]
    return col2im_6d_cython(dx_cols, N, C, H, W, *window), dw, flat.sum(axis=1)


def max_pool_forward_fast(x, pool_param):
    """Return (N, C, OH, OW) of windows that do not overlap, and what the gradient needs."""
    N, C, H, W = x.shape
    HH, WW = pool_param["pool_height"], pool_param["pool_width"]
    assert HH == WW == pool_param["stride"]
    windows = x.reshape(N, C, H // HH, HH, W // WW, WW)
    out = windows.max(axis=3).max(axis=4)
    return out, (windows, out)


def max_pool_backward_fast(dout, cache):
    """Return the gradient by x."""
    windows, out = cache
    mask = windows == out[:, :, :, np.newaxis, :, np.newaxis]
    dx = mask * dout[:, :, :, np.newaxis, :, np.newaxis]
    N, C, OH, HH, OW, WW = dx.shape
    return dx.reshape(N, C, OH * HH, OW * WW)
