"""Operations on each element, or along one axis."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from npconv import checks, functional
from npconv.checks import Array

# What dropout draws from.
_generator = np.random.default_rng()


def relu(input: Array, inplace: bool = False) -> Array:
    """Put 0 where the input is negative."""
    return functional.relu(input, out=_target(input, inplace))


def relu6(input: Array, inplace: bool = False) -> Array:
    """Put 0 where the input is negative, and 6 where it is more."""
    return functional.relu6(input, out=_target(input, inplace))


def leaky_relu(input: Array, negative_slope: float = 0.01, inplace: bool = False) -> Array:
    """Multiply by `negative_slope` where the input is negative."""
    return functional.leaky_relu(input, negative_slope, out=_target(input, inplace))


def elu(input: Array, alpha: float = 1.0, inplace: bool = False) -> Array:
    """Put alpha·(exp(x) - 1) where the input is negative."""
    return functional.elu(input, alpha, out=_target(input, inplace))


def sigmoid(input: Array) -> Array:
    """Return 1 / (1 + exp(-x))."""
    return functional.sigmoid(input)


def tanh(input: Array) -> Array:
    """Return the hyperbolic tangent."""
    return functional.tanh(input)


def softmax(
    input: Array, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike | None = None
) -> Array:
    """Exponentiate, and divide by the sum along an axis."""
    array = _cast(input, dtype)
    return functional.softmax(array, _axis("softmax", array, dim, _stacklevel))


def log_softmax(
    input: Array, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike | None = None
) -> Array:
    """Return the logarithm of :func:`softmax`."""
    array = _cast(input, dtype)
    return functional.log_softmax(array, _axis("log_softmax", array, dim, _stacklevel))


def dropout(input: Array, p: float = 0.5, training: bool = True, inplace: bool = False) -> Array:
    """Put 0 in a random part `p` of the elements, and divide the others by 1 - p."""
    array = checks.array(input, "input")
    if not training:
        return array if inplace else array.copy()
    y, _ = functional.dropout(array, p, rng=_generator)
    if inplace:
        array[...] = y
        return array
    return y


def _target(input: Any, inplace: bool) -> Array | None:
    if not inplace:
        return None
    if not isinstance(input, np.ndarray):
        raise TypeError(f"inplace=True needs an array, got {checks.show(input)}")
    return input


def _cast(input: Any, dtype: DTypeLike | None) -> Array:
    array = checks.array(input, "input")
    return array if dtype is None else array.astype(dtype, copy=False)


def _axis(name: str, array: Array, dim: int | None, stacklevel: int) -> int:
    if dim is not None:
        return dim
    warnings.warn(f"{name} without dim guesses the axis; pass dim", stacklevel=stacklevel)
    return 0 if array.ndim in (0, 1, 3) else 1
