"""Optimisers against steps worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

import npconv
from npconv.optim import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimiser,
    RMSprop,
    schedules,
)

ALL = [SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam, AdamW]


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


def test_nesterov() -> None:
    """v = -0.2, w = 1 - 0.18 - 0.2;  v = -0.18 + 0.1 = -0.08, w = 0.62 - 0.072 + 0.1."""
    assert run(Nesterov(0.1, 0.9), [2, -1]) == pytest.approx([0.62, 0.648], rel=1e-14)


def test_adagrad() -> None:
    """h = 9, a step of 0.1;  h = 25, a step of 0.1 * 4 / 5."""
    assert run(AdaGrad(0.1, epsilon=0), [3, 4]) == pytest.approx([0.9, 0.82], rel=1e-14)


def test_rmsprop() -> None:
    """h = 0.25 * 16 = 4, a step of 0.1 * 4 / 2;  h = 0.75 * 4 + 1 = 4, one of 0.1 * -2 / 2."""
    made = RMSprop(0.1, 0.75, epsilon=0)
    assert run(made, [4, -2]) == pytest.approx([0.8, 0.9], rel=1e-14)


def test_weight_decay() -> None:
    """g + 0.5 * w = 2.5 and 1.5;  w * (1 - 0.1 * 0.5) apart from the step."""
    assert run(SGD(0.1, weight_decay=0.5), [2]) == pytest.approx([0.75], rel=1e-14)
    assert run(Momentum(0.1, weight_decay=0.5), [1]) == pytest.approx([0.85], rel=1e-14)
    adam = Adam(0.1, epsilon=0, weight_decay=0.5)
    assert run(adam, [-0.5 + 1e-3]) == pytest.approx([0.9], rel=1e-6)
    adamw = AdamW(0.1, epsilon=0, weight_decay=0.5)
    assert run(adamw, [7]) == pytest.approx([0.95 - 0.1], rel=1e-6)


def test_rates_of_single_parameters() -> None:
    """The gradient counts threefold, the weight decay of 0.5 once; with 0 nothing moves."""
    optimiser = Nesterov(0.1, 0.9, weight_decay=0.5)
    optimiser.rates = {"fast": 3.0, "still": 0.0}
    params = {name: np.array([1.0]) for name in ("fast", "plain", "still")}
    grads = {name: np.array([2.0]) for name in params}
    optimiser.update(params, grads)
    moved = {name: float(value[0]) for name, value in params.items()}
    assert moved == pytest.approx(
        {"fast": 1 - 1.9 * 0.1 * 6.5, "plain": 1 - 1.9 * 0.1 * 2.5, "still": 1}, rel=1e-14
    )
    optimiser.rates["plain"] = -1.0
    with pytest.raises(ValueError, match=r"rates\['plain'\] must be .* at least 0"):
        optimiser.update(params, grads)


def test_adamw_adds_epsilon_to_the_corrected_root() -> None:
    """First step: m / (1 - beta1) = g and sqrt(v / (1 - beta2)) = |g|."""
    g = 1e-8
    step = 0.001 * g / (g + 1e-8)
    assert run(AdamW(weight_decay=0), [g]) == pytest.approx([1 - step], rel=1e-9)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_bits_depend_on_values_alone(make: type[Optimiser], dtype: str) -> None:
    """Not on ISA, threads, memory layout, or byte order and dtype of the gradients."""
    rng = np.random.default_rng(0)
    shape = (3, 41, 7)
    param = rng.standard_normal(shape).astype(dtype)
    grads = [rng.standard_normal(shape).astype("f4") for _ in range(3)]

    def updated(values: np.ndarray, change: object = lambda grad: grad) -> bytes:
        optimiser = make(0.1, weight_decay=0.25)
        for grad in grads:
            optimiser.update({"w": values}, {"w": change(grad)})
        return values.tobytes()

    expected = updated(param.copy())
    with npconv.threads(3):
        assert updated(param.copy(), lambda grad: grad.astype(">f8")) == expected
    turned = np.ascontiguousarray(param.T).T
    assert updated(turned, np.asfortranarray) == expected
    room = np.full((3, 82, 7), np.nan, dtype)
    room[:, ::2] = param
    assert updated(room[:, ::2], lambda grad: grad[::-1].copy()[::-1]) == expected
    assert np.isnan(room[:, 1::2]).all()


@pytest.mark.parametrize("make", ALL)
def test_resumes_bit_for_bit(make: type[Optimiser]) -> None:
    rng = np.random.default_rng(1)
    grads = [{"a.w": rng.standard_normal(37), "b": rng.standard_normal((2, 3))} for _ in range(6)]
    straight = {name: np.ones_like(value) for name, value in grads[0].items()}
    optimiser = make(0.1)
    for i, grad in enumerate(grads):
        if i == 3:
            saved = optimiser.state_dict()
            halfway = {name: value.copy() for name, value in straight.items()}
        optimiser.update(straight, grad)
    other = make(0.5)
    other.load_state_dict(saved)
    assert other.learning_rate == 0.1
    for grad in grads[3:]:
        other.update(halfway, grad)
    for name, value in straight.items():
        np.testing.assert_array_equal(halfway[name], value)
    if isinstance(optimiser, Adam):
        assert {"m.a.w", "v.a.w", "steps"} < set(saved)
        with pytest.raises(ValueError, match=r"state has no 'v\.b'"):
            other.load_state_dict({key: saved[key] for key in saved if key != "v.b"})
    with pytest.raises(ValueError, match=r"'x\.w', which"):
        other.load_state_dict({**saved, "x.w": np.zeros(2)})
    with pytest.raises(ValueError, match="no 'steps'"):
        other.load_state_dict({"learning_rate": 1.0})


def test_schedules() -> None:
    def rates(schedule: schedules.Schedule, *steps: int) -> list[float]:
        return [schedule(step) for step in steps]

    assert rates(schedules.constant(0.3), 0, 99) == [0.3, 0.3]
    assert rates(schedules.step(1, 3, 0.5), 0, 2, 3, 5, 6) == [1, 1, 0.5, 0.5, 0.25]
    assert rates(schedules.multi_step(1, [5, 2], 0.5), 0, 1, 2, 4, 5, 9) == [
        *(1, 1, 0.5, 0.5, 0.25, 0.25)
    ]
    assert rates(schedules.exponential(8, 0.5), 0, 1, 3) == [8, 4, 1]
    assert rates(schedules.cosine(2, 4, 1), 0, 2, 4, 7) == pytest.approx([2, 1.5, 1, 1])
    assert rates(schedules.warm_up(schedules.step(1, 1, 0.5), 2), 0, 1, 2, 3) == [0.5, 1, 1, 0.5]
    assert rates(schedules.warm_up(schedules.constant(1), 0), 0) == [1]
    assert rates(schedules.one_cycle(2, 6, 2), 0, 1, 2, 4, 6, 9) == pytest.approx(
        [1, 2, 2, 1, 0, 0]
    )
    with pytest.raises(ValueError, match="rise is 6, expected less than steps=6"):
        schedules.one_cycle(2, 6, 6)
    with pytest.raises(ValueError, match="every"):
        schedules.step(1, 0)
    with pytest.raises(ValueError, match="rate"):
        schedules.cosine(-1, 5)


@pytest.mark.parametrize("make", ALL)
def test_finds_the_bottom_of_a_bowl(make: type[Optimiser]) -> None:
    params = {"a": np.full((3, 2), 2.0, np.float32), "b": np.array([-1.0], np.float32)}
    optimiser = make(0.5 if make is AdaGrad else 0.05)
    for _ in range(400):
        optimiser.update(params, {name: 2 * value for name, value in params.items()})
    for value in params.values():
        assert value.dtype == np.float32
        assert np.abs(value).max() < 1e-2


@pytest.mark.parametrize("make", ALL)
def test_wrong_gradients_are_named_and_change_nothing(make: type[Optimiser]) -> None:
    params = {"a": np.ones(2), "b": np.ones(3)}
    with pytest.raises(ValueError, match="grads has no 'b'"):
        make().update(params, {"a": np.ones(2)})
    with pytest.raises(ValueError, match=r"'b' has shape \(1,\), the parameter has \(3,\)"):
        make().update(params, {"a": np.ones(2), "b": np.ones(1)})
    np.testing.assert_array_equal(params["a"], 1)
    with pytest.raises(TypeError, match="'a' is int64, expected float32 or float64"):
        make().update({"a": np.ones(2, int)}, {"a": np.ones(2)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(-1), "learning_rate must be .* at least 0, got -1"),
        (lambda: Adam(float("nan")), "learning_rate must be .* got nan"),
        (lambda: Momentum(momentum=1), "momentum must be .* less than 1, got 1"),
        (lambda: Adam(beta2=1.0), "beta2 must be"),
        (lambda: AdaGrad(epsilon=-1), "epsilon must be"),
        (lambda: AdamW(weight_decay=-1), "weight_decay must be"),
    ],
)
def test_wrong_settings_are_named(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
