"""Softmax with cross-entropy."""

from __future__ import annotations

import numpy as np
import pytest

from npconv.layers import SoftmaxCrossEntropy


def test_by_hand() -> None:
    """exp(scores) is 1 and 3, so softmax is 1/4 and 3/4; the second row is undecided."""
    loss = SoftmaxCrossEntropy()
    scores = np.log([[1.0, 3.0], [5.0, 5.0]])
    value = loss.forward(scores, np.array([1, 0]))
    assert value == pytest.approx((np.log(4 / 3) + np.log(2)) / 2, rel=1e-14)
    expected = np.array([[1 / 4, 3 / 4 - 1], [1 / 2 - 1, 1 / 2]]) / 2
    np.testing.assert_allclose(loss.backward(), expected, rtol=1e-14)


def test_backward_is_the_slope() -> None:
    rng = np.random.default_rng(2)
    scores, labels = rng.standard_normal((4, 5)), np.array([0, 4, 4, 2], np.uint8)
    loss = SoftmaxCrossEntropy()
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
