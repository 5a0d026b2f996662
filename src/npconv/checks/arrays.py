"""Arrays that are read: what becomes one, its dtype, its axes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np

from npconv import layouts
from npconv.checks.integers import INT64_MAX, shape
from npconv.checks.wording import BATCH_AXES, LAST_AXES, WEIGHT_AXES, show

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
_PAD_KINDS = "biufc"
_PAD_ITEMSIZES = (1, 2, 4, 8, 16)


def array(value: object, name: str) -> Array:
    """Return ``value`` as a plain ndarray, without a copy where its memory can be shared.

    Memory is taken, in this order, from an ndarray or a subclass of it, from ``__dlpack__``
    (tensors of other libraries that lie in main memory), the buffer protocol, and ``__array__``
    and its kin; everything else is copied, as NumPy's functions copy it.
    """
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ndarray):
        _refuse_mask(value, name)
        return np.asarray(value)
    if hasattr(value, "__dlpack__"):
        # It fails for dtypes that DLPack or NumPy lacks, for example; another way may be open.
        with suppress(Exception):
            return np.asarray(np.from_dlpack(value))
    elif isinstance(value, (list, tuple)):
        _refuse_masks_in(value, name)
    try:
        found = np.asanyarray(value)
    except MemoryError:
        raise
    except Exception as error:  # __array__ is free to raise anything
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{name} cannot be made an array: {error}") from error
    _refuse_mask(found, name)
    return np.asarray(found)


def _refuse_mask(value: object, name: str) -> None:
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, and masks are not honoured here; pass "
            f"{name}.filled(...) or {name}.data"
        )


def _refuse_masks_in(value: list[Any] | tuple[Any, ...], name: str) -> None:
    """Look for masked arrays where NumPy would drop their masks, in lists of arrays."""
    for item in value:
        if isinstance(item, np.ma.MaskedArray):
            raise TypeError(
                f"{name} holds a masked array, and masks are not honoured here; fill them first"
            )
        if isinstance(item, (list, tuple)) and item and not isinstance(item[0], (int, float)):
            _refuse_masks_in(item, name)


def promotion(
    operands: dict[str, Array | None],
) -> tuple[np.dtype[Any] | None, dict[str, np.dtype[Any]]]:
    """Return NumPy's promotion of all operands, None where there is none, and their dtypes.

    The dtypes are for :func:`no_promotion`; the usual operands, all float32 or all float64, go
    without.
    """
    first: np.dtype[Any] | None = None
    for operand in operands.values():
        if operand is not None:
            if first is None:
                first = operand.dtype
            elif operand.dtype is not first:
                break
    else:
        if first is FLOAT32 or first is FLOAT64:
            return first, {}
    dtypes = {name: operand.dtype for name, operand in operands.items() if operand is not None}
    try:
        return np.result_type(*dtypes.values()), dtypes
    except TypeError:
        return None, dtypes


def no_promotion(
    promoted: np.dtype[Any] | None, dtypes: dict[str, np.dtype[Any]], expected: str
) -> TypeError:
    """Return the error that tells what the operands are, and together."""
    what = ", ".join(f"{name} is {dtype}" for name, dtype in dtypes.items())
    became = "" if promoted is None or len(dtypes) == 1 else f" (together {promoted})"
    return TypeError(f"{what}{became}; expected {expected} after NumPy's promotion")


def float_dtype(**operands: Array | None) -> np.dtype[Any]:
    """Return the result's dtype: NumPy's promotion of all operands, float32 or float64."""
    promoted, dtypes = promotion(operands)
    # Not by ==, which takes None for float64.
    for float_type in (FLOAT32, FLOAT64):
        if promoted is not None and promoted.type is float_type.type:
            return float_type
    raise no_promotion(promoted, dtypes, "float32 or float64")


def pad_dtype(x: Array) -> np.dtype[Any]:
    """Return ``x.dtype`` if its elements are numbers or bools that can be moved as they are."""
    dtype = x.dtype
    if dtype.kind not in _PAD_KINDS or dtype.itemsize not in _PAD_ITEMSIZES:
        raise TypeError(f"x is {dtype}; expected a bool, integer, real or complex dtype")
    return dtype


def constant_values(value: object, x: Array) -> Array:
    """Return a value for both sides of every axis, (x.ndim, 2), in x's dtype."""
    if type(value) is int and value == 0:
        return np.zeros((x.ndim, 2), x.dtype)
    given = array(value, "constant_values")
    if given.dtype.kind not in _PAD_KINDS:
        raise TypeError(f"constant_values is {given.dtype}; expected numbers")
    if given.dtype.kind == "c" and x.dtype.kind != "c":
        raise TypeError(f"constant_values is {given.dtype}, which x's {x.dtype} cannot hold")
    if x.dtype.kind in "iu":
        limits = np.iinfo(x.dtype)
        for item in given.ravel().tolist():
            if not limits.min - 1 < item < limits.max + 1:  # NaN neither
                raise ValueError(f"constant_values has {show(item)}, too large for x's {x.dtype}")
    try:
        pairs = np.broadcast_to(given, (x.ndim, 2))
    except ValueError:
        raise ValueError(
            f"constant_values must be one value, a pair (before, after) or one pair for each of "
            f"the {x.ndim} axes, got shape {given.shape}"
        ) from None
    with np.errstate(over="ignore"):  # 1e300 is infinite in float32
        return pairs.astype(x.dtype, order="C")


def rank(value: Array, name: str, ranks: tuple[int, ...], axes: str) -> None:
    """Raise unless ``value`` has one of ``ranks`` axes; ``axes`` names them."""
    if value.ndim not in ranks:
        raise ValueError(f"{name} must be {axes}, got {value.ndim} axes: shape {value.shape}")


def batched(value: object, name: str, ndim: int, last: bool = False) -> tuple[Array, bool]:
    """Return (N, C, ...) and True, or a (C, ...) array with N = 1 put in front and False.

    Where the channels come `last`, it is a view of the (N, ..., C) or (..., C) that is given.
    """
    checked = array(value, name)
    if checked.ndim != ndim + 2:
        rank(checked, name, (ndim + 1, ndim + 2), _batch_axes(ndim, last))
    given = checked.ndim == ndim + 2
    return layouts.channels_first(checked, given, last), given


def input_shape(value: object, ndim: int, last: bool = False) -> tuple[tuple[int, ...], bool]:
    """Return ``input_shape`` as (N, C, ...), and whether the caller gave N."""
    given = shape(value, "input_shape", (ndim + 1, ndim + 2), _batch_axes(ndim, last))
    batched = len(given) == ndim + 2
    return layouts.shape_first(given if batched else (1, *given), last), batched


def _batch_axes(ndim: int, last: bool) -> str:
    return LAST_AXES[ndim] if last else BATCH_AXES[ndim]


def same_shape(value: Array, name: str, expected: tuple[int, ...], why: str) -> None:
    """Raise unless ``value.shape`` is ``expected``; ``why`` says what has that shape."""
    if value.shape != expected:
        raise ValueError(f"{name} has shape {value.shape}, expected {expected}, {why}")


def weight(value: object, ndim: int, axes: Mapping[int, str] = WEIGHT_AXES) -> Array:
    """Check a (K, C/groups, ...) array, or one whose axes have other names."""
    checked = array(value, "weight")
    if checked.ndim != ndim + 2:
        rank(checked, "weight", (ndim + 2,), axes[ndim])
    return checked


def settled(value: Array, dtype: np.dtype[Any]) -> Array:
    """Return ``value`` as a C-contiguous, aligned, native array of ``dtype``, itself if it is."""
    flags = value.flags
    if value.dtype == dtype and flags.c_contiguous and flags.aligned:
        return value
    return np.array(value, dtype=dtype, order="C")


def indices(value: object, bytes_too: bool = False) -> Array:
    """Return pooling indices as a C-contiguous array: int64, or uint8 if those are taken too."""
    checked = array(value, "indices")
    if checked.dtype.kind not in "iu":
        raise TypeError(f"indices is {checked.dtype}; expected an integer dtype")
    # Past int64 they would turn into other numbers.
    if checked.dtype.kind == "u" and checked.size and int(checked.max()) > INT64_MAX:
        raise ValueError(f"indices has {int(checked.max())}, which is out of range")
    keep = bytes_too and checked.dtype == np.uint8
    return settled(checked, np.dtype(np.uint8 if keep else np.int64))
