"""The algorithm for images with few channels: bands of rows, spread and multiplied by UK2."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies import MEMORY, ConvCase, conv_cases
from tolerance import assert_same_bits, assert_same_values
from variants import ISAS

import npconv
from npconv import reference

each_isa = pytest.mark.parametrize("isa", ISAS)
FORCED: dict[str, Any] = {"algorithm": "few_channels"}
LAST_PIXELS = 4


def accepts(case: ConvCase) -> bool:
    """Whether the algorithm takes the case."""
    x, weight = np.empty(case.x_shape, case.dtype), np.empty(case.weight_shape, case.dtype)
    found = npconv.explain(case.function, x, weight, **case.settings, **FORCED)
    return found.algorithm == "few_channels"


def check(case: ConvCase) -> None:
    """Exact on integers, and bit by bit what `direct` gives on other numbers, on every ISA.

    But for the last pixels of small images, which `direct` sums in another order.
    """
    conv = getattr(npconv, case.function)
    x, weight, bias = case.operands(integers=True)
    expected = getattr(reference, case.function)(x, weight, bias, **case.settings)
    normal = case.operands(integers=False)
    for isa in ISAS:
        y = conv(x, weight, bias, **case.settings, **FORCED, isa=isa)
        assert_same_values(y, expected, isa)
        y = conv(*normal, **case.settings, **FORCED, isa=isa, num_threads=2)
        direct = conv(*normal, **case.settings, algorithm="direct", isa=isa)
        lead, pixels = y.shape[: -len(case.size)], math.prod(y.shape[-len(case.size) :])
        first = np.s_[..., : max(pixels - LAST_PIXELS, 0)]
        y, direct = (result.reshape(*lead, pixels)[first] for result in (y, direct))
        assert_same_bits(y, direct, isa)


@given(conv_cases(largest_channels=8, largest_size=30))
def test_generated_geometries(case: ConvCase) -> None:
    if accepts(case):
        check(case)


@given(conv_cases(ndim=1, largest_channels=8, largest_size=90, largest_kernel=30))
def test_generated_sequences(case: ConvCase) -> None:
    """Where taps share lines."""
    if accepts(case):
        check(case)


@each_isa
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_that_are_not_finite_leave_other_outputs_their_bits(isa: str, dtype: str) -> None:
    """Of small images, too, whose last pixels `direct` sums in another order."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((6, 5, 1, 26)).astype(dtype)
    odd = weight.copy()
    odd[2, 1, 0, 3] = np.inf
    for width in range(18, 60):
        x = rng.standard_normal((2, 5, 1, width)).astype(dtype)
        options: dict[str, Any] = {"padding": (0, 12), "isa": isa, **FORCED}
        y, other = npconv.conv2d(x, weight, **options), npconv.conv2d(x, odd, **options)
        assert not np.isfinite(other[:, 2]).all()
        others = [0, 1, 3, 4, 5]
        assert_same_bits(other[:, others], y[:, others], f"width {width}")


EDGES = {
    "one pixel": ConvCase(1, 1, 1, 4, (1, 1), (1, 1), bias=True),
    "one column": ConvCase(2, 1, 3, 5, (40, 1), (3, 1), padding=(1, 0)),
    "one row": ConvCase(2, 1, 3, 5, (1, 300), (1, 7), padding=(0, 3), bias=True),
    "dilation": ConvCase(1, 1, 2, 6, (20, 37), (3, 5), dilation=(2, 3), padding=4),
    "dilation and stride": ConvCase(1, 1, 2, 6, (33, 37), (4, 3), (2, 3), dilation=(3, 2)),
    "dilation past the image": ConvCase(1, 1, 2, 4, (5, 6), (3, 3), dilation=(9, 8), padding=9),
    "asymmetric padding": ConvCase(1, 1, 3, 9, (17, 23), (3, 4), padding=((0, 2), (3, 1))),
    "stride past the kernel": ConvCase(1, 1, 3, 7, (50, 61), (2, 3), (7, 5), bias=True),
    "stride past the image": ConvCase(1, 1, 3, 7, (5, 6), (2, 2), (100, 90)),
    "kernel past the image": ConvCase(3, 1, 2, 5, (3, 4), (7, 9), padding=4, bias=True),
    "wholly in the padding": ConvCase(1, 1, 1, 4, (2, 2), (3, 3), padding=6, bias=True),
    "groups": ConvCase(2, 3, 2, 5, (19, 22), (3, 3), padding=1, bias=True),
    "one output channel": ConvCase(1, 1, 3, 1, (30, 31), (5, 5), padding=2),
    "alexnet": ConvCase(1, 1, 3, 96, (71, 99), (11, 11), (4, 4), bias=True),
    "resnet": ConvCase(2, 1, 3, 64, (50, 64), (7, 7), (2, 2), padding=3),
    "largest depth": ConvCase(1, 1, 8, 20, (20, 40), (16, 16), padding=3),
    "columns in parts": ConvCase(1, 1, 8, 4, (3, 9000), (3, 9), padding=(1, 4)),
    "sound": ConvCase(2, 1, 1, 8, (700,), (80,), (4,), (1,), bias=True),
    "shared lines": ConvCase(1, 2, 2, 5, (301,), (31,), (6,), (4,), padding=50),
    "shared lines in parts": ConvCase(1, 1, 8, 4, (9000,), (33,), (1,), (3,), padding=7),
    "stride past the shared kernel": ConvCase(1, 1, 1, 4, (300,), (5,), (40,), (1,), padding=3),
    "kernel past the sequence": ConvCase(1, 1, 3, 4, (9,), (40,), (3,), (2,), padding=60),
    "bands of the last row": ConvCase(1, 1, 8, 5, (97, 130), (3, 3), padding=1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EDGES)
def test_edges(name: str, dtype: str) -> None:
    case = EDGES[name].with_dtype(dtype)
    assert accepts(case)
    check(case)


@pytest.mark.parametrize("form", MEMORY)
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_bits_do_not_depend_on_the_memory_of_x(form: str, stride: int) -> None:
    rng = np.random.default_rng(1)
    x, weight = rng.standard_normal((2, 3, 19, 70)), rng.standard_normal((6, 3, 3, 5))
    for dtype in ("f4", "f8"):
        image, filters = x.astype(dtype), weight.astype(dtype)
        settings = {"stride": stride, "padding": (1, 2), **FORCED}
        for isa in ISAS:
            expected = npconv.conv2d(image, filters, **settings, isa=isa)
            assert_same_bits(
                npconv.conv2d(MEMORY[form](image), filters, **settings, isa=isa), expected
            )


@each_isa
def test_conversions_while_the_band_is_filled(isa: str) -> None:
    x = np.random.default_rng(1).integers(0, 200, (1, 40, 50, 3), "u1").transpose(0, 3, 1, 2)
    weight = np.random.default_rng(2).integers(-3, 4, (5, 3, 3, 3)).astype("f4")
    for dtype in ("u1", "f2", "i2", ">f4"):
        image = x.astype(dtype)
        y = npconv.conv2d(image, weight, padding=1, stride=2, **FORCED, isa=isa)
        assert_same_values(y, reference.conv2d(image, weight, padding=1, stride=2), dtype)


@cache
def large_images(channels: int) -> tuple[np.ndarray, ...]:
    """Input, weight, bias and output, which is too large for caches."""
    x = np.random.default_rng(1).integers(-3, 4, (1, 2, 512, 736)).astype("f4")
    weight = np.random.default_rng(2).integers(-3, 4, (channels, 2, 3, 3)).astype("f4")
    bias = np.arange(channels, dtype="f4")
    return x, weight, bias, reference.conv2d(x, weight, bias, padding=1)


@each_isa
@pytest.mark.parametrize("at", [0, 1, 3])
@pytest.mark.parametrize("channels", [6, 9])  # in tiles of several widths
def test_large_results_at_any_alignment(isa: str, at: int, channels: int) -> None:
    """Written past the caches where they are in step with cache lines, by one and two threads."""
    x, weight, bias, expected = large_images(channels)
    for threads in (1, 2):
        room = np.full(expected.size + 32, np.nan, "f4")
        first = -room.ctypes.data // 4 % 16 + at  # from a cache line
        out = room[first : first + expected.size].reshape(expected.shape)
        npconv.conv2d(x, weight, bias, padding=1, **FORCED, isa=isa, num_threads=threads, out=out)
        assert_same_values(out, expected)
        assert np.isnan(room[:first]).all()
        assert np.isnan(room[first + expected.size :]).all()


@each_isa
@pytest.mark.parametrize("activation", [None, "relu"])
def test_results_are_finished(isa: str, activation: str | None) -> None:
    rng = np.random.default_rng(1)
    x, weight = (rng.integers(-3, 4, s).astype("f4") for s in ((2, 3, 21, 45), (10, 3, 3, 3)))
    add = rng.integers(-30, 30, (2, 10, 21, 45)).astype("f4")
    settings = {"padding": 1, "activation": activation}
    expected = reference.conv2d(x, weight, add=add, **settings)
    y = npconv.conv2d(x, weight, add=add, **settings, **FORCED, isa=isa)
    assert_same_values(y, expected)
    npconv.conv2d(x, weight, add=add, out=add, **settings, **FORCED, isa=isa)
    assert_same_values(add, expected, "in place")


@each_isa
@pytest.mark.parametrize("weird", [np.inf, -np.inf, np.nan])
def test_padding_is_not_multiplied_by_weights_that_are_not_finite(isa: str, weird: float) -> None:
    x = np.random.default_rng(1).integers(-3, 4, (1, 2, 9, 21)).astype("f4")
    weight = np.ones((5, 2, 3, 3), "f4")
    weight[2, 1, 0, 0] = weird
    x[0, 1, 4, 4] = 0.5
    with np.errstate(invalid="ignore"):
        expected = reference.conv2d(x, weight, padding=2)
    assert_same_values(npconv.conv2d(x, weight, padding=2, **FORCED, isa=isa), expected)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", EDGES)
def test_workspace_is_within_its_bound(name: str, threads: int) -> None:
    case = EDGES[name].with_dtype("float64")
    x, weight = np.ones(case.x_shape), np.ones(case.weight_shape)
    getattr(npconv, case.function)(x, weight, **case.settings, **FORCED, num_threads=threads)
    assert npconv.last_plan()["workspace_bytes"] <= threads * 2 * 2**20


def test_what_it_declines_is_refused_with_a_reason() -> None:
    wide, narrow = np.ones((1, 9, 5, 5)), np.ones((1, 3, 5, 5))
    for x, weight, settings in [
        (wide, np.ones((4, 9, 3, 3)), {}),
        (narrow, np.ones((3, 1, 3, 3)), {"groups": 3}),
        (np.ones((1, 1, 3, 200)), np.ones((4, 1, 1, 129)), {}),
    ]:
        found = npconv.explain("conv2d", x, weight, **settings, **FORCED)
        assert found.algorithm is None
        (mine,) = (c for c in found.candidates if c.name == "few_channels")
        assert mine.reason
        with pytest.raises(ValueError, match="declines"):
            npconv.conv2d(x, weight, **settings, **FORCED)
    with pytest.raises(ValueError, match="declines"):
        npconv.conv2d_input_grad(
            np.ones((1, 4, 3, 3)), np.ones((4, 3, 3, 3)), narrow.shape, **FORCED
        )
