"""Optimisers against steps worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from npconv.optim import SGD, Adam, Momentum, Optimiser


def run(optimiser: Optimiser, gradients: list[float], start: float = 1.0) -> list[float]:
    """Return the parameter after each update; in place, in float64."""
    params = {"w": np.array([start])}
    array = params["w"]
    values = []
    for gradient in gradients:
        optimiser.update(params, {"w": np.array([gradient]), "unused": np.zeros(2)})
        assert params["w"] is array
        values.append(float(array[0]))
    return values


def test_sgd() -> None:
    """1 - 0.1 * 2 = 0.8;  0.8 - 0.1 * -1 = 0.9."""
    assert run(SGD(0.1), [2, -1]) == pytest.approx([0.8, 0.9], rel=1e-15)


def test_momentum() -> None:
    """v = -0.2, w = 0.8;  v = 0.9 * -0.2 + 0.1 = -0.08, w = 0.72;  v = -0.072, w = 0.648."""
    assert run(Momentum(0.1, 0.9), [2, -1, 0]) == pytest.approx([0.8, 0.72, 0.648], rel=1e-14)


def test_adam() -> None:
    """With beta1 = beta2 = 0.5 and no epsilon, two steps.

    t = 1, g = 4:  m = 2, v = 8;    sqrt(1/2)/(1/2) * 2/sqrt(8) = 1       w = 1 - 0.1
    t = 2, g = -2: m = 0, v = 6;    no step
    t = 3, g = 2:  m = 1, v = 5;    sqrt(7/8)/(7/8) / sqrt(5)             w = 0.9 - 0.1 * ...
    """
    third = 0.9 - 0.1 * np.sqrt(7 / 8) / (7 / 8) / np.sqrt(5)
    adam = Adam(0.1, beta1=0.5, beta2=0.5, epsilon=0)
    assert run(adam, [4, -2, 2]) == pytest.approx([0.9, 0.9, third], rel=1e-14)


def test_adam_adds_epsilon_to_the_uncorrected_root() -> None:
    """First step, defaults: m = 0.1 g, v = 0.001 g², the rate is sqrt(0.001) / 0.1 of 0.001."""
    g = 1e-5
    step = 0.001 * np.sqrt(0.001) / 0.1 * (0.1 * g) / (np.sqrt(0.001 * g * g) + 1e-7)
    assert run(Adam(), [g]) == pytest.approx([1 - step], rel=1e-12)
    assert step < 0.8e-3  # epsilon shows; without it the first step is the learning rate


@pytest.mark.parametrize("make", [SGD, Momentum, Adam])
def test_finds_the_bottom_of_a_bowl(make: type[Optimiser]) -> None:
    params = {"a": np.full((3, 2), 2.0, np.float32), "b": np.array([-1.0], np.float32)}
    optimiser = make(0.05)
    for _ in range(400):
        optimiser.update(params, {name: 2 * value for name, value in params.items()})
    for value in params.values():
        assert value.dtype == np.float32
        assert np.abs(value).max() < 1e-2


@pytest.mark.parametrize("make", [SGD, Momentum, Adam])
def test_wrong_gradients_are_named_and_change_nothing(make: type[Optimiser]) -> None:
    params = {"a": np.ones(2), "b": np.ones(3)}
    with pytest.raises(ValueError, match="grads has no 'b'"):
        make().update(params, {"a": np.ones(2)})
    with pytest.raises(ValueError, match=r"'b' has shape \(1,\), the parameter has \(3,\)"):
        make().update(params, {"a": np.ones(2), "b": np.ones(1)})
    np.testing.assert_array_equal(params["a"], 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(-1), "learning_rate is -1"),
        (lambda: Adam(float("nan")), "learning_rate is nan"),
        (lambda: Momentum(momentum=1), "momentum is 1"),
        (lambda: Adam(beta2=1.0), "beta2 is 1.0"),
    ],
)
def test_wrong_settings_are_named(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
