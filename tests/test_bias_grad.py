"""The bias gradient, which the weight gradient computes by the way: the same bits, and accurate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ConvCase, conv_cases, make
from tolerance import assert_same_bits
from variants import ALGORITHMS, CONV_VARIANTS, ISAS, name

import npconv
from npconv import _native, geometry

ALONE, WITH_WEIGHT, ALL = (False, False, True), (False, True, True), (True, True, True)


def operands(case: ConvCase) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, weight, _ = case.operands(integers=False)
    g = geometry.conv_geometry(len(case.size), (1, *x.shape)[-len(case.size) - 2 :], weight.shape,
                               **case.settings)  # fmt: skip
    shape = g.output_shape[:2] + g.output_shape[-len(case.size) :]
    rng = np.random.default_rng(case.seed)
    grad = make((case.batch, *shape[1:]), case.grad_form, rng, False)
    return (grad if case.batched else grad[0]), x, weight


def check_same_bits(case: ConvCase, **options: Any) -> None:
    grad, x, weight = operands(case)
    backward = getattr(npconv, f"{case.function}_backward")
    settings = {**case.settings, **options}
    alone = backward(grad, x, weight, needs=ALONE, **settings)[2]
    for needs in (WITH_WEIGHT, ALL):
        assert_same_bits(backward(grad, x, weight, needs=needs, **settings)[2], alone)


@given(conv_cases(largest_size=40, largest_channels=20, largest_kernel=5))
def test_together_with_the_weight_gradient_it_has_the_same_bits(case: ConvCase) -> None:
    for variant in CONV_VARIANTS:
        check_same_bits(case, **variant)


@given(conv_cases(largest_size=9, ndim=3, largest_kernel=3))
def test_of_volumes_too(case: ConvCase) -> None:
    check_same_bits(case)


# What each takes its own way: both sides of the products, strides, padding that no tap reads, many
# images and few pixels, lines longer than a stretch, planes that end within one, depthwise,
# Winograd's tiles with dilation, slices in the padding.
LAYERS = [
    ConvCase(2, 1, 3, 70, (37, 41), (7, 7), padding=3, stride=(2, 2)),
    ConvCase(1, 1, 3, 9, (5, 1300), (3, 3), padding=1),
    ConvCase(2, 1, 40, 70, (23, 19), (1, 1)),
    ConvCase(2, 1, 70, 33, (23, 19), (1, 1)),
    ConvCase(20, 1, 35, 40, (7, 7), (1, 1)),
    ConvCase(2, 2, 35, 70, (13, 31), (3, 3), padding=5, stride=(2, 1)),
    ConvCase(2, 40, 1, 2, (57, 23), (3, 3), padding=1),
    ConvCase(2, 40, 1, 1, (57, 23), (5, 5), padding=2, stride=(2, 2)),
    ConvCase(2, 1, 70, 90, (29, 37), (3, 3), padding=1),
    ConvCase(2, 1, 70, 90, (29, 37), (3, 3), padding=2, dilation=(2, 2)),
    ConvCase(1, 1, 20, 18, (3, 9, 20), (3, 3, 3), (1, 1, 1), (1, 1, 1), 2),
    ConvCase(1, 8, 1, 1, (3, 9, 20), (1, 3, 3), (1, 1, 1), (1, 1, 1), 1),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", LAYERS, ids=range(len(LAYERS)))
def test_by_every_algorithm_and_any_threads_it_has_the_same_bits(
    case: ConvCase, dtype: str
) -> None:
    case = case.with_dtype(dtype)
    x, weight, _ = case.operands(integers=False)
    g = geometry.conv_geometry(len(case.size), x.shape, weight.shape, **case.settings)
    grad = np.random.default_rng(1).standard_normal(
        (g.batch, g.out_channels, *g.output[-len(case.size) :])
    ).astype(dtype)  # fmt: skip
    sums = np.empty(g.out_channels, dtype)
    exact = grad.astype("f8").sum(axis=(0, *range(2, grad.ndim)))
    for isa in ISAS:
        expected = np.empty_like(sums)
        _native.conv_bias_grad(g, grad, expected, ("auto", isa, 1, "standard"))
        np.testing.assert_allclose(
            expected, exact, rtol=0, atol=1e-3 if dtype == "float32" else 1e-11
        )
        for algorithm in ("auto", *ALGORITHMS):
            for threads in (1, 2, 3, 4, 8) if algorithm == "auto" else (1,):
                options = (algorithm, isa, threads, "standard")
                candidates = _native.conv_candidates("weight_grad", g, dtype, options)[0]
                if algorithm == "reference" or not all(
                    accepted for each, accepted, *_ in candidates if each == algorithm
                ):
                    continue
                sums[:] = np.nan
                _native.conv_weight_grad(g, grad, x, np.empty_like(weight), options, bias_out=sums)
                assert_same_bits(sums, expected, f"{algorithm} {isa} {threads} threads")


@pytest.mark.parametrize("variant", CONV_VARIANTS, ids=name)
@pytest.mark.parametrize("size", [(210, 300), (1, 9000), (7, 7)], ids=str)
def test_it_is_as_accurate_as_blocked_sums(variant: dict[str, Any], size: tuple[int, int]) -> None:
    """Of equal numbers a single chain would lose one digit after the other."""
    grad = np.full((3, 2, *size), 0.1, np.float32)
    x, weight = np.ones((3, 2, *size), np.float32), np.ones((2, 2, 1, 1), np.float32)
    exact = grad.size / 2 * float(np.float32(0.1))
    for needs in (ALONE, WITH_WEIGHT):
        db = npconv.conv2d_backward(grad, x, weight, needs=needs, **variant)[2]
        assert db is not None
        assert abs(db - exact).max() <= 40 * 2.0**-24 * exact


@given(st.sampled_from([np.inf, -np.inf, np.nan]), st.integers(0, 10**6))
def test_what_is_not_finite_shows_in_its_channel_only(value: float, at: int) -> None:
    grad = np.ones((2, 20, 13, 17), np.float32)
    where = np.unravel_index(at % grad.size, grad.shape)
    grad[where] = value
    x, weight = np.ones((2, 18, 13, 17), np.float32), np.ones((20, 18, 3, 3), np.float32)
    expected = np.full(20, 2.0 * 13 * 17, np.float32)
    expected[where[1]] = value
    db = npconv.conv2d_backward(grad, x, weight, padding=1)[2]
    np.testing.assert_array_equal(db, expected)


def test_bias_out_must_fit() -> None:
    case = replace(LAYERS[2], batch=1)
    x, weight, _ = case.operands()
    g = geometry.conv_geometry(2, x.shape, weight.shape)
    grad, options = np.ones((1, 70, 23, 19), "f4"), ("auto", "auto", 1, "standard")
    for wrong in (np.empty(69, "f4"), np.empty(70, "f8"), np.empty(140, "f4")[::2]):
        with pytest.raises(ValueError, match=r"bias_out|C-contiguous"):
            _native.conv_weight_grad(g, grad, x, np.empty_like(weight), options, bias_out=wrong)
