"""Local response normalisation, as in AlexNet."""

from __future__ import annotations

from npconv import checks, functional
from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.layers.layer import Layer


class LocalResponseNorm(Layer):
    """``x / (k + alpha / size * sum(x**2)) ** beta``, the sum over `size` channels around.

    Parameters
    ----------
    size, alpha, beta, k
        As in :func:`npconv.local_response_norm`.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self._settings = (
            checks.integer(size, "size", 1),
            *(
                elementwise.number(value, name, 0)
                for name, value in (("alpha", alpha), ("beta", beta), ("k", k))
            ),
        )

    def forward(self, x: Array) -> Array:
        self._keep(x)
        size, alpha, beta, k = self._settings
        return functional.local_response_norm(x, int(size), alpha, beta, k)

    def backward(self, grad: Array) -> Array:
        (x,) = self._recall()
        size, alpha, beta, k = self._settings
        return functional.local_response_norm_backward(grad, x, int(size), alpha, beta, k)
