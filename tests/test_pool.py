"""max_pool2d and its gradient: by hand, against the reference, and where maxima are odd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import Form, PoolCase, make, memory, pool_cases
from tolerance import assert_same_bits, assert_same_values
from variants import ISA_VARIANTS, name

import npconv
from npconv import reference
from npconv.geometry import pool_geometry

both = pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
each_isa = pytest.mark.parametrize("variant", ISA_VARIANTS, ids=name)
PLAIN = Form()
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def image(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)[None, None]


def positions(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int64)[None, None]


def skip_impossible(case: PoolCase) -> None:
    """Pass over cases that have a window wholly in the padding, which is an error."""
    try:
        pool_geometry(2, case.x_shape, **case.settings)
    except ValueError as error:
        assume("wholly in the padding" not in str(error))
        raise


# ---- by hand -------------------------------------------------------------------------------


@both
def test_maximum_and_both_kinds_of_index(library: Any) -> None:
    # 1 9 | 3 4      maxima 9 4        flat: number in the image     window: number in the 2x2
    # 2 0 | 1 2             8 7        1 3                           1 1
    # ----+----                        8 15                          0 3
    # 8 8 | 5 6   (the first 8 wins)
    # 8 1 | 4 7
    x = image([1, 9, 3, 4], [2, 0, 1, 2], [8, 8, 5, 6], [8, 1, 4, 7])
    y, flat = library.max_pool2d(x, 2, return_indices=True)
    assert_same_values(y, image([9, 4], [8, 7]))
    assert_same_values(flat, positions([1, 3], [8, 15]))
    _, window = library.max_pool2d(x, 2, return_indices=True, indices="window")
    assert_same_values(window, positions([1, 1], [0, 3]))
    assert_same_values(library.max_pool2d(x, 2), y)


@both
def test_gradient_goes_to_the_maximum_and_adds_where_windows_overlap(library: Any) -> None:
    # Windows of 2 at stride 1 over 1 5 2 3: maxima 5 5 3, so 5 gets two gradients.
    x = image([1, 5, 2, 3])
    y, indices = library.max_pool2d(x, (1, 2), 1, return_indices=True)
    assert_same_values(y, image([5, 5, 3]))
    dx = library.max_pool2d_backward(image([1, 10, 100]), indices, x.shape, (1, 2), 1)
    assert_same_values(dx, image([0, 11, 0, 100]))


@both
def test_padding_is_never_the_maximum(library: Any) -> None:
    # All is below zero; a zero in the padding would win.
    x = image([-1, -2], [-3, -4])
    y, flat = library.max_pool2d(x, 2, padding=1, return_indices=True)
    assert_same_values(y, x)
    assert_same_values(flat, positions([0, 1], [2, 3]))
    _, window = library.max_pool2d(x, 2, padding=1, return_indices=True, indices="window")
    # The pixel is the last of the first window, the first of the last.
    assert_same_values(window, positions([3, 2], [1, 0]))


@both
def test_ceil_mode_adds_a_window_that_hangs_over(library: Any) -> None:
    x = image([1, 2, 3, 4, 5])
    assert_same_values(library.max_pool2d(x, (1, 2)), image([2, 4]))
    assert_same_values(library.max_pool2d(x, (1, 2), ceil_mode=True), image([2, 4, 5]))
    # Windows at -1 and 2; one at 5 would start in the padding behind, so it is dropped.
    y = library.max_pool2d(x, (1, 2), (1, 3), padding=(0, 1), ceil_mode=True)
    assert_same_values(y, image([1, 4]))


@both
def test_dilated_window(library: Any) -> None:
    # Taps two apart: 9 is between them.
    y, flat = library.max_pool2d(image([1, 9, 3, 4, 2]), (1, 2), 1, dilation=2, return_indices=True)
    assert_same_values(y, image([3, 9, 3]))
    assert_same_values(flat, positions([2, 1, 2]))


@both
def test_first_nan_wins(library: Any) -> None:
    x = image([1, np.nan, np.inf, np.nan])
    y, flat = library.max_pool2d(x, (1, 4), return_indices=True)
    assert np.isnan(y).all()
    assert flat.item() == 1


@both
def test_minus_infinity_is_found_at_its_first_place(library: Any) -> None:
    x = np.full((1, 1, 4, 4), -np.inf, "f4")
    y, flat = library.max_pool2d(x, 3, 1, padding=1, return_indices=True)
    assert_same_values(y, x)
    # Top left pixel of each window that is inside the image.
    rows = [[0, 0, 1, 2], [0, 0, 1, 2], [4, 4, 5, 6], [8, 8, 9, 10]]
    assert_same_values(flat, positions(*rows))


@both
def test_unbatched_input(library: Any) -> None:
    x = image([1, 2], [3, 4])[0]
    y, flat = library.max_pool2d(x, 2, return_indices=True)
    assert y.shape == flat.shape == (1, 1, 1)
    dx = library.max_pool2d_backward(y, flat, x.shape, 2)
    assert_same_values(dx, image([0, 0], [0, 4])[0])


# ---- against the reference -----------------------------------------------------------------


def check(x: np.ndarray, case: PoolCase, grad_form: Form = PLAIN) -> None:
    """Forward with both kinds of indices and without, and backward, for every ISA."""
    for kind in ("flat", "window"):
        y, indices = reference.max_pool2d(x, **case.settings, return_indices=True, indices=kind)
        shape = y.shape if case.batched else (1, *y.shape)
        grad = make(shape, grad_form, np.random.default_rng(case.seed))
        grad = grad if case.batched else grad[0]
        dx = reference.max_pool2d_backward(grad, indices, x.shape, **case.settings, index_kind=kind)
        for variant in ISA_VARIANTS:
            options = {**case.settings, **variant}
            label = f"{name(variant)} {kind}"
            got, at = npconv.max_pool2d(x, **options, return_indices=True, indices=kind)
            assert got.dtype == y.dtype
            assert at.dtype == np.int64
            assert_same_values(got, y, f"y {label}")
            assert_same_values(at, indices, f"indices {label}")
            if kind == "window" and np.prod(case.kernel) <= 256:
                options_of_bytes = {"return_indices": True, "indices": kind, "index_dtype": "uint8"}
                again, small = npconv.max_pool2d(x, **options, **options_of_bytes)
                assert small.dtype == np.uint8
                assert_same_values(again, y, f"y with bytes {label}")
                assert_same_values(small.astype("i8"), indices, f"bytes {label}")
                back = npconv.max_pool2d_backward(grad, small, x.shape, **options, index_kind=kind)
                assert_same_values(back, dx, f"dx of bytes {label}")
            alone = npconv.max_pool2d(x, **options)
            assert_same_values(alone, y, f"y alone {label}")
            back = npconv.max_pool2d_backward(grad, at, x.shape, **options, index_kind=kind)
            assert back.dtype == grad.dtype.newbyteorder("=")
            assert_same_values(back, dx, f"dx {label}")


@given(pool_cases(), memory)
def test_few_values_with_many_ties(case: PoolCase, grad_memory: str) -> None:
    skip_impossible(case)
    check(case.x(largest=1), case, Form(case.x_form.dtype, grad_memory))


@given(pool_cases())
def test_distinct_values(case: PoolCase) -> None:
    skip_impossible(case)
    check(case.x(integers=False), case)


@given(pool_cases(), st.sampled_from([0.05, 0.5, 1.0]))
def test_special_values(case: PoolCase, share: float) -> None:
    """NaN, both infinities and both zeros among the numbers, sparsely and throughout."""
    skip_impossible(case)
    rng = np.random.default_rng(case.seed)
    x = case.x().copy()
    special = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], x.shape)
    x[...] = np.where(rng.random(x.shape) < share, special, x)
    check(x, case)


SIZES = [
    PoolCase(2, 3, (16, 16), (2, 2), seed=1),
    PoolCase(1, 2, (33, 67), (2, 2), seed=2),
    PoolCase(1, 2, (33, 67), (3, 3), (2, 2), padding=1, seed=3),
    PoolCase(1, 2, (33, 130), (3, 3), (1, 1), padding=1, seed=4),
    PoolCase(1, 2, (20, 131), (3, 2), (2, 3), seed=5),
    PoolCase(1, 1, (9, 200), (5, 5), (4, 4), padding=2, seed=6),
    PoolCase(1, 1, (40, 41), (7, 3), (1, 2), (3, 4), padding=((0, 3), (1, 2)), seed=7),
    PoolCase(1, 3, (13, 13), (3, 3), (2, 2), ceil_mode=True, seed=8),
    PoolCase(1, 1, (300, 1), (2, 1), seed=9),
    PoolCase(1, 1, (1, 300), (1, 300), seed=10),
    PoolCase(1, 1, (30, 40), (30, 40), seed=11),
    PoolCase(1, 1, (40, 40), (1, 1), (3, 3), seed=12),
    PoolCase(5, 64, (7, 7), (2, 2), seed=13),
    PoolCase(6, 50, (28, 28), (2, 2), seed=14),  # planes that are taken as one
    PoolCase(1, 2, (301, 150), (2, 2), seed=15),
]


@each_dtype
@pytest.mark.parametrize("case", SIZES, ids=lambda case: f"seed{case.seed}")
def test_larger_images(case: PoolCase, dtype: str) -> None:
    rng = np.random.default_rng(case.seed)
    check(rng.standard_normal(case.x_shape).astype(dtype), case, Form(dtype))
    check(rng.integers(0, 3, case.x_shape).astype(dtype), case, Form(dtype))


@each_dtype
@pytest.mark.parametrize("width", range(1, 71))
def test_every_width(width: int, dtype: str) -> None:
    """Whole vectors and every count of leftovers, with windows of 2 and overlapping of 3."""
    x = np.random.default_rng(width).standard_normal((1, 2, 5, width)).astype(dtype)
    check(x, PoolCase(1, 2, (5, width), (2, 1)), Form(dtype))
    check(x, PoolCase(1, 2, (5, width), (2, 2), padding=(0, 1)), Form(dtype))
    check(x, PoolCase(1, 2, (5, width), (3, 3), (2, 2), padding=1, ceil_mode=True), Form(dtype))


@each_isa
@each_dtype
@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (2, 2)])
def test_small_windows(size: int, stride: int, dtype: str, variant: dict[str, Any]) -> None:
    """They have a kernel of their own: ties, NaN, borders and planes in a row in it."""
    rng = np.random.default_rng(size + stride)
    values = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0]
    odds = [0.02, 0.02, 0.3, 0.2, 0.2, 0.06, 0.2]
    bytes_of = {"return_indices": True, "indices": "window", "index_dtype": "uint8"}
    for width in [*range(1, 40), 67, 520]:
        # Of 7 rows the last is left over, and the windows of one plane do not follow another's.
        x = rng.choice(values, (2, 2, 6 + width % 2, width), p=odds).astype(dtype)
        for padding, ceil_mode in [(0, False), (1, False), (0, True), (((1, 0), (0, 1)), True)]:
            settings = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
            if padding != 1 and width < size:
                continue
            expected, at = reference.max_pool2d(x, size, **settings, **bytes_of)
            assert_same_bits(npconv.max_pool2d(x, size, **settings, **variant), expected)
            y, indices = npconv.max_pool2d(x, size, **settings, **bytes_of, **variant)
            assert_same_bits(y, expected)
            assert_same_bits(indices, at)
            assert_same_values(-npconv.min_pool2d(-x, size, **settings, **variant), expected)
            low, indices = npconv.min_pool2d(-x, size, **settings, **bytes_of, **variant)
            assert_same_values(-low, expected)
            assert_same_bits(indices, at)


# ---- operands ------------------------------------------------------------------------------


@given(pool_cases())
def test_operands_are_not_modified(case: PoolCase) -> None:
    skip_impossible(case)
    x = case.x()
    before = x.copy()
    y, indices = npconv.max_pool2d(x, **case.settings, return_indices=True)
    assert_same_values(x, before)
    grad, kept = y.copy(), indices.copy()
    npconv.max_pool2d_backward(y, indices, x.shape, **case.settings)
    assert_same_values(y, grad)
    assert_same_values(indices, kept)


@pytest.mark.parametrize("form", ["contiguous", "transposed", "negative", "sliced"])
@each_isa
@pytest.mark.parametrize("return_indices", [False, True])
def test_out_of_any_strides_is_filled_and_returned(
    return_indices: bool, variant: dict[str, Any], form: str
) -> None:
    x = np.random.default_rng(1).standard_normal((2, 3, 9, 37)).astype("f4")
    expected = reference.max_pool2d(x, 3, 2, 1)
    larger = np.full([2 * n + 1 for n in expected.shape], np.nan, "f4")
    out = {
        "contiguous": lambda: np.full(expected.shape, np.nan, "f4"),
        "transposed": lambda: np.full(expected.shape[::-1], np.nan, "f4").T,
        "negative": lambda: np.full(expected.shape, np.nan, "f4")[::-1, ::-1, ::-1, ::-1],
        "sliced": lambda: larger[1::2, 1::2, 1::2, 1::2],
    }[form]()
    y = npconv.max_pool2d(x, 3, 2, 1, return_indices=return_indices, out=out, **variant)
    assert (y[0] if return_indices else y) is out
    assert_same_values(out, expected)
    if form == "sliced":
        out[...] = np.nan
        assert np.isnan(larger).all(), "wrote between the elements of out"


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint64", ">i8"])
@both
def test_indices_of_any_integer_type(library: Any, kind: str) -> None:
    grad = image([1, 10])
    dx = library.max_pool2d_backward(grad, positions([1, 2]).astype(kind), (1, 1, 1, 4), (1, 2))
    assert_same_values(dx, image([0, 1, 10, 0]))


@both
def test_a_byte_counts_windows_of_up_to_256(library: Any) -> None:
    x = np.zeros((1, 1, 16, 17), "f4")
    x[0, 0, 15, 15] = 1
    settings: dict[str, Any] = {"return_indices": True, "indices": "window", "index_dtype": "uint8"}
    y, at = library.max_pool2d(x, 16, 1, **settings)
    assert_same_values(at, np.array([[[[255, 254]]]], np.uint8))
    dx = library.max_pool2d_backward(y, at, x.shape, 16, 1, index_kind="window")
    assert_same_values(dx, 2 * x)
    with pytest.raises(ValueError, match="256"):
        library.max_pool2d(x, (16, 17), **settings)


@both
@pytest.mark.parametrize(("corner", "bad"), [((0, 0), 0), ((2, 2), 3), ((1, 1), 4), ((1, 1), 255)])
def test_bad_byte_is_refused(library: Any, corner: tuple, bad: int) -> None:
    x = np.arange(16, dtype="f4").reshape(1, 1, 4, 4)
    y, at = library.max_pool2d(
        x, 2, padding=1, return_indices=True, indices="window", index_dtype=np.uint8
    )
    at[0, 0, *corner] = bad
    with pytest.raises(ValueError, match="indices"):
        library.max_pool2d_backward(y, at, x.shape, 2, padding=1, index_kind="window")


# ---- indices that no forward pass has given ------------------------------------------------


@both
@each_dtype
@pytest.mark.parametrize("bad", [-1, 16, 2**31, 2**62, -(2**63), 2**63 - 1])
@pytest.mark.parametrize("stride", [2, 1])
def test_index_out_of_the_plane_is_refused(library: Any, dtype: str, bad: int, stride: int) -> None:
    x = np.arange(3 * 16, dtype=dtype).reshape(1, 3, 4, 4)
    y, indices = library.max_pool2d(x, 2, stride, return_indices=True)
    for at in [(0, 0, 0, 0), (0, 2, -1, -1)]:
        wrong = indices.copy()
        wrong[at] = bad
        with pytest.raises(ValueError, match="indices"):
            library.max_pool2d_backward(y, wrong, x.shape, 2, stride)


@both
@pytest.mark.parametrize("bad", [-1, 4, 2**31, 2**62, -(2**63), 2**63 - 1])
def test_index_out_of_the_window_is_refused(library: Any, bad: int) -> None:
    x = np.arange(16, dtype="f4").reshape(1, 1, 4, 4)
    y, indices = library.max_pool2d(x, 2, return_indices=True, indices="window")
    indices[0, 0, 1, 0] = bad
    with pytest.raises(ValueError, match="indices"):
        library.max_pool2d_backward(y, indices, x.shape, 2, index_kind="window")


@both
@pytest.mark.parametrize(("corner", "bad"), [((0, 0), 0), ((2, 2), 3)])
def test_index_in_the_padding_is_refused(library: Any, corner: tuple, bad: int) -> None:
    """Tap 0 of the first window and tap 3 of the last one lie outside of the image."""
    x = np.arange(16, dtype="f4").reshape(1, 1, 4, 4)
    y, indices = library.max_pool2d(x, 2, padding=1, return_indices=True, indices="window")
    indices[0, 0, *corner] = bad
    with pytest.raises(ValueError, match="indices"):
        library.max_pool2d_backward(y, indices, x.shape, 2, padding=1, index_kind="window")


@each_dtype
@each_isa
def test_flat_index_outside_of_its_window_still_gets_the_gradient(
    variant: dict[str, Any], dtype: str
) -> None:
    """A flat index names a pixel of the plane: which window it came from does not matter."""
    rng = np.random.default_rng(7)
    for kernel, stride in [(2, 2), (3, 2), (3, 1)]:
        y = npconv.max_pool2d(np.zeros((2, 3, 11, 13), dtype), kernel, stride)
        indices = rng.integers(0, 11 * 13, y.shape)
        grad = rng.integers(-4, 5, y.shape).astype(dtype)
        arguments = (grad, indices, (2, 3, 11, 13), kernel, stride)
        expected = reference.max_pool2d_backward(*arguments)
        assert_same_values(npconv.max_pool2d_backward(*arguments, **variant), expected)


# ---- mathematics ---------------------------------------------------------------------------


@given(pool_cases())
def test_gradient_is_the_adjoint_of_picking(case: PoolCase) -> None:
    """<x[indices], g> = <x, dx>: pooling with known indices is linear."""
    skip_impossible(case)
    assume(case.batch * case.channels > 0)
    x = case.x().astype("f8")
    y, indices = npconv.max_pool2d(x, **case.settings, return_indices=True)
    grad = np.random.default_rng(case.seed).integers(-4, 5, y.shape).astype("f8")
    dx = npconv.max_pool2d_backward(grad, indices, x.shape, **case.settings)
    planes = x.reshape(*x.shape[:-2], -1)
    picked = np.take_along_axis(planes, indices.reshape(*y.shape[:-2], -1), -1)
    assert_same_bits(picked.reshape(y.shape), y)
    assert (y * grad).sum() == (x * dx).sum()


def test_every_single_derivative_by_differences() -> None:
    """With distinct values, a small step leaves the maxima where they are."""
    x = np.random.default_rng(3).permutation(2 * 3 * 5 * 6).reshape(2, 3, 5, 6).astype("f8")
    settings: dict[str, Any] = {"kernel_size": (3, 2), "stride": (1, 2), "padding": 1}
    y, indices = npconv.max_pool2d(x, **settings, return_indices=True)
    grad = np.random.default_rng(4).integers(-4, 5, y.shape).astype("f8")
    dx = npconv.max_pool2d_backward(grad, indices, x.shape, **settings)
    for at in np.ndindex(x.shape):
        losses = []
        for step in (0.25, -0.25):
            moved = x.copy()
            moved[at] += step
            losses.append((npconv.max_pool2d(moved, **settings) * grad).sum())
        assert dx[at] == (losses[0] - losses[1]) / 0.5


# ---- empty and enormous --------------------------------------------------------------------


@both
@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 0, 4, 4), (0, 0, 4, 4)])
def test_empty_batch_and_channels(library: Any, shape: tuple[int, ...]) -> None:
    x = np.ones(shape, "f4")
    y, indices = library.max_pool2d(x, 2, return_indices=True)
    assert y.shape == indices.shape == (*shape[:2], 2, 2)
    assert library.max_pool2d_backward(y, indices, shape, 2).shape == shape


@both
@pytest.mark.parametrize("huge", [2**31, 2**59])
def test_enormous_window_in_enormous_padding(library: Any, huge: int) -> None:
    # Both windows cover the whole row.
    x = image([1, 8, 7])
    width = huge // 2 - 1
    settings: dict[str, Any] = {"kernel_size": (1, huge), "stride": 1, "padding": (0, width)}
    y, flat = library.max_pool2d(x, **settings, return_indices=True)
    assert_same_values(y, image([8, 8]))
    assert_same_values(flat, positions([1, 1]))
    assert_same_values(library.max_pool2d_backward(y, flat, x.shape, **settings), image([0, 16, 0]))
    _, window = library.max_pool2d(x, **settings, return_indices=True, indices="window")
    assert_same_values(window, positions([width + 1, width]))
    dx = library.max_pool2d_backward(y, window, x.shape, **settings, index_kind="window")
    assert_same_values(dx, image([0, 16, 0]))


@both
def test_enormous_stride_and_dilation(library: Any) -> None:
    x = image([1, 2], [4, 3])
    assert_same_values(library.max_pool2d(x, 2, 2**62), image([4]))
    assert_same_values(library.max_pool2d(x, 1, 1, dilation=2**70), x)
