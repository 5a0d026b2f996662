"""Padding of a convolution's images that is not of zeros."""

from __future__ import annotations

from typing import NamedTuple

from npconv import checks
from npconv.geometry import ConvGeometry, PadGeometry, check_pad


class Border(NamedTuple):
    """Its mode, and its widths for one image, (1, C, ...)."""

    mode: str
    geometry: PadGeometry

    def of(self, batch: int) -> PadGeometry:
        """The widths for so many images."""
        shape = (batch, *self.geometry.shape[1:])
        return self.geometry._replace(shape=shape)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The widths before and after each axis, as numpy.pad takes them."""
        return list(zip(self.geometry.before, self.geometry.after, strict=True))


def bordered(
    geometry: ConvGeometry, mode: str, name: str = "x"
) -> tuple[ConvGeometry, Border | None]:
    """Take the padding out of a geometry, where it is not one of zeros."""
    if mode == "constant" or not any(geometry.pad_before + geometry.pad_after):
        return geometry, None
    first = 3 - geometry.ndim
    pad = PadGeometry(
        (1, *geometry.input_shape[1:]),
        (0, 0, *geometry.pad_before[first:]),
        (0, 0, *geometry.pad_after[first:]),
    )
    check_pad(pad, mode, 8, name)
    triples = zip(geometry.input, geometry.pad_before, geometry.pad_after, strict=True)
    depth, height, width = [sum(triple) for triple in triples]
    inner = geometry._replace(
        input=(depth, height, width), pad_before=(0, 0, 0), pad_after=(0, 0, 0)
    )
    checks.fits_memory(f"the padded {name}", inner.input_shape, 8)
    return inner, Border(mode, pad)
