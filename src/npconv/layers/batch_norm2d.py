"""Batch normalisation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from npconv import checks, functional
from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.layers.parametric import Parametric


class BatchNorm2d(Parametric):
    """Each channel given mean 0 and variance 1, then scaled and shifted, ``(N, C, ...)``.

    In training mode by the batch's mean and variance, towards which the buffers ``running_mean``
    and ``running_var`` move; in evaluation mode by those.

    Parameters
    ----------
    channels : int
        C.
    eps : float
        Added to the variance.
    momentum : float or None
        How much the running statistics move at each step; None: they become plain averages over
        all steps, as counted in the buffer ``num_batches_tracked``.
    affine : bool
        Whether there are parameters ``weight`` and ``bias``, of one value a channel, which start at
        1 and 0.
    scale : bool
        Whether ``weight`` is among them; without it, channels are shifted only.
    dtype : dtype
        Of parameters and running statistics.
    """

    def __init__(
        self,
        channels: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        *,
        scale: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        channels = checks.integer(channels, "channels", 1)
        self.eps = elementwise.number(eps, "eps", 0)
        self.momentum = None if momentum is None else elementwise.number(momentum, "momentum", 0)
        scaled = checks.flag(scale, "scale")
        if checks.flag(affine, "affine"):
            if scaled:
                self.params["weight"] = np.ones(channels, dtype)
            self.params["bias"] = np.zeros(channels, dtype)
        self.buffers["running_mean"] = np.zeros(channels, dtype)
        self.buffers["running_var"] = np.ones(channels, dtype)
        self.buffers["num_batches_tracked"] = np.zeros((), np.int64)

    def forward(self, x: Array) -> Array:
        momentum = self.momentum
        if self.training:
            steps = self.buffers["num_batches_tracked"]
            steps += 1
            momentum = 1 / int(steps) if momentum is None else momentum
        y, saved = functional.batch_norm(
            x,
            self.params.get("weight"),
            self.params.get("bias"),
            self.buffers["running_mean"],
            self.buffers["running_var"],
            self.training,
            momentum or 0.0,
            self.eps,
            return_saved=True,
        )
        self._keep(x, saved)
        return y

    def _gradients(self, grad: Array, input_grad: bool) -> Array | None:
        x, saved = self._recall()
        needs = (input_grad, "weight" in self.params, "bias" in self.params)
        dx, dweight, dbias = functional.batch_norm_backward(
            grad, x, self.params.get("weight"), saved, needs=needs
        )
        self._keep_gradients(weight=dweight, bias=dbias)
        return dx
