"""Which kinds of numbers convolutions take, what they compute in and what they return.

==========================  =====================  =========================================
inputs together (NumPy's    result                 computed
promotion)
==========================  =====================  =========================================
float32, float64            the same               in the result's dtype
float16, bfloat16           the same               in float32, rounded once, at the end
complex64, complex128       the same               real and imaginary parts in their dtype
bool and integers of        int32 (int64 or more   exactly, modulo 2^32 (as the result, where a
8 bits                      if bias or add needs)  bias or addend makes that wider)
wider integers              int64; uint64 if all   exactly, modulo 2^64
                            are unsigned and one
                            is uint64
==========================  =====================  =========================================

Integers are computed in float32 or float64 where the largest values of both factors show that these
hold every sum exactly, which is several times as fast; the bits are the same.

uint64 beside signed integers is float64 by NumPy's promotion, and computed so. A bool is 0 or 1.
bfloat16 is that of the package ml_dtypes, whose promotion rules then hold.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv.checks import FLOAT32, FLOAT64, Array, no_promotion, promotion, show

INT32 = np.dtype(np.int32)
INT64 = np.dtype(np.int64)
UINT64 = np.dtype(np.uint64)
FLOAT16 = np.dtype(np.float16)
_NATIVE: dict[type, np.dtype[Any]] = {
    dtype.type: dtype
    for dtype in (FLOAT32, FLOAT64, FLOAT16, np.dtype(np.complex64), np.dtype(np.complex128))
}
_FACTORS = ("x", "weight", "grad")


def sum_dtype(**operands: Array | None) -> np.dtype[Any]:
    """Return the dtype of sums of products of the factors x, weight or grad, and of bias and add.

    TypeError if there is none.
    """
    promoted, dtypes = promotion(operands)
    if promoted is not None:
        if promoted.type in _NATIVE:
            return _NATIVE[promoted.type]
        if is_bfloat16(promoted):
            return promoted
        if promoted.kind in "biu":
            return _integer_sum(promoted, dtypes)
    raise no_promotion(
        promoted, dtypes, "integers, float16, float32, float64, complex64 or complex128"
    )


def _integer_sum(promoted: np.dtype[Any], dtypes: dict[str, np.dtype[Any]]) -> np.dtype[Any]:
    if promoted.type is np.uint64:
        return UINT64
    if any(dtype.itemsize > 1 for name, dtype in dtypes.items() if name in _FACTORS):
        return INT64
    others = [dtype for name, dtype in dtypes.items() if name not in _FACTORS]
    return INT32 if np.result_type(INT32, *others).itemsize == 4 else INT64


def is_bfloat16(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is the bfloat16 of ml_dtypes, which need not be imported to ask."""
    return dtype.itemsize == 2 and dtype.name == "bfloat16"


def is_half(dtype: np.dtype[Any]) -> bool:
    """Whether results of a dtype are rounded from float32."""
    return dtype.type is np.float16 or is_bfloat16(dtype)


def is_integer(dtype: np.dtype[Any]) -> bool:
    """Whether sums are exact."""
    return dtype.kind in "iu"


def computed_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return what results of a dtype are computed in, the dtype itself unless they are rounded."""
    return FLOAT32 if is_half(dtype) else dtype


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that the C core computes in for results of a dtype."""
    if dtype.kind == "c":
        return FLOAT32 if dtype.itemsize == 8 else FLOAT64
    return computed_dtype(dtype)


def fits_options(
    dtype: np.dtype[Any], algorithm: object, activation: str | None, prepared: bool
) -> None:
    """Raise for options that the dtype has no meaning for."""
    if is_integer(dtype) and algorithm != "auto":
        raise ValueError(
            f"algorithm={algorithm!r} declines this call: it computes floating-point numbers, and "
            f"the result is {dtype}"
        )
    if activation == "leaky_relu" and is_integer(dtype):
        raise TypeError(f"activation 'leaky_relu' has fractions for results, this one is {dtype}")
    if activation is not None and dtype.kind == "c":
        raise TypeError(f"activation {show(activation)} compares, and the result is {dtype}")
    if prepared and dtype not in (FLOAT32, FLOAT64):
        raise ValueError(f"weight was prepared for float32 or float64, and the result is {dtype}")
