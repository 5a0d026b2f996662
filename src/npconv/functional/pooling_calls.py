"""What poolings of all kinds share: images in any layout, dtypes, results, padding beforehand."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from npconv import checks
from npconv.checks import FLOAT32, FLOAT64, Array, Pairs
from npconv.functional.padding import pad, pad_backward
from npconv.geometry import PoolGeometry
from npconv.layouts import channels_first, shape_given
from npconv.runtime import native

OUTPUT = "the shape of this pooling's output"
DType = np.dtype[Any]


# --- images ----------------------------------------------------------------------------------


class Images(NamedTuple):
    """Images as (N, C, ...), a view of what the caller has given."""

    values: Array
    batched: bool
    last: bool
    """Whether the caller's channels are the last axis."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, ...)."""
        return tuple(self.values.shape)


def images(value: object, name: str, ndim: int, layout: object) -> Images:
    """Check an argument that holds images."""
    last = checks.channels_last(layout, ndim)
    values, batched = checks.batched(value, name, ndim, last)
    return Images(values, batched, last)


def input_shape(value: object, ndim: int, layout: object) -> tuple[tuple[int, ...], bool, bool]:
    """Return ``input_shape`` as (N, C, ...), whether N was given, whether channels are last."""
    last = checks.channels_last(layout, ndim)
    return *checks.input_shape(value, ndim, last), last


def gradients(
    grad: object, expected: tuple[int, ...], batched: bool, last: bool, name: str = "grad"
) -> Array:
    """Check an argument of the output's shape; return it as (N, C, ...)."""
    errors = checks.array(grad, name)
    checks.same_shape(errors, name, shape_given(expected, batched, last), OUTPUT)
    return channels_first(errors, batched, last)


# --- dtypes ----------------------------------------------------------------------------------


def float_dtypes(value: Array, name: str) -> tuple[DType, DType]:
    """Return in which dtype to compute, and which one the result has: float16, 32 or 64."""
    if value.dtype.type is np.float16:
        return FLOAT32, np.dtype(np.float16)
    dtype = checks.float_dtype(**{name: value})
    return dtype, dtype


def picked_dtypes(value: Array, name: str) -> tuple[DType, DType]:
    """Return the same where elements are only compared: integers of up to 32 bits too."""
    kind, size = value.dtype.kind, value.dtype.itemsize
    if kind in "iu" and size <= 4:
        return FLOAT32 if size <= 2 else FLOAT64, value.dtype.newbyteorder("=")
    return float_dtypes(value, name)


def mean_dtypes(value: Array, name: str) -> tuple[DType, DType]:
    """Return the same for means: those of integers are float64, as numpy.mean's."""
    if value.dtype.kind in "iu":
        return FLOAT64, FLOAT64
    return float_dtypes(value, name)


# --- results ---------------------------------------------------------------------------------


class Result:
    """What the caller will get, and the same elements as (N, C, ...) to be written."""

    def __init__(
        self,
        shape: tuple[int, ...],
        dtypes: tuple[DType, DType],
        batched: bool,
        last: bool,
        out: object = None,
        **inputs: Array | None,
    ) -> None:
        computed, self._dtype = dtypes
        wanted = shape_given(shape, batched, last)
        self._out = None if out is None else checks.output(out, wanted, self._dtype, **inputs)
        self._values: Array = (
            self._out
            if self._out is not None and computed == self._dtype
            else native.empty(wanted, computed)
        )
        self.view: Array = channels_first(self._values, batched, last)

    def deliver(self) -> Array:
        """Convert what was computed if it has another dtype."""
        if self._values is self._out or (self._out is None and self._values.dtype == self._dtype):
            return self._values
        with np.errstate(over="ignore"):
            if self._out is None:
                return self._values.astype(self._dtype)
            self._out[...] = self._values
        return self._out


# --- settings --------------------------------------------------------------------------------


def counting(count_include_pad: object, divisor_override: object) -> tuple[bool, float]:
    """Return whether padding counts, and what to divide by instead of a count, or 0."""
    include = checks.flag(count_include_pad, "count_include_pad")
    if divisor_override is None:
        return include, 0.0
    divisor = checks.integer(divisor_override, "divisor_override", -checks.INT64_MAX)
    if divisor == 0:
        raise ValueError("divisor_override must not be 0")
    return include, float(divisor)


class Border(NamedTuple):
    """Padding that is made before the pooling: not skipped, but made of elements."""

    widths: Pairs
    mode: str
    value: float

    def add(self, given: Images, num_threads: Any) -> Images:
        """Pad images in the layout they are in."""
        around = self._around(given.last)
        values = np.moveaxis(given.values, 1, -1) if given.last else given.values
        padded = pad(values, around, self.mode, self.value, num_threads=num_threads)
        return given._replace(values=np.moveaxis(padded, -1, 1) if given.last else padded)

    def fold(self, dx: Array, batched: bool, last: bool, num_threads: Any) -> Array:
        """Give the gradients of the border to the elements that it was made of."""
        around = self._around(last)[not batched :]
        return pad_backward(dx, around, self.mode, num_threads=num_threads)

    def _around(self, last: bool) -> Pairs:
        none = ((0, 0),)
        return (*none, *self.widths, *none) if last else (*none, *none, *self.widths)


def border(
    geometry: PoolGeometry, mode: object, value: object = None
) -> tuple[Border | None, PoolGeometry]:
    """Return the border that has to be made first, if any, and the pooling of the padded images."""
    checked = checks.choice(mode, "padding_mode", checks.PAD_MODES)
    if value is not None:
        if checked != "constant":
            raise ValueError(f"padding_value needs padding_mode='constant', got {checked!r}")
        if not isinstance(value, (int, float, np.integer, np.floating)):
            raise TypeError(f"padding_value must be a number, got {checks.show(value)}")
    if (checked == "constant" and value is None) or not any(
        geometry.pad_before + geometry.pad_after
    ):
        return None, geometry
    pairs = tuple(zip(geometry.pad_before, geometry.pad_after, strict=True))
    d, h, w = (n + a + b for n, (a, b) in zip(geometry.input, pairs, strict=True))
    none = (0, 0, 0)
    inner = geometry._replace(input=(d, h, w), pad_before=none, pad_after=none)
    around = Border(pairs[3 - geometry.ndim :], checked, 0.0 if value is None else value)  # type: ignore[arg-type]
    return around, inner
