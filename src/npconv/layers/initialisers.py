"""Initial weights: functions ``(shape, rng, dtype) -> array``, with an explicit generator.

A weight's shape is (outputs, inputs per output, ...), so one output sums over
``fan_in = prod(shape[1:])`` values and one input feeds ``fan_out = shape[0] * prod(shape[2:])``.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from npconv.checks import Array


class Initialiser(Protocol):
    """A function that makes a weight array."""

    def __call__(
        self, shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = ...
    ) -> Array: ...


def he(
    shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32
) -> Array:
    """Draw from a normal distribution of standard deviation sqrt(2 / fan_in), for ReLU networks.

    He et al. 2015.
    """
    fan_in = math.prod(shape[1:])
    return _normal(shape, math.sqrt(2 / max(fan_in, 1)), rng, dtype)


def glorot(
    shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32
) -> Array:
    """Draw evenly from ±sqrt(6 / (fan_in + fan_out)), for tanh and sigmoid networks.

    Glorot and Bengio 2010.
    """
    fan_in, fan_out = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
    limit = math.sqrt(6 / max(fan_in + fan_out, 1))
    return _generator(rng).uniform(-limit, limit, shape).astype(dtype)


def normal(std: float) -> Initialiser:
    """Return an initialiser that draws from a normal distribution of standard deviation `std`."""

    def initialise(
        shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32
    ) -> Array:
        return _normal(shape, std, rng, dtype)

    return initialise


def dirac(others: Initialiser = glorot) -> Initialiser:
    """Return an initialiser of convolutions that at first pass their input on.

    Filter i has a 1 in the middle of channel i and zeros elsewhere (Zagoruyko and Komodakis 2017);
    `others` makes the filters beyond the channels.
    """

    def initialise(
        shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32
    ) -> Array:
        weight = others(shape, rng, dtype)
        middle = tuple([(size - 1) // 2 for size in shape[2:]])
        for i in range(min(shape[:2])):
            weight[i] = 0
            weight[(i, i, *middle)] = 1
        return weight

    return initialise


def zeros(
    shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32
) -> Array:
    """Return zeros, for weights that are about to be loaded; they take no memory until then."""
    return np.zeros(shape, dtype)


def _normal(
    shape: tuple[int, ...], std: float, rng: np.random.Generator, dtype: npt.DTypeLike
) -> Array:
    return (std * _generator(rng).standard_normal(shape)).astype(dtype)


def _generator(rng: Any) -> np.random.Generator:
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng is a {type(rng).__name__}, expected a numpy.random.Generator "
            "such as numpy.random.default_rng(0)"
        )
    return rng
