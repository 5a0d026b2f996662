"""Poolings that pick elements or take norms, in 1 to 3 dimensions and both layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pool_strategies import WindowCase, window_cases
from tolerance import assert_close, assert_same_bits, assert_same_values
from variants import ISA_VARIANTS, name

import npconv
from npconv import _native, reference

both = pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
each_isa = pytest.mark.parametrize("variant", ISA_VARIANTS, ids=name)
isas = st.sampled_from(ISA_VARIANTS)


def row(*values: float) -> np.ndarray:
    return np.array([[values]], np.float32)


# ---- by hand -------------------------------------------------------------------------------


@both
def test_minimum_and_where_it_goes(library: Any) -> None:
    # 4 1 | 1 9 | nan 0    minima 1 1 nan at 1 2 4: the first of equals, and NaN before all
    x = row(4, 1, 1, 9, np.nan, 0)
    y, at = library.min_pool1d(x, 2, return_indices=True)
    assert_same_values(y, row(1, 1, np.nan))
    assert_same_values(at, np.array([[[1, 2, 4]]]))
    dx = library.min_pool1d_backward(row(5, 6, 7), at, x.shape, 2)
    assert_same_values(dx, row(0, 5, 6, 0, 7, 0))
    # Padding is never the smallest.
    assert_same_values(library.min_pool1d(row(3, 2), 2, 1, 1), row(3, 2, 2))


@both
def test_padding_made_of_elements(library: Any) -> None:
    x = row(-5, -3, -4)
    pool: dict[str, Any] = {"kernel_size": 2, "stride": 2, "padding": ((1, 0),)}
    assert_same_values(library.max_pool1d(x, **pool), row(-5, -3))
    y, at = library.max_pool1d(x, **pool, padding_value=0, return_indices=True)
    assert_same_values(y, row(0, -3))
    assert_same_values(at, np.array([[[0, 2]]]))  # in 0 -5 -3 -4
    dx = library.max_pool1d_backward(row(1, 2), at, x.shape, **pool, padding_value=0)
    assert_same_values(dx, row(0, 2, 0))
    # reflect: -3 | -5 -3 -4
    y, at = library.max_pool1d(x, **pool, padding_mode="reflect", return_indices=True)
    assert_same_values(y, row(-3, -3))
    dx = library.max_pool1d_backward(row(1, 2), at, x.shape, **pool, padding_mode="reflect")
    assert_same_values(dx, row(0, 3, 0))
    assert_same_values(library.avg_pool1d(x, **pool, padding_mode="wrap"), row(-4.5, -3.5))


@both
def test_norms(library: Any) -> None:
    x = row(3, -4, 0, 0)
    assert_same_values(library.lp_pool1d(x, 2, 2), row(5, 0))
    assert_same_values(library.lp_pool1d(x, 1, 2), row(7, 0))
    dx = library.lp_pool1d_backward(row(5, 1), x, 2, 2)
    assert_same_values(dx, row(3, -4, 0, 0))


@both
def test_unpooling(library: Any) -> None:
    x, at = row(7, 8, 9), np.array([[[1, 4, 4]]])
    y = library.max_unpool1d(x, at, 2)
    assert_same_values(y, row(0, 7, 0, 0, 9, 0))  # the last of two
    assert library.max_unpool1d(x, at, 2, output_size=[7]).shape == (1, 1, 7)
    dx = library.max_unpool1d_backward(row(1, 2, 3, 4, 5, 6), at, 2)
    assert_same_values(dx, row(2, 5, 5))


@both
def test_fractional_windows(library: Any) -> None:
    # 3 windows of 2 over 0..6: a = 2.5; with u = 0.5 they start at floor(1.25) - 1 = 0,
    # floor(3.75) - 1 = 2, and 5.
    x = np.arange(7, dtype="f4").reshape(1, 1, 1, 7)
    samples = np.array([[[0.5, 0.0]]])
    y, at = library.fractional_max_pool2d(x, (1, 2), (1, 3), None, True, random_samples=samples)
    assert_same_values(y.ravel(), np.array([1, 3, 6]))
    dx = library.fractional_max_pool2d_backward(y, at, x.shape)
    assert_same_values(dx.ravel(), np.array([0, 1, 0, 3, 0, 0, 6]))
    drawn = [
        library.fractional_max_pool2d(x, (1, 2), None, (0.9, 0.6), rng=np.random.default_rng(seed))
        for seed in (1, 1)
    ]
    assert drawn[0].shape == (1, 1, 1, 4)
    assert_same_bits(*drawn)


# ---- against the reference -----------------------------------------------------------------


@given(window_cases(), st.sampled_from(["max", "min"]), isas, st.data())
def test_picking(case: WindowCase, which: str, variant: dict[str, Any], data: Any) -> None:
    """All kinds of indices, few values with many ties, NaN and infinities."""
    kind, dtype = data.draw(st.sampled_from([("flat", "i8"), ("window", "i8"), ("window", "u1")]))
    x = case.x(largest=1)
    if data.draw(st.booleans()):
        rng = np.random.default_rng(case.seed)
        special = rng.choice([np.nan, np.inf, -np.inf], x.shape).astype(x.dtype)
        x = np.where(rng.random(x.shape) < 0.3, special, x)
    settings, pool = case.settings, f"{which}_pool#"
    how = {"return_indices": True, "indices": kind, "index_dtype": dtype}
    y, at = case.define(pool, x, **settings, **how)
    got, found = case.run(pool, x, **settings, **how, **variant)
    assert_same_values(got, y)
    assert_same_values(found, at)
    assert found.dtype == at.dtype
    assert_same_values(case.run(pool, x, **settings, **variant), y)
    grad = np.random.default_rng(case.seed).integers(-4, 5, y.shape).astype(y.dtype)
    arguments: Any = (grad, at, x.shape)
    dx = case.define(f"{pool}_backward", *arguments, **settings, index_kind=kind)
    back = case.run(f"{pool}_backward", *arguments, **settings, index_kind=kind, **variant)
    assert_same_values(back, dx)


@given(window_cases(), st.sampled_from(npconv.checks.PAD_MODES), isas)
def test_made_borders(case: WindowCase, mode: str, variant: dict[str, Any]) -> None:
    assume(case.ceil_mode is not True or not any(map(sum, case.padding)))
    assume(case.ceil_mode != "cover_all")
    x, settings = case.x(), case.settings | {"padding_mode": mode}
    value = {"padding_value": 0.5} if mode == "constant" else {}
    y, at = case.define("max_pool#", x, **settings, **value, return_indices=True)
    got, found = case.run("max_pool#", x, **settings, **value, return_indices=True, **variant)
    assert_same_values(got, y)
    assert_same_values(found, at)
    grad = np.random.default_rng(case.seed).integers(-4, 5, y.shape).astype(y.dtype)
    arguments: Any = (grad, at, x.shape)
    dx = case.define("max_pool#_backward", *arguments, **settings, **value)
    assert_same_values(
        case.run("max_pool#_backward", *arguments, **settings, **value, **variant), dx
    )
    y = case.define("avg_pool#", x.astype("f8"), **settings)
    got = case.run("avg_pool#", x.astype("f8"), **settings, **variant)
    np.testing.assert_allclose(got, y, rtol=1e-12, atol=1e-12)
    dx = case.define("avg_pool#_backward", grad.astype("f8"), x.shape, **settings)
    back = case.run("avg_pool#_backward", grad.astype("f8"), x.shape, **settings, **variant)
    np.testing.assert_allclose(back, dx, rtol=1e-12, atol=1e-12)


@given(window_cases(), st.sampled_from([1, 2, 3, 1.5, 5]), isas)
def test_lp(case: WindowCase, p: float, variant: dict[str, Any]) -> None:
    x, settings = case.x(integers=False), case.settings
    terms = int(np.prod(case.kernel)) + 8
    y = case.define("lp_pool#", x, p, **settings)
    got = case.run("lp_pool#", x, p, **settings, **variant)
    assert_close(got, y.astype("f8"), abs(y).astype("f8"), terms)
    grad = np.random.default_rng(case.seed).standard_normal(y.shape).astype(y.dtype)
    dx = case.define("lp_pool#_backward", grad, x, p, **settings)
    size = case.define("lp_pool#_backward", abs(grad), abs(x), p, **settings)
    back = case.run("lp_pool#_backward", grad, x, p, **settings, **variant)
    assert_close(back, dx.astype("f8"), size.astype("f8") + 1e-30, 4 * terms)


@given(window_cases(), isas, st.data())
def test_adaptive_maximum(case: WindowCase, variant: dict[str, Any], data: Any) -> None:
    sizes = st.one_of(st.none(), st.integers(1, 9))
    wanted = data.draw(st.lists(sizes, min_size=case.ndim, max_size=case.ndim))
    x, layout = case.x(largest=2), {"layout": case.layout}
    y, at = case.define("adaptive_max_pool#", x, wanted, True, **layout)
    got, found = case.run("adaptive_max_pool#", x, wanted, True, **layout, **variant)
    assert_same_values(got, y)
    assert_same_values(found, at)
    arguments: Any = (y, at, x.shape)
    dx = case.define("adaptive_max_pool#_backward", *arguments, **layout)
    assert_same_values(case.run("adaptive_max_pool#_backward", *arguments, **layout, **variant), dx)
    if case.batched:
        y, at = reference.global_max_pool(x, True, channels_last=case.last)
        got, found = npconv.global_max_pool(x, True, channels_last=case.last, **variant)
        assert_same_values(got, y)
        assert_same_values(found, at)
        back = npconv.global_max_pool_backward(y, at, x.shape, channels_last=case.last, **variant)
        dx = reference.global_max_pool_backward(y, at, x.shape, channels_last=case.last)
        assert_same_values(back, dx)


@given(window_cases(), isas)
def test_unpooling_and_fractional(case: WindowCase, variant: dict[str, Any]) -> None:
    x, layout = case.x(), {"layout": case.layout}
    rng = np.random.default_rng(case.seed)
    spatial = tuple(2 * n for n in case.size)
    at = rng.integers(0, np.prod(spatial), x.shape)
    arguments: Any = (x, at, case.kernel)
    y = case.define("max_unpool#", *arguments, output_size=spatial, **layout)
    got = case.run("max_unpool#", *arguments, output_size=spatial, **layout, **variant)
    assert_same_values(got, y)
    dx = case.define("max_unpool#_backward", y, at, case.kernel, **layout)
    assert_same_values(
        case.run("max_unpool#_backward", y, at, case.kernel, **layout, **variant), dx
    )
    if case.ndim > 1:
        windows = [min(k, n) for k, n in zip(case.kernel, case.size, strict=True)]
        sizes = [max(1, (n - k + 1) // 2) for k, n in zip(windows, case.size, strict=True)]
        samples = rng.random((case.batch, case.channels, case.ndim))
        how = {"random_samples": samples, "return_indices": True, **layout}
        y, at = case.define("fractional_max_pool#", x, windows, sizes, **how)
        got, found = case.run("fractional_max_pool#", x, windows, sizes, **how, **variant)
        assert_same_values(got, y)
        assert_same_values(found, at)


# ---- dtypes --------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_dtypes(library: Any, layout: str) -> None:
    rng = np.random.default_rng(1)
    for dtype in ("i1", "u1", "i2", ">u2", "i4", "u4", "f2"):
        limits = np.finfo("f2") if dtype == "f2" else np.iinfo(dtype)
        x = rng.choice([limits.max, limits.min, 1, 0], (2, 4, 5, 3)).astype(dtype)
        wide = x.astype("f8")
        native = np.dtype(dtype).newbyteorder("=")
        for pool in (library.max_pool2d, library.min_pool2d):
            y = pool(x, 2, layout=layout)
            assert y.dtype == native
            assert_same_values(y.astype("f8"), reference_of(pool)(wide, 2, layout=layout))
            out = np.empty_like(y)
            assert pool(x, 2, layout=layout, out=out) is out
            assert_same_values(out, y)
        small = x if dtype == "f2" else x // 3
        mean = library.avg_pool2d(small, 2, layout=layout)
        assert mean.dtype == (native if dtype == "f2" else np.float64)
    half = rng.standard_normal((1, 1, 4, 4)).astype("f2")
    expected = reference.avg_pool2d(half.astype("f8"), 2).astype("f2")
    assert_same_values(library.avg_pool2d(half, 2), expected)
    assert library.avg_pool2d_backward(expected, half.shape, 2).dtype == np.float16


def reference_of(pool: Any) -> Any:
    return getattr(reference, pool.__name__)


# ---- promises ------------------------------------------------------------------------------


@each_isa
def test_bits_for_any_number_of_threads(variant: dict[str, Any]) -> None:
    x = np.random.default_rng(1).standard_normal((4, 33, 34, 32)).astype("f4")
    for layout in ("NCHW", "NHWC"):
        one: dict[str, Any] = {"layout": layout, **variant, "num_threads": 1}
        pool: dict[str, Any] = {"kernel_size": 3, "stride": 2, "padding": 1}
        y, at = npconv.max_pool2d(x, **pool, return_indices=True, **one)
        dx = npconv.max_pool2d_backward(y, at, x.shape, **pool, **one)
        norm = npconv.lp_pool2d(x, 2, 3, 2, **one)
        spread = npconv.lp_pool2d_backward(norm, x, 2, 3, 2, **one)
        uneven = npconv.adaptive_max_pool2d(x, (5, 7), **one)
        for threads in (2, 3, 4, 8):
            many = one | {"num_threads": threads}
            got, found = npconv.max_pool2d(x, **pool, return_indices=True, **many)
            assert_same_bits(got, y)
            assert_same_bits(found, at)
            assert_same_bits(npconv.max_pool2d_backward(y, at, x.shape, **pool, **many), dx)
            assert_same_bits(npconv.lp_pool2d(x, 2, 3, 2, **many), norm)
            assert_same_bits(npconv.lp_pool2d_backward(norm, x, 2, 3, 2, **many), spread)
            assert_same_bits(npconv.adaptive_max_pool2d(x, (5, 7), **many), uneven)


def test_indices_of_other_windows_keep_their_meaning_with_channels_last() -> None:
    rng = np.random.default_rng(7)
    x = rng.standard_normal((2, 9, 8, 5)).astype("f4")
    y = npconv.max_pool2d(x, 3, 2, layout="NHWC")
    at = rng.integers(0, 72, y.shape)
    dx = npconv.max_pool2d_backward(y, at, x.shape, 3, 2, layout="NHWC")
    expected = reference.max_pool2d_backward(y, at, x.shape, 3, 2, layout="NHWC")
    np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-5)
    for bad in (-1, 72, 2**32, 2**62):
        wrong = at.copy()
        wrong[1, 2, 1, 3] = bad
        with pytest.raises(ValueError, match="indices must point into the input plane"):
            npconv.max_pool2d_backward(y, wrong, x.shape, 3, 2, layout="NHWC")


@each_isa
@pytest.mark.parametrize(("width", "channels"), [(300, 19), (3, 4100)])
@pytest.mark.parametrize("settings", [(3, 1, 1), (2, 2, 0)])
def test_long_rows_with_channels_last(
    width: int, channels: int, settings: tuple[int, int, int], variant: dict[str, Any]
) -> None:
    """More elements in a row than are done at once."""
    rng = np.random.default_rng(1)
    x = rng.integers(-2, 3, (1, 3, width, channels)).astype("f4")
    for kind, dtype in (("flat", "i8"), ("window", "u1")):
        forward: dict[str, Any] = {"indices": kind, "index_dtype": dtype, "layout": "NHWC"}
        y, at = npconv.max_pool2d(x, *settings, return_indices=True, **forward, **variant)
        grad = rng.integers(-4, 5, y.shape).astype("f4")
        how: dict[str, Any] = {"index_kind": kind, "layout": "NHWC"}
        dx = npconv.max_pool2d_backward(grad, at, x.shape, *settings, **how, **variant)
        expected = reference.max_pool2d_backward(grad, at, x.shape, *settings, **how)
        assert_same_values(dx, expected)


def test_each_call_runs_in_c() -> None:
    x = np.ones((2, 3, 6, 7), "f4")
    y, at = npconv.max_pool2d(x, 2, return_indices=True)
    for call in (
        lambda: npconv.min_pool2d(x, 2),
        lambda: npconv.max_pool2d(x, 2, layout="NHWC"),
        lambda: npconv.max_pool2d_backward(y, at, x.shape, 2),
        lambda: npconv.lp_pool2d(x, 2, 2),
        lambda: npconv.adaptive_max_pool2d(x, (4, 5)),
        lambda: npconv.global_max_pool(x),
        lambda: npconv.max_unpool2d(y, at, 2),
        lambda: npconv.fractional_max_pool2d(x, 2, 2, rng=np.random.default_rng(1)),
    ):
        before = _native.call_count()
        call()
        assert _native.call_count() == before + 1


# ---- errors --------------------------------------------------------------------------------

X = np.ones((2, 3, 5, 6), "f4")
RNG = np.random.default_rng(1)


@both
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda a: a.max_pool2d(X, 2, padding_value="0"), TypeError, "padding_value"),
        (
            lambda a: a.max_pool2d(X, 2, padding=1, padding_value=0, padding_mode="edge"),
            ValueError,
            "padding_value needs",
        ),
        (lambda a: a.min_pool2d(X, 2, padding_mode="same"), ValueError, "padding_mode must be"),
        (lambda a: a.min_pool2d(X.astype("i8"), 2), TypeError, "x is int64"),
        (lambda a: a.max_pool3d(X, 9), ValueError, "larger than the padded x"),
        (lambda a: a.lp_pool2d(X, 0, 2), ValueError, "norm_type must be greater than 0"),
        (lambda a: a.lp_pool2d(X, np.inf, 2), ValueError, "norm_type must be finite"),
        (lambda a: a.lp_pool2d(X, "2", 2), TypeError, "norm_type must be a number"),
        (lambda a: a.max_unpool2d(X, X.astype(int) * 999, 2), ValueError, "indices"),
        (lambda a: a.max_unpool2d(X, X, 2), TypeError, "indices is float32"),
        (
            lambda a: a.max_unpool2d(X, X.astype(int), 2, output_size=(2, 4, 9, 9)),
            ValueError,
            "output_size",
        ),
        (lambda a: a.max_unpool2d(X, X.astype(int), 2, 1, 9), ValueError, "-"),
        (lambda a: a.fractional_max_pool2d(X, 2, 2), TypeError, "rng must be"),
        (lambda a: a.fractional_max_pool2d(X, 2, rng=RNG), ValueError, "one of output_size"),
        (lambda a: a.fractional_max_pool2d(X, 2, 5, rng=RNG), ValueError, "too few for 5"),
        (lambda a: a.fractional_max_pool2d(X, 2, None, 1.5, rng=RNG), ValueError, "between 0"),
        (
            lambda a: a.fractional_max_pool2d(X, 2, 2, random_samples=np.ones((2, 3, 2))),
            ValueError,
            r"in \[0, 1\)",
        ),
    ],
)  # fmt: skip
def test_errors(library: Any, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(library)
