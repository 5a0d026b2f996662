"""What the convolution layers share, plain and transposed, of one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from npconv import checks
from npconv.checks import Array
from npconv.layers.initialisers import Initialiser
from npconv.layers.parametric import Parametric


class ConvLayer(Parametric):
    """Weights, a bias, and two calls of :mod:`npconv.functional`.

    Attributes
    ----------
    ndim : int
        How many spatial axes there are.
    """

    ndim: ClassVar[int]
    _forward: ClassVar[Callable[..., Array]]
    _backward: ClassVar[Callable[..., tuple[Array | None, Array | None, Array | None]]]
    _geometry: tuple[Any, ...]
    _options: dict[str, Any]

    def _set_up(
        self,
        channels: tuple[int, int],
        kernel_size: Any,
        groups: int,
        bias: bool,
        rng: np.random.Generator,
        init: Initialiser,
        dtype: npt.DTypeLike,
        transposed: bool = False,
    ) -> int:
        """Make the parameters, and return the checked number of groups."""
        groups = checks.integer(groups, "groups", 1)
        in_channels = checks.integer(channels[0], "in_channels", 1)
        out_channels = checks.integer(channels[1], "out_channels", 1)
        for name, each in (("in_channels", in_channels), ("out_channels", out_channels)):
            if each % groups:
                raise ValueError(f"{name} is {each}, which groups={groups} does not divide")
        kernel = checks.per_axis(kernel_size, "kernel_size", self.ndim, 1)
        weight = init((out_channels, in_channels // groups, *kernel), rng, dtype)
        if transposed:  # what one output sums over is the same, where it is kept is not
            split = weight.reshape(groups, out_channels // groups, *weight.shape[1:])
            shape = (in_channels, out_channels // groups, *kernel)
            weight = np.ascontiguousarray(split.swapaxes(1, 2).reshape(shape))
        self.params["weight"] = weight
        if bias:
            self.params["bias"] = np.zeros(out_channels, dtype)
        return groups

    def forward(self, x: Array, activation: str | None = None) -> Array:
        """Return the result; `activation` is applied to it in passing, and not differentiated."""
        self._keep(x)
        options = (
            self._options if activation is None else {**self._options, "activation": activation}
        )
        return type(self)._forward(
            x, self.params["weight"], self.params.get("bias"), *self._geometry, **options
        )

    def _gradients(self, grad: Array, input_grad: bool) -> Array | None:
        (x,) = self._recall()
        dx, dweight, dbias = type(self)._backward(
            grad,
            x,
            self.params["weight"],
            *self._geometry,
            needs=(input_grad, True, "bias" in self.params),
            **self._options,
        )
        self._keep_gradients(weight=dweight, bias=dbias)
        return dx
