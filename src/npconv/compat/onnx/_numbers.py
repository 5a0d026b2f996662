"""Elements of types that npconv does not compute in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from npconv import checks, functional
from npconv.checks import Array


def computable(x: Array) -> Array:
    """Return float32 and float64 as they are, others in float32, which holds all of 16 bits."""
    return x if x.dtype in (checks.FLOAT32, checks.FLOAT64) else x.astype(np.float32)


def as_given(x: Array, compute: Callable[[Array], Array]) -> Array:
    """Compute what has the dtype of x, in float32 if need be."""
    return compute(computable(x)).astype(x.dtype, copy=False)


def spatial(name: str, ndim: int) -> Any:
    """Return npconv's function for that many spatial axes: ``conv`` and 2 for ``conv2d``."""
    if ndim not in (1, 2, 3):
        raise ValueError(f"{name}: images have 1 to 3 spatial axes, got {ndim}")
    return getattr(functional, f"{name}{ndim}d")
