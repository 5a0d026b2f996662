"""What poolings of all kinds share: images in any layout, results, windows in a padded image."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from npconv import checks
from npconv.checks import Array
from npconv.runtime import native

OUTPUT = "the shape of this pooling's output"


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
    values, batched = checks.batched(value, name, ndim)
    return Images(np.moveaxis(values, -1, 1) if last else values, batched, last)


def input_shape(value: object, ndim: int, layout: object) -> tuple[tuple[int, ...], bool, bool]:
    """Return ``input_shape`` as (N, C, ...), whether N was given, whether channels are last."""
    last = checks.channels_last(layout, ndim)
    shape, batched = checks.input_shape(value, ndim)
    return ((shape[0], shape[-1], *shape[1:-1]) if last else shape), batched, last


def given_shape(shape: tuple[int, ...], batched: bool, last: bool) -> tuple[int, ...]:
    """Turn (N, C, ...) into the shape that the caller sees."""
    ordered = (shape[0], *shape[2:], shape[1]) if last else shape
    return ordered[not batched :]


def gradients(
    grad: object, expected: tuple[int, ...], batched: bool, last: bool, name: str = "grad"
) -> Array:
    """Check an argument of the output's shape; return it as (N, C, ...)."""
    errors = checks.array(grad, name)
    checks.same_shape(errors, name, given_shape(expected, batched, last), OUTPUT)
    if not batched:
        errors = errors[np.newaxis]
    return np.moveaxis(errors, -1, 1) if last else errors


def result(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    batched: bool,
    last: bool,
    out: object = None,
    **inputs: Array | None,
) -> tuple[Array, Array]:
    """Return what the caller will get and the same elements as (N, C, ...)."""
    wanted = given_shape(shape, batched, last)
    y = native.empty(wanted, dtype) if out is None else checks.output(out, wanted, dtype, **inputs)
    view = y if batched else y[np.newaxis]
    return y, np.moveaxis(view, -1, 1) if last else view


def counting(count_include_pad: object, divisor_override: object) -> tuple[bool, float]:
    """Return whether padding counts, and what to divide by instead of a count, or 0."""
    include = checks.flag(count_include_pad, "count_include_pad")
    if divisor_override is None:
        return include, 0.0
    divisor = checks.integer(divisor_override, "divisor_override", -checks.INT64_MAX)
    if divisor == 0:
        raise ValueError("divisor_override must not be 0")
    return include, float(divisor)
