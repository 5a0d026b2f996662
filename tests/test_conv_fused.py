"""conv2d(activation=, add=): the bits of the same steps taken one by one in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import MEMORY, ConvCase, Form, conv_cases, forms, make
from tolerance import assert_same_bits, assert_same_values
from variants import CONV_VARIANTS, FAST_VARIANTS, ISAS, SPECIAL_ALGORITHMS, name

import npconv
from npconv import _native, geometry, reference

ACTIVATIONS: tuple[Any, ...] = (
    None,
    "relu",
    "relu6",
    "leaky_relu",
    ("leaky_relu", 0.25),
    ("leaky_relu", -2),
)
ADD_DTYPES = ("float32", "float64", "float16", "int8", "uint8", "int16", "bool")

both = pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
each_variant = pytest.mark.parametrize("variant", CONV_VARIANTS, ids=name)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
activations = st.sampled_from(ACTIVATIONS)


def unfused(y: np.ndarray, activation: Any, add: np.ndarray | None) -> np.ndarray:
    """The same steps on a finished convolution, by other means than the reference's."""
    with np.errstate(all="ignore"):
        if add is not None:
            y = y + add.astype(y.dtype)
        zero, six = y.dtype.type(0), y.dtype.type(6)
        if activation is None:
            return y
        if activation in ("relu", "relu6"):
            y = np.maximum(y, zero) + zero  # -0 + 0 is +0
            return y if activation == "relu" else np.minimum(y, six)
        slope = y.dtype.type(0.01 if activation == "leaky_relu" else activation[1])
        y = y.copy()
        np.multiply(y, slope, out=y, where=y < 0)
        return y


def addend(case: ConvCase, form: Form, shape: tuple[int, ...]) -> np.ndarray:
    return make(shape, form, np.random.default_rng(case.seed + 1), integers=False)


# ---- by hand -------------------------------------------------------------------------------

ONE = np.ones((1, 1, 1, 1), np.float32)
NAN, INF = np.nan, np.inf
LINE = [NAN, -INF, -8, -1, -0.0, 0.0, 1, 6, 7, INF]
BY_HAND = [
    ("relu", [NAN, 0, 0, 0, 0, 0, 1, 6, 7, INF]),
    ("relu6", [NAN, 0, 0, 0, 0, 0, 1, 6, 6, 6]),
    (("leaky_relu", 0.5), [NAN, -INF, -4, -0.5, -0.0, 0, 1, 6, 7, INF]),
    (("leaky_relu", -1), [NAN, INF, 8, 1, -0.0, 0, 1, 6, 7, INF]),
    (("leaky_relu", 0), [NAN, NAN, -0.0, -0.0, -0.0, 0, 1, 6, 7, INF]),
]


@both
@each_dtype
@pytest.mark.parametrize(("activation", "expected"), BY_HAND, ids=str)
def test_activations_by_hand(library: Any, dtype: str, activation: Any, expected: Any) -> None:
    zero = np.zeros((1, 1, 1, len(LINE)), dtype)
    add = np.array(LINE, dtype).reshape(zero.shape)
    y = library.conv2d(zero, ONE.astype(dtype), activation=activation, add=add)
    assert_same_values(y, np.array(expected, dtype).reshape(y.shape))


@both
def test_signs_of_zeros(library: Any) -> None:
    """Sums start from +0, but the smallest negative number times 1/4 is rounded to -0."""
    x = np.full((1, 1, 20), -np.finfo(np.float32).smallest_subnormal)
    assert np.signbit(library.conv2d(x, ONE)).all()
    y = library.conv2d(x, ONE / 4)
    for activation in ("relu", "relu6"):
        assert not np.signbit(library.conv2d(x, ONE / 4, activation=activation)).any()
        assert not np.signbit(library.conv2d(x, ONE, activation=activation)).any()
    same = library.conv2d(x, ONE / 4, activation="leaky_relu")
    assert_same_values(np.signbit(same), np.signbit(y))
    assert np.signbit(library.conv2d(x, ONE, activation=("leaky_relu", 0.25))).all()
    assert not np.signbit(library.conv2d(x, ONE, activation=("leaky_relu", -0.25))).any()


@both
def test_bias_then_addend_then_activation(library: Any) -> None:
    x = np.float32([[[1, 2, 3]]])
    y = library.conv2d(x, -ONE, np.float32([10]), add=np.float32([[[-9, -8, -5]]]))
    assert_same_values(y, np.float32([[[0, 0, 2]]]))
    y = library.conv2d(x, ONE, np.float32([-5]), add=np.float32([[[3, 3, 3]]]), activation="relu")
    assert_same_values(y, np.float32([[[0, 0, 1]]]))


@both
def test_every_step_is_rounded(library: Any) -> None:
    """1 + 2^-24 rounds to 1 before 2^-24 is added again: two steps of NumPy, not one sum."""
    tiny = np.float32(2**-24)
    x = np.float32([[[1]], [[tiny]]])
    y = library.conv2d(x, np.ones((1, 2, 1, 1), "f4"), add=np.full((1, 1, 1), tiny))
    assert_same_values(y, np.float32([[[1]]]))


@both
def test_addend_takes_part_in_promotion(library: Any) -> None:
    x = np.ones((1, 1, 2), "f4")
    assert library.conv2d(x, ONE, add=np.ones((1, 1, 2), "i2")).dtype == np.float32
    assert library.conv2d(x, ONE, add=np.ones((1, 1, 2), "f8")).dtype == np.float64
    assert library.conv2d(x, ONE, add=[[[1, 2]]]).dtype == np.float64  # int64 is not exact in f4


# ---- the whole geometry --------------------------------------------------------------------


@given(conv_cases(), st.sampled_from(CONV_VARIANTS), activations, st.none() | forms(*ADD_DTYPES))
def test_any_geometry_has_the_unfused_bits(
    case: ConvCase, variant: dict[str, Any], activation: Any, form: Form | None
) -> None:
    operands = case.operands(integers=False)
    options: dict[str, Any] = {**case.settings, **variant}
    y = npconv.conv2d(*operands, **options)
    add = None
    if form is not None:
        add = addend(case, form, y.shape)
        if np.result_type(y, add) != y.dtype:
            operands = (operands[0].astype("f8"), *operands[1:])
            y = npconv.conv2d(*operands, **options)
    before = None if add is None else add.tobytes()
    fused = npconv.conv2d(*operands, **options, activation=activation, add=add)
    assert_same_bits(fused, unfused(y, activation, add))
    assert add is None or add.tobytes() == before


@given(conv_cases(), activations, st.none() | forms(*ADD_DTYPES))
def test_any_geometry_in_the_reference(case: ConvCase, activation: Any, form: Form | None) -> None:
    """Exact on small integers."""
    operands = case.operands()
    shape = reference.conv2d(*operands, **case.settings).shape
    add = None
    if form is not None:
        add = make(shape, form, np.random.default_rng(case.seed + 1))
    fused = npconv.conv2d(*operands, **case.settings, activation=activation, add=add)
    assert_same_values(
        fused, reference.conv2d(*operands, **case.settings, activation=activation, add=add)
    )


@pytest.mark.parametrize("variant", FAST_VARIANTS, ids=name)
@each_dtype
@pytest.mark.parametrize("memory", MEMORY)
def test_larger_layers_threads_and_splits_of_the_batch(
    memory: str, dtype: str, variant: dict[str, Any]
) -> None:
    """Many tiles, several blocks of depth, tiles that span images; converted rows."""
    for case in (
        ConvCase(3, 1, 40, 33, (13, 21), (3, 3), padding=1, bias=True, dtype=dtype),
        ConvCase(2, 2, 20, 30, (9, 300), (1, 1), bias=True, dtype=dtype),
    ):
        operands = case.operands(integers=False)
        options: dict[str, Any] = {**case.settings, **variant}
        y = npconv.conv2d(*operands, **options)
        add = addend(case, Form(dtype, memory), y.shape)
        expected = unfused(y, "relu", add)
        for threads in (1, 2, 3):
            fused = npconv.conv2d(
                *operands, **options, activation="relu", add=add, num_threads=threads
            )
            assert_same_bits(fused, expected, f"{threads} threads")
        x, weight, bias = operands
        for n in range(case.batch):
            part = npconv.conv2d(x[n], weight, bias, **options, activation="relu", add=add[n])
            assert_same_bits(part, expected[n], f"image {n}")


# Layers that special algorithms are for, with borders, tails, and outputs wider than a tile.
SPECIAL_LAYERS = [
    ConvCase(2, 24, 1, 1, (13, 70), (3, 3), padding=1, bias=True),
    ConvCase(2, 24, 1, 1, (14, 37), (5, 5), (2, 2), padding=2),
    ConvCase(2, 1, 3, 20, (21, 45), (3, 3), (2, 2), padding=1, bias=True),
    ConvCase(1, 1, 3, 33, (29, 37), (7, 7), (2, 2), padding=3),
    ConvCase(2, 1, 40, 33, (15, 29), (3, 3), padding=1, bias=True),
    ConvCase(1, 1, 70, 64, (14, 14), (3, 3), padding="same"),
    ConvCase(2, 1, 2, 3, (5, 6), (3, 3), padding=1, bias=True),
]


def accepts(algorithm: str, case: ConvCase) -> bool:
    g = geometry.conv_geometry(2, case.x_shape, case.weight_shape, **case.settings)
    options = ("auto", "auto", 1, "standard")
    candidates, _ = _native.conv_candidates("forward", g, case.dtype, options)
    return any(name == algorithm and accepted for name, accepted, *_ in candidates)


@pytest.mark.parametrize("algorithm", SPECIAL_ALGORITHMS)
def test_special_layers_reach_every_special_algorithm(algorithm: str) -> None:
    assert any(accepts(algorithm, layer) for layer in SPECIAL_LAYERS)


@each_dtype
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ["direct", *SPECIAL_ALGORITHMS])
def test_special_algorithms_have_the_unfused_bits(algorithm: str, isa: str, dtype: str) -> None:
    for case in (layer.with_dtype(dtype) for layer in SPECIAL_LAYERS):
        if not accepts(algorithm, case):
            continue
        operands = case.operands(integers=False)
        options: dict[str, Any] = {**case.settings, "algorithm": algorithm, "isa": isa}
        y = npconv.conv2d(*operands, **options)
        for memory in ("contiguous", "channels last", "byteswapped"):
            add = addend(case, Form(dtype, memory), y.shape)
            for activation in ACTIVATIONS:
                expected = unfused(y, activation, add)
                fused = npconv.conv2d(*operands, **options, activation=activation, add=add)
                assert_same_bits(fused, expected, f"{case}, {activation}, {memory}")
                if memory != "byteswapped":
                    out = add.copy(order="K")
                    npconv.conv2d(*operands, **options, activation=activation, add=out, out=out)
                    assert_same_bits(out, expected, f"{case}, {activation}, {memory}, in place")
        assert_same_bits(
            npconv.conv2d(*operands, **options, activation="relu6"), unfused(y, "relu6", None)
        )


# ---- not finite ----------------------------------------------------------------------------


@each_variant
@each_dtype
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_infinities_and_nan(activation: Any, dtype: str, variant: dict[str, Any]) -> None:
    """Infinite weights over the padding too, where NaNs are mended before the activation."""
    rng = np.random.default_rng(1)
    case = ConvCase(2, 1, 3, 5, (6, 19), (3, 3), padding=1, bias=True, dtype=dtype)
    x, weight, bias = case.operands()
    weight[1, 2, 0, 0], weight[2, 0, 1, 1], weight[3, 1, 2, 2] = INF, NAN, -INF
    x[0, 1, 3, 7] = -INF
    y = npconv.conv2d(x, weight, bias, **case.settings, **variant)
    add = rng.choice([1, -2, INF, -INF, NAN], y.shape).astype(dtype)
    fused = npconv.conv2d(x, weight, bias, **case.settings, **variant, activation=activation)
    assert_same_values(fused, unfused(y, activation, None))
    assert np.isnan(fused).any()
    fused = npconv.conv2d(
        x, weight, bias, **case.settings, **variant, activation=activation, add=add
    )
    assert_same_values(fused, unfused(y, activation, add))


# ---- out -----------------------------------------------------------------------------------


@both
@given(
    conv_cases(x_dtypes=()),
    st.sampled_from(["contiguous", "transposed", "channels last", "negative", "sliced"]),
    st.sampled_from(CONV_VARIANTS),
    activations,
)
def test_the_result_may_replace_the_addend(
    library: Any, case: ConvCase, memory: str, variant: dict[str, Any], activation: Any
) -> None:
    operands = case.operands(integers=False)
    options: dict[str, Any] = {**case.settings, **variant}
    y = library.conv2d(*operands, **options)
    y = y.astype(np.result_type(*(a for a in operands if a is not None)))
    add = MEMORY[memory](addend(case, Form(str(y.dtype)), y.shape))
    expected = unfused(y, activation, add)
    result = library.conv2d(*operands, **options, activation=activation, add=add, out=add[...])
    assert np.shares_memory(result, add) or add.size == 0
    assert_same_bits(add, expected)


@each_variant
def test_the_result_may_replace_the_addend_after_several_blocks_of_depth(
    variant: dict[str, Any],
) -> None:
    case = ConvCase(2, 1, 60, 20, (13, 13), (3, 3), padding=1, bias=True)
    operands = case.operands(integers=False)
    y = npconv.conv2d(*operands, **case.settings, **variant)
    for batched in (True, False):
        x, wanted = (operands[0], y) if batched else (operands[0][0], y[0])
        add = np.random.default_rng(1).standard_normal(wanted.shape).astype("f4")
        expected = unfused(wanted, "relu", add)
        npconv.conv2d(
            x, *operands[1:], **case.settings, **variant, activation="relu", add=add, out=add
        )
        assert_same_bits(add, expected)


@both
def test_other_overlaps_of_addend_and_result_are_refused(library: Any) -> None:
    x, memory = np.ones((1, 1, 4, 4), "f4"), np.ones((1, 1, 5, 8), "f4")
    out = memory[..., :4, :4]
    square = memory[..., :4, :4]
    for add in (
        memory[..., 1:, :4],
        memory[..., :4, 1:5],
        square.swapaxes(2, 3),
        square[..., ::-1],
        square.view(np.dtype("f4").newbyteorder()),
        memory[..., :4, ::2],
    ):
        with pytest.raises(ValueError, match="out shares memory with add"):
            library.conv2d(x, ONE, add=add, out=out)
    library.conv2d(x, ONE, add=memory[..., :4, 4:], out=out)
    assert_same_values(out, np.full_like(out, 2))
