"""Fused and prepared networks: the same results, fewer steps, less memory."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fused_nets import NETS, RNG, Twice, conv, images, norm

from npconv.inference import Session
from npconv.inference import operations as op
from npconv.layers import (
    ELU,
    AdaptiveAvgPool2d,
    AvgPool2d,
    Concat,
    Container,
    Flatten,
    Identity,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    ReLU6,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
)
from npconv.models import summary

each_net = pytest.mark.parametrize("name", NETS)


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
    one = 8 * 4 * 16 * 16 * 4
    assert net._session.plan((8, 4, 16, 16)).nbytes == 2 * one

    shortcuts = Sequential(
        conv(4, 4), *[Residual(conv(4, 4), ReLU(), conv(4, 4)) for _ in range(3)]
    ).fuse()  # each sum is written over the one before
    assert shortcuts._session.plan((8, 4, 16, 16)).nbytes == 2 * one


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
    (only,) = plan._passes
    assert len(only.steps) == len(kinds) - 3  # nothing is left to do where parts are joined


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


@pytest.mark.parametrize("batch", [0, 3])
@pytest.mark.parametrize(
    "layer",
    [
        MaxPool2d(3, 2, 1),
        AvgPool2d(3, 2, 1),
        AdaptiveAvgPool2d((2, 3)),
        Residual(Identity(), activation=LeakyReLU(0.1)),
        norm(4),
        Sequential(ELU(0.7), Sigmoid(), Tanh(), ReLU(), ReLU6(), LeakyReLU(0.1)),
        Sequential(Flatten(), Linear(4 * 36, 5, rng=RNG), LeakyReLU(0.1)),
    ],
    ids=["max", "average", "adaptive", "add", "affine", "elementwise", "linear"],
)
def test_steps_that_skip_checks_take_any_array(layer: Layer, batch: int) -> None:
    x = images(batch)
    net = Sequential(layer).eval()
    expected = net.forward(x)
    raw = np.empty(x.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(x.dtype).reshape(x.shape)
    misaligned[...] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    fused = net.fuse().forward(x)
    close(fused, expected)
    for form in (
        misaligned,
        frozen,
        x.astype(">f4"),
        np.asfortranarray(x),
        np.ascontiguousarray(x[:, :, ::-1])[:, :, ::-1],
        np.repeat(x, 2, axis=3)[..., ::2],
    ):
        np.testing.assert_array_equal(net.forward(form), fused)
    np.testing.assert_allclose(net.forward(x.astype(np.float16)), expected, rtol=0, atol=0.01)
    np.testing.assert_allclose(
        net.forward(x.astype(np.int32)), net.forward(np.trunc(x).astype("f8"))
    )
