"""Integers: one for each axis, shapes, widths of padding, sizes that fit into memory."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from npconv.checks.wording import SPATIAL_AXES, show

Pairs: TypeAlias = tuple[tuple[int, int], ...]
INT64_MAX = 2**63 - 1
LARGEST_EXTENT = 2**62
"""No padded axis may be longer: sums of two extents then still fit a C int64."""
PADDINGS_BY_NAME = ("same", "valid")
# An array given for a few integers by mistake is not turned into a list of millions.
_LONGEST_SETTING = 64


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


def fits_memory(what: str, dims: tuple[int, ...], itemsize: int) -> None:
    """Raise unless an array of this shape has a byte count that an int64 holds.

    Zero-length axes are left out, as NumPy does, so that no partial product overflows either.
    """
    total = itemsize
    for length in dims:
        total *= length or 1
    if total > INT64_MAX:
        raise ValueError(f"{what} would have shape {show(dims)}, which is too large to address")
