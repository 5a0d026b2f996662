"""What every operation begins and ends with."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import checks
from npconv.checks import Array

# Overflow, Inf - Inf and the like are results here, not something to warn about.
quiet = np.errstate(all="ignore")


def gradient(grad: object, expected: tuple[int, ...], operation: str) -> Array:
    """Check the shape of ``grad``."""
    checked = checks.array(grad, "grad")
    checks.same_shape(checked, "grad", expected, f"the shape of this {operation}'s output")
    return checked


@quiet
def deliver(
    result: Array, shape: tuple[int, ...], dtype: np.dtype[Any], out: Array | None = None
) -> Array:
    """Give the result the caller's shape and dtype, in ``out`` if there is one."""
    rounded = np.array(result.reshape(shape), dtype, order="C")
    if out is None:
        return rounded
    out[...] = rounded
    return out
