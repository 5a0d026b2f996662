"""im2col and col2im: book-style definitions, every order of axes, and adjointness."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ConvCase, conv_cases, make
from tolerance import assert_close, assert_same_values
from variants import ISA_VARIANTS, name

import npconv
from npconv import geometry, reference

both = pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
each_isa = pytest.mark.parametrize("variant", ISA_VARIANTS, ids=name)

ORDERS = tuple("".join(letters) for letters in itertools.permutations("NCP"))
orders = st.sampled_from(ORDERS)


def settings_of(case: ConvCase) -> dict[str, Any]:
    return {
        "kernel_size": case.kernel,
        **{name: case.settings[name] for name in ("stride", "padding", "dilation")},
    }


# ---- by hand -------------------------------------------------------------------------------


@both
def test_columns_of_one_image(library: Any) -> None:
    # 0 1 2     Windows of 2x2, read row by row, stand side by side as columns:
    # 3 4 5       0 1    the top left elements of both windows
    #             1 2
    #             3 4
    #             4 5    the bottom right ones
    x = np.arange(6.0).reshape(1, 1, 2, 3)
    cols = library.im2col(x, 2)
    assert_same_values(cols, np.array([[[0, 1], [1, 2], [3, 4], [4, 5.0]]]))
    # Back: 1 and 4 were in two windows.
    assert_same_values(library.col2im(cols, x.shape, 2), np.array([[[[0, 2, 2], [3, 8, 5.0]]]]))


@both
def test_padding_is_zero_and_channels_are_slowest(library: Any) -> None:
    x = np.array([[[[1.0]], [[2.0]]]])
    cols = library.im2col(x, (1, 2), padding=(0, 1))
    # Windows (pad, pixel) and (pixel, pad), for channel 1 and then channel 2.
    assert_same_values(cols, np.array([[[0, 1], [1, 0], [0, 2], [2, 0.0]]]))


@both
def test_column_order_of_the_book(library: Any) -> None:
    """Rows are windows, image after image; columns are channel, row, column."""
    x = np.random.default_rng(1).standard_normal((2, 3, 5, 6))
    rows = []
    for image in x:
        for top in range(0, 4, 2):
            for left in range(0, 4, 2):
                rows.append(image[:, top : top + 3, left : left + 3].ravel())
    cols = library.im2col(x, 3, stride=2, order="NPC")
    assert_same_values(cols.reshape(-1, 27), np.array(rows))


# ---- against definitions -------------------------------------------------------------------


def book_im2col(x: np.ndarray, case: ConvCase) -> np.ndarray:
    """The loop of the textbooks on the padded images: one strided slice a tap."""
    g = geometry.columns_geometry(2, case.x_shape, **settings_of(case))
    (top, left), (bottom, right) = g.pad_before[1:], g.pad_after[1:]
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    (height, width), (down, across) = g.output[1:], g.stride[1:]
    cols = np.zeros((*x.shape[:2], *case.kernel, height, width), x.dtype)
    for r, s in np.ndindex(case.kernel):
        r0, s0 = r * g.dilation[1], s * g.dilation[2]
        cols[:, :, r, s] = padded[
            :, :, r0 : r0 + down * height : down, s0 : s0 + across * width : across
        ]
    return cols.reshape(g.columns_shape)


@given(conv_cases(), orders)
def test_any_geometry_and_order(case: ConvCase, order: str) -> None:
    x = case.operands(integers=False)[0]
    book = book_im2col(x.reshape(case.x_shape), case)
    expected = np.einsum(f"NCP->{order}", book)
    if not case.batched:
        expected = expected.squeeze(order.index("N"))
    settings = settings_of(case)
    assert_same_values(reference.im2col(x, **settings, order=order), expected)
    for variant in ISA_VARIANTS:
        cols = npconv.im2col(x, **settings, order=order, **variant)
        assert cols.dtype == x.dtype.newbyteorder("=")
        assert cols.flags.c_contiguous
        assert_same_values(cols, expected, name(variant))


@given(conv_cases(), orders)
def test_back_from_any_geometry_and_order(case: ConvCase, order: str) -> None:
    """Against the reference, exactly, and as the adjoint: <im2col(x), c> = <x, col2im(c)>."""
    settings = settings_of(case)
    x = case.operands()[0]
    cols = reference.im2col(x, **settings, order=order)
    rng = np.random.default_rng(case.seed)
    given_cols = make((*cols.shape, 1), case.grad_form, rng)[..., 0]
    expected = reference.col2im(given_cols, x.shape, **settings, order=order)
    double = given_cols.astype("f8")
    assert (cols * double).sum() == (x * expected.astype("f8")).sum()
    for variant in ISA_VARIANTS:
        dx = npconv.col2im(given_cols, x.shape, **settings, order=order, **variant)
        assert dx.dtype == given_cols.dtype.newbyteorder("=")
        assert dx.flags.c_contiguous
        assert_same_values(dx, expected, name(variant))


SIZES = [
    ConvCase(2, 1, 3, 1, (13, 70), (3, 3), padding=1, seed=1),
    ConvCase(1, 1, 2, 1, (40, 131), (5, 5), (2, 2), padding=2, seed=2),
    ConvCase(1, 1, 2, 1, (21, 100), (3, 2), (1, 3), (2, 3), ((0, 3), (2, 1)), seed=3),
    ConvCase(3, 1, 70, 1, (9, 9), (1, 1), seed=4),
    ConvCase(1, 1, 1, 1, (8, 300), (8, 1), seed=5),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", SIZES, ids=lambda case: f"seed{case.seed}")
@each_isa
def test_larger_images(variant: dict[str, Any], case: ConvCase, dtype: str) -> None:
    settings = settings_of(case)
    x = case.with_dtype(dtype).operands(integers=True)[0]
    for order in ORDERS:
        cols = npconv.im2col(x, **settings, order=order, **variant)
        assert_same_values(cols, np.einsum(f"NCP->{order}", book_im2col(x, case)))
        dx = npconv.col2im(cols, x.shape, **settings, order=order, **variant)
        assert_same_values(dx, reference.col2im(cols, x.shape, **settings, order=order))


@given(conv_cases(largest_channels=3))
def test_matrix_product_is_the_convolution(case: ConvCase) -> None:
    """weight (K, CRS) @ im2col (CRS, P) is conv2d; its transpose and col2im are dx."""
    case = replace(case.with_dtype("float64"), groups=1)
    x, weight, _ = case.operands(integers=True)
    settings = settings_of(case)
    matrix = weight.reshape(weight.shape[0], case.n_terms)
    y = npconv.conv2d(x, weight, **case.settings)
    cols = npconv.im2col(x, **settings)
    assert_same_values((matrix @ cols).reshape(y.shape), y)
    dcols = matrix.T @ y.reshape(*y.shape[:-2], cols.shape[-1])
    dx = npconv.conv2d_input_grad(y, weight, x.shape, **case.settings)
    assert_same_values(npconv.col2im(dcols, x.shape, **settings), dx)


def test_sums_of_normal_numbers_are_within_tolerance() -> None:
    case = ConvCase(1, 1, 2, 1, (23, 41), (5, 5), padding=2)
    cols = np.random.default_rng(1).standard_normal((1, 50, 23 * 41)).astype("f4")
    expected = reference.col2im(cols.astype("f8"), case.x_shape, **settings_of(case))
    magnitude = reference.col2im(abs(cols).astype("f8"), case.x_shape, **settings_of(case))
    for variant in ISA_VARIANTS:
        dx = npconv.col2im(cols, case.x_shape, **settings_of(case), **variant)
        assert_close(dx, expected, magnitude, 25, name(variant))


# ---- numbers and edges ---------------------------------------------------------------------


@each_isa
def test_special_values_are_copied_and_summed(variant: dict[str, Any]) -> None:
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 2.0], "f4").reshape(1, 1, 2, 3)
    cols = npconv.im2col(x, 2, padding=1, **variant)
    assert_same_values(cols, reference.im2col(x, 2, padding=1))
    dx = npconv.col2im(cols, x.shape, 2, padding=1, **variant)
    assert_same_values(dx, reference.col2im(cols, x.shape, 2, padding=1))


@both
@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 0, 4, 4), (0, 0, 4, 4)])
@pytest.mark.parametrize("order", ORDERS)
def test_empty_batch_and_channels(library: Any, shape: tuple[int, ...], order: str) -> None:
    cols = library.im2col(np.ones(shape, "f4"), 3, order=order)
    lengths = {"N": shape[0], "C": shape[1] * 9, "P": 4}
    assert cols.shape == tuple(lengths[letter] for letter in order)
    assert_same_values(library.col2im(cols, shape, 3, order=order), np.zeros(shape, "f4"))


@both
@pytest.mark.parametrize("huge", [2**31, 2**60])
def test_enormous_steps(library: Any, huge: int) -> None:
    x = np.array([[[[1.0, 2], [3, 4]]]])
    cols = library.im2col(x, 2, stride=huge)
    assert_same_values(cols, np.array([[[1.0], [2], [3], [4]]]))
    # Taps and windows both step over the padding: only the middle tap meets the image.
    cols = library.im2col(x, 3, stride=huge, padding=huge, dilation=huge)
    expected = np.zeros((1, 9, 1))
    expected[0, 4] = 1
    assert_same_values(cols, expected)
    back = library.col2im(cols, x.shape, 3, stride=huge, padding=huge, dilation=huge)
    assert_same_values(back, np.array([[[[1.0, 0], [0, 0]]]]))
