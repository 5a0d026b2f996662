"""Windows of images as the rows of a matrix, and back, in plain NumPy."""

import numpy as np


def im2col(input_data, filter_h, filter_w, stride=1, pad=0):
    """Lay every window out as a row: (N, C, H, W) -> (N·OH·OW, C·FH·FW)."""
    N, C, H, W = input_data.shape
    out_h = 1 + (H + 2 * pad - filter_h) // stride
    out_w = 1 + (W + 2 * pad - filter_w) // stride
    padded = np.pad(input_data, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.zeros((N, C, filter_h, filter_w, out_h, out_w))
    for i in range(filter_h):
        rows = slice(i, i + stride * out_h, stride)
        for j in range(filter_w):
            windows[:, :, i, j] = padded[:, :, rows, j : j + stride * out_w : stride]
    return windows.transpose(0, 4, 5, 1, 2, 3).reshape(N * out_h * out_w, -1)


def col2im(col, input_shape, filter_h, filter_w, stride=1, pad=0):
    """Add every row back to its window: (N·OH·OW, C·FH·FW) -> (N, C, H, W)."""
    N, C, H, W = input_shape
    out_h = 1 + (H + 2 * pad - filter_h) // stride
    out_w = 1 + (W + 2 * pad - filter_w) // stride
    windows = col.reshape(N, out_h, out_w, C, filter_h, filter_w).transpose(0, 3, 4, 5, 1, 2)
    padded = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    for i in range(filter_h):
        rows = slice(i, i + stride * out_h, stride)
        for j in range(filter_w):
            padded[:, :, rows, j : j + stride * out_w : stride] += windows[:, :, i, j]
    return padded[:, :, pad : pad + H, pad : pad + W]
