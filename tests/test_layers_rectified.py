"""Sequential runs rectifiers with their neighbours: the bits of one layer after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tolerance import assert_same_bits

from npconv.layers import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
)

RNG = np.random.default_rng(7)
CHAINS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "conv, pool": (
        lambda: [Conv2d(3, 5, 3, padding=1, rng=RNG), ReLU(), MaxPool2d(2)],
        (4, 3, 9, 8),
    ),
    "overlapping pool": (
        lambda: [Conv2d(2, 4, 3, rng=RNG), ReLU(), MaxPool2d(3, 2, 1), ReLU()],
        (3, 2, 12, 13),
    ),
    "pool first": (lambda: [ReLU(), MaxPool2d(2), Conv2d(2, 3, 1, rng=RNG), ReLU()], (2, 2, 6, 6)),
    "linear": (
        lambda: [Flatten(), Linear(20, 7, rng=RNG), ReLU(), ReLU(), Linear(7, 3, rng=RNG)],
        (5, 20),
    ),
    "sequences": (lambda: [Conv1d(3, 4, 3, rng=RNG), ReLU()], (2, 3, 11)),
    "volumes": (lambda: [Conv3d(2, 3, 2, rng=RNG), ReLU()], (1, 2, 4, 5, 6)),
    "transposed": (lambda: [ConvTranspose2d(2, 3, 2, rng=RNG), ReLU(), MaxPool2d(2)], (2, 2, 5, 5)),
    "winograd": (
        lambda: [Conv2d(16, 16, 3, padding=1, rng=RNG, algorithm="winograd"), ReLU(), MaxPool2d(2)],
        (3, 16, 14, 14),
    ),
}


def one_by_one(layers: list[Layer], x: np.ndarray, grad: Any) -> tuple[np.ndarray, np.ndarray]:
    for layer in layers:
        x = layer.forward(x)
    grad = grad(x.shape)
    for layer in reversed(layers):
        grad = layer.backward(grad)
    return x, grad


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("name", CHAINS)
def test_bits_of_one_after_the_other(name: str, special: bool) -> None:
    make, shape = CHAINS[name]
    layers = make()
    net = Sequential(*layers)
    for values in net.params.values():
        values += 0.1 * RNG.standard_normal(values.shape).astype(values.dtype)
    x = RNG.standard_normal(shape, dtype=np.float32)
    if special:
        x.flat[::7], x.flat[3::41], x.flat[5::43] = 0, np.nan, np.inf

    def grad(of: tuple[int, ...]) -> np.ndarray:
        values = np.random.default_rng(3).standard_normal(of, dtype=np.float32)
        if special:
            values.flat[::5] = np.inf
        return values

    with np.errstate(all="ignore"):
        y, dx = one_by_one(layers, x, grad)
        grads = {key: value.copy() for key, value in net.grads.items()}
        assert_same_bits(net.forward(x), y)
        assert_same_bits(net.backward(grad(y.shape)), dx)
        for key, value in grads.items():
            assert_same_bits(net.grads[key], value, key)
        net.forward(x)
        net.backward_params(grad(y.shape))
        for key, value in grads.items():
            assert_same_bits(net.grads[key], value, key)
    net.eval()
    assert_same_bits(net.forward(x), y)


def test_a_replaced_forward_or_backward_is_called() -> None:
    net = Sequential(Conv2d(1, 2, 1, rng=RNG), ReLU(), MaxPool2d(2))
    calls = []
    relu = net.layers["1"]
    for method in ("forward", "backward"):
        plain = getattr(relu, method)
        setattr(relu, method, lambda a, m=method, f=plain: (calls.append(m), f(a))[1])
    y = net.forward(np.ones((1, 1, 4, 4), np.float32))
    net.backward(np.ones_like(y))
    assert calls == ["forward", "backward"]


def test_a_class_of_ones_own_is_called_with_its_input_only() -> None:
    class Doubled(Conv2d):
        def forward(self, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
            return 2 * super().forward(x)

    layers = [Doubled(1, 2, 1, rng=RNG), ReLU(), Dropout(0.0, rng=RNG)]
    x = RNG.standard_normal((1, 1, 3, 3), dtype=np.float32)
    expected, _ = one_by_one(layers, x, np.ones)
    assert_same_bits(Sequential(*layers).forward(x), expected)
