"""Softmax with cross-entropy."""

from __future__ import annotations

import numpy as np
import pytest

import npconv
from npconv import reference
from npconv.layers import SoftmaxCrossEntropy


def test_by_hand() -> None:
    """exp(scores) is 1 and 3, so softmax is 1/4 and 3/4; the second row is undecided."""
    loss = SoftmaxCrossEntropy()
    scores = np.log([[1.0, 3.0], [5.0, 5.0]])
    value = loss.forward(scores, np.array([1, 0]))
    assert value == pytest.approx((np.log(4 / 3) + np.log(2)) / 2, rel=1e-14)
    expected = np.array([[1 / 4, 3 / 4 - 1], [1 / 2 - 1, 1 / 2]]) / 2
    np.testing.assert_allclose(loss.backward(), expected, rtol=1e-14)


def test_smoothed_labels_by_hand() -> None:
    """A half of each label is spread over four classes: 5/8 and three times 1/8."""
    loss = SoftmaxCrossEntropy(0.5)
    scores = np.log([[1.0, 3.0, 2.0, 2.0], [1.0, 1.0, 1.0, 5.0]])
    value = loss.forward(scores, np.array([1, 0]))
    shares = np.exp(scores) / 8
    targets = np.array([[1, 5, 1, 1], [5, 1, 1, 1]]) / 8
    assert value == pytest.approx(-(targets * np.log(shares)).sum() / 2, rel=1e-14)
    np.testing.assert_allclose(loss.backward(), (shares - targets) / 2, rtol=1e-14, atol=1e-16)
    assert loss.eval().forward(scores, np.array([1, 0])) == value
    assert loss.forward(scores[:0], np.zeros(0, int)) == 0
    single = SoftmaxCrossEntropy(0.5)
    assert single.forward(scores.astype("f4"), np.array([1, 0])) == pytest.approx(value, rel=1e-6)
    assert single.backward().dtype == np.float32


def test_smoothing_is_less_than_everything() -> None:
    with pytest.raises(ValueError, match=r"smoothing must be .* less than 1, got 1"):
        SoftmaxCrossEntropy(1.0)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_backward_is_the_slope(smoothing: float) -> None:
    rng = np.random.default_rng(2)
    scores, labels = rng.standard_normal((4, 5)), np.array([0, 4, 4, 2], np.uint8)
    loss = SoftmaxCrossEntropy(smoothing)
    loss.forward(scores, labels)
    grad = loss.backward()
    for i in np.ndindex(scores.shape):
        step = np.zeros_like(scores)
        step[i] = 1e-6
        slope = loss.forward(scores + step, labels) - loss.forward(scores - step, labels)
        assert grad[i] == pytest.approx(slope / 2e-6, rel=1e-6, abs=1e-8)


def test_large_scores_do_not_overflow() -> None:
    loss = SoftmaxCrossEntropy()
    scores = np.array([[1e4, 0, -1e4], [0, 3e38, -3e38]], np.float32)
    with np.errstate(over="ignore"):  # 3e38 - -3e38 is infinite, which is what it should be
        assert loss.forward(scores, np.array([0, 1])) == 0
        np.testing.assert_array_equal(loss.backward(), np.zeros((2, 3)))
    assert loss.forward(scores[:1], np.array([2])) == pytest.approx(2e4)
    assert loss.backward().dtype == np.float32


def by_definition(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    logarithms = reference.log_softmax(scores.astype("f8"))
    rows = np.arange(len(scores))
    grad = np.exp(logarithms)
    grad[rows, labels] -= 1
    return -logarithms[rows, labels].mean(), grad / len(scores)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (5, 17), (300, 10), (7, 1003)])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "f2", "i4"])
def test_any_scores(shape: tuple[int, int], dtype: str) -> None:
    """Also numbers that are converted, strided rows, and more rows than one piece of work."""
    rng = np.random.default_rng(5)
    scores = (8 * rng.standard_normal((shape[0], 2 * shape[1]))).astype(dtype)[:, ::2]
    labels = rng.integers(0, shape[1], shape[0])
    loss = SoftmaxCrossEntropy()
    value, grad = loss.forward(scores, labels), loss.backward()
    expected, slope = by_definition(scores, labels)
    unit = float(np.finfo(grad.dtype).eps)
    assert value == pytest.approx(expected, rel=64 * unit, abs=64 * unit)
    np.testing.assert_allclose(grad, slope, rtol=64 * unit, atol=16 * unit / shape[0])
    with npconv.threads(2):
        assert SoftmaxCrossEntropy().forward(np.ascontiguousarray(scores), labels) == value


@pytest.mark.parametrize("classes", [3, 40])
def test_what_is_not_finite_stays_in_its_row(classes: int) -> None:
    scores = np.zeros((4, classes), "f4")
    scores[0, 1], scores[1, 1], scores[2, 1] = np.nan, np.inf, -np.inf
    loss = SoftmaxCrossEntropy()
    assert np.isnan(loss.forward(scores, np.zeros(4, int)))
    grad = loss.backward()
    assert np.isnan(grad[:2]).all()
    np.testing.assert_allclose(grad[2, 2:], 1 / (classes - 1) / 4, rtol=1e-6)
    assert grad[2, 1] == 0
    assert np.isfinite(grad[3]).all()
    scores[2, :] = -np.inf
    loss.forward(scores[2:], np.zeros(2, int))
    assert np.isnan(loss.backward()[0]).all()


def test_backward_may_be_called_twice() -> None:
    loss = SoftmaxCrossEntropy()
    loss.forward(np.zeros((1, 2)), np.array([0]))
    np.testing.assert_array_equal(loss.backward(), loss.backward())


def test_evaluation_mode_keeps_nothing() -> None:
    loss = SoftmaxCrossEntropy()
    trained = loss.forward(np.eye(3), np.arange(3))
    assert loss.eval().forward(np.eye(3), np.arange(3)) == trained
    with pytest.raises(RuntimeError, match="training mode"):
        loss.backward()


def test_an_empty_batch_has_no_loss() -> None:
    loss = SoftmaxCrossEntropy()
    assert loss.forward(np.zeros((0, 3), np.float32), np.zeros(0, int)) == 0
    assert loss.backward().shape == (0, 3)


@pytest.mark.parametrize(
    ("shape", "labels", "error", "message"),
    [
        ((2, 3, 1), [0, 1], ValueError, r"x has shape \(2, 3, 1\)"),
        ((2, 0), [0, 1], ValueError, "at least one class"),
        ((2, 3), [0], ValueError, r"labels has shape \(1,\), expected \(2,\)"),
        ((2, 3), [0.0, 1.0], TypeError, "labels has dtype float64"),
        ((2, 3), [0, 3], ValueError, "run from 0 to 3, expected 0 to 2"),
        ((2, 3), [-1, 2], ValueError, "run from -1 to 2"),
    ],
)
def test_wrong_arguments_are_named(
    shape: tuple[int, ...], labels: list[float], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        SoftmaxCrossEntropy().forward(np.zeros(shape), np.array(labels))
