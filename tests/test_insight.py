"""Looking inside a network, against what can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from npconv import insight, models
from npconv.checks import Array
from npconv.insight.hooks import differentiable
from npconv.layers import (
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    SoftmaxCrossEntropy,
)
from npconv.models import simple_convnet


def small(dtype: type = np.float64) -> Sequential:
    rng = np.random.default_rng(0)
    return simple_convnet(
        (2, 9, 8),
        4,
        3,
        7,
        3,
        rng=rng,
        dtype=dtype,
        init=lambda s, r, d: r.normal(0, 0.3, s).astype(d),
    )


def images(count: int = 5) -> Array:
    return np.random.default_rng(1).uniform(0, 1, (count, 2, 9, 8))


LABELS = np.array([0, 2, 1, 1, 0])


def numeric(function: Callable[[Array], float], x: Array, at: tuple[int, ...]) -> float:
    step = 1e-6
    up, down = x.copy(), x.copy()
    up[at] += step
    down[at] -= step
    return (function(up) - function(down)) / (2 * step)


def test_layer_outputs_are_those_of_running_layer_by_layer() -> None:
    net, x = small(), images()
    outputs = insight.layer_outputs(net, x)
    assert list(outputs) == list(net.layers)
    net.eval()
    for name, layer in net.layers.items():
        x = layer.forward(x)
        np.testing.assert_array_equal(outputs[name], x)


def test_names_of_nested_layers() -> None:
    rng = np.random.default_rng(0)
    net = Sequential({"a": Conv2d(2, 2, 1, rng=rng), "b": Sequential(ReLU(), Flatten())})
    assert list(insight.layer_outputs(net, images().astype("f4"))) == ["a", "b.0", "b.1"]


def test_input_gradient_is_each_images_own() -> None:
    net, x = small(), images()
    grad = insight.input_gradient(net, x, LABELS)

    def loss(changed: Array) -> float:
        net.eval()
        return sum(
            SoftmaxCrossEntropy().forward(net.forward(changed[i : i + 1]), LABELS[i : i + 1])
            for i in range(5)
        )

    for at in [(0, 0, 0, 0), (1, 1, 4, 4), (4, 0, 8, 7), (2, 1, 3, 5)]:
        assert grad[at] == pytest.approx(numeric(loss, x, at), rel=1e-5, abs=1e-9)
    alone = insight.input_gradient(net, x[3:4], LABELS[3:4])
    np.testing.assert_allclose(grad[3:4], alone, rtol=1e-12)


def test_saliency() -> None:
    net, x = small(), images()
    found = insight.saliency(net, x, LABELS)
    assert found.shape == (5, 9, 8)
    net.eval()
    for n, i, j in [(0, 4, 4), (3, 2, 6)]:
        slopes = [
            numeric(lambda x, n=n: float(net.forward(x)[n, LABELS[n]]), x, (n, c, i, j))
            for c in range(2)
        ]
        assert found[n, i, j] == pytest.approx(max(map(abs, slopes)), rel=1e-5)
    with pytest.raises(ValueError, match=r"classes has shape \(2,\), expected \(5,\)"):
        insight.saliency(net, x, LABELS[:2])


def test_gradients_pass_dropout_and_batch_normalisation_as_in_evaluation() -> None:
    rng = np.random.default_rng(0)
    norm = BatchNorm2d(3, dtype=np.float64)
    for value in (*norm.params.values(), norm.buffers["running_mean"], norm.buffers["running_var"]):
        value[:] = rng.uniform(0.5, 2, 3)
    parts = (Conv2d(2, 3, 3, rng=rng, dtype=np.float64), norm, ReLU(), Dropout(0.7, rng=rng))
    net = Sequential(*parts, Flatten(), Linear(126, 3, rng=rng, dtype=np.float64))
    x = images()
    grad = insight.input_gradient(net, x, LABELS)
    net.eval()

    assert insight.class_activation(net, x, LABELS).shape == (5, 7, 6)
    assert not any({"forward", "backward"} & set(vars(part)) for part in net.layers.values())

    def loss(changed: Array) -> float:
        return 5 * SoftmaxCrossEntropy().forward(net.forward(changed), LABELS)

    for at in [(0, 0, 0, 0), (1, 1, 4, 4), (4, 0, 8, 7)]:
        assert grad[at] == pytest.approx(numeric(loss, x, at), rel=1e-5, abs=1e-9)


def test_class_activation_of_pooling_and_an_affine_layer() -> None:
    """Mean over all pixels, then weights w: the map is relu(sum of w_c * map_c) / pixels."""

    class Mean(Layer):
        def forward(self, x: Array) -> Array:
            self._keep(x.shape)
            return x.mean(axis=(2, 3))

        def backward(self, grad: Array) -> Array:
            ((n, c, h, w),) = self._recall()
            return np.broadcast_to(grad[:, :, None, None] / (h * w), (n, c, h, w))

    rng = np.random.default_rng(0)
    options = {"rng": rng, "dtype": np.float64}
    conv, fc = Conv2d(2, 3, 3, **options), Linear(3, 4, **options)
    net = Sequential({"conv": conv, "relu": ReLU(), "mean": Mean(), "fc": fc})
    x, classes = images(2), np.array([3, 1])
    maps = np.maximum(conv.forward(x), 0)
    weights = fc.params["weight"][classes]
    expected = np.maximum((weights[:, :, None, None] * maps).sum(axis=1), 0) / 42
    np.testing.assert_allclose(insight.class_activation(net, x, classes), expected, rtol=1e-12)
    assert insight.class_activation(small(), images(), LABELS).shape == (5, 7, 6)
    assert insight.class_activation(small(), images(), LABELS, "pool1").shape == (5, 3, 3)
    with pytest.raises(ValueError, match="layer is 'fc1', expected one with maps: conv1, relu1"):
        insight.class_activation(small(), images(), LABELS, "fc1")


def test_attack_moves_each_pixel_and_raises_the_loss() -> None:
    net, x = small(), images()
    changed = insight.fast_gradient_sign(net, x, LABELS, 0.01, limits=None)
    steps = np.abs(changed - x)
    moved = insight.input_gradient(net, x, LABELS) != 0
    assert moved.mean() > 0.5
    np.testing.assert_allclose(steps, 0.01 * moved, rtol=1e-6)
    net.eval()
    losses = [SoftmaxCrossEntropy().forward(net.forward(y), LABELS) for y in (x, changed)]
    assert losses[1] > losses[0]
    clipped = insight.fast_gradient_sign(net, x, LABELS, 0.5)
    assert (clipped.min(), clipped.max()) == (0, 1)
    with pytest.raises(ValueError, match="strength is -1"):
        insight.fast_gradient_sign(net, x, LABELS, -1)


def test_receptive_fields_by_hand() -> None:
    """3x3, then 2x2 stride 2 pooling, then 3x3 dilated by 2: 3, 4, and 4 + 2*2*2 = 12 pixels."""
    rng = np.random.default_rng(0)
    net = Sequential(
        Conv2d(1, 2, 3, rng=rng),
        MaxPool2d(2),
        Conv2d(2, 2, 3, padding=2, dilation=2, rng=rng),
        Flatten(),
    )
    fields = insight.receptive_fields(net, (1, 22, 26))
    assert list(fields) == ["0", "1", "2"]
    assert [fields[name].size for name in "012"] == [(3, 3), (4, 4), (12, 12)]
    assert fields["0"].rows.tolist() == [[i, i + 3] for i in range(20)]
    assert fields["1"].columns.tolist() == [[2 * i, 2 * i + 4] for i in range(12)]
    # The padding cuts the first: taps at -2, 0 and 2 of the pooled rows.
    assert fields["2"].rows[0].tolist() == [0, 8]
    assert fields["2"].rows[2].tolist() == [0, 12]


def test_receptive_field_of_branches_is_the_largest() -> None:
    rng = np.random.default_rng(0)
    net = Sequential(
        {
            "both": Concat(Conv2d(1, 2, 1, rng=rng), Conv2d(1, 2, 5, padding=2, rng=rng)),
            "sum": Residual(Sequential(Conv2d(4, 4, 3, padding=1, rng=rng))),
            "last": ReLU(),
        }
    )
    fields = insight.receptive_fields(net, (1, 16, 16), batch=7)
    assert fields["both.0"].size == (1, 1)
    assert fields["both.1"].size == (5, 5)
    assert fields["last"].size == (7, 7)


def test_strongest_patches_by_hand() -> None:
    """A filter that looks for a bright pixel right of a dark one."""
    net = Sequential(
        {"conv": Conv2d(1, 1, (1, 2), rng=np.random.default_rng(0)), "flat": Flatten()}
    )
    net.params["conv.weight"][:] = [[[[-1, 1]]]]
    x = np.zeros((4, 1, 2, 3), np.float32)
    x[0, 0, 1] = [0, 0.5, 0.25]
    x[2, 0, 0] = [1, 0, 1]
    x[3, 0, 1, 2] = 0.75
    found = insight.strongest_patches(net, "conv", x, 3, batch=3)
    assert found.images.tolist() == [[2, 3, 0]]
    assert found.values.tolist() == [[1, 0.75, 0.5]]
    assert found.patches.tolist() == [[[[[0, 1]]], [[[0, 0.75]]], [[[0, 0.5]]]]]
    assert insight.strongest_patches(net, "conv", x, 9).values.shape == (1, 4)
    with pytest.raises(ValueError, match="layer is 'flat', expected one of conv"):
        insight.strongest_patches(net, "flat", x)


def test_patches_at_the_edge_are_filled_with_zeros() -> None:
    net = Sequential({"c": Conv2d(1, 1, 3, padding=1, rng=np.random.default_rng(0))})
    net.params["c.weight"][:] = 0
    net.params["c.weight"][0, 0, 1, 1] = 1
    x = np.zeros((2, 1, 4, 4), np.float32)
    x[0, 0, 0, 0] = x[1, 0, 3, 3] = 1
    patches = insight.strongest_patches(net, "c", x, 2).patches[0, :, 0]
    middle = np.zeros((3, 3))
    middle[1, 1] = 1
    np.testing.assert_array_equal(patches, [middle, middle])


def test_a_fused_network_is_looked_into_layer_by_layer() -> None:
    net, x = small(np.float32), images().astype(np.float32)
    outputs, grad = insight.layer_outputs(net, x), insight.input_gradient(net, x, LABELS)
    net.fuse()
    session = net._session
    assert session is not None
    assert list(insight.layer_outputs(net, x)) == list(outputs)
    np.testing.assert_array_equal(insight.input_gradient(net, x, LABELS), grad)
    assert insight.receptive_fields(net, (2, 9, 8))["pool1"].size == (4, 4)
    assert net._session is session
    assert not net.training


def narrow_densenet(classes: int, width: float, **options: Any) -> Layer:
    return models.densenet((1, 2, 1, 1), classes, growth=4, first_channels=8, **options)


@pytest.mark.parametrize("make", [models.googlenet, models.resnet18, narrow_densenet])
def test_published_networks(make: Callable[..., Layer]) -> None:
    """With branches, shortcuts, batch normalisation and auxiliary heads; narrow ones."""
    rng = np.random.default_rng(0)
    net = make(5, width=0.06, rng=rng, dtype=np.float64)
    x, labels = rng.uniform(0, 1, (2, 3, 64, 64)), np.array([3, 1])
    for _ in range(3):
        net.forward(x)  # running statistics that fit
    grad = insight.input_gradient(net, x, labels)
    net.eval()

    def loss(changed: Array) -> float:
        return 2 * SoftmaxCrossEntropy().forward(net.forward(changed), labels)

    for at in [(0, 0, 30, 30), (1, 2, 20, 40)]:
        assert grad[at] == pytest.approx(numeric(loss, x, at), rel=1e-4, abs=1e-9)
    maps = insight.class_activation(net, x, labels)
    assert maps.shape[0] == 2
    assert min(maps.shape[1:]) >= 2
    net.train()
    loss_of_all = models.AuxiliaryCrossEntropy()
    loss_of_all.forward(net.forward(x), labels)
    net.backward_params(loss_of_all.backward())
    assert set(net.grads) == set(net.params)


def test_the_network_is_left_as_it_was() -> None:
    net = small()
    state = {name: value.copy() for name, value in net.params.items()}
    for training in (True, False):
        net.train(training)
        net.layers["fc1"].train(False)
        insight.input_gradient(net, images(), LABELS)
        assert net.training is training
        assert net.layers["conv1"].training is training
        assert not net.layers["fc1"].training
        insight.receptive_fields(net, (2, 9, 8))
        insight.layer_outputs(net, images())
        assert net.layers["conv1"].training is training
        assert "forward" not in vars(net.layers["conv1"])
        assert "backward" not in vars(net.layers["conv1"])
    for name, value in net.params.items():
        np.testing.assert_array_equal(value, state[name])
    with pytest.raises(RuntimeError, match="boom"), differentiable(net):
        raise RuntimeError("boom")
    assert not net.training


def test_confusion_matrix() -> None:
    found = insight.confusion_matrix(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 2]), 4)
    assert found.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert insight.confusion_matrix(np.array([1]), np.array([0])).tolist() == [[0, 0], [1, 0]]
    with pytest.raises(ValueError, match="classes is 2, but there is a class 2"):
        insight.confusion_matrix(np.array([2]), np.array([0]), 2)
    with pytest.raises(ValueError, match=r"labels has shape \(2,\) and predictions \(1,\), exp"):
        insight.confusion_matrix(np.zeros(2, int), np.zeros(1, int))


def test_damage() -> None:
    x = np.full((3, 2, 50, 40), 0.5, np.float32)
    dots = insight.add_white_dots(x, np.random.default_rng(0), 0.2)
    assert set(np.unique(dots)) == {0.5, 1.0}
    np.testing.assert_array_equal(dots[:, 0], dots[:, 1])
    assert (dots == 1).mean() == pytest.approx(0.2, abs=0.02)
    noisy = insight.add_noise(x, np.random.default_rng(0), 0.1)
    assert noisy.dtype == np.float32
    assert noisy.std() == pytest.approx(0.1, rel=0.05)
    assert insight.add_noise(x, np.random.default_rng(0), 9).max() == 1
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match="share is"):
            insight.add_white_dots(x, np.random.default_rng(0), wrong)
    with pytest.raises(ValueError, match="deviation is -1"):
        insight.add_noise(x, np.random.default_rng(0), -1)
