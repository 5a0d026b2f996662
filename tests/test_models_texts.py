"""The texts' own pieces: the book's class as it is written, and the pattern of CS231n's notes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npconv.layers import SoftmaxCrossEntropy
from npconv.models import pattern
from npconv.models.book import SimpleConvNet
from npconv.optim import SGD, Adam

SMALL: dict[str, Any] = {
    "input_dim": (2, 9, 8),
    "conv_param": {"filter_num": 3, "filter_size": 3, "pad": 1, "stride": 1},
    "hidden_size": 5,
    "output_size": 4,
    "weight_init_std": 0.3,
}


def batch(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.standard_normal((count, 2, 9, 8)), rng.integers(0, 4, count)


def test_the_books_defaults() -> None:
    net = SimpleConvNet()
    assert {name: value.shape for name, value in net.params.items()} == {
        "W1": (30, 1, 5, 5),
        "b1": (30,),
        "W2": (4320, 100),
        "b2": (100,),
        "W3": (100, 10),
        "b3": (10,),
    }
    assert list(net.layers) == ["Conv1", "Relu1", "Pool1", "Affine1", "Relu2", "Affine2"]
    assert net.params["W2"].std() == pytest.approx(0.01, rel=0.01)
    assert net.predict(np.zeros((2, 1, 28, 28))).shape == (2, 10)
    assert net.layers["Conv1"].W is net.params["W1"]


def test_numpys_seed_counts_and_a_generator_too() -> None:
    np.random.seed(7)  # noqa: NPY002
    first = SimpleConvNet(**SMALL)
    np.random.seed(7)  # noqa: NPY002
    expected = 0.3 * np.random.randn(3, 2, 3, 3)  # noqa: NPY002
    np.testing.assert_array_equal(first.params["W1"], expected)
    a, b = (SimpleConvNet(**SMALL, rng=np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(a.params["W3"], b.params["W3"])
    assert not np.array_equal(a.params["W3"], first.params["W3"])


@pytest.mark.parametrize("one_hot", [False, True])
def test_gradient_is_the_numerical_one(one_hot: bool) -> None:
    net = SimpleConvNet(**SMALL, rng=np.random.default_rng(0))
    x, t = batch()
    labels = np.eye(4)[t] if one_hot else t
    grads, numeric = net.gradient(x, labels), net.numerical_gradient(x, labels)
    assert list(grads) == list(net.params)
    for name, grad in grads.items():
        assert grad.shape == net.params[name].shape
        np.testing.assert_allclose(grad, numeric[name], atol=1e-6)


def test_learns_with_the_books_loop() -> None:
    net = SimpleConvNet(**SMALL | {"hidden_size": 20}, rng=np.random.default_rng(0))
    x, t = batch(20)
    first = net.loss(x, t)
    optimizer = Adam(0.02)
    for _ in range(200):
        optimizer.update(net.params, net.gradient(x, t))
    assert net.loss(x, t) < 0.05 < first
    assert net.accuracy(x, t, batch_size=7) == 1


def test_strided_padded_and_in_float32() -> None:
    options = SMALL | {"conv_param": {"filter_num": 3, "filter_size": 4, "pad": 2, "stride": 2}}
    net = SimpleConvNet(**options, rng=np.random.default_rng(0), dtype=np.float32)
    assert net.params["W2"].shape == (3 * 2 * 2, 5)
    x, t = batch()
    assert net.predict(x).dtype == np.float32
    SGD(0.1).update(net.params, net.gradient(x, t))
    assert net.params["W1"].dtype == np.float32


def test_parameters_are_saved_without_pickles(tmp_path: Path) -> None:
    net = SimpleConvNet(**SMALL, rng=np.random.default_rng(0))
    other = SimpleConvNet(**SMALL, rng=np.random.default_rng(1))
    x, _ = batch()
    net.save_params(tmp_path / "p.npz")
    other.load_params(tmp_path / "p.npz")
    np.testing.assert_array_equal(net.predict(x), other.predict(x))
    with pytest.raises(ValueError, match=r"W1 in .* has shape \(3, 2, 3, 3\), the network's has"):
        SimpleConvNet().load_params(tmp_path / "p.npz")
    np.savez(tmp_path / "q.npz", W1=net.params["W1"])
    with pytest.raises(ValueError, match=r"lacks \['W2', 'W3', 'b1'"):
        other.load_params(tmp_path / "q.npz")


def test_backward_needs_forward() -> None:
    for layer in SimpleConvNet(**SMALL).layers.values():
        with pytest.raises(RuntimeError, match="backward was called before forward"):
            layer.backward(np.zeros((1, 1)))


@pytest.mark.parametrize(
    ("m", "n", "k", "names"),
    [
        (1, 0, 0, "flatten-fc"),
        (1, 1, 0, "conv1_1-relu1_1-pool1-flatten-fc"),
        (
            2,
            2,
            2,
            (
                "conv1_1-relu1_1-conv1_2-relu1_2-pool1-conv2_1-relu2_1-conv2_2-relu2_2-pool2-"
                "flatten-fc1-relu1-dropout1-fc2-relu2-dropout2-fc"
            ),
        ),
    ],
)
def test_pattern(m: int, n: int, k: int, names: str) -> None:
    rng = np.random.default_rng(0)
    net = pattern((3, 9, 8), m, n, k, 5, filters=4, hidden=6, dropout=0.5 * (k > 1), rng=rng)
    assert "-".join(net.layers) == names
    loss = SoftmaxCrossEntropy()
    loss.forward(net.forward(rng.standard_normal((2, 3, 9, 8), dtype=np.float32)), np.array([0, 4]))
    net.backward_params(loss.backward())
    assert set(net.grads) == set(net.params)
    if n == 2:
        assert net.params["conv2_2.weight"].shape == (8, 8, 3, 3)
        assert net.params["fc1.weight"].shape == (6, 8 * 2 * 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 4}, r"input_shape is \(3, 9, 8\): nothing is left of it after 4 poolings"),
        ({"m": 0}, "m"),
        ({"k": -1}, "k"),
        ({"kernel_size": 4}, "kernel_size is 4, expected an odd number"),
    ],
)
def test_wrong_patterns_are_named(options: dict[str, int], message: str) -> None:
    arguments = {"m": 1, "n": 1, "k": 1} | options
    with pytest.raises(ValueError, match=message):
        pattern((3, 9, 8), **arguments, rng=np.random.default_rng(0))
