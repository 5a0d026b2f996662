"""Batch-norm, local response normalisation, dropout and softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import BROADCAST, MEMORY, Form, make
from tolerance import assert_same_bits

import npconv
from npconv import reference

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
# Small planes are joined into segments, large ones cut into them, and what fits into L2 is summed
# and used at once: shapes on all sides of these limits.
SHAPES = [
    (4, 3),
    (300, 20),
    (2, 5, 3, 4),
    (70, 2, 5, 5),
    (2, 3, 9, 9),
    (3, 2, 70, 90),
    (2, 1, 3, 200, 300),
]
each_shape = pytest.mark.parametrize("shape", SHAPES)


def close(actual: np.ndarray | None, expected: np.ndarray | None, terms: float = 16) -> None:
    assert actual is not None
    assert expected is not None
    assert actual.dtype == expected.dtype
    unit = np.finfo(actual.dtype).eps
    largest = max(np.abs(expected).max(initial=0), 1e-30)
    np.testing.assert_allclose(actual, expected, rtol=terms * unit, atol=terms * unit * largest)


# ---- batch-norm ------------------------------------------------------------------------------


@each_dtype
@each_shape
def test_batch_norm_is_the_reference(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = (3 + 2 * rng.standard_normal(shape)).astype(dtype)
    grad = rng.standard_normal(shape).astype(dtype)
    weight, bias, mean = rng.standard_normal((3, shape[1])).astype(dtype)
    variance = rng.uniform(0.5, 2, shape[1]).astype(dtype)
    for training in (True, False):
        running, expected_running = [mean.copy(), variance.copy()], [mean.copy(), variance.copy()]
        y, saved = npconv.batch_norm(x, weight, bias, *running, training, 0.25, return_saved=True)
        expected, expected_saved = reference.batch_norm(
            x, weight, bias, *expected_running, training, 0.25, return_saved=True
        )
        close(y, expected)
        for one, other in zip(saved, expected_saved, strict=True):
            close(one, other)
        for one, other in zip(running, expected_running, strict=True):
            close(one, other)
        of_x, of_weight, of_bias = npconv.batch_norm_backward(grad, x, weight, saved, training)
        results = reference.batch_norm_backward(grad, x, weight, saved, training)
        close(of_x, results[0], 64)
        close(of_weight, results[1], 64)
        close(of_bias, results[2], 64)


def test_batch_norm_of_values_far_from_zero() -> None:
    """Squares would cancel; distances from the first value do not."""
    x = 1e8 + np.random.default_rng(0).standard_normal((5, 2, 30, 30))
    y = npconv.batch_norm(x, training=True, eps=0)
    assert abs(y.mean()) < 1e-6
    assert abs(y.std() - 1) < 1e-6


@each_shape
def test_batch_norm_has_the_same_bits_in_any_memory_and_on_any_threads(
    shape: tuple[int, ...],
) -> None:
    rng = np.random.default_rng(1)
    x, grad = rng.standard_normal((2, *shape)).astype("f4")

    def run(x: np.ndarray, grad: np.ndarray, **how: Any) -> list[np.ndarray]:
        y, saved = npconv.batch_norm(x, training=True, return_saved=True, **how)
        return [y, *saved, *npconv.batch_norm_backward(grad, x, None, saved, **how)]

    expected = run(x, grad, num_threads=1)
    last = [np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1) for a in (x, grad)]
    for result in (
        run(x, grad, num_threads=3),
        run(*last),
        run(x, last[1]),
        run(last[0], grad, num_threads=2),
        run(np.asfortranarray(x), grad.astype(">f4")),
        run(np.repeat(x, 2, axis=-1)[..., ::2], grad[::-1].copy()[::-1]),
    ):
        for one, other in zip(result, expected, strict=True):
            assert_same_bits(one, other)
    assert run(*last)[0].strides == last[0].strides


def test_batch_norm_infinities_stay_in_their_channel() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 8, 9))
    for value in (np.inf, np.nan):
        x[0, 1, 0, 0] = value
        y = npconv.batch_norm(x, training=True)
        assert np.isfinite(y[:, [0, 2]]).all()
        assert np.isnan(y[0, 1, 0, 0])
    # Without statistics of the batch, the gradient does not look at x.
    saved = (np.zeros(3), np.ones(3))
    dx, _, _ = npconv.batch_norm_backward(np.ones(x.shape), x, None, saved, training=False)
    assert_same_bits(dx, np.ones(x.shape))


def test_batch_norm_computes_what_is_needed() -> None:
    x = np.random.default_rng(0).standard_normal((4, 3, 2))
    _, saved = npconv.batch_norm(x, training=True, return_saved=True)
    everything = npconv.batch_norm_backward(x, x, None, saved)
    for i in range(3):
        needs = tuple(i == j for j in range(3))
        parts = npconv.batch_norm_backward(x, x, None, saved, needs=needs)
        for j, part in enumerate(parts):
            assert (part is None) == (i != j)
        assert_same_bits(parts[i], everything[i])


def test_batch_norm_of_nothing() -> None:
    for shape in ((0, 2, 3), (2, 0, 3), (3, 2, 0)):
        x, mean = np.zeros(shape), np.ones(shape[1])
        y, saved = npconv.batch_norm(x, None, None, mean, None, True, return_saved=True)
        assert y.shape == shape
        assert (mean == 1).all()
        dx, dweight, dbias = npconv.batch_norm_backward(x, x, None, saved)
        assert dx.shape == shape
        assert not dweight.any()
        assert not dbias.any()


# ---- local response normalisation ------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("size", [1, 2, 5, 40])
@pytest.mark.parametrize("beta", [0.75, 0.5, 1, 0.6])
def test_local_response_norm_is_the_reference(size: int, beta: float, dtype: str) -> None:
    rng = np.random.default_rng(0)
    for shape in ((2, 7, 5, 11), (33, 20), (1, 3, 50, 41), (2, 0, 3), (0, 2)):
        x, grad = rng.standard_normal((2, *shape)).astype(dtype)
        settings = (size, 0.3, beta, 1.5)
        y = npconv.local_response_norm(x, *settings)
        close(y, reference.local_response_norm(x, *settings))
        dx = npconv.local_response_norm_backward(grad, x, *settings)
        close(dx, reference.local_response_norm_backward(grad, x, *settings))
        assert_same_bits(npconv.local_response_norm(np.asfortranarray(x), *settings), y)
        assert_same_bits(
            npconv.local_response_norm_backward(grad.astype(">f8"), np.asfortranarray(x), *settings)
            if dtype == "float64"
            else dx,
            dx,
        )


def test_local_response_norm_of_many_tiles_on_threads() -> None:
    x = np.random.default_rng(0).standard_normal((3, 96, 55, 57)).astype("f4")
    expected = npconv.local_response_norm(x, 5, num_threads=1)
    assert_same_bits(npconv.local_response_norm(x, 5, num_threads=3), expected)
    assert_same_bits(npconv.local_response_norm(x[1:2], 5), expected[1:2])


# ---- dropout ---------------------------------------------------------------------------------


@each_dtype
def test_dropout_is_the_reference(dtype: str) -> None:
    for shape in ((), (7,), (3, 5, 17), (70001,), (0, 3)):
        x = np.random.default_rng(1).standard_normal(shape).astype(dtype)
        for p in (0, 0.3, 0.99):
            y, mask = npconv.dropout(x, p, rng=np.random.default_rng(2))
            expected, expected_mask = reference.dropout(x, p, rng=np.random.default_rng(2))
            assert_same_bits(y, expected)
            assert_same_bits(mask, expected_mask)
            dx = npconv.dropout_backward(x[::-1] if x.ndim else x, mask, p)
            assert_same_bits(dx, reference.dropout_backward(x[::-1] if x.ndim else x, mask, p))


def test_dropout_drops_infinities() -> None:
    x = np.full(1000, np.nan)
    y, mask = npconv.dropout(x, 0.5, rng=np.random.default_rng(0))
    assert_same_bits(np.isnan(y), mask.astype(bool))
    assert 400 < mask.sum() < 600


# ---- softmax ---------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_is_the_reference(name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    for shape, axis in (
        ((37, 10), 1),
        ((5,), 0),
        ((2, 3, 4, 5), -1),
        ((3, 19, 9, 9), 1),
        ((2,) * 6, 3),
    ):
        x = (10 * rng.standard_normal(shape)).astype(dtype)
        grad = rng.standard_normal(shape).astype(dtype)
        x.flat[0] = -np.inf
        y = getattr(npconv, name)(x, axis)
        close(y[np.isfinite(y)], getattr(reference, name)(x, axis)[np.isfinite(y)])
        assert (np.isfinite(y) == np.isfinite(getattr(reference, name)(x, axis))).all()
        dx = getattr(npconv, f"{name}_backward")(grad, y, axis)
        expected = getattr(reference, f"{name}_backward")(grad, y, axis)
        # Differences of gradients around 1 cancel.
        np.testing.assert_allclose(dx, expected, rtol=0, atol=64 * np.finfo(dtype).eps)
        assert_same_bits(getattr(npconv, name)(np.asfortranarray(x), axis), y)


def test_softmax_of_nothing_and_of_nan() -> None:
    assert npconv.softmax(np.zeros((0, 3))).shape == (0, 3)
    assert npconv.softmax(np.zeros((3, 0))).shape == (3, 0)
    assert np.isnan(npconv.softmax(np.array([[1.0, np.nan], [0, 0]]))).tolist() == [
        [True, True],
        [False, False],
    ]


# ---- memory ----------------------------------------------------------------------------------

forms = st.builds(
    Form,
    dtype=st.sampled_from(["float32", ">f8"]),
    memory=st.sampled_from([name for name in MEMORY if name not in BROADCAST]),
)


@given(
    shape=st.lists(st.integers(0, 6), min_size=2, max_size=5).map(tuple)
    | st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(60, 70)),
    form=forms,
    seed=st.integers(0, 99),
)
def test_bits_depend_on_values_alone(shape: tuple[int, ...], form: Form, seed: int) -> None:
    x = make(shape, form, np.random.default_rng(seed), False)
    plain = np.array(x, x.dtype.newbyteorder("="), order="C")
    assert_same_bits(npconv.softmax(x), npconv.softmax(plain))
    assert_same_bits(npconv.local_response_norm(x, 3), npconv.local_response_norm(plain, 3))
    mean, variance = np.zeros(shape[1]), np.ones(shape[1])
    y = npconv.batch_norm(x, None, None, mean, variance)
    assert_same_bits(y, npconv.batch_norm(plain, None, None, mean, variance))


# ---- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda n, x: n.batch_norm(x[0, 0], training=True), ValueError, r"must be \(N, C"),
        (lambda n, x: n.batch_norm(x), ValueError, "running_mean is None"),
        (lambda n, x: n.batch_norm(x, x[0, 0], training=True), ValueError, "weight has shape"),
        (lambda n, x: n.batch_norm(x[:1, :, :1], training=True), ValueError, "more than one value"),
        (lambda n, x: n.batch_norm(x, training=1), TypeError, "training must be"),
        (
            lambda n, x: n.batch_norm(x, None, None, [0.0] * 3, training=True),
            TypeError,
            "running_mean must be a numpy.ndarray",
        ),
        (lambda n, x: n.batch_norm(x, eps=-1, training=True), ValueError, "eps must be"),
        (lambda n, x: n.batch_norm_backward(x, x, None, None), TypeError, "saved must be"),
        (lambda n, x: n.batch_norm_backward(x, x[1:], None, (x, x)), ValueError, "grad has shape"),
        (
            lambda n, x: n.batch_norm_backward(x, x, None, (x, x)),
            ValueError,
            "saved has shape",
        ),
        (lambda n, x: n.local_response_norm(x, 0), ValueError, "size"),
        (lambda n, x: n.local_response_norm(x, 3, alpha=np.inf), ValueError, "alpha"),
        (lambda n, x: n.softmax(x, 3), ValueError, "axis is 3, but the array has 3 axes"),
        (lambda n, x: n.softmax(np.float64(1), 0), ValueError, "axis"),
        (lambda n, x: n.dropout(x, 1, rng=np.random.default_rng()), ValueError, "p must be"),
        (lambda n, x: n.dropout(x, rng=None), TypeError, "rng is a NoneType"),
        (lambda n, x: n.dropout_backward(x, x), TypeError, "mask is float64"),
    ],
)
def test_wrong_arguments_are_named(
    library: Any, call: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(library, np.ones((2, 3, 4)))
