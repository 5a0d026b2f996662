"""Depthwise-separable convolution in one call, and fold and unfold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerance import assert_same_bits, assert_same_values

import npconv
from npconv import reference


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from(["float32", "float64", "int8", "float16"]))
    channels, multiplier, filters = (draw(st.integers(1, 3)) for _ in range(3))
    taps = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    lead = draw(st.sampled_from([(), (0,), (2,)]))
    shapes = [
        (*lead, channels, draw(st.integers(3, 8)), draw(st.integers(3, 8))),
        (channels * multiplier, 1, *taps),
        (filters, channels * multiplier, *draw(st.sampled_from([(), (1, 1)]))),
        (filters,),
    ]
    settings = {
        "stride": draw(st.integers(1, 2)),
        "padding": draw(st.integers(0, 2)),
        "padding_mode": draw(st.sampled_from(["constant", "reflect"])),
    }
    return tuple(rng.integers(-2, 3, shape).astype(dtype) for shape in shapes), settings


@given(case=cases())
def test_against_the_reference(case) -> None:
    (x, depthwise, pointwise, bias), settings = case
    expected = reference.separable_conv2d(x, depthwise, pointwise, bias, **settings)
    y = npconv.separable_conv2d(x, depthwise, pointwise, bias, **settings, precision="strict")
    assert y.dtype == expected.dtype
    assert_same_values(y, expected)
    add = np.ones_like(y)
    options = {**settings, "add": add, "activation": "relu"}
    assert_same_values(
        npconv.separable_conv2d(x, depthwise, pointwise, bias, **options, precision="strict"),
        reference.separable_conv2d(x, depthwise, pointwise, bias, **options),
    )
    grad = np.random.default_rng(0).integers(-2, 3, y.shape).astype(x.dtype)
    operands = (grad, x, depthwise, pointwise)
    for one, other in zip(
        npconv.separable_conv2d_backward(*operands, **settings, precision="strict"),
        reference.separable_conv2d_backward(*operands, **settings),
        strict=True,
    ):
        assert one.dtype == other.dtype
        assert_same_values(one, other)


def test_bits_are_those_of_two_calls(monkeypatch):
    from npconv.functional import convolution_numbers

    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 8, 20, 20), dtype=np.float32)
    depthwise = rng.standard_normal((16, 1, 3, 3), dtype=np.float32)
    pointwise = rng.standard_normal((12, 16), dtype=np.float32)
    between = npconv.conv2d(x, depthwise, padding=1, groups=8)
    expected = npconv.conv2d(between, pointwise[..., None, None])
    for limit in (1, 1 << 20):
        monkeypatch.setattr(convolution_numbers, "STAGE_BYTES", limit)
        assert_same_bits(npconv.separable_conv2d(x, depthwise, pointwise, padding=1), expected)


def test_needs():
    x, depthwise, pointwise = np.ones((2, 4, 4)), np.ones((2, 1, 2, 2)), np.ones((3, 2))
    grad = np.ones((3, 3, 3))
    for i in range(4):
        needs = tuple(i == j for j in range(4))
        found = npconv.separable_conv2d_backward(grad, x, depthwise, pointwise, needs=needs)
        assert [one is not None for one in found] == list(needs)


@pytest.mark.parametrize(
    ("depthwise", "pointwise", "words"),
    [
        (np.ones((2, 2, 3, 3)), np.ones((3, 2)), "its second axis must be 1"),
        (np.ones((3, 1, 3, 3)), np.ones((3, 3)), "depthwise has 3 filters, expected a multiple"),
        (np.ones((4, 1, 3, 3)), np.ones((3, 2)), r"expected \(K, 4\)"),
        (np.ones((4, 1, 3, 3)), np.ones((3, 4, 3, 3)), r"expected \(K, 4\)"),
        (np.ones((4, 3, 3)), np.ones((3, 2)), "depthwise must be"),
    ],
)
def test_mistakes(depthwise, pointwise, words):
    with pytest.raises(ValueError, match=words):
        npconv.separable_conv2d(np.ones((1, 2, 5, 5)), depthwise, pointwise)
    with pytest.raises(ValueError, match="needs must be four bools"):
        npconv.separable_conv2d_backward(1, 1, depthwise, pointwise, needs=(True,))


def test_fold_and_unfold_are_adjoint_and_pytorch_in_order():
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, (2, 3, 7, 8)).astype(float)
    settings = (3, 2, 1, 2)  # kernel, dilation, padding, stride
    cols = npconv.unfold(x, *settings)
    assert np.array_equal(cols, npconv.im2col(x, 3, stride=2, padding=1, dilation=2))
    assert np.array_equal(cols, reference.unfold(x, *settings))
    other = rng.integers(-3, 4, cols.shape).astype(float)
    back = npconv.fold(other, (7, 8), *settings)
    assert np.array_equal(back, reference.fold(other, (7, 8), *settings))
    assert (cols * other).sum() == (x * back).sum()
    assert npconv.fold(other[0], (7, 8), *settings).shape == (3, 7, 8)
    with pytest.raises(ValueError, match="cols has 27 rows, which the 4 elements"):
        npconv.fold(other, (7, 8), 2)
