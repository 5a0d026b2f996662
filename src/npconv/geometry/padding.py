"""Sizes of padded arrays."""

from __future__ import annotations

from typing import NamedTuple

from npconv import checks
from npconv.checks import show
from npconv.geometry.windows import WIDEST_ITEM


class PadGeometry(NamedTuple):
    """One padding: the unpadded shape and the widths before and after each axis."""

    shape: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def padded_shape(self) -> tuple[int, ...]:
        """The shape with both widths added."""
        return tuple(
            [n + a + b for n, a, b in zip(self.shape, self.before, self.after, strict=True)]
        )


def pad_geometry(
    shape: tuple[int, ...], pad_width: object, mode: str, itemsize: int
) -> PadGeometry:
    """Describe the padding of an array by ``pad_width``, in any of numpy.pad's forms."""
    pairs = checks.pad_width(pad_width, len(shape))
    geometry = PadGeometry(shape, tuple([a for a, _ in pairs]), tuple([b for _, b in pairs]))
    check_pad(geometry, mode, itemsize, "x")
    return geometry


def pad_backward_geometry(
    padded_shape: tuple[int, ...], pad_width: object, mode: str
) -> PadGeometry:
    """Describe the padding whose result has ``padded_shape``."""
    pairs = checks.pad_width(pad_width, len(padded_shape))
    shape = []
    for axis, (length, (before, after)) in enumerate(zip(padded_shape, pairs, strict=True)):
        if before + after > length:
            raise ValueError(
                f"grad has {length} elements along axis {axis}, fewer than pad_width adds "
                f"there: {show(before)} + {show(after)}"
            )
        shape.append(length - before - after)
    geometry = PadGeometry(tuple(shape), tuple([a for a, _ in pairs]), tuple([b for _, b in pairs]))
    check_pad(geometry, mode, WIDEST_ITEM, "the array that grad is for")
    return geometry


def check_pad(geometry: PadGeometry, mode: str, itemsize: int, name: str) -> None:
    """Raise unless the mode can pad it and memory may hold the result."""
    for axis, (length, before, after) in enumerate(zip(*geometry, strict=True)):
        if mode != "constant" and length == 0 and before + after:
            raise ValueError(
                f"{name} is empty along axis {axis}: mode {mode!r} has nothing to repeat there, "
                f"only 'constant' can pad it"
            )
    checks.fits_memory("the padded array", geometry.padded_shape, itemsize)
