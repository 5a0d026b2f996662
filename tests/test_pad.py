"""pad against numpy.pad, and its gradient as the adjoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import BROADCAST, MEMORY, Form, make
from tolerance import assert_same_values

import npconv
from npconv import reference

MODES = ["constant", "reflect", "edge", "symmetric", "wrap"]
PAD_DTYPES = [
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
    *(">i2", ">u4", ">f4", ">f8", ">c8", ">c16"),
]

both = pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
each_mode = pytest.mark.parametrize("mode", MODES)


def assert_is_numpys(
    library: Any, x: np.ndarray, width: Any, mode: str, constant_values: Any = 0
) -> None:
    """The same elements, shape and dtype as numpy.pad gives; new, C-contiguous, x as it was."""
    options = {"constant_values": constant_values} if mode == "constant" else {}
    # numpy.pad does not take an array without axes; there is nothing to pad on one.
    expected = np.pad(x, width, mode, **options) if x.ndim else x.copy()
    before = x.copy()
    result = library.pad(x, width, mode, **options)
    assert result.dtype == expected.dtype
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert not np.shares_memory(result, x)
    assert_same_values(result, expected)
    assert_same_values(x, before)


# ---- by hand -------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("mode", "drawn"),
    [
        ("constant", "00000 1234 000000"),
        ("edge", "11111 1234 444444"),
        ("reflect", "23432 1234 321234"),
        ("symmetric", "44321 1234 432112"),
        ("wrap", "41234 1234 123412"),
    ],
)
def test_modes_as_drawn(library: Any, mode: str, drawn: str) -> None:
    expected = np.array([int(digit) for digit in drawn.replace(" ", "")])
    assert_same_values(library.pad(np.array([1, 2, 3, 4]), (5, 6), mode), expected)


@both
def test_constants_differ_by_axis_and_side(library: Any) -> None:
    #              3 8 8 4     columns are padded last, so they own the corners
    # 8 8 above    3 1 2 4
    # 9 9 below    3 9 9 4
    y = library.pad(np.array([[1, 2]]), 1, constant_values=((8, 9), (3, 4)))
    assert_same_values(y, np.array([[3, 8, 8, 4], [3, 1, 2, 4], [3, 9, 9, 4]]))


@both
@pytest.mark.parametrize(
    ("mode", "gradient"),
    [
        # The gradients 1 2 3 | 4 5 6 | 7 8 9 come home to the elements a b c.
        ("constant", [4, 5, 6]),
        ("edge", [1 + 2 + 3 + 4, 5, 6 + 7 + 8 + 9]),
        ("reflect", [4 + 8, 1 + 3 + 5 + 7 + 9, 2 + 6]),  # b c b | a b c | b a b
        ("symmetric", [3 + 4 + 9, 2 + 5 + 8, 1 + 6 + 7]),  # c b a | a b c | c b a
        ("wrap", [1 + 4 + 7, 2 + 5 + 8, 3 + 6 + 9]),  # a b c | a b c | a b c
    ],
)
def test_gradients_come_home(library: Any, mode: str, gradient: list[float]) -> None:
    grad = np.arange(1.0, 10.0)
    assert_same_values(library.pad_backward(grad, 3, mode), np.array(gradient))


# ---- against numpy.pad ---------------------------------------------------------------------

shapes = st.lists(st.integers(1, 5), min_size=0, max_size=5).map(tuple)


@st.composite
def paddings(draw: st.DrawFn, largest: int = 7) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """A shape, and widths that may exceed it."""
    shape = draw(shapes)
    width = st.tuples(st.integers(0, largest), st.integers(0, largest))
    return shape, [draw(width | st.just((0, 0))) for _ in shape]


@each_mode
@given(
    padding=paddings(),
    dtype=st.sampled_from(PAD_DTYPES),
    memory=st.sampled_from([*(m for m in MEMORY if m != "channels last"), BROADCAST]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_array(mode: str, padding: Any, dtype: str, memory: str, seed: int) -> None:
    shape, width = padding
    if not shape:
        width, memory = 0, "contiguous"
    kind = np.dtype(dtype).kind
    rng = np.random.default_rng(seed)
    if kind == "c":
        x = np.asfortranarray(rng.integers(-9, 9, shape) + 1j * rng.integers(-9, 9, shape))
        x = x.astype(dtype)
    else:
        x = make(shape, Form(dtype, memory), rng)
    assert_is_numpys(npconv, x, width, mode)


@each_mode
@both
@pytest.mark.parametrize("shape", [(1,), (2,), (3,), (7,), (1, 2), (4, 1, 3)])
def test_widths_far_beyond_the_array(library: Any, mode: str, shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape), dtype="f4").reshape(shape) + 1
    for width in (1, 5, 6, 7, 8, 40):
        assert_is_numpys(library, x, width, mode)
        assert_is_numpys(library, x, (width, 0), mode)
        assert_is_numpys(library, x, (0, width), mode)


@each_mode
@pytest.mark.parametrize("dtype", PAD_DTYPES)
def test_every_dtype_on_images(mode: str, dtype: str) -> None:
    """Rows of many vectors, so that every copying loop is reached for every item size."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 100, (2, 3, 7, 131)).astype(dtype)
    assert_is_numpys(npconv, x, ((0, 0), (1, 0), (2, 3), (5, 4)), mode)


@both
@pytest.mark.parametrize(
    "width", [2, (1, 2), [3], ((1, 2),), ((1, 2), (0, 3)), np.array([[0, 1], [2, 0]]), {1: 2}]
)
def test_every_form_of_pad_width(library: Any, width: Any) -> None:
    x = np.arange(12.0).reshape(3, 4)
    if isinstance(width, dict):
        expected = np.pad(x, ((0, 0), (2, 2)), "edge")  # numpy.pad takes a dict from 2.2 on
        assert_same_values(library.pad(x, width, "edge"), expected)
    else:
        assert_is_numpys(library, x, width, "edge")


@both
@pytest.mark.parametrize("values", [7, 2.9, -1, True, (1, 2), ((1, 2), (3, 4)), [[5], [6]]])
@pytest.mark.parametrize("dtype", ["int16", "float32", ">f8", "complex64", "bool"])
def test_every_form_of_constant_values(library: Any, values: Any, dtype: str) -> None:
    assert_is_numpys(library, np.ones((2, 3), dtype), ((1, 2), (2, 1)), "constant", values)


def test_bits_of_nan_and_zero_are_kept() -> None:
    """Elements are moved, not computed with: payloads of NaN and signs of zero survive."""
    bits = np.array([0x7FC12345, 0xFFC00001, 0x7F800001, 0x80000000, 1], np.uint32)
    for mode in MODES:
        y = npconv.pad(bits.view(np.float32), 3, mode)
        assert np.array_equal(y.view(np.uint32), np.pad(bits, 3, mode))


@both
@each_mode
def test_nothing_to_do_is_a_copy(library: Any, mode: str) -> None:
    assert_is_numpys(library, np.arange(6.0).reshape(2, 3), 0, mode)
    assert_is_numpys(library, np.array(5.0), 0, mode)


@both
def test_empty_arrays(library: Any) -> None:
    assert_is_numpys(library, np.ones((0, 3)), 2, "constant", 5)
    assert_is_numpys(library, np.ones((0,)), (1, 2), "constant", (3, 4))
    for mode in MODES:
        assert_is_numpys(library, np.ones((2, 0)), ((1, 1), (0, 0)), mode)
        assert library.pad_backward(np.ones((4, 0)), ((1, 1), (0, 0)), mode).shape == (2, 0)
    assert_same_values(library.pad_backward(np.ones((2, 3)), ((1, 1), (0, 0))), np.ones((0, 3)))


# ---- the gradient --------------------------------------------------------------------------


@each_mode
@given(
    padding=paddings(),
    dtype=st.sampled_from(["float32", "float64", ">f4", ">f8"]),
    memory=st.sampled_from([*(m for m in MEMORY if m != "channels last"), BROADCAST]),
    seed=st.integers(0, 2**32 - 1),
)
def test_gradient_is_the_adjoint(
    mode: str, padding: Any, dtype: str, memory: str, seed: int
) -> None:
    """<pad(x), g> = <x, pad_backward(g)>, and the reference's gradient is the same."""
    shape, width = padding
    if not shape:
        width, memory = 0, "contiguous"
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 10, shape).astype("f8")
    padded = npconv.pad(x, width, mode)
    grad = make(padded.shape, Form(dtype, memory), rng)
    before = grad.copy()
    dx = npconv.pad_backward(grad, width, mode)
    assert dx.shape == x.shape
    assert dx.dtype == grad.dtype.newbyteorder("=")
    assert (padded * grad).sum() == (x * dx).sum()
    assert_same_values(dx, reference.pad_backward(grad, width, mode))
    assert_same_values(grad, before)


@each_mode
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 3, 20, 131), (1, 1, 3, 3), (300, 5), (70,)])
def test_gradient_of_larger_arrays(mode: str, dtype: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    widths = [(int(a), int(b)) for a, b in rng.integers(0, 9, (len(shape), 2))]
    padded = [n + a + b for n, (a, b) in zip(shape, widths, strict=True)]
    grad = rng.integers(-4, 5, padded).astype(dtype)
    dx = npconv.pad_backward(grad, widths, mode)
    assert_same_values(dx, reference.pad_backward(grad, widths, mode))


@each_mode
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_special_gradients_reach_only_their_own_element(mode: str, value: float) -> None:
    for at in np.ndindex(5, 9):
        grad = np.ones((5, 9), "f4")
        grad[at] = value
        dx = npconv.pad_backward(grad, ((1, 2), (3, 3)), mode)
        assert_same_values(dx, reference.pad_backward(grad, ((1, 2), (3, 3)), mode))


# ---- the usual forms of arguments, which are read in C -----------------------------------------

odd_widths = st.integers(-1, 9) | st.sampled_from([True, 1.0, None, 2**70])


@each_mode
@given(
    shape=st.lists(st.integers(0, 6), min_size=1, max_size=4).map(tuple),
    width=st.data(),
    dtype=st.sampled_from(["float32", "float64", ">f4"]),
)
def test_all_forms_of_widths_mean_the_same(mode: str, shape: Any, width: Any, dtype: str) -> None:
    """A tuple of pairs is read in C where it holds ints, a list in Python; errors are the same."""
    x = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    odd = width.draw(st.booleans())
    one = odd_widths if odd else st.integers(0, 9)
    pairs = tuple([(width.draw(one), width.draw(one)) for _ in shape])
    for function in (npconv.pad, npconv.pad_backward):
        outcomes = []
        for form in (pairs, list(pairs)):
            try:
                outcomes.append(function(x, form, mode))
            except Exception as error:
                outcomes.append((type(error), str(error)))
        short, long = outcomes
        if isinstance(long, np.ndarray):
            assert short.dtype == long.dtype
            assert short.shape == long.shape
            assert_same_values(short, long)
        else:
            assert short == long
