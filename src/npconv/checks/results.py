"""Arrays that are written: ``out=``."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv.checks.arrays import Array

# numpy.shares_memory is exact and may need exponential time: past this much work, unclear
# cases count as an overlap.
_OVERLAP_WORK = 100_000


def output(
    out: object,
    expected: tuple[int, ...],
    dtype: np.dtype[Any],
    add: Array | None = None,
    /,
    **inputs: Array | None,
) -> Array:
    """Check that a caller's ``out`` can be written as it is and touches none of ``inputs``.

    Only `add`, which is read where the result is written, may be the same elements.
    """
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out must be a numpy.ndarray, got {type(out).__name__}")
    if out.shape != expected:
        raise ValueError(f"out has shape {out.shape}, expected {expected}")
    if out.dtype.type is not dtype.type:
        raise TypeError(f"out is {out.dtype}, expected {dtype}")
    if not out.dtype.isnative:
        raise ValueError(f"out has byte order {out.dtype.byteorder!r}, expected the native one")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
    if not out.flags.aligned:
        raise ValueError("out is not aligned to its element size")
    if _may_overlap_itself(out):
        raise ValueError(
            f"out has strides {out.strides} for shape {out.shape}: its elements share memory"
        )
    for name, operand in inputs.items():
        if operand is not None and _overlap(out, operand):
            raise ValueError(f"out shares memory with {name}")
    if add is not None and not _same_elements(out, add) and _overlap(out, add):
        raise ValueError("out shares memory with add, expected all or nothing of it")
    return out


def _same_elements(a: Array, b: Array) -> bool:
    """Whether each element is at the same place in both."""
    return (
        a.dtype == b.dtype
        and a.shape == b.shape
        and a.ctypes.data == b.ctypes.data
        and all(
            step == other or length < 2
            for step, other, length in zip(a.strides, b.strides, a.shape, strict=True)
        )
    )


def _overlap(a: Array, b: Array) -> bool:
    if not np.may_share_memory(a, b):
        return False
    try:
        # NumPy's stub knows only the two special values.
        return np.shares_memory(a, b, max_work=_OVERLAP_WORK)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _may_overlap_itself(a: Array) -> bool:
    """Whether an axis steps less far than the axes inside it reach.

    False for every slice and transpose of an ordinary array.
    """
    if a.flags.c_contiguous or a.size == 0:
        return False
    reach = a.itemsize
    for stride, length in sorted(
        (abs(stride), length) for stride, length in zip(a.strides, a.shape, strict=True)
    ):
        if length > 1:
            if stride < reach:
                return True
            reach += stride * (length - 1)
    return False
