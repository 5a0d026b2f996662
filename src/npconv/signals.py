"""What the filters of signal processing check, and how they are convolutions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from npconv import checks
from npconv.checks import Array

MODES = ("full", "same", "valid")
BOUNDARIES = ("fill", "wrap", "symm")
METHODS = ("auto", "direct", "fft")
_PADDING_MODES = {"fill": "constant", "wrap": "wrap", "symm": "symmetric"}


class Filter(NamedTuple):
    """A checked call, as a cross-correlation of (N, 1, H, W) images with (K, 1, R, S) filters."""

    images: Array
    weight: Array
    padding: tuple[tuple[int, int], tuple[int, int]]
    padding_mode: str
    filled: bool
    leading: tuple[int, ...]
    bank: bool

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of the result as the caller sees it."""
        size = [
            length + before + after - taps + 1
            for length, taps, (before, after) in zip(
                self.images.shape[2:], self.weight.shape[2:], self.padding, strict=True
            )
        ]
        filters = (len(self.weight),) if self.bank else ()
        return (*self.leading, *filters, *size)


def filter_call(
    x: object, kernel: object, mode: object, boundary: object, fillvalue: object, flip: bool
) -> Filter:
    """Check the arguments; ``flip`` for a convolution, else the kernel is conjugated."""
    mode = checks.choice(mode, "mode", MODES)
    boundary = checks.choice(boundary, "boundary", BOUNDARIES)
    given, filters = checks.array(x, "x"), checks.array(kernel, "kernel")
    if given.ndim < 2:
        raise ValueError(f"x must be (..., H, W), got {given.ndim} axes: shape {given.shape}")
    checks.rank(filters, "kernel", (2, 3), "(R, S) or (K, R, S)")
    if 0 in filters.shape[-2:]:
        raise ValueError(f"kernel has shape {filters.shape}: it is empty")
    weight = filters.reshape(-1, 1, *filters.shape[-2:])
    if flip:
        weight = weight[:, :, ::-1, ::-1]
    elif weight.dtype.kind == "c":
        weight = weight.conj()
    size = given.shape[-2:]
    padding = padding_of(weight.shape[2:], mode, flip)
    if mode == "valid":
        for axis, length, taps in zip("HW", size, weight.shape[2:], strict=True):
            if taps > length:
                raise ValueError(
                    f"mode 'valid' needs an image at least as large as the kernel: along {axis} "
                    f"x has {length}, kernel {taps}"
                )
    leading = given.shape[:-2]
    count = 1
    for length in leading:
        count *= length
    images = given.reshape(count, 1, *size)
    filled = boundary == "fill" and any(any(pair) for pair in padding)
    filled = filled and _fills(fillvalue, given)
    bank = filters.ndim == 3
    return Filter(images, weight, padding, _PADDING_MODES[boundary], filled, leading, bank)


def padding_of(
    taps: tuple[int, ...], mode: str, flip: bool
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pairs of zeros around an image whose filter is flipped, or not."""
    pairs = []
    for n in taps:
        if mode == "full":
            pairs.append((n - 1, n - 1))
        elif mode == "valid":
            pairs.append((0, 0))
        else:  # the middle of "full", the earlier one of two
            pairs.append((n // 2, (n - 1) // 2) if flip else ((n - 1) // 2, n // 2))
    return pairs[0], pairs[1]


def _fills(value: object, x: Array) -> bool:
    """Whether a fill value is other than zero."""
    given = checks.array(value, "fillvalue")
    if given.shape != () or given.dtype.kind not in "biufc":
        raise TypeError(f"fillvalue must be a number, got {checks.show(value)}")
    if x.dtype.kind in "biu" and given.dtype.kind in "fc" and given != np.rint(given.real):
        raise ValueError(f"fillvalue {checks.show(value)} cannot stand in x, which is {x.dtype}")
    return bool(given != 0)


def fill_width(padding: tuple[tuple[int, int], tuple[int, int]]) -> list[tuple[int, int]]:
    """The padding as pad_width of (N, 1, H, W) images."""
    return [(0, 0), (0, 0), *padding]


def needed(needs: object) -> tuple[bool, bool]:
    """Check which of the two gradients are needed."""
    if not isinstance(needs, (tuple, list)) or len(needs) != 2:
        raise ValueError(f"needs must be two bools (dx, dkernel), got {checks.show(needs)}")
    first, second = (checks.flag(item, "needs") for item in needs)
    return first, second


def kernel_grad(dweight: Array, flip: bool, shape: tuple[int, ...]) -> Array:
    """The gradient by the kernel from that by the weight of the cross-correlation."""
    turned: Any = dweight[:, :, ::-1, ::-1] if flip else dweight
    turned = turned if flip or dweight.dtype.kind != "c" else turned.conj()
    return np.ascontiguousarray(turned).reshape(shape)
