"""Depthwise convolutions: one input channel a group, any number of output channels of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import MEMORY, ConvCase, conv_cases
from tolerance import assert_close, assert_same_bits, assert_same_values
from variants import ISA_VARIANTS, name

import npconv
from npconv import reference

VARIANTS: tuple[dict[str, Any], ...] = tuple(
    {"algorithm": "depthwise", **isa} for isa in ISA_VARIANTS
)
each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=name)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@st.composite
def depthwise_cases(draw: st.DrawFn) -> ConvCase:
    """Any window, 1 to 3 outputs a channel; half of the kernels have a loop of their own."""
    case = draw(conv_cases(largest_size=24))
    if draw(st.booleans()):
        side, step = draw(st.sampled_from([3, 5])), draw(st.sampled_from([1, 2]))
        case = replace(
            case,
            size=(max(side, case.size[0]), max(side, case.size[1] + draw(st.integers(0, 60)))),
            kernel=(side, side),
            stride=(step, step),
            dilation=(1, 1),
        )
    return replace(
        case,
        groups=draw(st.integers(1, 5)),
        in_per_group=1,
        out_per_group=draw(st.integers(1, 3)),
    )


@given(conv_cases(ndim=3, largest_size=9, largest_kernel=5), st.sampled_from([1, 2, 3]))
def test_volumes_slice_by_slice(case: ConvCase, step: int) -> None:
    """A square slice has a loop of its own at steps 1 and 2; both ways are exact on integers."""
    side = 3 + 2 * (case.kernel[2] % 2)
    case = replace(
        case,
        in_per_group=1,
        out_per_group=1 + case.out_per_group % 2,
        size=(max(case.size[0], 12), max(case.size[1], side), max(case.size[2], side)),
        kernel=(case.kernel[0], side, side),
        stride=(case.stride[0], step, step),
        dilation=(case.dilation[0], 1, 1),
    )
    x, weight, bias = case.operands()
    expected = reference.conv3d(x, weight, bias, **case.settings)
    for variant in VARIANTS:
        y = npconv.conv3d(x, weight, bias, **case.settings, **variant)
        assert_same_values(y, expected, name(variant))
        if max(case.stride) == 1:
            dx = npconv.conv3d_input_grad(y, weight, x.shape, **case.settings, **variant)
            right = reference.conv3d_input_grad(expected, weight, x.shape, **case.settings)
            assert_same_values(dx, right, f"dx {name(variant)}")


# The size of each kernel's loops; sizes that end within and at a vector; every way of staging;
# several runs of narrow planes.
CASES = [
    ConvCase(2, 3, 1, 1, (9, 37), (3, 3), padding=1, bias=True, seed=1),
    ConvCase(1, 2, 1, 2, (14, 64), (3, 3), (2, 2), padding=1, seed=2),
    ConvCase(1, 3, 1, 1, (7, 7), (5, 5), padding=2, bias=True, seed=3),
    ConvCase(2, 2, 1, 1, (13, 70), (5, 5), (2, 2), padding=((2, 1), (1, 3)), seed=4),
    ConvCase(1, 2, 1, 3, (17, 40), (7, 7), padding=3, bias=True, seed=5),
    ConvCase(1, 2, 1, 1, (20, 33), (3, 3), padding=2, dilation=(2, 2), seed=6),
    ConvCase(1, 2, 1, 1, (11, 50), (2, 5), (3, 4), padding=(0, 2), dilation=(1, 3), seed=7),
    ConvCase(1, 1, 1, 2, (3, 5000), (3, 3), padding=1, seed=8),
    ConvCase(1, 2, 1, 1, (1, 3000), (1, 9), padding=(0, 4), seed=9),
    ConvCase(1, 1, 1, 1, (40, 41), (31, 31), padding=15, seed=10),
    ConvCase(2, 90, 1, 1, (14, 14), (3, 3), padding=1, bias=True, seed=11),
    ConvCase(1, 45, 1, 1, (15, 29), (3, 3), (2, 2), padding=((2, 1), (0, 1)), seed=12),
    ConvCase(2, 37, 1, 1, (7, 7), (7, 7), padding=3, bias=True, seed=13),
    ConvCase(1, 16, 1, 1, (14, 10), (13, 13), padding=6, seed=14),  # of several chains
]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"seed{case.seed}")


def check_forward(case: ConvCase, variant: dict[str, Any]) -> None:
    x, weight, bias = case.operands(integers=True)
    expected = reference.conv2d(x, weight, bias, **case.settings)
    assert_same_values(npconv.conv2d(x, weight, bias, **case.settings, **variant), expected)


@each_variant
@each_case
@each_dtype
def test_every_kind_of_window(dtype: str, case: ConvCase, variant: dict[str, Any]) -> None:
    check_forward(case.with_dtype(dtype), variant)


@st.composite
def small_planes(draw: st.DrawFn) -> ConvCase:
    """Large kernels on small planes and volumes, which are done as blocks of channels."""
    ndim = draw(st.sampled_from([2, 2, 3]))
    axes = [st.integers(1, 11 if ndim == 2 else 5)] * ndim
    kernel = draw(st.tuples(*[st.integers(1, 8 if ndim == 2 else 4)] * ndim))
    stride = draw(st.tuples(*[st.sampled_from([1, 1, 2, 3])] * ndim))
    dilation = draw(st.tuples(*[st.sampled_from([1, 1, 2, 3])] * ndim))
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    return ConvCase(
        draw(st.integers(1, 2)),
        draw(st.integers(7, 35)),
        size=draw(st.tuples(*axes)),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=tuple((draw(st.integers(r // 2, r)), r) for r in reach),
        bias=draw(st.booleans()),
        dtype=draw(st.sampled_from(["float32", "float64"])),
        seed=draw(st.integers(0, 99)),
    )


@given(small_planes(), st.sampled_from(VARIANTS), st.booleans())
def test_small_planes(case: ConvCase, variant: dict[str, Any], infinite: bool) -> None:
    """Exact on integers; the same bits in any memory, by any threads, with any neighbours."""
    x, weight, bias = case.operands(integers=True)
    weight = weight.copy()
    rng = np.random.default_rng(case.seed)
    if infinite:
        weight[np.unravel_index(rng.integers(weight.size, size=2), weight.shape)] = np.inf
    expected = getattr(reference, case.function)(x, weight, bias, **case.settings)
    conv = getattr(npconv, case.function)
    options = {**case.settings, **variant}
    assert_same_values(conv(x, weight, bias, **options), expected)
    x, weight, bias = case.operands(integers=False)
    y = conv(x, weight, bias, **options)
    for form in ("byteswapped", "channels last"):
        again = conv(MEMORY[form](x), weight, bias, **options, num_threads=3)
        assert_same_bits(again, y, form)
    assert_same_bits(conv(x[:1], weight, bias, **options), y[:1], "alone")
    out = np.full((*y.shape[:-1], 2 * y.shape[-1]), np.nan, y.dtype)[..., ::2]
    conv(x, weight, bias, **options, out=out)
    assert_same_bits(np.ascontiguousarray(out), y, "out= of every second element")


@each_variant
@each_dtype
def test_every_tile_of_staged_rows(dtype: str, variant: dict[str, Any]) -> None:
    """As many rows at once as the kernel has, and as many vectors side by side as fit."""
    for rows in range(1, 10):
        for columns in (3, 19, 37, 64):
            size = (2 * rows - 1, columns + 3)
            check_forward(ConvCase(size=size, kernel=(rows, 4), dtype=dtype, seed=1), variant)


@each_variant
@each_dtype
def test_every_tile_of_blocks(dtype: str, variant: dict[str, Any]) -> None:
    for rows in range(1, 5):
        for columns in range(1, 9):
            case = ConvCase(1, 16, 1, 1, (rows, columns), (3, 7), padding=(1, 3), dtype=dtype)
            check_forward(case, variant)


@given(depthwise_cases(), st.sampled_from(VARIANTS))
def test_any_window(case: ConvCase, variant: dict[str, Any]) -> None:
    check_forward(case, variant)


@given(depthwise_cases(), st.sampled_from(VARIANTS), st.booleans(), st.integers(1, 3))
def test_any_input_gradient(
    case: ConvCase, variant: dict[str, Any], infinite: bool, stride: int
) -> None:
    if stride == 2:  # small kernels have a pass of their own, others are done phase by phase
        case = replace(case, dilation=(1, 1))
    case = replace(case, stride=(stride, stride))
    rng = np.random.default_rng(case.seed)
    x, weight, _ = case.operands(integers=True)
    weight = weight.copy()
    if infinite:
        weight[np.unravel_index(rng.integers(weight.size, size=2), weight.shape)] = np.inf
    shape = reference.conv2d(x, np.zeros_like(weight), **case.settings).shape
    grad = rng.integers(-4, 5, shape).astype(case.dtype)
    expected = reference.conv2d_input_grad(grad, weight, x.shape, **case.settings)
    options = {**case.settings, **variant}
    dx = npconv.conv2d_input_grad(grad, weight, x.shape, **options)
    assert_same_values(dx, expected)
    for threads, form in [(1, "byteswapped"), (3, "channels last")]:
        disguised = MEMORY[form](grad) if grad.ndim == 4 else grad
        again = npconv.conv2d_input_grad(disguised, weight, x.shape, **options, num_threads=threads)
        assert_same_bits(again, dx, f"{form}, {threads} threads")


@given(depthwise_cases(), st.sampled_from(VARIANTS), st.booleans(), st.data())
def test_any_weight_gradient(
    case: ConvCase, variant: dict[str, Any], infinite: bool, data: st.DataObject
) -> None:
    side, step = data.draw(st.sampled_from([3, 5])), data.draw(st.sampled_from([1, 2]))
    case = replace(
        case,
        size=(max(side, case.size[0]), max(side, case.size[1])),
        kernel=(side, side),
        stride=(step, step),
        dilation=(1, 1),
    )
    rng = np.random.default_rng(case.seed)
    x, weight, _ = case.operands(integers=True)
    shape = reference.conv2d(x, weight, **case.settings).shape
    grad = rng.integers(-4, 5, shape).astype(case.dtype)
    if infinite and grad.size:
        grad[np.unravel_index(rng.integers(grad.size, size=2), shape)] = np.inf
    expected = reference.conv2d_weight_grad(grad, x, weight.shape, **case.settings)
    options = {**case.settings, **variant}
    dw = npconv.conv2d_weight_grad(grad, x, weight.shape, **options)
    assert_same_values(dw, expected)
    for threads, form in [(1, "byteswapped"), (3, "channels last")]:
        disguised = MEMORY[form](grad) if grad.ndim == 4 else grad
        again = npconv.conv2d_weight_grad(
            disguised, x, weight.shape, **options, num_threads=threads
        )
        assert_same_bits(again, dw, f"{form}, {threads} threads")


@given(depthwise_cases(), st.sampled_from(VARIANTS))
def test_normal_numbers_are_within_tolerance(case: ConvCase, variant: dict[str, Any]) -> None:
    x, weight, bias = (None if a is None else a.astype("f8") for a in case.operands(integers=False))
    assert x is not None
    assert weight is not None
    expected = reference.conv2d(x, weight, bias, **case.settings)
    magnitude = reference.conv2d(
        abs(x), abs(weight), None if bias is None else abs(bias), **case.settings
    )
    x, weight, bias = case.operands(integers=False)
    y = npconv.conv2d(x, weight, bias, **case.settings, **variant)
    assert_close(y, expected, magnitude, case.n_terms)


def test_it_is_chosen_where_it_applies() -> None:
    x = np.ones((1, 6, 9, 9), "f4")
    for multiplier in (1, 2):
        weight = np.ones((6 * multiplier, 1, 3, 3), "f4")
        npconv.conv2d(x, weight, groups=6)
        assert npconv.last_plan()["algorithm"] == "depthwise"
    with pytest.raises(ValueError, match="declines"):
        npconv.conv2d(x, np.ones((6, 2, 3, 3), "f4"), groups=3, algorithm="depthwise")


def test_windows_too_large_to_be_kept_run_otherwise() -> None:
    x, weight = np.ones((1, 1, 5, 40), "f4"), np.ones((1, 1, 2, 3), "f4")
    settings: dict[str, Any] = {"dilation": (1, 200_000), "padding": (0, 200_000)}
    with pytest.raises(ValueError, match="declines"):
        npconv.conv2d(x, weight, **settings, algorithm="depthwise")
    assert_same_values(
        npconv.conv2d(x, weight, **settings), reference.conv2d(x, weight, **settings)
    )


# ---- promises ------------------------------------------------------------------------------


@each_variant
@each_case
def test_bits_do_not_depend_on_threads_batch_or_memory(
    case: ConvCase, variant: dict[str, Any]
) -> None:
    case = replace(case, batch=3)
    x, weight, bias = case.operands(integers=False)
    options = {**case.settings, **variant}
    expected = npconv.conv2d(x, weight, bias, **options, num_threads=1)
    threaded = npconv.conv2d(x, weight, bias, **options, num_threads=3)
    assert_same_bits(threaded, expected, "three threads")
    for image in range(3):
        alone = npconv.conv2d(x[image], weight, bias, **options)
        assert_same_bits(alone, expected[image], f"image {image} alone")
    for form, disguise in MEMORY.items():
        y = npconv.conv2d(disguise(x), disguise(weight), bias, **options)
        assert_same_bits(y, expected, form)
    out = np.full((*expected.shape[:3], 2 * expected.shape[3]), np.nan, "f4")[..., ::2]
    npconv.conv2d(x, weight, bias, **options, out=out)
    assert_same_bits(np.ascontiguousarray(out), expected, "out= of every second element")


@given(depthwise_cases(), st.sampled_from(VARIANTS), st.sampled_from([np.inf, -np.inf, np.nan]))
def test_special_values_land_where_the_sum_puts_them(
    case: ConvCase, variant: dict[str, Any], value: float
) -> None:
    case = replace(case, x_form=replace(case.x_form, dtype=case.dtype))
    rng = np.random.default_rng(case.seed)
    x, weight, bias = case.operands()
    x, weight = x.copy(), weight.copy()
    for array in (x, weight):
        if array.size:
            array[np.unravel_index(rng.integers(array.size, size=2), array.shape)] = value
    expected = reference.conv2d(x, weight, bias, **case.settings)
    assert_same_values(npconv.conv2d(x, weight, bias, **case.settings, **variant), expected)


@each_variant
@each_case
def test_what_follows_the_sum(case: ConvCase, variant: dict[str, Any]) -> None:
    """Activation and addition have the bits of separate steps, also where add is out itself."""
    x, weight, bias = case.operands(integers=False)
    options = {**case.settings, **variant}
    plain = npconv.conv2d(x, weight, bias, **options)
    add = np.random.default_rng(1).standard_normal(plain.shape).astype("f4")
    expected = np.maximum(plain + add, np.float32(0))
    y = npconv.conv2d(x, weight, bias, **options, activation="relu", add=add)
    assert_same_bits(y, expected)
    npconv.conv2d(x, weight, bias, **options, activation="relu", add=add, out=add)
    assert_same_bits(add, expected, "add is out")
