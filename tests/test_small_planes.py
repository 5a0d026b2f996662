"""Small planes, which are padded and spread by tables: the bits of any other way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import pairs
from tolerance import assert_same_bits, assert_same_values
from variants import ISAS

import npconv
from npconv import _native, reference
from npconv.functional import patches
from npconv.geometry import pad_geometry
from npconv.runtime import options

MODES = ("constant", "reflect", "edge", "symmetric", "wrap")
isas = st.sampled_from(ISAS)
dtypes = st.sampled_from(["float32", "float64"])
shapes = st.tuples(st.integers(4, 7), st.integers(1, 16), st.integers(1, 20))


def numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Anything, zeros of both signs and NaN among it."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    for value in (0.0, -0.0, np.nan, np.inf):
        x[rng.random(shape) < 0.1] = value
    return x


def apart(x: np.ndarray) -> np.ndarray:
    """The same elements with gaps between the rows."""
    larger = np.full((*x.shape[:-1], x.shape[-1] + 3), 7, x.dtype)
    larger[..., 1:-2] = x
    return larger[..., 1:-2]


@given(shape=shapes, widths=st.tuples(pairs(0, 9), pairs(0, 9)), isa=isas, dtype=dtypes)
def test_padding(shape: tuple[int, ...], widths: Any, isa: str, dtype: str) -> None:
    x, how = numbers(shape, dtype), options(isa=isa)
    for mode in MODES:
        g = pad_geometry(shape, ((0, 0), *widths), mode, 8)
        y, zeros = np.full(g.padded_shape, np.nan, dtype), np.zeros((3, 2), dtype)
        _native.pad_forward(g, mode, x, zeros, y, how)
        assert y.tobytes() == np.pad(x, ((0, 0), *widths), mode).tobytes()
        grads = []
        errors = numbers(y.shape, dtype)  # whose sums depend on the order
        for grad in (errors, apart(errors)):
            dx = np.full(shape, np.nan, dtype)
            _native.pad_backward(g, mode, grad, dx, how)
            grads.append(dx)
        assert_same_bits(*grads, mode)
        whole = np.where(np.isfinite(y), np.round(y), 0)
        _native.pad_backward(g, mode, whole, dx, how)
        assert_same_values(dx, reference.pad_backward(whole, ((0, 0), *widths), mode))


def test_constants_and_integers() -> None:
    x = np.arange(5 * 6 * 7, dtype="i4").reshape(5, 6, 7)
    widths = ((0, 0), (1, 2), (2, 0))
    for values in (0, 3, (0, 4), ((1, 2), (3, 4), (5, 6))):
        expected = np.pad(x, widths, constant_values=values)
        assert_same_values(npconv.pad(x, widths, constant_values=values), expected)
    assert_same_values(npconv.pad(x.astype("i8"), widths, "wrap"), np.pad(x, widths, "wrap"))


@pytest.mark.parametrize("threads", [1, 2])
def test_large_results_and_threads(threads: int) -> None:
    """Past the caches."""
    x = np.arange(60_000 * 49, dtype="f4").reshape(60_000, 7, 7)
    y = npconv.pad(x, ((0, 0), (1, 1), (1, 1)), "reflect", num_threads=threads)
    again = npconv.pad(x, ((0, 0), (1, 1), (1, 1)), "reflect", num_threads=threads)
    assert_same_bits(again, y)
    assert_same_bits(y, np.pad(x, ((0, 0), (1, 1), (1, 1)), "reflect"))
    cols = npconv.im2col(x[:6000].reshape(2, 3000, 7, 7), 5, 1, 2, num_threads=threads)
    assert_same_bits(cols, reference.im2col(x[:6000].reshape(2, 3000, 7, 7), 5, 1, 2))


@given(
    shape=shapes,
    kernel=pairs(1, 4),
    stride=pairs(1, 3),
    padding=pairs(0, 3),
    dilation=pairs(1, 2),
    isa=isas,
    dtype=dtypes,
    batch=st.integers(1, 2),
)
def test_columns(
    shape: tuple[int, ...],
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    isa: str,
    dtype: str,
    batch: int,
) -> None:
    size = [
        max(n, (k - 1) * d + 1 - 2 * p)
        for n, k, d, p in zip(shape[1:], kernel, dilation, padding, strict=True)
    ]
    x = numbers((batch, shape[0], *size), dtype)
    settings = (kernel, stride, padding, dilation)
    cols = npconv.im2col(x, *settings, isa=isa)
    assert cols.tobytes() == reference.im2col(x, *settings).astype(dtype).tobytes()
    assert_same_bits(npconv.im2col(apart(x), *settings, isa=isa), cols)
    cols = numbers(cols.shape, dtype)  # whose sums depend on the order
    dx = npconv.col2im(cols, x.shape, *settings, isa=isa)
    assert_same_bits(npconv.col2im(apart(cols), x.shape, *settings, isa=isa), dx)
    whole = np.where(np.isfinite(cols), np.round(cols), 0)
    dx = npconv.col2im(whole, x.shape, *settings, isa=isa)
    assert_same_values(dx, reference.col2im(whole, x.shape, *settings))


odd = st.integers(-1, 4) | pairs(0, 3) | st.sampled_from([None, True, 1.5, "same", (1,), 2**70])


@given(kernel=odd, stride=odd, padding=odd, dilation=odd, shape=pairs(1, 6), swapped=st.booleans())
def test_all_forms_of_arguments_mean_the_same(
    kernel: Any, stride: Any, padding: Any, dilation: Any, shape: Any, swapped: bool
) -> None:
    """Exact ints are read in C, anything else in Python; the results and errors are the same."""
    x = np.arange(4 * shape[0] * shape[1], dtype=">f4" if swapped else "f4").reshape(1, 4, *shape)

    settings = (kernel, stride, padding, dilation)
    usual = ("NCP", "NCHW", None, None)
    outcomes: list[Any] = []
    for im2col, col2im, first, last in (
        (npconv.im2col, npconv.col2im, (), ()),
        (patches._im2col, patches._col2im, (2,), usual),
    ):
        try:
            cols: Any = im2col(*first, x, *settings, *last)
            outcomes.append((cols, col2im(*first, cols, x.shape, *settings, *last)))
        except Exception as error:
            outcomes.append((type(error), str(error)))
    for a, b in zip(*outcomes, strict=True):
        if isinstance(b, np.ndarray):
            assert_same_bits(a, b)
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
        else:
            assert a == b
