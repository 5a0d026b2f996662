"""A convolution whose filters follow from the images and are not trained."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from npconv import checks, functional
from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.layers.initialisers import Initialiser, he
from npconv.layers.parametric import Parametric

# Images whose patches are copied at a time.
_BLOCK = 100


class PatchWhitening2d(Parametric):
    """Patches of images in coordinates of variance 1 that are uncorrelated, each with both signs.

    ``(N, C, H, W) -> (N, 2 * C * R * S, H - R + 1, W - S + 1)``

    The filters are the eigenvectors of the covariance of patches, divided by the roots of their
    eigenvalues, and the same with the other sign, so that ReLU behind them loses nothing (Jordan
    2024; whitened patches: Coates and Ng 2012). :meth:`fit` computes them; until then they are
    random. As a buffer they belong to the state and are not trained, other than the bias.

    Parameters
    ----------
    channels : int
        C.
    kernel_size : int or (int, int)
        (R, S) of a patch.
    eps : float
        What share of the mean eigenvalue is added to all of them, lest what hardly varies be blown
        up.
    rng, init, dtype
        As in :class:`Conv2d`.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | tuple[int, int] = 2,
        eps: float = 5e-4,
        *,
        rng: np.random.Generator,
        init: Initialiser = he,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        channels = checks.integer(channels, "channels", 1)
        kernel = checks.per_axis(kernel_size, "kernel_size", 2, 1)
        self.eps = elementwise.number(eps, "eps", 0)
        filters = 2 * channels * math.prod(kernel)
        self.params["bias"] = np.zeros(filters, dtype)
        self.buffers["weight"] = init((filters, channels, *kernel), rng, dtype)
        self.buffers["mean"] = np.zeros(channels, dtype)

    def fit(self, images: Array) -> None:
        """Compute the filters, and each channel's mean, from all patches of `images`."""
        weight = self.buffers["weight"]
        channels, height, width = weight.shape[1:]
        if (
            images.ndim != 4
            or images.shape[1] != channels
            or images.shape[2] < height
            or images.shape[3] < width
            or not len(images)
        ):
            raise ValueError(
                f"images is {images.shape}, expected (N, {channels}, H, W) with at least one "
                f"patch of {height}x{width} pixels"
            )
        mean = images.mean(axis=(0, 2, 3), dtype=np.float64)
        size = channels * height * width
        products, count = np.zeros((size, size)), 0
        for start in range(0, len(images), _BLOCK):
            centred = images[start : start + _BLOCK] - mean[:, None, None]
            windows = sliding_window_view(centred, (height, width), axis=(2, 3))
            patches = windows.transpose(1, 4, 5, 0, 2, 3).reshape(size, -1)
            # Not patches @ patches.T, whose bits may depend on the threads of NumPy's BLAS.
            products += np.einsum("ik,jk->ij", patches, patches)
            count += patches.shape[1]
        values, vectors = np.linalg.eigh(products / count)
        values = np.maximum(values, 0) + self.eps * values.mean()
        filters = (vectors / np.sqrt(values)).T[::-1]  # the largest eigenvalue first
        weight[...] = np.concatenate([filters, -filters]).reshape(weight.shape)
        self.buffers["mean"][...] = mean

    @property
    def bias(self) -> Array:
        """What is added to the filters' sums: the parameter, less those of the mean."""
        weight, mean = self.buffers["weight"], self.buffers["mean"]
        total: Array = self.params["bias"] - (weight.sum(axis=(2, 3)) * mean).sum(axis=1)
        return total

    def forward(self, x: Array) -> Array:
        self._keep(x)
        return functional.conv2d(x, self.buffers["weight"], self.bias)

    def _gradients(self, grad: Array, input_grad: bool) -> Array | None:
        (x,) = self._recall()
        dx, _, dbias = functional.conv2d_backward(
            grad, x, self.buffers["weight"], needs=(input_grad, False, True)
        )
        self._keep_gradients(bias=dbias)
        return dx
