"""What callers may pass to operations that take no window: numbers, axes, matching operands.

As in :mod:`npconv.checks`, everything returns a checked value or raises a message that names the
argument, says what it was and what was expected.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npconv import checks
from npconv.checks import Array, show


def number(value: object, name: str, minimum: float = -math.inf, below: float = math.inf) -> float:
    """Return a finite ``value`` as a float, at least ``minimum`` and less than ``below``."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise TypeError(f"{name} must be a number, got {show(value)}")
    try:
        checked = float(value)
    except OverflowError:
        checked = math.inf
    if not (math.isfinite(checked) and minimum <= checked < below):
        least = "" if minimum == -math.inf else f" of at least {minimum:g}"
        most = "" if below == math.inf else f" and less than {below:g}"
        raise ValueError(f"{name} must be a finite number{least}{most}, got {show(value)}")
    return checked


def generator(rng: object) -> np.random.Generator:
    """Return ``rng`` if it is a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng is a {type(rng).__name__}, expected a numpy.random.Generator "
            "such as numpy.random.default_rng(0)"
        )
    return rng


def axis(value: object, x: Array) -> int:
    """Return ``value`` as the number of one of ``x``'s axes, counted from the first."""
    checked = checks.integer(value, "axis", -x.ndim)
    if checked >= x.ndim:
        raise ValueError(f"axis is {show(value)}, but the array has {x.ndim} axes")
    return checked % x.ndim


def operands(**values: object) -> tuple[list[Array], np.dtype[Any]]:
    """Return arrays of one shape, and the dtype of a result of all of them."""
    arrays = {name: checks.array(value, name) for name, value in values.items()}
    (first, x), *others = arrays.items()
    for name, other in others:
        if other.shape != x.shape:
            raise ValueError(f"{first} has shape {x.shape}, {name} has {other.shape}")
    return list(arrays.values()), checks.float_dtype(**arrays)


def output(
    out: object, expected: tuple[int, ...], dtype: np.dtype[Any], *inputs: Array
) -> Array | None:
    """Check ``out`` for an operation that reads each element before it writes it.

    It may be one of the inputs, element for element, but not overlap it otherwise.
    """
    if out is None:
        return None
    for operand in inputs:
        checks.output(out, expected, dtype, operand)
    return checks.output(out, expected, dtype)


def mask(value: object, like: Array) -> Array:
    """Return the mask of a dropout: bytes of ``like``'s shape."""
    checked = checks.array(value, "mask")
    checks.same_shape(checked, "mask", like.shape, "the shape of grad")
    if checked.dtype.type not in (np.uint8, np.bool_):
        raise TypeError(f"mask is {checked.dtype}; expected uint8")
    return checked
