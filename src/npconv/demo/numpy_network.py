"""The demo's network in plain NumPy, the usual way: im2col and matrix products.

It is here to be compared with, in results and in speed, so it does the same work in the same dtype
(the first layer's input gradient, which nobody reads, is left out here too), with one large
product a layer on NumPy's BLAS and its threads, and loops in Python over a window's taps only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from npconv.checks import Array


class NumpyConvnet:
    """Convolution - ReLU - 2x2 pooling - affine - ReLU - affine - softmax cross-entropy.

    Parameters
    ----------
    params : mapping of str to ndarray
        As those of :func:`npconv.models.simple_convnet`; copied.
    padding : int
        Zeros around an image before the convolution.
    """

    def __init__(self, params: Mapping[str, Array], padding: int) -> None:
        self.params = {name: value.copy() for name, value in params.items()}
        self.padding = padding

    def gradients(self, x: Array, labels: Array) -> tuple[float, dict[str, Array]]:
        """Return the mean loss over a batch and its gradient for every parameter."""
        p = self.params
        filters, _, r, s = p["conv1.weight"].shape
        n = len(x)

        # forward
        cols = im2col(x, (r, s), 1, self.padding)
        oh, ow = (
            size + 2 * self.padding - k + 1 for size, k in zip(x.shape[2:], (r, s), strict=True)
        )
        conv = cols @ p["conv1.weight"].reshape(filters, -1).T + p["conv1.bias"]
        conv = conv.reshape(n, oh, ow, filters).transpose(0, 3, 1, 2)
        relu1 = np.maximum(conv, 0)
        windows = im2col(relu1, (2, 2), 2, 0).reshape(-1, filters, 4)
        largest = windows.argmax(axis=2)
        pooled = windows.max(axis=2)
        flat = pooled.reshape(n, oh // 2, ow // 2, filters).transpose(0, 3, 1, 2).reshape(n, -1)
        relu2 = np.maximum(flat @ p["fc1.weight"].T + p["fc1.bias"], 0)
        scores = relu2 @ p["fc2.weight"].T + p["fc2.bias"]
        loss, grad = softmax_cross_entropy(scores, labels)

        # backward
        grads = {"fc2.weight": grad.T @ relu2, "fc2.bias": grad.sum(axis=0)}
        grad = (grad @ p["fc2.weight"]) * (relu2 > 0)
        grads |= {"fc1.weight": grad.T @ flat, "fc1.bias": grad.sum(axis=0)}
        grad = (grad @ p["fc1.weight"]).reshape(n, filters, oh // 2, ow // 2)
        grad = grad.transpose(0, 2, 3, 1).reshape(-1, filters)
        spread = np.zeros_like(windows)
        np.put_along_axis(spread, largest[:, :, None], grad[:, :, None], axis=2)
        grad = col2im(spread.reshape(len(spread), -1), relu1.shape, (2, 2), 2) * (relu1 > 0)
        grad = grad.transpose(0, 2, 3, 1).reshape(-1, filters)
        grads["conv1.weight"] = (grad.T @ cols).reshape(p["conv1.weight"].shape)
        grads["conv1.bias"] = grad.sum(axis=0)
        return loss, grads


def im2col(x: Array, kernel: tuple[int, int], stride: int, padding: int) -> Array:
    """Lay every window out as a row, ``(N, C, H, W) -> (N * OH * OW, C * R * S)``."""
    if padding:
        x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    n, c, h, w = x.shape
    oh, ow = ((size - k) // stride + 1 for size, k in zip((h, w), kernel, strict=True))
    cols = np.empty((n, c, *kernel, oh, ow), x.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            cols[:, :, i, j] = x[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride]
    return cols.transpose(0, 4, 5, 1, 2, 3).reshape(n * oh * ow, -1)


def col2im(cols: Array, shape: tuple[int, ...], kernel: tuple[int, int], stride: int) -> Array:
    """Add every row back to where :func:`im2col` read it."""
    n, c, h, w = shape
    oh, ow = ((size - k) // stride + 1 for size, k in zip((h, w), kernel, strict=True))
    cols = cols.reshape(n, oh, ow, c, *kernel).transpose(0, 3, 4, 5, 1, 2)
    x = np.zeros(shape, cols.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            x[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride] += cols[:, :, i, j]
    return x


def softmax_cross_entropy(scores: Array, labels: Array) -> tuple[float, Array]:
    """Return the mean of ``-log softmax(scores)[label]`` and its gradient."""
    rows = np.arange(len(scores))
    softmax = np.exp(scores - scores.max(axis=1, keepdims=True))
    softmax /= softmax.sum(axis=1, keepdims=True)
    loss = -float(np.log(softmax[rows, labels]).mean())
    softmax[rows, labels] -= 1
    return loss, softmax / len(scores)
