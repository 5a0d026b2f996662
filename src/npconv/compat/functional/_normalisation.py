"""Normalisations, and the matrix product."""

from __future__ import annotations

from npconv import functional
from npconv.checks import Array


def batch_norm(
    input: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Array:
    """Give each channel mean 0 and variance 1; in training the running statistics move."""
    y = functional.batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps, return_saved=False
    )
    return y


def local_response_norm(
    input: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """Divide by a power of the mean square of `size` neighbouring channels."""
    return functional.local_response_norm(input, size, alpha, beta, k)


def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """Multiply with a matrix, ``(..., in), (out, in) -> (..., out)``."""
    return functional.linear(input, weight, bias)
