"""Fused and prepared networks: the same results, fewer steps, less memory."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from npconv.inference import Session
from npconv.inference import operations as op
from npconv.layers import (
    ELU,
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Container,
    Conv2d,
    DenseBlock,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Identity,
    Layer,
    LeakyReLU,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    PatchWhitening2d,
    ReLU,
    ReLU6,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
)
from npconv.models import summary

RNG = np.random.default_rng(5)


class Halve(ReLU):
    """Derived from a known layer, which must not be taken for it."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x / 2


class Twice(Container):
    """A container of which nothing is known."""

    def __init__(self, layer: Layer) -> None:
        super().__init__({"layer": layer}.items())

    def _forward(self, x: np.ndarray) -> np.ndarray:
        return 2 * self.layers["layer"].forward(x)


def conv(inputs: int, outputs: int, kernel_size: int = 3, **options: Any) -> Conv2d:
    options.setdefault("padding", kernel_size // 2)
    return Conv2d(inputs, outputs, kernel_size, rng=RNG, **options)


def norm(channels: int) -> BatchNorm2d:
    layer = BatchNorm2d(channels)
    layer.buffers["running_mean"][:] = RNG.standard_normal(channels)
    layer.buffers["running_var"][:] = RNG.uniform(0.5, 2, channels)
    layer.params["weight"][:] = RNG.uniform(0.5, 2, channels)
    layer.params["bias"][:] = RNG.standard_normal(channels)
    return layer


def whitening() -> PatchWhitening2d:
    layer = PatchWhitening2d(4, (2, 1), rng=RNG)
    layer.buffers["mean"][:] = RNG.standard_normal(4)
    layer.params["bias"][:] = RNG.standard_normal(16)
    return layer


# What each is, and which operations must be left of it.
NETS: dict[str, tuple[Callable[[], Container], list[str]]] = {
    "nothing": (lambda: Sequential(), []),
    "dropout alone": (lambda: Sequential(Dropout(0.5, rng=RNG)), []),
    "convolution, norm, activation": (
        lambda: Sequential(
            conv(4, 6, bias=False),
            norm(6),
            ReLU(),
            conv(6, 6, groups=3),
            norm(6),
            ReLU6(),
            conv(6, 4, stride=2),
            LeakyReLU(0.2),
            MaxPool2d(2),
            Flatten(),
            Linear(4, 3, rng=RNG),
            ReLU(),
        ),
        ["Convolution"] * 3 + ["MaxPool", "Flat", "FullyConnected"],
    ),
    "norm before convolutions": (
        lambda: Sequential(norm(4), conv(4, 6, 1, groups=2), norm(6), conv(6, 4), norm(4), Tanh()),
        ["Convolution", "Convolution", "Elementwise"],
    ),
    "norm before a padded convolution": (
        lambda: Sequential(norm(4), conv(4, 6), norm(6), ReLU(), norm(6)),
        ["Affine", "Convolution", "Affine"],
    ),
    "norms in a row": (
        lambda: Sequential(norm(4), norm(4), conv(4, 2)),
        ["Affine"] * 2 + ["Convolution"],
    ),
    "whitened patches": (
        lambda: Sequential(whitening(), ReLU(), conv(16, 2)),
        ["Convolution", "Convolution"],
    ),
    "residual": (
        lambda: Sequential(
            conv(4, 4),
            ReLU(),
            Residual(
                conv(4, 4, bias=False), norm(4), ReLU(), conv(4, 4), norm(4), activation=ReLU()
            ),
            Residual(conv(4, 6), shortcut=Sequential(conv(4, 6, 1), norm(6)), activation=ReLU6()),
            Residual(conv(6, 6), Sigmoid(), activation=ReLU()),
            Residual(Identity()),
        ),
        ["Convolution"] * 6 + ["Elementwise", "Add", "Add"],
    ),
    "residual with pre-activation": (
        lambda: Sequential(
            conv(4, 4),
            Residual(norm(4), ReLU(), conv(4, 4), norm(4), ReLU(), conv(4, 4)),
            norm(4),
            ReLU(),
        ),
        ["Convolution", "Affine", "Convolution", "Convolution", "Affine"],
    ),
    "branches": (
        lambda: Sequential(
            conv(4, 4),
            Concat(
                Sequential(conv(4, 3, 1), ReLU()),
                Sequential(MaxPool2d(3, 1, 1), conv(4, 2, 1)),
                Identity(),
                Concat(conv(4, 1), Sequential(ReLU(), conv(4, 2))),
            ),
            Flatten(),
        ),
        [
            "Convolution",
            "Convolution",
            "MaxPool",
            "Convolution",
            "Convolution",
            "Elementwise",
            "Convolution",
            "Join",
            "Join",
            "Flat",
        ],
    ),
    "branches of the input": (
        lambda: Sequential(Concat(Identity(), Identity(), ReLU())),
        ["Elementwise", "Join"],
    ),
    "a branch used twice": (
        lambda: Sequential(conv(4, 4), Concat(Identity(), Sequential(Flatten(), Unflatten(4)))),
        ["Convolution", "Flat", "Anything", "Join"],
    ),
    "dense": (
        lambda: Sequential(
            conv(4, 4),
            DenseBlock(
                *[Sequential(norm(4 + 2 * i), ReLU(), conv(4 + 2 * i, 2)) for i in range(3)]
            ),
            conv(10, 3, 1),
        ),
        ["Convolution"] + ["Affine", "Convolution", "Join"] * 3 + ["Convolution"],
    ),
    "averages": (
        lambda: Sequential(
            conv(4, 6, 1), AvgPool2d(2), conv(6, 4, 1), AvgPool2d(2, 1, 1), AdaptiveAvgPool2d(2)
        ),
        ["AveragePool", "Convolution", "Convolution", "AveragePool", "AdaptiveAveragePool"],
    ),
    "global average": (
        lambda: Sequential(conv(4, 6), GlobalAvgPool2d(), conv(6, 2, 1)),
        ["Convolution", "AdaptiveAveragePool", "Convolution"],
    ),
    "other layers": (
        lambda: Sequential(
            conv(4, 4),
            Halve(),
            LocalResponseNorm(3),
            ELU(),
            Twice(conv(4, 4)),
            Sequential(Sequential()),
        ),
        ["Convolution", "Anything", "Anything", "Elementwise", "Anything"],
    ),
}
each_net = pytest.mark.parametrize("name", NETS)


class Unflatten(Layer):
    """The inverse of Flatten for square images."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: np.ndarray) -> np.ndarray:
        side = int((x.shape[1] // self.channels) ** 0.5)
        return x.reshape(len(x), self.channels, side, side)


def images(batch: int = 3, dtype: type = np.float32, side: int = 6) -> np.ndarray:
    return np.random.default_rng(batch).standard_normal((batch, 4, side, side)).astype(dtype)


def close(y: np.ndarray, expected: np.ndarray) -> None:
    assert y.shape == expected.shape
    assert y.dtype == expected.dtype
    scale = max(np.abs(expected).max(initial=0), 1)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5 * scale)


@each_net
def test_the_result_is_the_same(name: str) -> None:
    make, kinds = NETS[name]
    net = make().eval()
    inputs = [images(), images(1), images(2, np.float64), images(0), images()[::2, :, ::-1]]
    expected = [net.forward(x) for x in inputs]
    assert net.fuse() is net
    for x, y in zip(inputs, expected, strict=True):
        before = x.copy()
        close(net.forward(x), y)
        np.testing.assert_array_equal(x, before)
    assert isinstance(net._session, Session)
    assert [type(node.operation).__name__ for node in net._session.graph.nodes] == kinds

    fused = net.forward(inputs[0])
    assert net.prepare((4, 6, 6)) is net
    np.testing.assert_array_equal(net.forward(inputs[0]), fused)
    close(net.forward(inputs[1]), expected[1])
    close(net.forward(inputs[2]), expected[2])


@each_net
def test_results_are_arrays_of_their_own(name: str) -> None:
    net = NETS[name][0]().fuse()
    x = images()
    first = net.forward(x)
    kept = first.copy()
    net.forward(-x)
    np.testing.assert_array_equal(first, kept)
    assert not np.shares_memory(first, x)


def test_the_rest_of_the_network_is_as_it_was() -> None:
    net = NETS["residual"][0]()
    before = {key: value.copy() for key, value in net.state_dict().items()}
    x = images()
    net.fuse()
    assert not net.training
    assert net.eval()._session is not None
    assert list(net.state_dict()) == list(before)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key])
    with pytest.raises(RuntimeError, match="training mode"):
        net.backward(x)
    net.train()
    y = net.forward(x)  # by the batch's statistics
    assert net.backward(y).shape == x.shape


def test_a_loaded_state_is_fused_again() -> None:
    make = NETS["convolution, norm, activation"][0]
    net, other = make().fuse(), make().eval()
    x = images()
    net.load_state_dict(other.state_dict())
    assert net._session is not None
    close(net.forward(x), other.forward(x))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["copy", "pickle"]
)
def test_copies_are_not_fused(copied: Callable[[Container], Container]) -> None:
    net = NETS["residual"][0]().prepare((4, 6, 6))
    twin = copied(net)
    assert twin._session is None
    assert not twin.training
    close(twin.forward(images()), net.forward(images()))


def test_containers_in_unknown_ones_are_fused() -> None:
    inner = Sequential(conv(4, 4), ReLU())
    net = Twice(inner).eval()
    expected = net.forward(images())
    net.prepare((4, 6, 6))
    assert net._session is None
    assert inner._session is not None
    close(net.forward(images()), expected)


def test_calls_from_many_threads() -> None:
    net = NETS["branches"][0]().fuse()
    inputs = [images(batch) for batch in (1, 2, 3, 1, 2, 3)]
    expected = [net.forward(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            for y, wanted in zip(pool.map(net.forward, inputs), expected, strict=True):
                np.testing.assert_array_equal(y, wanted)


def test_memory_is_used_again() -> None:
    net = Sequential(*[layer for _ in range(6) for layer in (conv(4, 4), ReLU())]).fuse()
    plan = net._session.plan((8, 4, 16, 16))
    one = 8 * 4 * 16 * 16 * 4
    assert plan.nbytes == 2 * one


def test_shortcuts_are_added_in_place_and_branches_are_not_copied() -> None:
    net = NETS["residual"][0]().fuse()
    places = net._session.plan(images().shape).layout.places
    nodes = net._session.graph.nodes
    adding = [node for node in nodes if len(node.inputs) == 2]
    assert sum(places[node.output].owner == places[node.inputs[1]].owner for node in adding) >= 2

    dense = NETS["dense"][0]().fuse()
    plan = dense._session.plan(images().shape)
    kinds = [type(node.operation) for node in dense._session.graph.nodes]
    assert kinds.count(op.Join) == 3
    assert len(plan._steps) == len(kinds) - 3  # nothing is left to do where parts are joined


def test_wrong_shapes_name_the_layer() -> None:
    net = Sequential({"features": Sequential(conv(4, 4))}).fuse()
    with pytest.raises(ValueError, match=r"layer 'features\.0': weight has 4 input channels"):
        net.forward(np.zeros((1, 3, 6, 6), np.float32))
    with pytest.raises(ValueError, match=r"expected \(N, C, H, W\)"):
        net.forward(np.zeros((3, 6), np.float32))
    with pytest.raises(ValueError, match="input_shape"):
        net.prepare((4,))
    with pytest.raises(ValueError, match="what is added"):
        Sequential(Residual(conv(4, 5))).fuse().forward(images())
    with pytest.raises(ValueError, match="branches"):
        Sequential(Concat(conv(4, 4), MaxPool2d(2))).fuse().forward(images())


def test_summary_counts() -> None:
    net = NETS["convolution, norm, activation"][0]()
    table = summary(net, (4, 6, 6))
    rows = {row.name: row for row in table.rows}
    assert list(rows) == [str(i) for i in range(12)]
    assert rows["0"] == ("0", "Conv2d", (1, 6, 6, 6), 216, 36 * 6 * 36)
    assert rows["3"].multiply_adds == 36 * 6 * 18
    assert rows["6"].output_shape == (1, 4, 3, 3)
    assert rows["10"].multiply_adds == 12 == rows["10"].parameters - 3
    assert table.parameters == sum(value.size for value in net.params.values())
    assert table.multiply_adds == sum(row.multiply_adds for row in table.rows)
    twice = summary(net, (2, 4, 6, 6))
    assert twice.multiply_adds == 2 * table.multiply_adds
    text = str(table).splitlines()
    assert text[0].split() == ["layer", "kind", "output", "parameters", "multiply-adds"]
    assert text[2].split() == ["0", "Conv2d", "1×6×6×6", "216", "7,776"]
    assert text[-1].split() == ["total", f"{table.parameters:,}", f"{table.multiply_adds:,}"]
    assert net.training

    dense = summary(NETS["dense"][0](), (4, 6, 6))
    assert [row.name for row in dense.rows][-2:] == ["1", "2"]
    assert dense.rows[-2].output_shape == (1, 10, 6, 6)
    assert all(row.parameters == 0 for row in dense.rows if row.kind == "DenseBlock")
    assert sum(row.parameters for row in dense.rows) == dense.parameters
