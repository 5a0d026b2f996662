"""Where an array's channels stand among its axes: second, or last.

Operations compute in terms of (N, C, ...). Arrays whose channels come last are seen that way by a
transposed view, so that nothing is copied; the C core reads strides and, told by an option, takes
an algorithm that likes a pixel's channels to follow each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from npconv.checks import Array
    from npconv.runtime import Options

# (N, spatial axes, C) -> (N, C, spatial axes), by rank.
_TO_FIRST = {rank: (0, rank - 1, *range(1, rank - 1)) for rank in (3, 4, 5)}
_TO_LAST = {rank: (0, *range(2, rank), 1) for rank in (3, 4, 5)}


def told(how: Options, last: bool) -> Options:
    """Options of a call whose arrays have the channels last, if they have."""
    return (*how[:4], True) if last else how


def channels_last(images: Array, last: bool) -> Array:
    """See (N, C, ...) as the caller does."""
    return images.transpose(_TO_LAST[images.ndim]) if last else images


def channels_first(array: Array, batched: bool, last: bool) -> Array:
    """See an operand as (N, C, ...)."""
    images = array if batched else array[np.newaxis]
    return images.transpose(_TO_FIRST[images.ndim]) if last else images


def target(result: Array, batched: bool, how: Options) -> Array:
    """See a result as (N, C, ...), for a call with these options."""
    return channels_first(result, batched, len(how) > 4)


def shape_first(shape: tuple[int, ...], last: bool) -> tuple[int, ...]:
    """(N, C, ...) of a batch's shape."""
    return (shape[0], shape[-1], *shape[1:-1]) if last else shape


def shape_given(shape: tuple[int, ...], batched: bool, last: bool) -> tuple[int, ...]:
    """The caller's form of (N, C, ...)."""
    ordered = (shape[0], *shape[2:], shape[1]) if last else shape
    return ordered if batched else ordered[1:]
