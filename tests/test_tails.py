"""Small images whose last pixels are dot products: one more than whole vectors, and a few more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tolerance import assert_same_bits, assert_same_values
from variants import ISAS

import npconv
from npconv import reference

each_isa = pytest.mark.parametrize("isa", ISAS)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])

# Input shape without the batch, kernel: more than one sum of dot products, padding, two axes.
CASES = [
    ((1500, 7, 7), 1),
    ((40, 7, 7), 3),
    ((150, 3, 3), 1),
    ((130, 6, 6), 1),
    ((9, 5, 13), 5),
    ((130, 14, 13), 1),  # 7 x 7 at a stride of 2
]
BATCH = 5  # more images than a piece of work holds


def integers(shape: tuple[int, ...], dtype: str, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


def problem(shape: tuple[int, ...], size: int, dtype: str) -> tuple[Any, Any, Any, dict[str, Any]]:
    x, weight = integers((BATCH, *shape), dtype), integers((29, shape[0], size, size), dtype, 2)
    return x, weight, integers((29,), dtype, 3), {"padding": size // 2}


@each_isa
@each_dtype
@pytest.mark.parametrize(("shape", "size"), CASES)
def test_exact_sums(shape: tuple[int, ...], size: int, dtype: str, isa: str) -> None:
    x, weight, bias, settings = problem(shape, size, dtype)
    y = npconv.conv2d(x, weight, bias, **settings, algorithm="direct", isa=isa)
    assert_same_values(y, reference.conv2d(x, weight, bias, **settings))
    dx = npconv.conv2d_input_grad(y, weight, x.shape, **settings, algorithm="direct", isa=isa)
    assert_same_values(dx, reference.conv2d_input_grad(y, weight, x.shape, **settings))


@each_isa
@each_dtype
@pytest.mark.parametrize(("shape", "size"), CASES)
def test_same_bits_in_any_batch_on_any_threads(
    shape: tuple[int, ...], size: int, dtype: str, isa: str
) -> None:
    rng = np.random.default_rng(4)
    x, weight, bias, settings = problem(shape, size, dtype)
    x, weight = (rng.standard_normal(a.shape).astype(dtype) for a in (x, weight))
    how = {**settings, "algorithm": "direct", "isa": isa}
    y = npconv.conv2d(x, weight, bias, **how, num_threads=1)
    for count in (1, 2):
        parts = [
            npconv.conv2d(x[i : i + count], weight, bias, **how, num_threads=3)
            for i in range(0, BATCH, count)
        ]
        assert_same_bits(np.concatenate(parts), y)
    # From elsewhere in memory, to elsewhere.
    apart = np.empty((*x.shape[:2], x.shape[2] * 2, x.shape[3] * 3), dtype)[..., ::2, ::3]
    apart[...] = x
    out = np.empty((*y.shape[:3], y.shape[3] * 2), dtype)[..., ::2]
    npconv.conv2d(apart, weight, bias, **how, out=out)
    assert_same_bits(np.ascontiguousarray(out), y)


@each_isa
@each_dtype
@pytest.mark.parametrize("batch", [1, BATCH])
@pytest.mark.parametrize(("shape", "size"), CASES)
def test_what_follows_the_sum(
    shape: tuple[int, ...], size: int, batch: int, dtype: str, isa: str
) -> None:
    x, weight, bias, settings = problem(shape, size, dtype)
    x = x[:batch]
    for stride in (1, 2):
        settings["stride"] = stride
        expected = reference.conv2d(x, weight, bias, **settings, activation="relu")
        how = {**settings, "activation": "relu", "algorithm": "direct", "isa": isa}
        assert_same_values(npconv.conv2d(x, weight, bias, **how), expected)
        add = integers(expected.shape, dtype, 5)
        y = npconv.conv2d(x, weight, bias, **how, add=add)
        assert_same_values(
            y, reference.conv2d(x, weight, bias, **settings, activation="relu", add=add)
        )
        npconv.conv2d(x, weight, bias, **how, add=add, out=add)
        assert_same_values(add, y)


@each_isa
def test_weights_in_the_padding_are_skipped(isa: str) -> None:
    """The last pixel of an image is a corner, whose window hangs over two edges."""
    x, weight, bias, settings = problem((40, 7, 7), 3, "float32")
    weight[:, :, 2] = np.inf
    weight[:, :, :, 2] = np.nan
    y = npconv.conv2d(x, weight, bias, **settings, algorithm="direct", isa=isa)
    assert np.isfinite(y[..., -1, -1]).all()
    assert_same_values(y[..., -1, -1], reference.conv2d(x, weight, bias, **settings)[..., -1, -1])
