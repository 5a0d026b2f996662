"""Winograd's algorithm: near the reference, the same bits always, Inf and NaN in their places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import MEMORY, Pair, pairs
from tolerance import assert_same_bits, assert_same_values, unit_roundoff
from variants import ISAS

import npconv
from npconv import reference

# |y - y64| <= C * u * the largest sum|x||w| over the output's tile and its neighbours, for any
# geometry: with few channels one term decides. From 16 channels on README promises less.
PUBLISHED_C = 96.0
OUTPUTS = {1: 1, 3: 4, 5: 2}  # of a tile, by the kernel's taps along an axis

each_isa = pytest.mark.parametrize("isa", ISAS)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@dataclass(frozen=True)
class Case:
    """A convolution that the algorithm accepts."""

    batch: int
    groups: int
    in_per_group: int
    out_per_group: int
    output: Pair
    kernel: Pair
    dilation: Pair
    padding: Any
    bias: bool
    seed: int

    @property
    def settings(self) -> dict[str, Any]:
        return {"padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    @property
    def x_shape(self) -> tuple[int, ...]:
        sides = [
            o + (k - 1) * d - sum(p)
            for o, k, d, p in zip(
                self.output, self.kernel, self.dilation, self.padding, strict=True
            )
        ]
        return (self.batch, self.groups * self.in_per_group, *sides)

    def operands(self, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        rng = np.random.default_rng(self.seed)
        out = self.groups * self.out_per_group
        x = rng.standard_normal(self.x_shape).astype(dtype)
        weight = rng.standard_normal((out, self.in_per_group, *self.kernel)).astype(dtype)
        return x, weight, rng.standard_normal(out).astype(dtype) if self.bias else None


@st.composite
def cases(draw: st.DrawFn, largest: int = 20) -> Case:
    kernel = draw(st.tuples(*[st.sampled_from([3, 5, 1])] * 2).filter(lambda k: k != (1, 1)))
    dilation = draw(st.just((1, 1)) | pairs(1, 3))
    # Less than the kernel's reach, so that every window touches the input; an image not smaller
    # than the dilation, likewise.
    padding = tuple(
        draw(pairs(0, (k - 1) * d)) if k > 1 else (0, 0)
        for k, d in zip(kernel, dilation, strict=True)
    )
    least = [
        max(1, sum(p) - (k - 1) * d + max(d, *p))
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    output = tuple(draw(st.integers(n, max(n, largest))) for n in least)
    return Case(
        batch=draw(st.integers(1, 3)),
        groups=draw(st.sampled_from([1, 1, 2])),
        in_per_group=draw(st.integers(1, 20) | st.sampled_from([64, 65, 130])),
        out_per_group=draw(st.integers(1, 20) | st.sampled_from([48, 65, 130])),
        output=output,
        kernel=kernel,
        dilation=dilation,
        padding=padding,
        bias=draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def largest_near(magnitude: np.ndarray, case: Case) -> np.ndarray:
    """The largest value within two tiles of each element."""
    for axis in (2, 3):
        reach = 2 * OUTPUTS[case.kernel[axis - 2]] * case.dilation[axis - 2]
        width = [(0, 0)] * 4
        width[axis] = (reach, reach)
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(magnitude, width), 2 * reach + 1, axis=axis
        )
        magnitude = windows.max(axis=-1)
    return magnitude


def assert_near(y: np.ndarray, exact: np.ndarray, magnitude: np.ndarray, case: Case) -> None:
    assert y.shape == exact.shape
    bound = PUBLISHED_C * unit_roundoff(y.dtype) * largest_near(magnitude, case)
    error = abs(y - exact)
    assert (error <= bound).all(), f"{(error / bound).max() * PUBLISHED_C:.1f} u sum|x||w|"


# ---- against the reference -----------------------------------------------------------------


@each_isa
@each_dtype
@given(case=cases())
def test_forward_is_near_the_reference(dtype: str, isa: str, case: Case) -> None:
    x, weight, bias = case.operands(dtype)
    y = npconv.conv2d(x, weight, bias, **case.settings, algorithm="winograd", isa=isa)
    x, weight = x.astype("f8"), weight.astype("f8")
    exact = reference.conv2d(x, weight, bias, **case.settings)
    magnitude = reference.conv2d(
        abs(x), abs(weight), None if bias is None else abs(bias), **case.settings
    )
    assert_near(y, exact, magnitude, case)


@each_isa
@each_dtype
@given(case=cases())
def test_input_gradient_is_near_the_reference(dtype: str, isa: str, case: Case) -> None:
    x, weight, _ = case.operands(dtype)
    grad = reference.conv2d(x, weight, **case.settings)
    arguments = (grad, weight, x.shape)
    found = npconv.explain("conv2d_input_grad", *arguments, **case.settings, algorithm="winograd")
    if found.algorithm is None:  # x has pixels that no window reaches, or beyond them
        assert "padding" in next(c.reason for c in found.candidates if c.name == "winograd")
        return
    dx = npconv.conv2d_input_grad(*arguments, **case.settings, algorithm="winograd", isa=isa)
    grad, weight = grad.astype("f8"), weight.astype("f8")
    exact = reference.conv2d_input_grad(grad, weight, x.shape, **case.settings)
    magnitude = reference.conv2d_input_grad(abs(grad), abs(weight), x.shape, **case.settings)
    assert_near(dx, exact, magnitude, case)


def declined_for_padding(arguments: tuple[Any, ...], case: Case) -> bool:
    found = npconv.explain("conv2d_weight_grad", *arguments, **case.settings, algorithm="winograd")
    if found.algorithm is None:
        assert "padding" in next(c.reason for c in found.candidates if c.name == "winograd")
    return found.algorithm is None


@each_isa
@each_dtype
@given(case=cases())
def test_weight_gradient_is_near_the_reference(dtype: str, isa: str, case: Case) -> None:
    x, weight, _ = case.operands(dtype)
    grad = reference.conv2d(x, weight, **case.settings)
    if declined_for_padding((grad, x, weight.shape), case):
        return
    options = {**case.settings, "algorithm": "winograd", "isa": isa}
    dw = npconv.conv2d_weight_grad(grad, x, weight.shape, **options)
    threaded = npconv.conv2d_weight_grad(grad, x, weight.shape, **options, num_threads=3)
    assert_same_bits(threaded, dw, "three threads")
    awkward = MEMORY["channels last"](grad), MEMORY["byteswapped"](x)
    again = npconv.conv2d_weight_grad(*awkward, weight.shape, **options)
    assert_same_bits(again, dw, "awkward memory")
    grad, x = grad.astype("f8"), x.astype("f8")
    exact = reference.conv2d_weight_grad(grad, x, weight.shape, **case.settings)
    magnitude = reference.conv2d_weight_grad(abs(grad), abs(x), weight.shape, **case.settings)
    largest = magnitude.max(axis=(2, 3), keepdims=True)
    assert (abs(dw - exact) <= PUBLISHED_C * unit_roundoff(dtype) * largest).all()


@each_isa
@given(case=cases(largest=13), value=st.sampled_from([np.inf, np.nan]), in_x=st.booleans())
def test_special_values_in_weight_gradients_land_where_the_sum_puts_them(
    isa: str, case: Case, value: float, in_x: bool
) -> None:
    x, weight, _ = case.operands("float32")
    grad = reference.conv2d(x, weight, **case.settings)
    if declined_for_padding((grad, x, weight.shape), case):
        return
    array = x if in_x else grad
    array.flat[np.random.default_rng(case.seed).integers(array.size, size=2)] = value
    dw = npconv.conv2d_weight_grad(
        grad, x, weight.shape, **case.settings, algorithm="winograd", isa=isa
    )
    expected = reference.conv2d_weight_grad(
        grad.astype("f8"), x.astype("f8"), weight.shape, **case.settings
    )
    finite = np.isfinite(expected)
    assert_same_values(np.where(finite, 0, dw), np.where(finite, 0, expected))
    assert np.allclose(dw[finite], expected[finite], rtol=0.01, atol=0.01)


@each_isa
@pytest.mark.parametrize("width", range(1, 70))
def test_every_width(width: int, isa: str) -> None:
    """Whole tiles, edge tiles of one and two pixels, and runs that end anywhere."""
    case = Case(2, 1, 5, 7, (5, width), (3, 3), (1, 1), ((1, 1), (1, 1)), True, width)
    x, weight, bias = case.operands("float32")
    y = npconv.conv2d(x, weight, bias, **case.settings, algorithm="winograd", isa=isa)
    exact = reference.conv2d(x.astype("f8"), weight.astype("f8"), bias, **case.settings)
    magnitude = reference.conv2d(abs(x), abs(weight), abs(bias), **case.settings)
    assert_near(y, exact, magnitude, case)


@each_isa
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("channels", [16, 64, 256])
@pytest.mark.parametrize("data", ["normal", "relu", "uniform"])
def test_published_bound(data: str, channels: int, kernel: int, isa: str) -> None:
    pad = kernel // 2
    case = Case(
        1, 1, channels, 24, (20, 22), (kernel,) * 2, (1, 1), ((pad, pad),) * 2, False, channels
    )
    rng = np.random.default_rng(case.seed)
    draw = rng.random if data == "uniform" else rng.standard_normal
    x = draw(case.x_shape).astype("f4")
    x = np.maximum(x, 0) if data == "relu" else x
    weight = draw((24, channels, kernel, kernel)).astype("f4")
    y = npconv.conv2d(x, weight, **case.settings, algorithm="winograd", isa=isa)
    x, weight = x.astype("f8"), weight.astype("f8")
    magnitude = reference.conv2d(abs(x), abs(weight), **case.settings)
    bound = 12 * unit_roundoff("f4") * largest_near(magnitude, case)
    assert (abs(y - reference.conv2d(x, weight, **case.settings)) <= bound).all()


@each_isa
@each_dtype
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 30])
def test_tiles_of_2x2_are_exact_on_small_integers(size: int, dtype: str, isa: str) -> None:
    rng = np.random.default_rng(size)
    x = rng.integers(-8, 9, (3, 70, size, size + 1)).astype(dtype)
    for kernel in ((3, 3), (1, 3), (3, 1)):
        weight = rng.integers(-8, 9, (18, 70, *kernel)).astype(dtype)
        settings: dict[str, Any] = {"padding": [k // 2 for k in kernel]}
        options = {**settings, "algorithm": "winograd2", "isa": isa}
        expected = reference.conv2d(x, weight, **settings)
        assert_same_values(npconv.conv2d(x, weight, **options), expected)
        dx = npconv.conv2d_input_grad(expected, weight, x.shape, **options)
        exact = reference.conv2d_input_grad(expected, weight, x.shape, **settings)
        assert np.allclose(dx, exact, rtol=0, atol=abs(exact).max() * np.finfo(dtype).eps * 8)


# ---- the same bits -------------------------------------------------------------------------

FEW = Case(1, 1, 70, 70, (14, 14), (3, 3), (1, 1), ((1, 1), (1, 1)), True, 1)
MANY = Case(6, 1, 70, 70, (14, 14), (3, 3), (1, 1), ((1, 1), (1, 1)), True, 2)
SHARED = Case(6, 1, 90, 90, (14, 14), (3, 3), (1, 1), ((1, 1), (1, 1)), True, 4)
WIDE = Case(2, 2, 17, 40, (30, 66), (3, 3), (2, 2), ((2, 2), (2, 2)), True, 3)


@each_isa
@pytest.mark.parametrize(
    "case",
    [FEW, MANY, SHARED, WIDE],
    ids=["few tiles", "few weights", "shared weights", "dilated"],
)
def test_same_bits_for_any_threads_and_split_of_the_batch(case: Case, isa: str) -> None:
    x, weight, bias = case.operands("float32")
    options = {**case.settings, "algorithm": "winograd", "isa": isa}
    y = npconv.conv2d(x, weight, bias, **options, num_threads=1)
    for threads in (2, 3, 8):
        again = npconv.conv2d(x, weight, bias, **options, num_threads=threads)
        assert_same_bits(again, y, f"{threads} threads")
    alone = [npconv.conv2d(image, weight, bias, **options) for image in x]
    assert_same_bits(np.stack(alone), y, "one image at a time")


@each_isa
@pytest.mark.parametrize("memory", MEMORY)
def test_same_bits_from_any_memory(memory: str, isa: str) -> None:
    x, weight, bias = WIDE.operands("float32")
    options = {**WIDE.settings, "algorithm": "winograd", "isa": isa}
    y = npconv.conv2d(x, weight, bias, **options)
    awkward = npconv.conv2d(MEMORY[memory](x), MEMORY[memory](weight), bias, **options)
    assert_same_bits(awkward, y)
    if memory in ("transposed", "channels last", "negative", "sliced"):
        out = MEMORY[memory](np.zeros_like(y))
        npconv.conv2d(x, weight, bias, **options, out=out)
        assert_same_bits(out, y, "out")


@each_isa
def test_activation_and_add_change_no_other_bit(isa: str) -> None:
    x, weight, bias = MANY.operands("float32")
    options = {**MANY.settings, "algorithm": "winograd", "isa": isa}
    y = npconv.conv2d(x, weight, bias, **options)
    add = np.random.default_rng(1).standard_normal(y.shape).astype("f4")
    fused = npconv.conv2d(x, weight, bias, **options, activation="relu", add=add)
    assert_same_bits(fused, np.maximum(y + add, 0))
    out = add.copy()
    npconv.conv2d(x, weight, bias, **options, activation="relu", add=out, out=out)
    assert_same_bits(out, fused, "in place")


# ---- Inf, NaN and overflow -----------------------------------------------------------------


@each_isa
@given(
    case=cases(largest=13),
    where=st.sampled_from(["x", "weight", "bias"]),
    value=st.sampled_from([np.inf, -np.inf, np.nan]),
)
def test_special_values_land_where_the_sum_puts_them(
    isa: str, case: Case, where: str, value: float
) -> None:
    x, weight, bias = case.operands("float32")
    bias = np.ones(len(weight), "f4") if bias is None else bias
    array = {"x": x, "weight": weight, "bias": bias}[where]
    array.flat[np.random.default_rng(case.seed).integers(array.size, size=2)] = value
    y = npconv.conv2d(x, weight, bias, **case.settings, algorithm="winograd", isa=isa)
    expected = reference.conv2d(x.astype("f8"), weight, bias, **case.settings)
    finite = np.isfinite(expected)
    assert_same_values(np.where(finite, 0, y), np.where(finite, 0, expected))
    assert np.allclose(y[finite], expected[finite], rtol=0.01, atol=0.01)


@each_isa
def test_transforms_that_overflow_are_computed_again(isa: str) -> None:
    """A transformed pixel is up to 20 times the largest pixel: beyond float32 here."""
    x = np.full((1, 3, 9, 9), 2e38, "f4")
    x[:, :, ::2, 1::2] *= -1
    weight = np.full((2, 3, 3, 3), 1e-3, "f4")
    expected = reference.conv2d(x.astype("f8"), weight, padding=1)
    y = npconv.conv2d(x, weight, padding=1, algorithm="winograd", isa=isa)
    assert np.isfinite(expected).all()
    assert np.allclose(y, expected, rtol=1e-4, atol=1e31)


@each_isa
def test_edge_tiles_alone_may_overflow(isa: str) -> None:
    """Results of a tile that lie outside of the output are no concern of anybody."""
    x = np.ones((1, 1, 5, 5), "f4")
    x[0, 0, 4, 4] = np.inf
    weight = np.ones((1, 1, 3, 3), "f4")
    y = npconv.conv2d(x, weight, padding=1, algorithm="winograd", isa=isa)
    assert_same_values(y, reference.conv2d(x, weight, padding=1))


# ---- what it declines ----------------------------------------------------------------------


def reason(*args: Any, **options: Any) -> str:
    found = npconv.explain("conv2d", *args, **options).candidates
    return next(candidate.reason for candidate in found if candidate.name == "winograd")


def test_strict_precision_never_takes_it() -> None:
    x, weight = np.ones((1, 64, 28, 28), "f4"), np.ones((64, 64, 3, 3), "f4")
    assert reason(x, weight, padding=1) == ""
    assert "strict" in reason(x, weight, padding=1, precision="strict")
    npconv.conv2d(x, weight, padding=1, precision="strict")
    assert npconv.last_plan()["algorithm"] != "winograd"
    with pytest.raises(ValueError, match="strict"):
        npconv.conv2d(x, weight, padding=1, precision="strict", algorithm="winograd")


def test_float64_takes_it_only_when_asked() -> None:
    x, weight = np.ones((1, 64, 28, 28)), np.ones((64, 64, 3, 3))
    assert "float64" in reason(x, weight, padding=1)
    assert reason(x, weight, padding=1, algorithm="winograd") == ""


@pytest.mark.parametrize(
    ("kernel", "options", "words"),
    [
        ((3, 3), {"stride": 2}, "stride"),
        ((7, 7), {}, "taps"),
        ((1, 1), {}, "one tap"),
        ((3, 3), {"padding": 3}, "padding"),
        ((3, 3), {"padding": 12, "dilation": 12}, "padding"),
    ],
)
def test_what_it_is_not_made_for(kernel: Pair, options: dict[str, Any], words: str) -> None:
    x, weight = np.ones((1, 16, 11, 11), "f4"), np.ones((16, 16, *kernel), "f4")
    assert words in reason(x, weight, **options)
    with pytest.raises(ValueError, match=words):
        npconv.conv2d(x, weight, **options, algorithm="winograd")


def test_choice_depends_on_neither_batch_nor_threads() -> None:
    weight = np.ones((64, 64, 3, 3), "f4")
    for size in (4, 6, 8, 10, 14, 28):
        chosen = set()
        for batch in (1, 2, 64):
            x = np.ones((batch, 64, size, size), "f4")
            for threads in (1, 2):
                npconv.conv2d(x, weight, padding=1, num_threads=threads)
                chosen.add(npconv.last_plan()["algorithm"])
        assert len(chosen) == 1, size


# ---- memory --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "channels", "size", "kernel"),
    [(1, 64, 112, 3), (1, 512, 14, 3), (4, 512, 28, 3), (1, 2048, 14, 3), (1, 96, 27, 5)],
)
def test_workspace_is_within_its_bound(batch: int, channels: int, size: int, kernel: int) -> None:
    """8 MB a thread, and 4.1 times the weights (2.9 for 5x5 by a tile's points and taps)."""
    x = np.zeros((batch, channels, size, size), "f4")
    weight = np.zeros((64, channels, kernel, kernel), "f4")
    for threads in (1, 2):
        npconv.conv2d(x, weight, padding=kernel // 2, algorithm="winograd", num_threads=threads)
        used = npconv.last_plan()["workspace_bytes"]
        assert used <= threads * 8 * 2**20 + 4.1 * weight.nbytes
