"""What callers may pass: integers, windows, dtypes, ranks, options and ``out=``.

Everything here either returns a checked value or raises with a message that names the
argument, says what it was and what was expected. Nothing here computes an output size
(that is :mod:`npconv.geometry`) and nothing here writes to an array.
"""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np

from npconv import layouts

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Pairs: TypeAlias = tuple[tuple[int, int], ...]

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT64_MAX = 2**63 - 1
LARGEST_EXTENT = 2**62
"""No padded axis may be longer: sums of two extents then still fit a C int64."""

SPATIAL_AXES = {1: ("W",), 2: ("H", "W"), 3: ("D", "H", "W")}
BATCH_AXES = {
    1: "(N, C, W) or (C, W)",
    2: "(N, C, H, W) or (C, H, W)",
    3: "(N, C, D, H, W) or (C, D, H, W)",
}
LAST_AXES = {
    1: "(N, W, C) or (W, C)",
    2: "(N, H, W, C) or (H, W, C)",
    3: "(N, D, H, W, C) or (D, H, W, C)",
}
WEIGHT_AXES = {
    1: "(K, C/groups, S)",
    2: "(K, C/groups, R, S)",
    3: "(K, C/groups, T, R, S)",
}
TRANSPOSED_WEIGHT_AXES = {
    1: "(C, K/groups, S)",
    2: "(C, K/groups, R, S)",
    3: "(C, K/groups, T, R, S)",
}
LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
"""Channels first and channels last."""
PAD_MODES = ("constant", "reflect", "edge", "symmetric", "wrap")
ACTIVATIONS = ("relu", "relu6", "leaky_relu")
LEAKY_SLOPE = 0.01
PADDINGS_BY_NAME = ("same", "valid")
# numpy.shares_memory is exact and may need exponential time: past this much work, unclear
# cases count as an overlap.
_OVERLAP_WORK = 100_000
# An array given for a few integers by mistake is not turned into a list of millions.
_LONGEST_SETTING = 64
_CONSTANT = "constant"
_PAD_KINDS = "biufc"
_PAD_ITEMSIZES = (1, 2, 4, 8, 16)


def show(value: object) -> str:
    """Word ``value`` for an error message: short whatever it is, with its type if not plain."""
    if isinstance(value, int) and not isinstance(value, bool):
        # str() of very long integers is refused by Python itself.
        return str(value) if value.bit_length() <= 256 else f"a {value.bit_length()}-bit integer"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, (tuple, list)) and len(value) <= 8:
        inner = ", ".join(
            show(item)
            if isinstance(item, (int, tuple, list)) and not isinstance(item, bool)
            else reprlib.repr(item)
            for item in value
        )
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    text = reprlib.repr(value)
    return text if isinstance(value, (tuple, list, str)) else f"{text} ({type(value).__name__})"


# --- integers ------------------------------------------------------------------------------


def integer(value: object, name: str, minimum: int) -> int:
    """Return ``value`` as an int of at least ``minimum``; bools and floats are refused."""
    if type(value) is not int:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{name} must be an integer, got {show(value)}")
        try:
            value = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            raise TypeError(f"{name} must be an integer, got {show(value)}") from None
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {show(value)}")
    return value


def per_axis(value: object, name: str, ndim: int, minimum: int) -> tuple[int, ...]:
    """Expand one integer for all spatial axes, or check a tuple, list or array of one each."""
    if type(value) is int and value >= minimum:
        return (value,) * ndim
    if isinstance(value, np.ndarray) and value.size <= _LONGEST_SETTING:
        value = value.tolist()
    if isinstance(value, (tuple, list)):
        if len(value) != ndim:
            raise ValueError(
                f"{name} must be one integer or {_one_each(ndim)}, got {len(value)} values: "
                f"{show(value)}"
            )
        return tuple([integer(item, name, minimum) for item in value])
    return (integer(value, name, minimum),) * ndim


def padding(value: object, ndim: int) -> str | Pairs:
    """Return ``padding`` as a (before, after) pair for each spatial axis, or as its name."""
    if type(value) is int and value >= 0:
        return ((value, value),) * ndim
    if isinstance(value, str):
        if value not in PADDINGS_BY_NAME:
            raise ValueError(f"padding must be {_padding_forms(ndim)}, got {value!r}")
        return value
    if isinstance(value, np.ndarray) and value.size <= _LONGEST_SETTING:
        value = value.tolist()
    if not isinstance(value, (tuple, list)):
        both = integer(value, "padding", 0)
        return ((both, both),) * ndim
    if len(value) != ndim:
        raise ValueError(
            f"padding must be {_padding_forms(ndim)}, got {len(value)} values: {show(value)}"
        )
    if any(isinstance(item, (tuple, list)) for item in value):
        if not all(isinstance(item, (tuple, list)) and len(item) == 2 for item in value):
            raise ValueError(f"padding must be {_padding_forms(ndim)}, got {show(value)}")
        return tuple([(integer(a, "padding", 0), integer(b, "padding", 0)) for a, b in value])
    widths = [integer(item, "padding", 0) for item in value]
    return tuple([(width, width) for width in widths])


def shape(value: object, name: str, ranks: tuple[int, ...], axes: str) -> tuple[int, ...]:
    """Check a shape given as an argument: a tuple, list or array of integers >= 0."""
    if isinstance(value, np.ndarray) and value.size <= _LONGEST_SETTING:
        value = value.tolist()
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{name} must be a tuple {axes}, got {show(value)}")
    if len(value) not in ranks:
        raise ValueError(f"{name} must be {axes}, got {len(value)} values: {show(value)}")
    return tuple([integer(item, name, 0) for item in value])


def pad_width(value: object, ndim: int) -> Pairs:
    """Return ``pad_width``, in any form numpy.pad takes, as a (before, after) pair per axis."""
    if type(value) is int and value >= 0:
        return ((value, value),) * ndim
    if isinstance(value, Mapping):
        return _pad_width_by_axis(value, ndim)
    if (
        isinstance(value, (tuple, list))
        and len(value) == ndim
        and all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in value)
    ):  # the usual form, without a detour through NumPy
        return tuple([(integer(a, "pad_width", 0), integer(b, "pad_width", 0)) for a, b in value])
    # dtype=object keeps integers of any size and lets integer() see bools and floats.
    try:
        given = np.array(value, dtype=object)
        pairs = np.broadcast_to(given, (ndim, 2)).tolist()
    except ValueError:
        raise ValueError(
            f"pad_width must be an integer, a pair (before, after) or one pair for each of the "
            f"{ndim} axes, got {show(value)}"
        ) from None
    for item in given.flat:  # also where there is no axis to pad
        integer(item, "pad_width", 0)
    return tuple([(operator.index(before), operator.index(after)) for before, after in pairs])


def _pad_width_by_axis(value: Mapping[Any, Any], ndim: int) -> Pairs:
    pairs = [(0, 0)] * ndim
    for key, width in value.items():
        axis = integer(key, "pad_width's axis", -ndim)
        if axis >= ndim:
            raise ValueError(f"pad_width names axis {show(axis)}, but the array has {ndim} axes")
        pairs[axis] = pad_width(width, 1)[0]
    return tuple(pairs)


def _one_each(ndim: int) -> str:
    axes = ", ".join(SPATIAL_AXES[ndim])
    return f"{ndim} ({axes})"


def _padding_forms(ndim: int) -> str:
    names = {1: ("left, right",), 2: ("top, bottom", "left, right")}.get(
        ndim, ("front, back", "top, bottom", "left, right")
    )
    one = ", ".join(axis.lower() for axis in SPATIAL_AXES[ndim])
    pair = ", ".join(f"({name})" for name in names)
    comma = "," if ndim == 1 else ""
    return f"an integer, ({one}{comma}), ({pair}{comma}), 'same' or 'valid'"


# --- arrays --------------------------------------------------------------------------------


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


def float_dtype(**operands: Array | None) -> np.dtype[Any]:
    """Return the result's dtype: NumPy's promotion of all operands, float32 or float64."""
    first: np.dtype[Any] | None = None
    for operand in operands.values():
        if operand is not None:
            if first is None:
                first = operand.dtype
            elif operand.dtype is not first:
                break
    else:
        if first is FLOAT32 or first is FLOAT64:
            return first
    dtypes = {name: operand.dtype for name, operand in operands.items() if operand is not None}
    try:
        result = np.result_type(*dtypes.values())
    except TypeError:
        result = None
    # Not by ==, which takes None for float64.
    for float_type in (FLOAT32, FLOAT64):
        if result is not None and result.type is float_type.type:
            return float_type
    what = ", ".join(f"{name} is {dtype}" for name, dtype in dtypes.items())
    became = "" if result is None or len(dtypes) == 1 else f" (together {result})"
    raise TypeError(f"{what}{became}; expected float32 or float64 after NumPy's promotion")


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


def index_dtype(value: object, kind: str, kernel: tuple[int, ...]) -> np.dtype[Any]:
    """Check in which dtype pooling is to return indices of a kind."""
    try:
        wanted: np.dtype[Any] = np.dtype(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise TypeError(f"index_dtype must be int64 or uint8, got {show(value)}") from None
    if wanted not in (np.dtype(np.int64), np.dtype(np.uint8)):
        raise TypeError(f"index_dtype must be int64 or uint8, got {wanted}")
    if wanted == np.uint8 and kind != "window":
        raise ValueError(f"index_dtype uint8 needs indices='window', got indices={kind!r}")
    if wanted == np.uint8 and math.prod(kernel) > 256:
        raise ValueError(
            f"index_dtype uint8 counts the pixels of windows of at most 256, this one has "
            f"{show(math.prod(kernel))}"
        )
    return wanted


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


def fits_memory(what: str, dims: tuple[int, ...], itemsize: int) -> None:
    """Raise unless an array of this shape has a byte count that an int64 holds.

    Zero-length axes are left out, as NumPy does, so that no partial product overflows either.
    """
    total = itemsize
    for length in dims:
        total *= length or 1
    if total > INT64_MAX:
        raise ValueError(f"{what} would have shape {show(dims)}, which is too large to address")


# --- options -------------------------------------------------------------------------------


def choice(value: object, name: str, allowed: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``allowed``."""
    if isinstance(value, str) and value in allowed:
        return value
    kind = ValueError if isinstance(value, str) else TypeError
    raise kind(f"{name} must be {_either(allowed)}, got {show(value)}")


def _either(allowed: tuple[str, ...]) -> str:
    return " or ".join(repr(item) for item in allowed)


def flag(value: object, name: str) -> bool:
    """Return ``value`` if it is a bool: other truth values are more likely a misplaced argument."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {show(value)}")
    return bool(value)


def size_rule(value: object) -> bool | str:
    """Return ``ceil_mode``: a bool, or "cover_all"."""
    if isinstance(value, str) and value == "cover_all":
        return "cover_all"
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"ceil_mode must be True, False or 'cover_all', got {show(value)}")
    return bool(value)


def output_size(value: object, spatial: tuple[int, ...]) -> tuple[int, ...]:
    """Expand ``output_size``: one integer, or one for each axis where None keeps its size."""
    ndim = len(spatial)
    if value is None:
        return spatial
    if isinstance(value, (tuple, list)) and any(item is None for item in value):
        if len(value) != ndim:
            raise ValueError(
                f"output_size must be one integer or {_one_each(ndim)}, got {len(value)} values: "
                f"{show(value)}"
            )
        value = [n if item is None else item for item, n in zip(value, spatial, strict=True)]
    return per_axis(value, "output_size", ndim, 1)


def number(value: object, name: str) -> float:
    """Return a finite float; bools are refused."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number, got {show(value)}")
    try:
        checked = float(value)
    except OverflowError:
        checked = math.inf
    if not math.isfinite(checked):
        raise ValueError(f"{name} must be finite, got {show(value)}")
    return checked


def channels_last(layout: object, ndim: int) -> bool:
    """Check ``layout``, and tell which of the two it is."""
    first, last = LAYOUTS[ndim]
    return layout is not first and choice(layout, "layout", (first, last)) == last


def padding_mode(value: object) -> str:
    """Check what surrounds the images of a convolution."""
    return _CONSTANT if value is _CONSTANT else choice(value, "padding_mode", PAD_MODES)


def zeros_around(value: object) -> None:
    """Raise for padding modes of operations whose padding is not filled with anything."""
    if padding_mode(value) != "constant":
        raise ValueError(
            f"padding_mode must be 'constant' here, got {value!r}: the padding of a transposed "
            "convolution is cut off its result"
        )


def activation(value: object) -> tuple[str | None, float]:
    """Return an activation's name, or None, and its slope below zero, which only one has."""
    if value is None:
        return None, 0.0
    if not isinstance(value, tuple):
        return choice(value, "activation", ACTIVATIONS), LEAKY_SLOPE
    if len(value) != 2 or value[0] != "leaky_relu":
        raise ValueError(
            f"activation must be {_either(ACTIVATIONS)} or ('leaky_relu', slope), got {show(value)}"
        )
    slope = value[1]
    if not isinstance(slope, (int, float, np.integer, np.floating)) or isinstance(slope, bool):
        raise TypeError(f"activation's slope must be a number, got {show(slope)}")
    try:
        checked = float(slope)
    except OverflowError:
        checked = math.inf
    if not math.isfinite(checked):
        raise ValueError(f"activation's slope must be finite, got {show(slope)}")
    return "leaky_relu", checked
