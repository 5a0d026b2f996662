"""Average-poolings, plain, adaptive and global: by hand, against the reference, and their bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pool_strategies import WindowCase, window_cases
from tolerance import assert_close, assert_same_bits, assert_same_values
from variants import ISA_VARIANTS, ISAS, name

import npconv
from npconv import _native, reference

both = pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
each_isa = pytest.mark.parametrize("variant", ISA_VARIANTS, ids=name)


def image(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)[None, None]


# ---- by hand -------------------------------------------------------------------------------


@both
def test_means_and_their_gradient(library: Any) -> None:
    # 1 3 | 0 4     means 2 2     gradients 4 8 give each of their four pixels a quarter:
    # 4 0 | 4 0                   1 1 2 2
    x = image([1, 3, 0, 4], [4, 0, 4, 0])
    assert_same_values(library.avg_pool2d(x, 2), image([2, 2]))
    dx = library.avg_pool2d_backward(image([4, 8]), x.shape, 2)
    assert_same_values(dx, image([1, 1, 2, 2], [1, 1, 2, 2]))


@both
def test_what_is_counted(library: Any) -> None:
    # Windows of 3 at stride 2 over  0 | 6 6 6 6 | 0 : [0 6 6] [6 6 6] and with ceil_mode [6 0 .],
    # whose last element lies past the padding.
    x = image([6, 6, 6, 6])
    pool = {"kernel_size": (1, 3), "stride": (1, 2), "padding": (0, 1)}
    assert_same_values(library.avg_pool2d(x, **pool), image([4, 6]))
    assert_same_values(library.avg_pool2d(x, **pool, ceil_mode=True), image([4, 6, 3]))
    alone = library.avg_pool2d(x, **pool, ceil_mode=True, count_include_pad=False)
    assert_same_values(alone, image([6, 6, 6]))
    assert_same_values(library.avg_pool2d(x, **pool, divisor_override=6), image([2, 3]))


@both
def test_three_rules_for_the_number_of_windows(library: Any) -> None:
    # Windows of 3 at stride 4 over  1 2 3 4 5 6 : at 0, with ceil at 4 too. At stride 6 and with
    # padding behind, the second one starts in that: "cover_all" keeps it, and is refused.
    x = image([1, 2, 3, 4, 5, 6])
    pool: dict[str, Any] = {"kernel_size": (1, 3)}
    assert_same_values(library.avg_pool2d(x, stride=4, **pool), image([2]))
    for rule in (True, "cover_all"):
        y = library.avg_pool2d(x, stride=4, **pool, ceil_mode=rule)
        assert_same_values(y, image([2, 5.5]))
    pool["padding"] = ((0, 0), (0, 1))
    assert_same_values(library.avg_pool2d(x, stride=6, **pool, ceil_mode=True), image([2]))
    with pytest.raises(ValueError, match="wholly in the padding along W"):
        library.avg_pool2d(x, stride=6, **pool, ceil_mode="cover_all")


@both
@pytest.mark.parametrize("pool", ["avg_pool2d", "lp_pool2d"])
def test_padding_is_less_than_the_window(library: Any, pool: str) -> None:
    """As for maxima: a mean of nothing is no number."""
    x, norm = image([1, 2, 3]), (2,) if pool == "lp_pool2d" else ()
    run, back = getattr(library, pool), getattr(library, f"{pool}_backward")
    for padding in ((0, 2), ((0, 0), (0, 2))):
        with pytest.raises(ValueError, match="padding must be smaller than the window along W"):
            run(x, *norm, (1, 2), padding=padding)
    if not norm:
        with pytest.raises(ValueError, match="padding must be smaller than the window along W"):
            back(x, x.shape, (1, 2), padding=(0, 2))
        y = run(x, (1, 2), padding=(0, 2), padding_mode="edge")  # that is made of elements
        assert_same_values(y, image([1, 1.5, 3]))


@both
def test_adaptive_windows_share_elements(library: Any) -> None:
    # Three windows over five elements: [1 2] [2 3 4] [4 5]
    x = image([1, 2, 3, 4, 5])
    assert_same_values(library.adaptive_avg_pool2d(x, (None, 3)), image([1.5, 3, 4.5]))
    dx = library.adaptive_avg_pool2d_backward(image([2, 3, 4]), x.shape)
    assert_same_values(dx, image([1, 2, 1, 3, 2]))


@both
def test_global(library: Any) -> None:
    x = np.arange(12, dtype="f4").reshape(1, 2, 2, 3)
    expected = np.array([2.5, 8.5])
    assert_same_values(library.global_avg_pool(x).ravel(), expected)
    swapped = np.moveaxis(x, 1, -1)
    assert_same_values(library.global_avg_pool(swapped, channels_last=True).ravel(), expected)
    dx = library.global_avg_pool_backward(np.full((1, 2, 1, 1), 6, "f4"), x.shape)
    assert_same_values(dx, np.ones(x.shape))


# ---- against the reference -----------------------------------------------------------------


def compare(actual: np.ndarray, expected: np.ndarray, magnitude: np.ndarray, terms: int) -> None:
    """One rounding more than a sum has: of the division."""
    assert actual.dtype == expected.dtype
    assert_close(actual, expected.astype("f8"), magnitude.astype("f8"), terms + 2)


counting = st.fixed_dictionaries(
    {"count_include_pad": st.booleans(), "divisor_override": st.sampled_from([None, 3])}
)


@given(window_cases(), counting, st.sampled_from(ISA_VARIANTS))
def test_average(case: WindowCase, rule: dict[str, Any], variant: dict[str, Any]) -> None:
    x, settings = case.x(), case.settings | rule
    terms = int(np.prod(case.kernel))
    y = case.define("avg_pool#", x, **settings)
    size = case.define("avg_pool#", abs(x), **settings)
    compare(case.run("avg_pool#", x, **settings, **variant), y, size, terms)
    grad = np.random.default_rng(case.seed).standard_normal(y.shape).astype(y.dtype)
    dx = case.define("avg_pool#_backward", grad, x.shape, **settings)
    size = case.define("avg_pool#_backward", abs(grad), x.shape, **settings)
    back = case.run("avg_pool#_backward", grad, x.shape, **settings, **variant)
    compare(back, dx, size, terms)


@given(window_cases(), st.data(), st.sampled_from(ISA_VARIANTS))
def test_adaptive(case: WindowCase, data: st.DataObject, variant: dict[str, Any]) -> None:
    x, layout = case.x(), {"layout": case.layout}
    sizes = st.one_of(st.none(), st.integers(1, 9))
    wanted = data.draw(st.lists(sizes, min_size=case.ndim, max_size=case.ndim))
    terms = int(np.prod(case.size))
    y = case.define("adaptive_avg_pool#", x, wanted, **layout)
    size = case.define("adaptive_avg_pool#", abs(x), wanted, **layout)
    compare(case.run("adaptive_avg_pool#", x, wanted, **layout, **variant), y, size, terms)
    grad = np.random.default_rng(case.seed).standard_normal(y.shape).astype(y.dtype)
    dx = case.define("adaptive_avg_pool#_backward", grad, x.shape, **layout)
    size = case.define("adaptive_avg_pool#_backward", abs(grad), x.shape, **layout)
    back = case.run("adaptive_avg_pool#_backward", grad, x.shape, **layout, **variant)
    compare(back, dx, size, terms)


LONG = [  # shape, kernel, stride: rows and windows that do not fit scratch, uneven or not
    ((1, 2, 1, 70_000), (1, 70_000), None),
    ((1, 1, 3, 70_000), (2, 300), (1, 250)),
    ((1, 1, 2, 40_000), (1, 2), (1, 2)),
    ((1, 1, 1300, 3), (1300, 2), (1, 1)),
    ((1, 3, 150, 170), (3, 3), (1, 1)),
]


@each_isa
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
def test_long_rows_and_windows(variant: dict[str, Any], last: bool) -> None:
    rng = np.random.default_rng(1)
    layout = "NHWC" if last else "NCHW"
    for shape, kernel, stride in LONG:
        x = rng.integers(-4, 5, shape).astype("f4")
        x = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if last else x
        settings: dict[str, Any] = {"kernel_size": kernel, "stride": stride, "layout": layout}
        y = npconv.avg_pool2d(x, **settings, **variant)
        assert_same_values(y, reference.avg_pool2d(x, **settings))  # sums of integers are exact
        dx = npconv.avg_pool2d_backward(y, x.shape, **settings, **variant)
        expected = reference.avg_pool2d_backward(y, x.shape, **settings)
        np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-6)


# ---- promises ------------------------------------------------------------------------------


@each_isa
@pytest.mark.parametrize(
    ("size", "settings"),
    [
        ((37, 90), {"kernel_size": 3, "stride": 2, "padding": 1}),
        ((37, 90), {"kernel_size": 2}),
        ((40, 61), {"kernel_size": 3, "stride": 1, "padding": 1, "count_include_pad": False}),
        ((7, 7), {"kernel_size": 7}),
        ((33, 35), {"kernel_size": 4, "stride": 3, "dilation": 2}),
    ],
    ids=str,
)
def test_bits_for_any_threads_split_and_memory(
    variant: dict[str, Any], size: tuple[int, int], settings: dict[str, Any]
) -> None:
    x = np.random.default_rng(1).standard_normal((6, 40, *size)).astype("f4")
    y = npconv.avg_pool2d(x, **settings, **variant, num_threads=1)
    dx = npconv.avg_pool2d_backward(y, x.shape, **settings, **variant, num_threads=1)
    for threads in (2, 3, 4, 8):
        options = settings | variant | {"num_threads": threads}
        assert_same_bits(npconv.avg_pool2d(x, **options), y)
        assert_same_bits(npconv.avg_pool2d_backward(y, x.shape, **options), dx)
    options = settings | variant
    inside = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)  # channels last
    odd = np.repeat(x, 2, 3)[..., ::2]
    for other in (inside, odd, x[::-1][::-1], x.astype(">f4")):
        assert_same_bits(npconv.avg_pool2d(other, **options), y)
    assert_same_bits(npconv.avg_pool2d(x[2:3], **options), y[2:3])
    out = np.moveaxis(np.empty((6, *y.shape[2:], 40), "f4"), -1, 1)
    assert_same_bits(npconv.avg_pool2d(inside, **options, out=out), y)
    assert_same_bits(npconv.avg_pool2d(x, **options, out=out), y)
    last = npconv.avg_pool2d(np.moveaxis(inside, 1, -1), **options, layout="NHWC")
    assert_same_bits(np.moveaxis(last, -1, 1), y)


@given(window_cases(), counting)
def test_gradient_is_the_adjoint(case: WindowCase, rule: dict[str, Any]) -> None:
    """<avg(x), g> = <x, dx>, for small integers up to the rounding of the quotients."""
    x, settings = case.x().astype("f8"), case.settings | rule
    case.define("avg_pool#", x, **settings)
    y = case.run("avg_pool#", x, **settings)
    grad = np.random.default_rng(case.seed).integers(-4, 5, y.shape).astype("f8")
    dx = case.run("avg_pool#_backward", grad, x.shape, **settings)
    assert abs((y * grad).sum() - (x * dx).sum()) <= 1e-12 * max(1, abs(y * grad).sum())


def test_infinities_and_nans_stay_in_their_windows() -> None:
    x = np.zeros((1, 1, 6, 40), "f4")
    x[0, 0, 2, 3], x[0, 0, 4, 20] = np.inf, np.nan
    y = npconv.avg_pool2d(x, 3, 2, 1)
    np.testing.assert_array_equal(np.isinf(y), reference.avg_pool2d(x, 3, 2, 1) == np.inf)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(reference.avg_pool2d(x, 3, 2, 1)))
    grad = np.zeros((1, 1, 3, 20), "f4")
    grad[0, 0, 0, 1] = np.inf
    dx = npconv.avg_pool2d_backward(grad, x.shape, 3, 2, 1, count_include_pad=False)
    assert np.isinf(dx).sum() == 6
    assert not np.isnan(dx).any()


def test_each_call_runs_in_c() -> None:
    x = np.ones((2, 3, 6, 7), "f4")
    for call in (
        lambda: npconv.avg_pool2d(x, 2),
        lambda: npconv.avg_pool2d_backward(np.ones((2, 3, 3, 3), "f4"), x.shape, 2),
        lambda: npconv.adaptive_avg_pool2d(x, (4, 5)),
        lambda: npconv.global_avg_pool(x),
    ):
        before = _native.call_count()
        call()
        assert _native.call_count() == before + 1
        assert npconv.last_plan()["operation"].startswith("avg_pool")


# ---- errors --------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda a, x: a.avg_pool2d(x, 2, divisor_override=0), ValueError, "divisor_override"),
        (lambda a, x: a.avg_pool2d(x, 2, ceil_mode="up"), TypeError, "'cover_all', got 'up'"),
        (lambda a, x: a.avg_pool2d(x, 2, count_include_pad=1), TypeError, "count_include_pad"),
        (lambda a, x: a.avg_pool2d(x, 9), ValueError, "larger than the padded x along H"),
        (lambda a, x: a.avg_pool2d(x, 2, layout="NCW"), ValueError, "'NCHW' or 'NHWC'"),
        (lambda a, x: a.avg_pool2d(x.astype(complex), 2), TypeError, "x is complex128"),
        (lambda a, x: a.avg_pool2d_backward(x, x.shape, 2), ValueError, "grad has shape"),
        (lambda a, x: a.adaptive_avg_pool2d(x, (2,)), ValueError, "output_size must be one"),
        (lambda a, x: a.adaptive_avg_pool2d(x, 0), ValueError, "output_size must be at least 1"),
        (lambda a, x: a.adaptive_avg_pool2d(x[..., :0], 2), ValueError, "empty along W"),
        (lambda a, x: a.global_avg_pool(x[0, 0]), ValueError, "x must be"),
    ],
)  # fmt: skip
def test_errors(library: Any, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(library, np.ones((2, 3, 5, 6), "f4"))


def test_large_results_have_the_bits_of_small_ones() -> None:
    """Those that lie beyond the caches are written past them."""
    rng = np.random.default_rng(1)
    shape = (1, 4, 1024, 1040)
    for kernel, stride, padding in [(2, 2, 0), (3, 2, 1)]:
        settings: tuple[Any, ...] = (kernel, stride, padding)
        y = npconv.max_pool2d(rng.standard_normal(shape, dtype=np.float32), *settings)
        mean = npconv.avg_pool2d_backward(y, shape, *settings)
        for c in range(4):
            part, one = (1, 1, *shape[2:]), slice(c, c + 1)
            small = npconv.avg_pool2d_backward(y[:, one], part, *settings)
            assert_same_bits(mean[:, one], small)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_windows_as_large_as_the_image(isa: str, dtype: str) -> None:
    """The same bits from a short way and from the long one, which rows that lie apart take."""
    rng = np.random.default_rng(0)
    for height, width in ((7, 7), (3, 1), (1, 16), (14, 14), (5, 33), (4, 90)):
        x = rng.standard_normal((2, 3, height, width)).astype(dtype)
        apart = np.repeat(x, 2, -1)[..., ::2]
        window = (height, width)
        found = npconv.avg_pool2d(x, window, isa=isa)
        assert_same_bits(found, npconv.avg_pool2d(apart, window, isa=isa))
        assert np.allclose(found[..., 0, 0], x.mean((2, 3)), atol=1e-6)
        assert_same_bits(found, npconv.adaptive_avg_pool2d(x, 1, isa=isa))
        if min(window) > 1:
            rule = {"stride": 9 * width, "padding": 1, "count_include_pad": False, "isa": isa}
            found = npconv.avg_pool2d(x, window, **rule)
            assert_same_bits(found, npconv.avg_pool2d(apart, window, **rule))
            assert np.allclose(found[..., 0, 0], x[..., :-1, :-1].mean((2, 3)), atol=1e-6)
