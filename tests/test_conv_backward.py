"""The gradients of conv2d: by hand, against the reference, by differences and as adjoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ConvCase, Form, conv_cases, make
from tolerance import assert_close, assert_same_bits, assert_same_values, tolerance
from variants import CONV_VARIANTS, ISAS, name

import npconv
from npconv import reference

both = pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
each_variant = pytest.mark.parametrize("variant", CONV_VARIANTS, ids=name)


def image(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)[None, None]


def gradient_of_output(case: ConvCase, integers: bool = True) -> np.ndarray:
    """A gradient of the shape that the case's output has, in the case's form."""
    x, weight, _ = case.operands()
    shape = reference.conv2d(x, weight, **case.settings).shape
    rng = np.random.default_rng(case.seed + 1)
    if case.batched:
        return make(shape, case.grad_form, rng, integers)
    return make((1, *shape), case.grad_form, rng, integers)[0]


# ---- by hand -------------------------------------------------------------------------------


@both
def test_input_gradient_spreads_the_kernel(library: Any) -> None:
    weight = image([1, 2], [3, 4])
    # Each output sends grad * kernel to the pixels that it read; where two meet they add:
    #    1 0     1 2 .     . . .     1  2  .
    #    0 10  : 3 4 .  +  . 10 20 = 3 14 20
    #            . . .     . 30 40   . 30 40
    dx = library.conv2d_input_grad(image([1, 0], [0, 10]), weight, (1, 1, 3, 3))
    assert_same_values(dx, image([1, 2, 0], [3, 14, 20], [0, 30, 40]))


@both
def test_input_gradient_with_stride_leaves_unread_pixels_zero(library: Any) -> None:
    # Stride 2, kernel 1 on four columns: columns 1 and 3 are never read.
    dx = library.conv2d_input_grad(image([5, 7]), image([2]), (1, 1, 1, 4), stride=(1, 2))
    assert_same_values(dx, image([10, 0, 14, 0]))


@both
def test_input_gradient_drops_what_fell_in_the_padding(library: Any) -> None:
    # Outputs 0, 1, 2 read (pad, 0), (0, 1), (1, pad): dx = [w1*g0 + w0*g1, w1*g1 + w0*g2].
    grad, weight = image([1, 10, 100]), image([2, 3])
    dx = library.conv2d_input_grad(grad, weight, (1, 1, 1, 2), padding=(0, 1))
    assert_same_values(dx, image([3 + 20, 30 + 200]))


@both
def test_weight_gradient_sums_what_each_tap_read(library: Any) -> None:
    x = image([1, 2, 3], [4, 5, 6], [7, 8, 9])
    grad = image([1, 10], [100, 1000])
    # Tap (0, 0) read 1 2 / 4 5, tap (0, 1) read 2 3 / 5 6, and so on.
    dw = library.conv2d_weight_grad(grad, x, (1, 1, 2, 2))
    assert_same_values(dw, image([5421, 6532], [8754, 9865]))


@both
def test_bias_gradient_is_the_sum_over_images_and_pixels(library: Any) -> None:
    grad = np.array([[[[1, 2]], [[10, 20]]], [[[3, 4]], [[30, 40]]]], np.float32)
    x, weight = np.zeros((2, 1, 1, 2), "f4"), np.zeros((2, 1, 1, 1), "f4")
    dx, dw, db = library.conv2d_backward(grad, x, weight, needs=(False, False, True))
    assert dx is None
    assert dw is None
    assert_same_values(db, np.float32([10, 100]))


# ---- against the reference -----------------------------------------------------------------


def arguments(case: ConvCase, integers: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, weight, _ = case.operands(integers)
    return gradient_of_output(case, integers), x, weight


def check_exact(case: ConvCase) -> None:
    grad, x, weight = arguments(case, integers=True)
    double = [a.astype(np.float64) for a in (grad, x, weight)]
    dx64, dw64, db64 = reference.conv2d_backward(*double, **case.settings)
    for variant in CONV_VARIANTS:
        options = {**case.settings, **variant}
        dx = npconv.conv2d_input_grad(grad, weight, x.shape, **options)
        dw = npconv.conv2d_weight_grad(grad, x, weight.shape, **options)
        db = npconv.conv2d_backward(grad, x, weight, needs=(False, False, True), **options)[2]
        assert dx.flags.c_contiguous
        assert dw.flags.c_contiguous
        assert_same_values(dx, dx64, f"dx {name(variant)}")
        assert_same_values(dw, dw64, f"dw {name(variant)}")
        assert_same_values(db, db64, f"db {name(variant)}")


def check_close(case: ConvCase) -> None:
    grad, x, weight = arguments(case, integers=False)
    double = [a.astype(np.float64) for a in (grad, x, weight)]
    expected = reference.conv2d_backward(*double, **case.settings)
    magnitude = reference.conv2d_backward(*(abs(a) for a in double), **case.settings)
    pixels = grad.size // max(1, grad.shape[-3])
    terms = (case.out_per_group * case.kernel[0] * case.kernel[1], pixels, pixels)
    for variant in CONV_VARIANTS:
        actual = npconv.conv2d_backward(grad, x, weight, **case.settings, **variant)
        each = zip(("dx", "dw", "db"), actual, expected, magnitude, terms, strict=True)
        for label, a, e, m, n in each:
            assert_close(a, e, m, n, f"{label} {name(variant)}")


FORMED = conv_cases(x_dtypes=("float32", "float64", "float16", "int8", "bool"))


@given(FORMED)
def test_sums_of_integers_are_exact(case: ConvCase) -> None:
    check_exact(case)


@given(conv_cases())
def test_sums_of_normal_numbers_are_within_tolerance(case: ConvCase) -> None:
    check_close(case)


LARGE = [
    ConvCase(2, 1, 13, 20, (9, 11), (3, 3), padding=1, seed=1),
    ConvCase(1, 1, 17, 64, (7, 7), (3, 3), padding=1, seed=2),  # dx sums 576 terms
    ConvCase(1, 1, 10, 300, (5, 29), (3, 3), padding=1, seed=3),  # 2700
    ConvCase(1, 1, 9, 2600, (3, 5), (1, 1), seed=4),
    ConvCase(2, 1, 6, 5, (50, 60), (3, 3), padding=1, stride=(2, 2), seed=5),
    ConvCase(1, 1, 4, 6, (70, 80), (3, 3), padding=1, seed=6),  # dw sums 5600
    ConvCase(2, 2, 11, 35, (13, 13), (3, 3), padding=2, dilation=(2, 2), seed=7),
    ConvCase(1, 1, 3, 64, (37, 41), (7, 7), padding=3, stride=(2, 2), seed=8),
    ConvCase(3, 1, 32, 40, (14, 14), (1, 1), seed=9),
    ConvCase(2, 40, 1, 1, (19, 23), (3, 3), padding=1, seed=10),  # depthwise
    ConvCase(1, 8, 1, 3, (19, 23), (5, 5), padding=2, stride=(3, 3), seed=11),
    ConvCase(1, 1, 4, 5, (3, 700), (3, 3), padding=1, seed=12),
    ConvCase(1, 1, 4, 5, (700, 3), (3, 3), padding=1, seed=13),
    ConvCase(40, 1, 5, 7, (3, 3), (3, 3), padding=1, seed=14),
    ConvCase(1, 1, 5, 7, (23, 19), (2, 3), stride=(3, 4), seed=15),  # stride past the kernel
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", LARGE, ids=lambda case: f"seed{case.seed}")
def test_larger_layers(case: ConvCase, dtype: str) -> None:
    check_exact(case.with_dtype(dtype))
    check_close(case.with_dtype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", range(1, 41))
def test_every_count_of_channels(channels: int, dtype: str) -> None:
    """Rows of dx are input channels, rows of dw output channels."""
    case = ConvCase(2, 1, channels, 41 - channels, (5, 7), (3, 3), padding=1, dtype=dtype)
    check_exact(replace(case, x_form=Form(dtype), grad_form=Form(dtype), seed=channels))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", range(1, 101, 3))
def test_every_count_of_leftover_pixels(width: int, dtype: str) -> None:
    case = ConvCase(2, 1, 10, 3, (1, width), (1, 3), padding=1, dtype=dtype, seed=width)
    check_exact(replace(case, x_form=Form(dtype), grad_form=Form(dtype)))


# Columns are added band by band of the image where threads would have nothing to do, and block by
# block of the pixels: high, strided, dilated, wide with many channels, of several groups.
BANDS = {
    "high": ((3, 61, 43), (80, 3, 3), {"padding": 1}),
    "stride 2": ((3, 120, 21), (160, 5, 5), {"stride": 2, "padding": 2}),
    "stride 3": ((2, 150, 31), (300, 3, 4), {"stride": 3}),
    "dilation": ((3, 99, 41), (60, 3, 3), {"dilation": 2, "padding": 3}),
    "wide": ((57, 7, 301), (9, 3, 3), {}),
    "groups": ((4, 70, 50), (64, 3, 3), {"groups": 2}),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", BANDS)
def test_bands_and_blocks_of_columns(layer: str, dtype: str) -> None:
    (channels, height, width), (filters, *kernel), settings = BANDS[layer]
    rng = np.random.default_rng(3)
    x = rng.integers(-9, 10, (2, channels, height, width)).astype(dtype)
    weight = rng.integers(-9, 10, (filters, channels // settings.get("groups", 1), *kernel))
    weight = weight.astype(dtype)
    y = reference.conv2d(x, weight, **settings)
    grad = rng.integers(-9, 10, y.shape).astype(dtype)
    options: dict[str, Any] = {**settings, "algorithm": "im2col"}
    right = reference.conv2d_input_grad(grad, weight, x.shape, **settings)
    numbers = rng.standard_normal(y.shape).astype(dtype)
    for isa in ISAS:
        options["isa"] = isa
        assert_same_values(npconv.conv2d_input_grad(grad, weight, x.shape, **options), right)
        one = npconv.conv2d_input_grad(numbers, weight, x.shape, **options, num_threads=1)
        for threads in (2, 3, 7):
            options["num_threads"] = threads
            image = npconv.conv2d_input_grad(numbers[1:], weight, (1, *x.shape[1:]), **options)
            assert_same_bits(image, one[1:], f"{isa}, {threads} threads")
        del options["num_threads"]


# Threads share the input channels of a weight gradient whose pixels are picked one by one.
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_weight_gradient_of_picked_pixels(kernel: int, dtype: str) -> None:
    rng = np.random.default_rng(4)
    x = rng.integers(-9, 10, (1, 530 // kernel, 20, 21)).astype(dtype)
    shape = (90, 530 // kernel, kernel, kernel)
    settings = {"stride": 2, "dilation": 2}
    y = reference.conv2d(x, np.zeros(shape, dtype), **settings)
    grad = rng.integers(-9, 10, y.shape).astype(dtype)
    right = reference.conv2d_weight_grad(grad, x, shape, **settings)
    numbers = rng.standard_normal(y.shape).astype(dtype)
    for isa in ISAS:
        options: dict[str, Any] = {**settings, "algorithm": "direct", "isa": isa}
        one = npconv.conv2d_weight_grad(numbers, x, shape, **options, num_threads=1)
        for threads in (2, 3, 7):
            options["num_threads"] = threads
            assert_same_values(npconv.conv2d_weight_grad(grad, x, shape, **options), right)
            many = npconv.conv2d_weight_grad(numbers, x, shape, **options)
            assert_same_bits(many, one, f"{isa}, {threads} threads")


@given(conv_cases(largest_channels=2, largest_size=8), st.tuples(*[st.booleans()] * 3))
def test_needs_chooses_the_gradients(case: ConvCase, needs: tuple[bool, bool, bool]) -> None:
    grad, x, weight = arguments(case, integers=True)
    every = npconv.conv2d_backward(grad, x, weight, **case.settings)
    some = npconv.conv2d_backward(grad, x, weight, **case.settings, needs=needs)
    of_reference = reference.conv2d_backward(grad, x, weight, **case.settings, needs=needs)
    assert len(some) == len(of_reference) == 3
    for wanted, a, b, r in zip(needs, every, some, of_reference, strict=True):
        assert (b is not None) == (r is not None) == wanted
        if wanted:
            assert_same_bits(b, a)
            assert r.dtype == b.dtype


@given(FORMED)
def test_operands_are_not_modified(case: ConvCase) -> None:
    operands = arguments(case, integers=True)
    before = [a.copy() for a in operands]
    npconv.conv2d_backward(*operands, **case.settings)
    for a, b in zip(before, operands, strict=True):
        assert_same_values(b, a)


@pytest.mark.parametrize(
    ("grad", "x", "weight"),
    [
        ("float16", "float32", "float32"),
        ("float32", "float16", "float32"),
        ("float32", "int8", "float64"),
        ("int32", "float32", "float32"),
        ("float64", "float32", "float32"),
        ("bool", "float32", ">f4"),
        (">f4", "float64", "float32"),
    ],
)
def test_result_types_follow_numpy_promotion(grad: str, x: str, weight: str) -> None:
    """Each gradient alone promotes what it is computed from; all together, all operands."""
    rng = np.random.default_rng(1)
    g = rng.integers(0, 2, (2, 3, 4, 5)).astype(grad)
    a = rng.integers(0, 2, (2, 2, 5, 6)).astype(x)
    w = rng.integers(0, 2, (3, 2, 2, 2)).astype(weight)
    dx64, dw64, db64 = reference.conv2d_backward(*(each.astype("f8") for each in (g, a, w)))
    for library in (npconv, reference):
        dx = library.conv2d_input_grad(g, w, a.shape)
        dw = library.conv2d_weight_grad(g, a, w.shape)
        every = library.conv2d_backward(g, a, w)
        assert dx.dtype == np.result_type(g.dtype.newbyteorder("="), w.dtype.newbyteorder("="))
        assert dw.dtype == np.result_type(g.dtype.newbyteorder("="), a.dtype.newbyteorder("="))
        assert {each.dtype for each in every} == {np.result_type(dx.dtype, dw.dtype)}
        for actual, expected in zip((dx, dw, *every), (dx64, dw64, dx64, dw64, db64), strict=True):
            assert_same_values(actual, expected)


# ---- mathematics ---------------------------------------------------------------------------


@given(conv_cases(largest_channels=3, largest_size=8))
def test_gradients_are_adjoints(case: ConvCase) -> None:
    """<conv(x, w), g> = <x, dx(g, w)> = <w, dw(g, x)>, exactly on integers."""
    case = case.with_dtype("float64")
    grad, x, weight = arguments(case, integers=True)
    for variant in CONV_VARIANTS:
        options = {**case.settings, **variant}
        y = npconv.conv2d(x, weight, **options)
        dx, dw, _ = npconv.conv2d_backward(grad, x, weight, **options)
        assert (y * grad).sum() == (x * dx).sum() == (weight * dw).sum()


@given(conv_cases(largest_channels=2, largest_size=6))
def test_gradients_are_differences(case: ConvCase) -> None:
    """Convolution is linear in x and in w, so central differences are exact up to rounding."""
    case = replace(case.with_dtype("float64"), bias=True)
    grad, x, weight = arguments(case, integers=False)
    bias = case.operands(integers=False)[2]
    assert bias is not None
    operands = [x, weight, bias]
    gradients = npconv.conv2d_backward(grad, x, weight, **case.settings)
    rng = np.random.default_rng(case.seed)
    for which, gradient in enumerate(gradients):
        direction = rng.standard_normal(operands[which].shape)
        ahead, behind = list(operands), list(operands)
        ahead[which] = operands[which] + direction
        behind[which] = operands[which] - direction
        difference = npconv.conv2d(*ahead, **case.settings) - npconv.conv2d(
            *behind, **case.settings
        )
        terms = case.n_terms + grad.size + direction.size
        scale = 10 * tolerance("float64", terms) * (1 + terms) ** 1.5
        assert abs((difference * grad).sum() / 2 - (gradient * direction).sum()) <= scale


def test_every_single_derivative_by_differences() -> None:
    """One small layer, one element at a time: the derivative of sum(y * grad) by each."""
    case = ConvCase(2, 2, 2, 3, (5, 4), (3, 2), (2, 1), (1, 2), ((1, 0), (2, 1)), seed=5)
    case = case.with_dtype("float64")
    grad, x, weight = arguments(case, integers=True)
    gradients = npconv.conv2d_backward(grad, x, weight, **case.settings)
    operands = [x, weight, np.zeros(6)]
    for which, gradient in enumerate(gradients):
        for at in np.ndindex(gradient.shape):
            ahead, behind = [a.copy() for a in operands], [a.copy() for a in operands]
            ahead[which][at] += 1
            behind[which][at] -= 1
            loss = [(npconv.conv2d(*o, **case.settings) * grad).sum() for o in (ahead, behind)]
            assert gradient[at] == (loss[0] - loss[1]) / 2


# ---- Inf and NaN ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(case=conv_cases(largest_channels=3, largest_size=9))
def test_special_values_land_where_the_sum_puts_them(
    case: ConvCase, dtype: str, value: float
) -> None:
    case = case.with_dtype(dtype)
    rng = np.random.default_rng(case.seed)
    grad, x, weight = (a.copy() for a in arguments(case, integers=True))
    for array in (grad, x, weight):
        if array.size:
            array[np.unravel_index(rng.integers(array.size, size=2), array.shape)] = value
    expected = reference.conv2d_backward(grad, x, weight, **case.settings)
    for variant in CONV_VARIANTS:
        actual = npconv.conv2d_backward(grad, x, weight, **case.settings, **variant)
        for label, a, e in zip(("dx", "dw", "db"), actual, expected, strict=True):
            assert_same_values(a, e, f"{label} {name(variant)}")


@each_variant
def test_infinite_weights_give_no_nan_where_nothing_was_read(variant: dict[str, Any]) -> None:
    """With stride 3 and kernel 2 every third pixel is unread: its gradient is 0, not 0 * Inf."""
    weight = np.full((2, 2, 2, 2), np.inf, np.float32)
    dx = npconv.conv2d_input_grad(
        np.ones((1, 2, 3, 3), "f4"), weight, (1, 2, 8, 8), stride=3, **variant
    )
    expected = np.full((1, 2, 8, 8), np.inf, np.float32)
    expected[:, :, 2::3] = 0
    expected[..., 2::3] = 0
    assert_same_values(dx, expected)


@each_variant
def test_infinite_gradients_of_padding_give_no_nan(variant: dict[str, Any]) -> None:
    """The corner output reads padding with all taps but one: only that tap sees its Inf."""
    grad = np.zeros((1, 1, 4, 4), np.float32)
    grad[0, 0, 0, 0] = np.inf
    x = np.ones((1, 1, 4, 4), np.float32)
    dw = npconv.conv2d_weight_grad(grad, x, (1, 1, 3, 3), padding=((2, 0), (2, 0)), **variant)
    expected = np.zeros((1, 1, 3, 3), np.float32)
    expected[..., 2, 2] = np.inf
    assert_same_values(dw, expected)


# ---- empty and enormous --------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("x", "weight"),
    [
        ((0, 2, 5, 5), (3, 2, 3, 3)),
        ((2, 0, 5, 5), (3, 0, 3, 3)),
        ((2, 2, 5, 5), (0, 2, 3, 3)),
        ((0, 0, 5, 5), (0, 0, 3, 3)),
    ],
)
def test_empty_operands_give_zeros(library: Any, x: tuple, weight: tuple) -> None:
    grad = np.ones((x[0], weight[0], 3, 3), "f4")
    dx, dw, db = library.conv2d_backward(grad, np.ones(x, "f4"), np.ones(weight, "f4"))
    assert_same_values(dx, np.zeros(x, "f4"))
    assert_same_values(dw, np.zeros(weight, "f4"))
    assert_same_values(db, np.full(weight[0], 9.0 * x[0], "f4"))


@both
@pytest.mark.parametrize("huge", [2**31, 2**62, 2**70])
def test_enormous_strides(library: Any, huge: int) -> None:
    x = image([1, 2, 3], [4, 5, 6], [7, 8, 9])
    weight = image([1, 10], [100, 1000])
    dx, dw, db = library.conv2d_backward(image([2]), x, weight, stride=huge)
    assert_same_values(dx, image([2, 20, 0], [200, 2000, 0], [0, 0, 0]))
    assert_same_values(dw, image([2, 4], [8, 10]))
    assert_same_values(db, np.float32([2]))


@both
@pytest.mark.parametrize("huge", [2**31, 2**60])
def test_enormous_dilation_and_padding(library: Any, huge: int) -> None:
    x = image([1, 2], [3, 4])
    weight = np.arange(9, dtype="f4").reshape(1, 1, 3, 3)
    grad = image([1, 10], [100, 1000])
    dx, dw, _ = library.conv2d_backward(grad, x, weight, dilation=huge, padding=huge)
    assert_same_values(dx, 4 * grad)
    expected = np.zeros((1, 1, 3, 3), "f4")
    expected[0, 0, 1, 1] = 4321
    assert_same_values(dw, expected)
