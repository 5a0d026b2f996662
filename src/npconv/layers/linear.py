"""The fully connected (affine) layer."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from npconv import checks, functional
from npconv.checks import Array
from npconv.layers.initialisers import Initialiser, he
from npconv.layers.layer import Layer


class Linear(Layer):
    """``x @ weight.T + bias``, ``(N, in) -> (N, out)``.

    Runs as 1x1 convolutions on npconv's kernels: unlike NumPy's matmul these give a row the same
    bits whatever the batch it stands in and the number of threads.

    Parameters
    ----------
    in_features, out_features : int
        Lengths of a row of input and of output.
    bias : bool
        Whether to add a bias.
    rng, init, dtype
        Initial weights, as in :class:`npconv.layers.Conv2d`; the weight has shape (out, in).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        init: Initialiser = he,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        in_features = checks.integer(in_features, "in_features", 1)
        out_features = checks.integer(out_features, "out_features", 1)
        self.params["weight"] = init((out_features, in_features), rng, dtype)
        if bias:
            self.params["bias"] = np.zeros(out_features, dtype)

    def forward(self, x: Array) -> Array:
        weight = self.params["weight"]
        if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
            raise ValueError(f"x has shape {x.shape}, expected rows of {weight.shape[1]} values")
        self._keep(x)
        rows = _rows(x)
        y = np.empty((len(rows), len(weight)), np.result_type(x, weight))
        if len(rows):
            functional.conv2d(
                _image(rows.T), _kernel(weight), self.params.get("bias"), out=_image(y.T)
            )
        return y.reshape(*x.shape[:-1], len(weight))

    def backward(self, grad: Array) -> Array:
        (x,) = self._recall()
        dx = self._gradients(grad, x, input_grad=True)
        assert dx is not None  # was asked for
        return dx.reshape(x.shape)

    def backward_params(self, grad: Array) -> None:
        (x,) = self._recall()
        self._gradients(grad, x, input_grad=False)

    def _gradients(self, grad: Array, x: Array, input_grad: bool) -> Array | None:
        weight = self.params["weight"]
        grad = _rows(grad)
        if "bias" in self.params:
            self.grads["bias"] = grad.sum(axis=0)
        self.grads["weight"] = _product(grad.T, _rows(x))
        return _product(grad, weight) if input_grad else None


def _rows(x: Array) -> Array:
    """Turn (..., in) into (N, in)."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _image(channels: Array) -> Array:
    """See (C, W) as one image of height 1."""
    return channels[np.newaxis, :, np.newaxis, :]


def _kernel(matrix: Array) -> Array:
    """See (K, C) as 1x1 filters."""
    return matrix[:, :, np.newaxis, np.newaxis]


def _product(a: Array, b: Array) -> Array:
    """Multiply matrices: the rows of a are filters over the channels of b."""
    return functional.conv2d(_image(b), _kernel(a))[0, :, 0, :]
