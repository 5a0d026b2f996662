"""The padding layer."""

from __future__ import annotations

from typing import Any

from npconv import checks, functional
from npconv.checks import Array
from npconv.layers.layer import Layer


class Pad2d(Layer):
    """Rows and columns added around each image, ``(N, C, H, W) -> (N, C, H + ..., W + ...)``.

    Padding a row ``1234`` by 3 gives, mode by mode::

        constant   000 1234 000
        reflect    432 1234 321
        edge       111 1234 444
        symmetric  321 1234 432
        wrap       234 1234 123

    Parameters
    ----------
    padding : int, (int, int) or ((int, int), (int, int))
        For all sides; for (rows, columns); or for ((top, bottom), (left, right)).
    mode : str
        One of the above, as in :func:`npconv.pad`.
    value : float
        What mode ``"constant"`` adds.
    """

    def __init__(self, padding: Any, mode: str = "constant", value: float = 0) -> None:
        super().__init__()
        sides = checks.padding(padding, 2)
        if isinstance(sides, str):
            raise ValueError(f"padding is {sides!r}, which only a convolution or pool can settle")
        self._sides = sides
        self._mode = checks.choice(mode, "mode", checks.PAD_MODES)
        self._value = value

    def forward(self, x: Array) -> Array:
        pad_width = ((0, 0),) * (x.ndim - 2) + self._sides
        self._keep(pad_width)
        return functional.pad(x, pad_width, self._mode, self._value)

    def backward(self, grad: Array) -> Array:
        (pad_width,) = self._recall()
        return functional.pad_backward(grad, pad_width, self._mode)
