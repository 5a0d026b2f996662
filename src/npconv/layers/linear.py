"""The fully connected (affine) layer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from npconv import checks, functional
from npconv.checks import Array
from npconv.layers.initialisers import Initialiser, he
from npconv.layers.parametric import Parametric


class Linear(Parametric):
    """``x @ weight.T + bias``, ``(N, in) -> (N, out)``.

    Unlike NumPy's matmul, it gives a row the same bits whatever the batch it stands in and the
    number of threads.

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

    def forward(self, x: Array, activation: str | None = None) -> Array:
        """Return the result; `activation` is applied to it in passing, and not differentiated."""
        self._keep(x)
        return functional.linear(x, self.params["weight"], self.params.get("bias"), activation)

    def _gradients(self, grad: Array, input_grad: bool) -> Array | None:
        (x,) = self._recall()
        dx, dweight, dbias = functional.linear_backward(
            grad, x, self.params["weight"], needs=(input_grad, True, "bias" in self.params)
        )
        self._keep_gradients(weight=dweight, bias=dbias)
        return dx
