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

    Runs as a 1x1 convolution of one-pixel images on npconv's kernels: unlike NumPy's matmul these
    give a row the same bits whatever the batch it stands in and the number of threads.

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
        y = functional.conv2d(_pixels(x), weight[:, :, None, None], self.params.get("bias"))
        return y.reshape(*x.shape[:-1], weight.shape[0])

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
        dx, dweight, dbias = functional.conv2d_backward(
            _pixels(grad),
            _pixels(x),
            weight[:, :, None, None],
            needs=(input_grad, True, "bias" in self.params),
        )
        for name, value in (("weight", dweight), ("bias", dbias)):
            if value is not None:
                self.grads[name] = value.reshape(self.params[name].shape)
        return dx


def _pixels(rows: Array) -> Array:
    """Turn rows (..., in) into a batch of one-pixel images (N, in, 1, 1)."""
    return rows.reshape(math.prod(rows.shape[:-1]), rows.shape[-1], 1, 1)
