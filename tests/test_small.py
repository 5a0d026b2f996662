"""The algorithm for small images: what it accepts, any memory, and the padding's edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from strategies import ConvCase, conv_cases
from tolerance import assert_close, assert_same_bits, assert_same_values
from variants import ISAS

import npconv
from npconv import reference


def accepts(case: ConvCase) -> bool:
    x, weight, _ = case.operands()
    found = npconv.explain("conv2d", x, weight, **case.settings)
    return next(c.accepted for c in found.candidates if c.name == "small")


small_cases = conv_cases(largest_channels=3, largest_size=8).filter(accepts)


@pytest.mark.parametrize("isa", ISAS)
@given(case=small_cases)
def test_it_is_right_in_any_memory(isa: str, case: ConvCase) -> None:
    x, weight, bias = case.operands(integers=True)
    options = {**case.settings, "algorithm": "small", "isa": isa}
    y = npconv.conv2d(x, weight, bias, **options)
    assert_same_values(y, reference.conv2d(x, weight, bias, **case.settings))
    x, weight, bias = case.operands(integers=False)
    expected = npconv.conv2d(x, weight, bias, **options)
    # The same bits for plain copies, other strides of the result, and each image by itself.
    dtype = expected.dtype
    plain = np.array(x, dtype, order="C")
    assert_same_bits(npconv.conv2d(plain, weight, bias, **options), expected)
    out = np.empty(expected.shape[::-1], dtype).T
    assert_same_bits(npconv.conv2d(plain, weight, bias, **options, out=out), expected)
    if case.batched:
        for n in range(case.batch):
            assert_same_bits(npconv.conv2d(x[n], weight, bias, **options), expected[n])
    direct = npconv.conv2d(x, weight, bias, **{**options, "algorithm": "direct"})
    magnitude = reference.conv2d(
        abs(x), abs(weight), None if bias is None else abs(bias), **case.settings
    )
    assert_close(expected, direct.astype("f8"), 2 * magnitude.astype("f8"), case.n_terms)


@pytest.mark.parametrize("isa", ISAS)
@given(case=small_cases)
def test_special_weights_under_the_padding_are_skipped(isa: str, case: ConvCase) -> None:
    x, weight, bias = replace(case, weight_memory="contiguous").operands(integers=True)
    assume(weight.size)
    weight.flat[case.seed % weight.size] = [np.inf, np.nan, -np.inf][case.seed % 3]
    y = npconv.conv2d(x, weight, bias, **case.settings, algorithm="small", isa=isa)
    assert_same_values(y, reference.conv2d(x, weight, bias, **case.settings))


@pytest.mark.parametrize(
    ("x", "weight", "settings", "reason"),
    [
        ((1, 1, 8, 8), (1, 1, 3, 3), {"stride": 3}, "stride"),
        ((1, 1, 8, 40), (1, 1, 1, 17), {}, "wide"),
        ((1, 15, 4, 4), (1, 15, 3, 3), {}, "terms"),
        ((1, 1, 70, 70), (1, 1, 3, 3), {"stride": 2}, "not small"),
        ((1, 1, 24, 24), (1, 1, 3, 3), {}, "not small"),
    ],
)
def test_it_says_why_it_declines(
    x: tuple[int, ...], weight: tuple[int, ...], settings: dict[str, int], reason: str
) -> None:
    found = npconv.explain("conv2d", np.ones(x), np.ones(weight), **settings)
    small = found.candidates[0]
    assert small.name == "small"
    assert not small.accepted
    assert reason in small.reason


def test_the_batch_does_not_change_the_choice() -> None:
    weight = np.ones((4, 1, 3, 3), "f4")
    for batch in (1, 3000):
        y = npconv.conv2d(np.ones((batch, 1, 8, 8), "f4"), weight, num_threads=2)
        assert (y == 9).all()
        assert npconv.last_plan()["algorithm"] == "small"
