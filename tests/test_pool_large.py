"""Gradients of max-pooling that lie beyond the caches: written in another way, the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tolerance import assert_same_bits
from variants import ISA_VARIANTS, name

import npconv

each_isa = pytest.mark.parametrize("variant", ISA_VARIANTS, ids=name)

BYTES = 17_000_000
"""Just more than what a result must have to be written past the caches."""


def check(
    settings: dict[str, Any],
    image: tuple[int, int],
    dtype: str,
    kind: str,
    variant: dict[str, Any],
    far: bool = False,
) -> None:
    rng = np.random.default_rng(1)
    planes = BYTES // (image[0] * image[1] * np.dtype(dtype).itemsize) + 1
    x = rng.standard_normal((planes, 1, *image)).astype(dtype)
    y, at = npconv.max_pool2d(x, **settings, return_indices=True, indices=kind)
    if far:  # some planes have an index that lies in a row above, or below, of its window
        at[3, 0, -1, 0], at[5, 0, 0, -1] = 2, image[0] * image[1] - 2
    grad = rng.standard_normal(y.shape).astype(dtype)

    def dx(of: slice = slice(None)) -> np.ndarray:
        shape = (*x[of].shape[:2], *image)
        return npconv.max_pool2d_backward(
            grad[of], at[of], shape, **settings, index_kind=kind, **variant
        )

    dx()[...] = np.nan  # the next result gets memory that is there, but not clean
    whole = dx()
    step = planes // 3 + 1
    for begin in range(0, planes, step):
        part = slice(begin, begin + step)
        assert_same_bits(whole[part], dx(part), f"{settings} {image} planes {part}")


@each_isa
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_of_every_kind_of_window(variant: dict[str, Any], dtype: str) -> None:
    for kernel, stride, padding, dilation in [
        ((2, 2), 2, 0, 1),
        ((3, 3), 2, 1, 1),
        ((3, 5), (1, 2), (1, 2), (2, 1)),
        ((1, 2), (3, 1), 0, 1),
    ]:
        settings = {
            "kernel_size": kernel,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
        }
        check(settings, (57, 48), dtype, "flat", variant)


@pytest.mark.parametrize("image", [(40, 29), (700, 33), (9, 4100), (2, 5), (1000, 1)])
def test_of_images_of_any_size(image: tuple[int, int]) -> None:
    """Whose rows begin anywhere in a cache line, with more or less of them in scratch."""
    tall = min(3, image[0]), min(3, image[1])
    for stride in (1, 2):
        settings = {"kernel_size": tall, "stride": stride}
        check(settings, image, "float32", "flat", {})


@each_isa
def test_of_indices_far_from_their_windows(variant: dict[str, Any]) -> None:
    for kernel in (2, 3):
        check({"kernel_size": kernel, "stride": 2}, (48, 64), "float32", "flat", variant, far=True)


def test_of_indices_that_count_in_windows() -> None:
    for kernel in (2, 3):
        settings = {"kernel_size": kernel, "stride": 2, "padding": 1}
        check(settings, (50, 50), "float32", "window", {})


@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("bad", [-1, 48 * 64, 2**32, -(2**63)])
def test_wrong_indices_are_refused(kernel: int, bad: int) -> None:
    shape = (1400, 1, 48, 64)
    y, at = npconv.max_pool2d(np.ones(shape, "f4"), kernel, 2, return_indices=True)
    at[1399, 0, -1, -1] = bad
    for _ in range(2):
        with pytest.raises(ValueError, match="indices must point into the input plane"):
            npconv.max_pool2d_backward(y, at, shape, kernel, 2)
