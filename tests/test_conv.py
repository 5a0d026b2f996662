"""conv2d: by hand, against the reference over the whole geometry, and at the edges of numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies import ConvCase, Form, conv_cases
from tolerance import assert_close, assert_same_values, unit_roundoff
from variants import CONV_VARIANTS, FAST_VARIANTS, name

import npconv
from npconv import reference

EVERY_X_DTYPE = ("float32", "float64", "float16", "int8", "uint8", "int16", "int32", "bool")

both = pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
each_variant = pytest.mark.parametrize("variant", CONV_VARIANTS, ids=name)


def image(*rows: list[float]) -> np.ndarray:
    """A (1, 1, H, W) float32 array drawn row by row."""
    return np.array(rows, np.float32)[None, None]


# ---- by hand -------------------------------------------------------------------------------

# 1 2 3
# 4 5 6
# 7 8 9
NINE = image([1, 2, 3], [4, 5, 6], [7, 8, 9])


@both
def test_window_slides_and_is_not_flipped(library: Any) -> None:
    weight = image([1, 0], [0, 10])
    # 1*1 + 10*5   1*2 + 10*6        51  62
    # 1*4 + 10*8   1*5 + 10*9   =    84  95
    assert_same_values(library.conv2d(NINE, weight), image([51, 62], [84, 95]))


@both
def test_padding_is_skipped(library: Any) -> None:
    weight = image([1, 1], [1, 1])
    # . . . .     top 1, left 1        1   1+2     2+3         1  3  5
    # . 1 2 3                          1+4 1+2+4+5 2+3+5+6  =  5 12 16
    # . 4 5 6                          4+7 4+5+7+8 5+6+8+9    11 24 28
    # . 7 8 9
    y = library.conv2d(NINE, weight, padding=((1, 0), (1, 0)))
    assert_same_values(y, image([1, 3, 5], [5, 12, 16], [11, 24, 28]))


@both
def test_stride_past_the_kernel_skips_pixels(library: Any) -> None:
    # Row 0 and 2, column 0 and 2 only.
    y = library.conv2d(NINE, image([2]), bias=np.float32([100]), stride=2)
    assert_same_values(y, image([102, 106], [114, 118]))


@both
def test_dilation_spreads_the_taps(library: Any) -> None:
    # The four taps lie on the corners: 1 3 / 7 9.
    y = library.conv2d(NINE, image([1, 10], [100, 1000]), dilation=2)
    assert_same_values(y, image([1 + 30 + 700 + 9000]))


@both
def test_same_puts_the_extra_element_at_the_end(library: Any) -> None:
    weight = image([1, 10])
    # 1 2 3 . with 1 10: the row keeps its length, 3 + 10*padding at the end.
    # Stride 2: outputs at 0 and 2, so one element is missing, at the end again.
    row = image([1, 2, 3])
    assert_same_values(library.conv2d(row, weight, padding="same"), image([21, 32, 3]))
    assert_same_values(library.conv2d(row, weight, stride=2, padding="same"), image([21, 3]))
    # 4 long, kernel 3, stride 2: two outputs need 5 elements, so none before and one after.
    row, weight = image([1, 2, 3, 4]), image([1, 10, 100])
    y = library.conv2d(row, weight, stride=(1, 2), padding="same")
    assert_same_values(y, image([321, 43]))


@both
def test_channels_are_summed_and_groups_keep_apart(library: Any) -> None:
    x = np.array([1, 2, 3, 4], np.float32).reshape(1, 4, 1, 1)
    weight = np.array([[1, 10], [100, 1000]], np.float32).reshape(2, 2, 1, 1)
    # Group 0 sees channels 1, 2 with weights 1, 10; group 1 sees 3, 4 with 100, 1000.
    y = library.conv2d(x, weight, groups=2)
    assert_same_values(y, np.float32([21, 4300]).reshape(1, 2, 1, 1))
    dense = library.conv2d(x, np.ones((1, 4, 1, 1), np.float32))
    assert_same_values(dense, image([10]))


@both
def test_unbatched_input_gives_unbatched_output(library: Any) -> None:
    weight = image([1, 0], [0, 10])
    y = library.conv2d(NINE[0], weight)
    assert_same_values(y, image([51, 62], [84, 95])[0])


# ---- against the reference -----------------------------------------------------------------


def result_dtype(*arrays: np.ndarray | None) -> np.dtype:
    return np.result_type(*(a.dtype.newbyteorder("=") for a in arrays if a is not None))


def check_exact(case: ConvCase) -> None:
    """Integer-valued operands: every variant equals the reference, element by element."""
    x, weight, bias = case.operands(integers=True)
    expected = reference.conv2d(x.astype(np.float64), weight, bias, **case.settings)
    for variant in CONV_VARIANTS:
        y = npconv.conv2d(x, weight, bias, **case.settings, **variant)
        assert y.dtype == result_dtype(x, weight, bias)
        assert y.flags.c_contiguous
        assert_same_values(y, expected, name(variant))


def check_close(case: ConvCase) -> None:
    """Normal operands: every variant is within tolerance of the float64 reference."""
    x, weight, bias = case.operands(integers=False)
    x64 = x.astype(np.float64)
    magnitude = reference.conv2d(
        abs(x64), abs(weight), None if bias is None else abs(bias), **case.settings
    )
    expected = reference.conv2d(x64, weight, bias, **case.settings)
    for variant in CONV_VARIANTS:
        y = npconv.conv2d(x, weight, bias, **case.settings, **variant)
        assert_close(y, expected, magnitude, case.n_terms, name(variant))


@given(conv_cases(x_dtypes=EVERY_X_DTYPE))
def test_sums_of_integers_are_exact(case: ConvCase) -> None:
    check_exact(case)


@given(conv_cases())
def test_sums_of_normal_numbers_are_within_tolerance(case: ConvCase) -> None:
    check_close(case)


# Sizes at which the blocking of a direct convolution changes: pieces of the sum (C*R*S over 512
# and over 2304), every count of leftover rows (output channels) and of leftover pixels.
LARGE = [
    ConvCase(2, 1, 20, 13, (9, 11), (3, 3), padding=1, bias=True, seed=1),  # 180 terms
    ConvCase(1, 1, 64, 17, (7, 7), (3, 3), padding=1, bias=True, seed=2),  # 576
    ConvCase(1, 1, 300, 10, (5, 29), (3, 3), padding=1, seed=3),  # 2700
    ConvCase(1, 1, 2600, 9, (3, 5), (1, 1), seed=4),  # 2600, pointwise
    ConvCase(1, 1, 100, 6, (12, 9), (7, 7), padding=3, stride=(2, 2), bias=True, seed=5),  # 4900
    ConvCase(2, 2, 70, 11, (13, 13), (3, 3), padding=2, dilation=(2, 2), seed=6),
    ConvCase(1, 1, 3, 64, (37, 41), (7, 7), padding=3, stride=(2, 2), bias=True, seed=7),
    ConvCase(3, 1, 32, 40, (14, 14), (1, 1), seed=8),
    ConvCase(1, 40, 1, 1, (19, 23), (3, 3), padding=1, bias=True, seed=9),  # depthwise
    ConvCase(1, 8, 1, 3, (19, 23), (5, 5), padding=2, stride=(3, 3), seed=10),
    ConvCase(1, 1, 4, 5, (3, 700), (3, 3), padding=1, seed=11),  # a long row
    ConvCase(1, 1, 4, 5, (700, 3), (3, 3), padding=1, seed=12),  # a high column
    ConvCase(40, 1, 5, 7, (3, 3), (3, 3), padding=1, seed=13),  # many small images
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", LARGE, ids=lambda case: f"seed{case.seed}")
def test_larger_layers(case: ConvCase, dtype: str) -> None:
    check_exact(case.with_dtype(dtype))
    check_close(case.with_dtype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("out_channels", range(1, 41))
def test_every_count_of_output_channels(out_channels: int, dtype: str) -> None:
    case = ConvCase(2, 1, 3, out_channels, (5, 7), (3, 3), padding=1, bias=True, dtype=dtype)
    check_exact(replace(case, x_form=Form(dtype), seed=out_channels))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", range(1, 101, 3))
def test_every_count_of_leftover_pixels(width: int, dtype: str) -> None:
    case = ConvCase(2, 1, 2, 10, (1, width), (1, 3), padding=1, bias=True, dtype=dtype)
    check_exact(replace(case, x_form=Form(dtype), seed=width))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("channels", "out_channels", "size", "kernel"),
    [(300, 1000, 7, 1), (260, 130, 15, 3), (37, 300, 19, 5), (200, 64, 40, 1)],
)
def test_weights_and_images_beyond_the_cache(
    channels: int, out_channels: int, size: int, kernel: int, dtype: str
) -> None:
    # Lines are fetched ahead here, in the last tile and row block too, where nothing follows.
    rng = np.random.default_rng(channels)
    x = rng.integers(-4, 5, (2, channels, size, size)).astype(dtype)
    weight = rng.integers(-4, 5, (out_channels, channels, kernel, kernel)).astype(dtype)
    y = npconv.conv2d(x, weight, precision="strict", algorithm="direct")
    assert_same_values(y, npconv.conv2d(x, weight, algorithm="im2col"))
    some = slice(None, None, 50)
    assert_same_values(y[:, some], reference.conv2d(x, weight[some]))


@given(conv_cases(largest_channels=2, largest_size=8))
def test_strict_precision_is_exact_too(case: ConvCase) -> None:
    x, weight, bias = case.operands(integers=True)
    expected = reference.conv2d(x, weight, bias, **case.settings)
    y = npconv.conv2d(x, weight, bias, **case.settings, precision="strict")
    assert_same_values(y, expected)


# ---- the error bound that the documentation states -----------------------------------------

# Sums of up to 128 terms are one chain of FMAs, which on uniform data has an error of about
# 0.23*sqrt(n)*u*sum|x||w| (one sigma; the worst of many outputs is five). Longer sums are added
# up in blocks, whose errors cancel.
PUBLISHED_C = {
    ("normal", "short"): 6.0,
    ("uniform", "short"): 16.0,
    ("normal", "long"): 2.0,
    ("uniform", "long"): 8.0,
}
LONG = 256

BOUND_CASES = [
    ConvCase(1, 1, 14, 64, (24, 24), (3, 3), padding=1),  # 126 terms, nearly the worst
    ConvCase(1, 1, 16, 64, (24, 24), (3, 3), padding=1),  # 144
    ConvCase(1, 1, 30, 64, (20, 20), (3, 3), padding=1),  # 270
    ConvCase(1, 1, 64, 32, (16, 16), (3, 3), padding=1),  # 576
    ConvCase(1, 1, 256, 16, (9, 9), (3, 3), padding=1),  # 2304
    ConvCase(1, 1, 512, 8, (7, 7), (3, 3), padding=1),  # 4608
]


@pytest.mark.parametrize("case", BOUND_CASES, ids=lambda case: f"{case.n_terms} terms")
@pytest.mark.parametrize("data", ["normal", "uniform"])
def test_published_bound_of_the_direct_sum(case: ConvCase, data: str) -> None:
    """|y - y64| <= c * u * sum|x||w|, on normal and on uniform [0, 1) data."""
    c = PUBLISHED_C[data, "long" if case.n_terms >= LONG else "short"]
    rng = np.random.default_rng(2)
    draw = rng.standard_normal if data == "normal" else rng.random
    x, weight = draw(case.x_shape).astype("f4"), draw(case.weight_shape).astype("f4")
    x64, weight64 = x.astype("f8"), weight.astype("f8")
    expected = reference.conv2d(x64, weight64, **case.settings)
    magnitude = reference.conv2d(abs(x64), abs(weight64), **case.settings)
    for variant in FAST_VARIANTS:
        y = npconv.conv2d(x, weight, **case.settings, **variant)
        worst = (abs(y - expected) / magnitude).max() / unit_roundoff("float32")
        assert worst <= c, f"{name(variant)}: c = {worst:.2f}"


# ---- operands ------------------------------------------------------------------------------


@given(conv_cases(x_dtypes=EVERY_X_DTYPE))
def test_operands_are_not_modified(case: ConvCase) -> None:
    x, weight, bias = case.operands()
    before = [a.copy() for a in (x, weight, bias) if a is not None]
    npconv.conv2d(x, weight, bias, **case.settings)
    after = [a for a in (x, weight, bias) if a is not None]
    for a, b in zip(before, after, strict=True):
        assert_same_values(b, a)


@each_variant
def test_array_likes_are_taken(variant: dict[str, Any]) -> None:
    y = npconv.conv2d([[[[1, 2], [3, 4]]]], [[[[1.0, 10.0]]]], [5.0], **variant)
    assert y.dtype == np.float64
    assert_same_values(y, np.array([[[[26.0], [48.0]]]]))


@pytest.mark.parametrize(
    ("x", "weight", "bias", "result"),
    [
        ("float32", "float32", None, "float32"),
        ("float32", "float64", None, "float64"),
        ("float64", "float32", "float32", "float64"),
        ("float32", "float32", "float64", "float64"),
        ("float16", "float32", "float16", "float32"),
        ("int8", "float32", None, "float32"),
        ("uint8", "float32", "int16", "float32"),
        ("int32", "float32", None, "float64"),
        ("int64", "float32", None, "float64"),
        ("bool", "float64", "bool", "float64"),
        ("float64", "int64", None, "float64"),
        (">f4", "<f4", ">f8", "float64"),
    ],
)
@both
def test_result_type_follows_numpy_promotion(
    library: Any, x: str, weight: str, bias: str | None, result: str
) -> None:
    rng = np.random.default_rng(3)
    a = rng.integers(0, 2, (1, 2, 4, 5)).astype(x)
    w = rng.integers(0, 2, (3, 2, 2, 2)).astype(weight)
    b = None if bias is None else np.ones(3, bias)
    y = library.conv2d(a, w, b)
    assert y.dtype == np.dtype(result)
    assert y.dtype.isnative
    expected = reference.conv2d(a.astype("f8"), w.astype("f8"), None if b is None else b * 1.0)
    assert_same_values(y, expected)


def test_half_precision_keeps_every_value() -> None:
    """All 65536 bit patterns of float16, the NaNs aside, pass a 1x1 convolution unchanged."""
    x = np.arange(2**16, dtype=np.uint16).view(np.float16)
    x = x[~np.isnan(x)].reshape(1, 1, 1, -1)
    for variant in CONV_VARIANTS:
        y = npconv.conv2d(x, image([1]), **variant)
        assert y.dtype == np.float32
        assert_same_values(y, x.astype(np.float32), name(variant))


def test_wide_integers_are_rounded_once() -> None:
    """int64 beside float64: values past 2^53 are rounded to nearest as NumPy rounds them."""
    x = np.array([2**53 + 1, 2**62 + 2**9 + 1, -(2**63), 2**63 - 1]).reshape(1, 1, 2, 2)
    for variant in CONV_VARIANTS:
        y = npconv.conv2d(x, np.ones((1, 1, 1, 1)), **variant)
        assert_same_values(y, x.astype(np.float64), name(variant))


# ---- out= ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", ["contiguous", "transposed", "channels last", "negative", "sliced"]
)
@each_variant
def test_out_of_any_strides_is_filled_and_returned(variant: dict[str, Any], form: str) -> None:
    case = ConvCase(2, 1, 5, 9, (6, 19), (3, 3), padding=1, bias=True, seed=4)
    x, weight, bias = case.operands()
    expected = reference.conv2d(x, weight, bias, **case.settings)
    larger = np.full((5, 19, 13, 39), np.nan, np.float32)
    out = {
        "contiguous": lambda: np.full(expected.shape, np.nan, np.float32),
        "transposed": lambda: np.full(expected.shape[::-1], np.nan, np.float32).T,
        "channels last": lambda: np.full((2, 6, 19, 9), np.nan, np.float32).transpose(0, 3, 1, 2),
        "negative": lambda: np.full(expected.shape, np.nan, np.float32)[::-1, ::-1, ::-1, ::-1],
        "sliced": lambda: larger[1::2, 1::2, 1::2, 1::2],
    }[form]()
    assert out.shape == expected.shape
    y = npconv.conv2d(x, weight, bias, **case.settings, **variant, out=out)
    assert y is out
    assert_same_values(out, expected)
    if form == "sliced":
        out[...] = np.nan
        assert np.isnan(larger).all(), "wrote between the elements of out"


# ---- Inf and NaN ---------------------------------------------------------------------------


@each_variant
def test_padding_is_not_multiplied_by_an_infinite_weight(variant: dict[str, Any]) -> None:
    # All of the kernel is Inf: 0 * Inf in the padding would be NaN, the sum of ones is Inf.
    x = np.ones((1, 2, 5, 40), np.float32)
    weight = np.full((3, 2, 3, 3), np.inf, np.float32)
    y = npconv.conv2d(x, weight, padding=2, **variant)
    assert_same_values(y, np.full((1, 3, 7, 42), np.inf, np.float32))


@each_variant
def test_output_wholly_in_the_padding_is_the_bias(variant: dict[str, Any]) -> None:
    x = np.full((1, 2, 3, 3), np.nan, np.float32)
    weight = np.full((2, 2, 2, 2), np.nan, np.float32)
    bias = np.float32([3, -0.0])
    y = npconv.conv2d(x, weight, bias, padding=4, **variant)
    # Row and column 0, 1, 2 of the outputs read padding only: -4..-2 with one tap more.
    assert_same_values(y[:, :, :3], np.broadcast_to(bias[:, None, None], (1, 2, 3, 10)))
    assert_same_values(y[..., :3], np.broadcast_to(bias[:, None, None], (1, 2, 10, 3)))
    assert np.isnan(y[:, :, 3:7, 3:7]).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(case=conv_cases(largest_channels=3, largest_size=9))
def test_special_values_land_where_the_sum_puts_them(
    case: ConvCase, dtype: str, value: float
) -> None:
    case = case.with_dtype(dtype)
    x, weight, bias = case.operands()
    rng = np.random.default_rng(case.seed)
    x, weight = x.copy(), weight.copy()
    for array in (x, weight):
        if array.size:
            array[np.unravel_index(rng.integers(array.size, size=2), array.shape)] = value
    expected = reference.conv2d(x, weight, bias, **case.settings)
    for variant in CONV_VARIANTS:
        y = npconv.conv2d(x, weight, bias, **case.settings, **variant)
        assert_same_values(y, expected, name(variant))


@each_variant
def test_subnormal_numbers_are_kept(variant: dict[str, Any]) -> None:
    tiny = np.finfo(np.float32).smallest_subnormal
    x = (np.arange(1, 41) * tiny).astype(np.float32).reshape(1, 1, 1, 40)
    assert_same_values(npconv.conv2d(x, image([1]), **variant), x)


# ---- empty and enormous --------------------------------------------------------------------


@both
def test_no_input_channels_give_the_bias(library: Any) -> None:
    x, weight = np.ones((2, 0, 5, 5), "f4"), np.ones((3, 0, 3, 3), "f4")
    assert_same_values(library.conv2d(x, weight), np.zeros((2, 3, 3, 3), "f4"))
    y = library.conv2d(x, weight, np.float32([1, 2, 3]))
    expected = np.float32([1, 2, 3]).reshape(1, 3, 1, 1)
    assert_same_values(y, np.broadcast_to(expected, (2, 3, 3, 3)))


@both
@pytest.mark.parametrize(
    ("x", "weight", "y"),
    [
        ((0, 2, 5, 5), (3, 2, 3, 3), (0, 3, 3, 3)),
        ((2, 2, 5, 5), (0, 2, 3, 3), (2, 0, 3, 3)),
        ((0, 0, 5, 5), (0, 0, 3, 3), (0, 0, 3, 3)),
    ],
)
def test_empty_results(library: Any, x: tuple, weight: tuple, y: tuple) -> None:
    assert library.conv2d(np.ones(x, "f4"), np.ones(weight, "f4")).shape == y


@both
def test_an_image_of_no_pixels_is_all_padding(library: Any) -> None:
    x, weight = np.ones((1, 2, 0, 3), "f4"), np.ones((2, 2, 2, 2), "f4")
    y = library.conv2d(x, weight, np.float32([1, 2]), padding=((1, 1), (0, 0)))
    assert_same_values(y, np.float32([[[[1, 1]], [[2, 2]]]]))


@both
@pytest.mark.parametrize("huge", [2**31, 2**62, 2**63 - 1, 2**70])
def test_enormous_strides_give_one_output(library: Any, huge: int) -> None:
    y = library.conv2d(NINE, image([1, 0], [0, 10]), stride=huge)
    assert_same_values(y, image([51]))
    y = library.conv2d(NINE, image([3]), dilation=huge)
    assert_same_values(y, 3 * NINE)


@both
@pytest.mark.parametrize("huge", [2**31, 2**60])
def test_enormous_padding_under_an_enormous_stride(library: Any, huge: int) -> None:
    # Windows start at -huge, 0 and +huge: only the middle one meets the image.
    y = library.conv2d(NINE, image([3]), np.float32([1]), stride=huge, padding=huge)
    assert_same_values(y, image([1, 1, 1], [1, 4, 1], [1, 1, 1]))


@both
@pytest.mark.parametrize("huge", [2**31, 2**60])
def test_enormous_dilation_reaches_across_the_padding(library: Any, huge: int) -> None:
    # Taps at -huge, 0 and +huge along each axis: only the middle one meets the image.
    weight = np.arange(9, dtype="f4").reshape(1, 1, 3, 3)
    y = library.conv2d(NINE, weight, dilation=huge, padding=huge)
    assert_same_values(y, 4 * NINE)
