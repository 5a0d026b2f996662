"""Convolutions of every kind of number: result types, exactness, rounding, and what counts."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import MEMORY, ConvCase, conv_cases
from tolerance import assert_close, assert_same_bits, assert_same_values
from variants import ISAS

import npconv
from npconv import _native, number_types, reference
from npconv.functional import integers

INTEGERS = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def draw_array(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Values of the whole range of an integer dtype; small whole numbers in the others."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype.newbyteorder("="), True).astype(
            dtype
        )
    values = rng.integers(-3, 4, shape).astype(dtype)
    return values + 1j * rng.integers(-3, 4, shape).astype(dtype) if dtype.kind == "c" else values


# ---- result types ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"x": "int8", "weight": "int8"}, "int32"),
        ({"x": "uint8", "weight": "int8"}, "int32"),
        ({"x": "bool", "weight": "bool"}, "int32"),
        ({"x": "uint8", "weight": "int8", "bias": "int32"}, "int32"),
        ({"x": "uint8", "weight": "int8", "add": "int16"}, "int32"),
        ({"x": "uint8", "weight": "int8", "bias": "int64"}, "int64"),
        ({"x": "uint8", "weight": "int8", "bias": "uint32"}, "int64"),
        ({"x": "int16", "weight": "int8"}, "int64"),
        ({"x": "uint32", "weight": "int32"}, "int64"),
        ({"x": "uint64", "weight": "uint8"}, "uint64"),
        ({"x": "uint64", "weight": "int8"}, "float64"),
        ({"x": "float16", "weight": "float16"}, "float16"),
        ({"x": "float16", "weight": "float32"}, "float32"),
        ({"x": "float16", "weight": "int8"}, "float16"),
        ({"x": "float16", "weight": "int16"}, "float32"),
        ({"x": "int64", "weight": "float32"}, "float64"),
        ({"x": "complex64", "weight": "float32"}, "complex64"),
        ({"x": "complex64", "weight": "float64"}, "complex128"),
        ({"x": "float32", "weight": "float32", "bias": "complex64"}, "complex64"),
    ],
)
def test_result_types(inputs, expected):
    shapes = {"x": (1, 1, 3, 3), "weight": (2, 1, 2, 2), "bias": (2,), "add": (1, 2, 2, 2)}
    operands = {name: np.ones(shapes[name], dtype) for name, dtype in inputs.items()}
    y = npconv.conv2d(**operands)
    assert y.dtype == expected
    assert (y == 4 + sum(name in inputs for name in ("bias", "add"))).all()
    assert reference.conv2d(**operands).dtype == expected


# ---- integers ----------------------------------------------------------------------------------


@given(
    case=conv_cases(largest_channels=4),
    x_dtype=st.sampled_from(INTEGERS),
    w_dtype=st.sampled_from(INTEGERS),
    swapped=st.booleans(),
    memory=st.sampled_from(list(MEMORY)),
    isa=st.sampled_from(ISAS),
    activation=st.sampled_from([None, "relu", "relu6"]),
)
def test_integers_are_exact(
    case: ConvCase, x_dtype, w_dtype, swapped, memory, isa, activation
) -> None:
    """Whole ranges of the types: sums overflow, and wrap as the reference's."""
    rng = np.random.default_rng(case.seed)
    x_type = np.dtype(x_dtype).newbyteorder("S" if swapped else "=")
    x = MEMORY[memory](draw_array(rng, case.x_shape, x_type))
    weight = MEMORY[case.weight_memory](draw_array(rng, case.weight_shape, w_dtype))
    if np.result_type(x, weight).kind == "f":
        return  # uint64 beside signed integers
    bias = draw_array(rng, case.weight_shape[:1], w_dtype) if case.bias else None
    expected = reference.conv2d(x, weight, bias, **case.settings)
    add = draw_array(rng, expected.shape, w_dtype)
    settings: dict[str, Any] = {**case.settings, "add": add, "activation": activation}
    expected = reference.conv2d(x, weight, bias, **settings)
    assert_same_bits(npconv.conv2d(x, weight, bias, **settings, isa=isa), expected)
    out = np.asfortranarray(np.empty_like(expected))
    assert npconv.conv2d(x, weight, bias, **settings, isa=isa, out=out) is out
    assert_same_values(out, expected)
    grad = MEMORY[memory](draw_array(rng, expected.shape, w_dtype))
    found = npconv.conv2d_backward(grad, x, weight, **case.settings, isa=isa)
    wanted = reference.conv2d_backward(grad, x, weight, **case.settings)
    for one, other in zip(found, wanted, strict=True):
        assert_same_bits(one, other)


@given(
    case=conv_cases(largest_channels=4),
    x_dtype=st.sampled_from(INTEGERS),
    w_dtype=st.sampled_from(INTEGERS),
    bits=st.sampled_from([1, 7, 10, 20, 31]),
    swapped=st.booleans(),
    memory=st.sampled_from(list(MEMORY)),
    activation=st.sampled_from([None, "relu", "relu6"]),
)
def test_floats_compute_integers_where_they_hold_them(
    case: ConvCase, x_dtype, w_dtype, bits, swapped, memory, activation
) -> None:
    """On both sides of what float32 and float64 hold."""
    rng = np.random.default_rng(case.seed)

    def draw(shape, dtype):
        whole = draw_array(rng, shape, dtype)
        return (
            whole >> max(whole.dtype.itemsize * 8 - bits, 0) if whole.dtype.kind != "b" else whole
        )

    x_type = np.dtype(x_dtype).newbyteorder("S" if swapped else "=")
    x = MEMORY[memory](draw(case.x_shape, x_dtype).astype(x_type))
    weight = MEMORY[case.weight_memory](draw(case.weight_shape, w_dtype))
    if np.result_type(x, weight).kind == "f":
        return
    bias = draw(case.weight_shape[:1], w_dtype) if case.bias else None
    settings: dict[str, Any] = {**case.settings, "activation": activation}
    expected = reference.conv2d(x, weight, bias, **settings)
    with mock.patch.object(integers, "FEW_PRODUCTS", 0):
        assert_same_bits(npconv.conv2d(x, weight, bias, **settings), expected)
        out = np.asfortranarray(np.empty_like(expected))
        assert npconv.conv2d(x, weight, bias, **settings, out=out) is out
        assert_same_values(out, expected)
        grad = MEMORY[memory](draw(expected.shape, w_dtype))
        found = npconv.conv2d_backward(grad, x, weight, **case.settings)
    wanted = reference.conv2d_backward(grad, x, weight, **case.settings)
    for one, other in zip(found, wanted, strict=True):
        assert_same_bits(one, other)


def test_the_largest_values_say_which_floats_compute_integers():
    x, weight = np.ones((1, 4, 64, 64), np.int64), np.ones((32, 4, 3, 3), np.int64)

    def computed(value: int) -> str:
        x[0, 1, 2, 3] = value
        assert npconv.conv2d(x, weight)[0, 0, 0, 1] == value + 35
        return npconv.last_plan()["dtype"]

    assert computed(2**24 // 36) == "float32"
    assert computed(2**24 // 36 + 1) == computed(-(2**53) // 36 + 1) == "float64"
    assert computed(2**53 // 36 + 1) == computed(2**62) == "int64"


def test_integer_results_do_not_depend_on_threads_or_batch():
    rng = np.random.default_rng(0)
    x = draw_array(rng, (5, 126, 13, 15), "int8")
    weight = draw_array(rng, (30, 126, 3, 3), "int8")
    y = npconv.conv2d(x, weight, padding=1, num_threads=1)
    plan = npconv.last_plan()
    assert (plan["algorithm"], plan["dtype"]) == ("integer", "int32")
    assert np.array_equal(npconv.conv2d(x, weight, padding=1, num_threads=3), y)
    assert np.array_equal(npconv.conv2d(x[2], weight, padding=1), y[2])


def test_an_image_that_overflows_wraps():
    x = np.full((1, 1, 1, 2), 2**62)
    weight = np.full((1, 1, 1, 2), 1)
    assert npconv.conv2d(x, weight).item() == -(2**63)


def test_algorithms_are_not_for_integers():
    x = np.ones((1, 1, 3, 3), np.int8)
    with pytest.raises(ValueError, match=r"algorithm='direct' declines this call: .*int32"):
        npconv.conv2d(x, x, algorithm="direct")
    why = npconv.explain("conv2d", x, x)
    assert (why.algorithm, why.dtype) == ("integer", "int32")
    assert "floating-point" in str(why)


# ---- half precision ----------------------------------------------------------------------------


def half_types() -> list[Any]:
    try:
        import ml_dtypes
    except ImportError:
        return ["float16"]
    return ["float16", ml_dtypes.bfloat16]


@pytest.mark.parametrize("dtype", half_types(), ids=str)
@given(case=conv_cases(largest_channels=4), memory=st.sampled_from([*MEMORY][:5]))
@example(case=ConvCase(3, 1, 4, 5, (9, 8), (3, 3), padding=1), memory="contiguous")
def test_half_precision_is_rounded_once(dtype, case: ConvCase, memory) -> None:
    """Results are those in float32, rounded."""
    rng = np.random.default_rng(case.seed)
    x = MEMORY[memory](rng.standard_normal(case.x_shape).astype(dtype))
    weight = rng.standard_normal(case.weight_shape).astype(dtype)
    bias = rng.standard_normal(case.weight_shape[0]).astype(dtype)
    x32, weight32, bias32 = (a.astype(np.float32) for a in (x, weight, bias))
    y32 = npconv.conv2d(x32, weight32, bias32, **case.settings)
    y = npconv.conv2d(x, weight, bias, **case.settings)
    assert y.dtype == dtype
    assert_same_bits(y.view(np.uint16), y32.astype(dtype).view(np.uint16))
    grad = y
    for ours, theirs in zip(
        npconv.conv2d_backward(grad, x, weight, **case.settings),
        npconv.conv2d_backward(grad.astype("f4"), x32, weight32, **case.settings),
        strict=True,
    ):
        assert ours.dtype == dtype
        assert_same_bits(ours.view(np.uint16), theirs.astype(dtype).view(np.uint16))


def test_half_precision_beside_wider_types():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 7, 7)).astype(np.float16)
    weight = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    y = npconv.conv2d(x, weight)
    assert_same_bits(y, npconv.conv2d(x.astype(np.float32), weight))
    add = rng.standard_normal(y.shape).astype(np.float16)
    half = weight.astype(np.float16)
    out = add.copy()
    npconv.conv2d(x, half, add=out, out=out, activation="relu")
    expected = npconv.conv2d(x.astype("f4"), half.astype("f4"), add=add.astype("f4"))
    assert_same_bits(out, np.where(expected > 0, expected, np.float32(0)).astype(np.float16))


@pytest.mark.parametrize("dtype", half_types(), ids=str)
def test_conversions_are_exact_for_every_value(dtype):
    """All 65536 of them are read; what lies between is rounded to the nearest, ties to even."""
    options = ("auto", "auto", 1, "standard")
    every = np.arange(65536, dtype=np.uint16).view(dtype)
    read = np.empty(65536, np.float32)
    _native.convert(every, read, options)
    assert_same_values(read, every.astype(np.float32))
    with np.errstate(all="ignore"):
        beside = [np.nextafter(read, np.float32(end)) for end in (np.inf, -np.inf)]
        halfway = (read[:-1].astype("f8") + read[1:]).astype("f4") / 2
        for values in (read, *beside, halfway, -halfway):
            rounded = np.empty(values.shape, dtype)
            _native.convert(values, rounded, options)
            assert_same_values(rounded.astype("f4"), values.astype(dtype).astype("f4"))


# ---- complex numbers ---------------------------------------------------------------------------


@given(
    case=conv_cases(largest_channels=4),
    kinds=st.sampled_from(["cc", "cr", "rc"]),
    memory=st.sampled_from([*MEMORY][:6]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_complex_numbers(case: ConvCase, kinds: str, memory: str, dtype: str) -> None:
    """Exact on small whole numbers, in all three operations."""
    rng = np.random.default_rng(case.seed)
    wide = {"float32": "complex64", "float64": "complex128"}[dtype]
    x = MEMORY[memory](draw_array(rng, case.x_shape, wide if kinds[0] == "c" else dtype))
    weight = draw_array(rng, case.weight_shape, wide if kinds[1] == "c" else dtype)
    weight = MEMORY[case.weight_memory](weight)
    bias = draw_array(rng, case.weight_shape[:1], wide) if case.bias else None
    strict: dict[str, Any] = {**case.settings, "precision": "strict"}
    expected = reference.conv2d(x, weight, bias, **case.settings)
    y = npconv.conv2d(x, weight, bias, **strict)
    assert y.dtype == wide
    assert_same_values(y, expected)
    add = draw_array(rng, y.shape, wide)
    assert_same_values(npconv.conv2d(x, weight, bias, add=add, **strict), expected + add)
    grad = draw_array(rng, y.shape, wide)
    found = npconv.conv2d_backward(grad, x, weight, **strict)
    wanted = reference.conv2d_backward(grad, x, weight, **case.settings)
    for one, other in zip(found, wanted, strict=True):
        assert_same_values(one, other)


@given(case=conv_cases(largest_channels=4))
def test_parts_of_complex_results_keep_the_bound_of_real_ones(case: ConvCase) -> None:
    rng = np.random.default_rng(case.seed)

    def draw(shape):
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype("c8")

    x, weight = draw(case.x_shape), draw(case.weight_shape)
    y = npconv.conv2d(x, weight, **case.settings, precision="strict")
    exact = reference.conv2d(x.astype("c16"), weight.astype("c16"), **case.settings)
    sizes = [np.abs(a.real) + np.abs(a.imag) for a in (x, weight)]
    magnitude = reference.conv2d(*sizes, **case.settings).astype("f8")
    assert_close(y.real, exact.real, magnitude, 2 * case.n_terms)
    assert_close(y.imag, exact.imag, magnitude, 2 * case.n_terms)


def test_complex_gradients_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, weight = (
        rng.standard_normal(s) + 1j * rng.standard_normal(s) for s in [(2, 3, 6, 6), (4, 3, 3, 3)]
    )
    tx, tw = (torch.tensor(a, requires_grad=True) for a in (x, weight))
    ty = torch.nn.functional.conv2d(tx, tw, padding=1)
    grad = rng.standard_normal(ty.shape) + 1j * rng.standard_normal(ty.shape)
    ty.backward(torch.tensor(grad))
    dx, dweight, _ = npconv.conv2d_backward(grad, x, weight, padding=1)
    assert np.allclose(dx, tx.grad.numpy())
    assert np.allclose(dweight, tw.grad.numpy())


# ---- transposed convolutions ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint64", "complex64", *half_types()], ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions(dtype, groups):
    rng = np.random.default_rng(groups)
    x = rng.integers(0, 4, (2, 4, 4, 5)).astype(dtype)
    weight = rng.integers(0, 3, (4, 3, 3, 2)).astype(dtype)
    if np.dtype(dtype).kind == "c":
        x, weight = (x + 2j * x[::-1]).astype(dtype), (weight - 1j * weight[::-1]).astype(dtype)
    bias = np.arange(3 * groups).astype(dtype)
    settings: dict[str, Any] = {"stride": 2, "padding": 1, "groups": groups, "output_padding": 1}
    strict = {**settings, "precision": "strict"}
    expected = reference.conv_transpose2d(x, weight, bias, **settings)
    y = npconv.conv_transpose2d(x, weight, bias, **strict)
    assert y.dtype == expected.dtype
    assert_same_values(y, expected)
    add = rng.integers(0, 3, y.shape).astype(dtype)
    assert_same_values(
        npconv.conv_transpose2d(x, weight, bias, add=add, **strict),
        reference.conv_transpose2d(x, weight, bias, add=add, **settings),
    )
    for one, other in zip(
        npconv.conv_transpose2d_backward(add, x, weight, **strict),
        reference.conv_transpose2d_backward(add, x, weight, **settings),
        strict=True,
    ):
        assert one.dtype == other.dtype
        assert_same_values(one, other)


# ---- who computes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "calls"), [("int8", 1), ("int64", 1), ("float16", 3), ("complex64", 4)]
)
def test_the_core_computes(dtype, calls):
    """Counted for a batch that is staged at once: no image is convolved by NumPy."""
    x, weight = np.ones((1, 3, 8, 8), dtype), np.ones((4, 3, 3, 3), dtype)
    before = _native.call_count()
    npconv.conv2d(x, weight, padding=1)
    assert _native.call_count() - before == calls


def test_images_are_staged_few_at_a_time(monkeypatch):
    from npconv.functional import convolution_numbers

    rng = np.random.default_rng(0)
    results = []
    for limit in (1, 5000, 1 << 30):
        monkeypatch.setattr(convolution_numbers, "STAGE_BYTES", limit)
        rng = np.random.default_rng(0)
        for dtype in ("float16", "complex64"):
            x, weight = draw_array(rng, (5, 3, 9, 9), dtype), draw_array(rng, (4, 3, 3, 3), dtype)
            y = npconv.conv2d(x, weight, padding=2, padding_mode="wrap")
            dx = npconv.conv2d_input_grad(y, weight, x.shape, padding=2, padding_mode="wrap")
            results.append((dtype, y.tobytes(), dx.tobytes()))
    assert len(set(results)) == 2


def test_the_table_of_types_is_of_dtypes_that_numpy_promotes_to():
    a = np.ones(1, np.float16)
    assert number_types.sum_dtype(x=a, weight=a) == np.float16
    assert number_types.computed_dtype(np.dtype(np.float16)) == np.float32
    assert number_types.real_dtype(np.dtype(np.complex64)) == np.float32
    with pytest.raises(TypeError, match="x is"):
        number_types.sum_dtype(x=a.astype(np.longdouble))
