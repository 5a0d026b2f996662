"""SimpleConvNet as the book 'Deep Learning from Scratch' has it, on npconv's operations.

For those who follow the book: the same constructor, methods, attributes, parameter names and
shapes, so its scripts (``train_convnet.py``, ``visualize_filter.py``, its ``Trainer`` and its
optimisers) run unchanged with ::

    from npconv.models.book import SimpleConvNet

:func:`npconv.models.simple_convnet` is the same network made of npconv's own layers.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from npconv import functional
from npconv.checks import Array
from npconv.compat.book import Convolution, Pooling
from npconv.geometry import conv_geometry, pool_geometry
from npconv.layers import SoftmaxCrossEntropy

__all__ = ["Affine", "Relu", "SimpleConvNet", "SoftmaxWithLoss"]

_CONV_PARAM = {"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1}


class Relu:
    """``max(x, 0)``."""

    def __init__(self) -> None:
        self.x: Array | None = None

    def forward(self, x: Array) -> Array:
        """Return the positive part."""
        self.x = functional.relu(x)
        return self.x

    def backward(self, dout: Array) -> Array:
        """Return the gradient by the last forward call's input."""
        if self.x is None:
            raise RuntimeError("backward was called before forward")
        return functional.relu_backward(dout, self.x)


class Affine:
    """``x · W + b`` with W of (inputs, outputs), for rows or for images taken as rows."""

    def __init__(self, W: Array, b: Array) -> None:
        self.W, self.b = W, b
        self.dW: Array | None = None
        self.db: Array | None = None
        self.x: Array | None = None

    def forward(self, x: Array) -> Array:
        """Return a row of outputs for each image."""
        self.x = x
        return functional.linear(_rows(x, self.W), self.W.T, self.b)

    def backward(self, dout: Array) -> Array:
        """Return the gradient by the last forward call's input; leave `dW` and `db`."""
        if self.x is None:
            raise RuntimeError("backward was called before forward")
        rows = _rows(self.x, self.W)
        dx, dweight, self.db = functional.linear_backward(dout, rows, self.W.T)
        assert dx is not None  # was asked for
        assert dweight is not None
        self.dW = dweight.T
        return dx.reshape(self.x.shape)


class SoftmaxWithLoss:
    """Softmax and mean cross-entropy; labels are numbers (N,) or one-hot rows (N, classes)."""

    def __init__(self) -> None:
        self.loss: float | None = None
        self._loss = SoftmaxCrossEntropy()

    def forward(self, x: Array, t: Array) -> float:
        """Return the loss of scores `x`."""
        self.loss = self._loss.forward(x, _numbers(t))
        return self.loss

    def backward(self, dout: float = 1) -> Array:
        """Return the gradient by the scores."""
        return self._loss.backward() * dout


class SimpleConvNet:
    """conv - relu - pool - affine - relu - affine - softmax.

    Parameters
    ----------
    input_dim : (int, int, int)
        Channels, height and width of an image.
    conv_param : mapping
        ``filter_num``, ``filter_size``, ``pad`` and ``stride`` of the convolution.
    hidden_size, output_size : int
        Outputs of the first and the second affine layer.
    weight_init_std : float
        Standard deviation of the normally distributed weights.
    rng : numpy.random.Generator, optional
        Their source; NumPy's global generator unless given, so that ``np.random.seed`` counts as in
        the book.
    dtype : dtype
        Of the parameters and of all that is computed; float64 as in the book. float32 is about
        twice as fast.

    Attributes
    ----------
    params : dict of str to ndarray
        ``W1`` (filters), ``b1``, ``W2``, ``b2``, ``W3``, ``b3``; the layers use these very arrays,
        so update them in place.
    layers : OrderedDict
        ``Conv1``, ``Relu1``, ``Pool1``, ``Affine1``, ``Relu2``, ``Affine2``.
    last_layer : SoftmaxWithLoss
        The loss.
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (1, 28, 28),
        conv_param: Mapping[str, int] = _CONV_PARAM,
        hidden_size: int = 100,
        output_size: int = 10,
        weight_init_std: float = 0.01,
        *,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        filters, side = conv_param["filter_num"], conv_param["filter_size"]
        stride, pad = conv_param["stride"], conv_param["pad"]
        convolution = filters, input_dim[0], side, side
        convolved = conv_geometry(2, (1, *input_dim), convolution, stride, pad).output_shape
        pooled = pool_geometry(2, convolved, 2, 2).output_shape

        normal = np.random.standard_normal if rng is None else rng.standard_normal
        self.params: dict[str, Array] = {}
        for number, shape in enumerate(
            (
                convolution,
                (math.prod(pooled), hidden_size),
                (hidden_size, output_size),
            ),
            1,
        ):
            outputs = shape[0] if number == 1 else shape[1]
            weights = weight_init_std * np.asarray(normal(shape))
            self.params[f"W{number}"] = weights.astype(dtype)
            self.params[f"b{number}"] = np.zeros(outputs, dtype)
        self._dtype = np.dtype(dtype)
        self._conv = stride, pad
        self.last_layer = SoftmaxWithLoss()
        self._build()

    def _build(self) -> None:
        """Make the layers around the parameters of now."""
        p = self.params
        self.layers: OrderedDict[str, Any] = OrderedDict(
            Conv1=Convolution(p["W1"], p["b1"], *self._conv, dtype=self._dtype),
            Relu1=Relu(),
            Pool1=Pooling(2, 2, stride=2, dtype=self._dtype),
            Affine1=Affine(p["W2"], p["b2"]),
            Relu2=Relu(),
            Affine2=Affine(p["W3"], p["b3"]),
        )

    def predict(self, x: Array) -> Array:
        """Return the scores of each class, before softmax."""
        x = np.asarray(x, self._dtype)
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x: Array, t: Array) -> float:
        """Return the loss of images `x` for labels `t`, numbers or one-hot rows."""
        return self.last_layer.forward(self.predict(x), t)

    def accuracy(self, x: Array, t: Array, batch_size: int = 100) -> float:
        """Return the share of images, 0 to 1, whose highest score is that of their label."""
        labels = _numbers(t)
        right = 0
        # All images: the book leaves out those after the last whole batch.
        for start in range(0, len(x), batch_size):
            scores = self.predict(x[start : start + batch_size])
            right += int(np.sum(scores.argmax(axis=1) == labels[start : start + batch_size]))
        return right / max(len(x), 1)

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """Return the loss's gradients by all parameters, by backpropagation."""
        self.loss(x, t)
        dout = self.last_layer.backward()
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        return {
            f"{kind}{number}": getattr(self.layers[name], f"d{kind}")
            for number, name in enumerate(("Conv1", "Affine1", "Affine2"), 1)
            for kind in ("W", "b")
        }

    def numerical_gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """Return the same by moving each parameter up and down: slow, to check :meth:`gradient`."""
        step = 1e-4
        grads = {}
        for name, param in self.params.items():
            grads[name] = np.zeros_like(param)
            for place in np.ndindex(param.shape):
                value = param[place]
                param[place] = value + step
                above = self.loss(x, t)
                param[place] = value - step
                below = self.loss(x, t)
                param[place] = value
                grads[name][place] = (above - below) / (2 * step)
        return grads

    def save_params(self, file_name: str | os.PathLike[str] = "params.npz") -> None:
        """Write the parameters to a .npz file (the book writes a pickle)."""
        np.savez(file_name, **self.params)  # type: ignore[arg-type]

    def load_params(self, file_name: str | os.PathLike[str] = "params.npz") -> None:
        """Read the parameters from a .npz file."""
        with np.load(file_name, allow_pickle=False) as file:
            missing = set(self.params) - set(file.files)
            if missing:
                raise ValueError(f"{file_name} lacks {sorted(missing)}")
            for name, param in self.params.items():
                if file[name].shape != param.shape:
                    raise ValueError(
                        f"{name} in {file_name} has shape {file[name].shape}, "
                        f"the network's has {param.shape}"
                    )
            for name, param in self.params.items():
                param[...] = file[name]


def _rows(x: Array, weight: Array) -> Array:
    return x.reshape(len(x), len(weight))


def _numbers(t: Array) -> Array:
    t = np.asarray(t)
    return t.argmax(axis=1) if t.ndim == 2 else t
