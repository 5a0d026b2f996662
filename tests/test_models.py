"""The simple convnet, held to the same network in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from real_data import mnist_folder

from npconv.data import Dataset, load_mnist
from npconv.demo.numpy_network import NumpyConvnet, col2im, im2col
from npconv.layers import SoftmaxCrossEntropy, he
from npconv.models import simple_convnet
from npconv.optim import Adam
from npconv.training import Trainer


def test_defaults_are_the_books() -> None:
    net = simple_convnet(rng=np.random.default_rng(0))
    assert {name: value.shape for name, value in net.params.items()} == {
        "conv1.weight": (30, 1, 5, 5),
        "conv1.bias": (30,),
        "fc1.weight": (100, 30 * 12 * 12),
        "fc1.bias": (100,),
        "fc2.weight": (10, 100),
        "fc2.bias": (10,),
    }
    assert net.params["fc1.weight"].std() == pytest.approx(0.01, rel=0.01)
    assert not net.params["fc1.bias"].any()
    assert net.forward(np.zeros((2, 1, 28, 28), np.float32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("shape", "kernel", "padding"), [((1, 8, 8), 5, 2), ((3, 9, 6), 3, 0), ((2, 5, 7), 2, 1)]
)
def test_agrees_with_plain_numpy(shape: tuple[int, int, int], kernel: int, padding: int) -> None:
    rng = np.random.default_rng(1)
    net = simple_convnet(
        shape, 4, kernel, 6, 3, padding=padding, rng=rng, init=he, dtype=np.float64
    )
    x, labels = rng.standard_normal((5, *shape)), rng.integers(0, 3, 5)
    expected_loss, expected = NumpyConvnet(net.params, padding).gradients(x, labels)

    loss = SoftmaxCrossEntropy()
    value = loss.forward(net.forward(x), labels)
    net.backward(loss.backward())

    assert value == pytest.approx(expected_loss, rel=1e-12)
    assert set(net.grads) == set(expected)
    for name, grad in net.grads.items():
        np.testing.assert_allclose(grad, expected[name], rtol=1e-9, atol=1e-12)


def test_learns_a_batch_by_heart() -> None:
    rng = np.random.default_rng(0)
    net = simple_convnet((1, 8, 8), 5, 3, 20, 4, rng=rng, init=he)
    x, labels = rng.standard_normal((12, 1, 8, 8)).astype(np.float32), np.arange(12) % 4
    loss, adam = SoftmaxCrossEntropy(), Adam(0.01)
    values = []
    for _ in range(60):
        values.append(loss.forward(net.forward(x), labels))
        net.backward_params(loss.backward())
        adam.update(net.params, net.grads)
    assert values[-1] < 0.01 < 1 < values[0]
    assert (net.eval().forward(x).argmax(axis=1) == labels).all()


def test_learns_real_digits() -> None:
    whole = load_mnist(mnist_folder())
    part = Dataset(*(array[:4000] for array in whole[:2]), *(array[:1000] for array in whole[2:]))
    rng = np.random.default_rng(0)
    trainer = Trainer(
        simple_convnet(rng=rng, init=he),
        Adam(),
        rng=rng,
        schedule=lambda step: 0.001 if step < 80 else 0.0001,
    )
    history = trainer.fit(part, epochs=2, batch=50, progress=False)
    assert len(history.losses) == 160
    assert history.accuracies[1] > 0.92


@pytest.mark.parametrize("shape", [(1, 4, 8), (1, 5, 9)])
def test_too_small_an_image_is_named(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"input_shape is .*kernel_size=5"):
        simple_convnet(shape, rng=np.random.default_rng(0))


def test_the_peers_im2col_by_hand() -> None:
    """Two windows of 2x2, side by side with stride 2, from a padded row.

    0 0 0 0
    0 1 2 0     ->   [0 0 0 1] [0 0 2 0]
    """
    x = np.array([[[[1.0, 2.0]]]])
    cols = im2col(x, (2, 2), 2, 1)
    np.testing.assert_array_equal(cols, [[0, 0, 0, 1], [0, 0, 2, 0]])
    back = col2im(np.arange(8.0).reshape(2, 4), (1, 1, 2, 4), (2, 2), 2)
    np.testing.assert_array_equal(back, [[[[0, 1, 4, 5], [2, 3, 6, 7]]]])
