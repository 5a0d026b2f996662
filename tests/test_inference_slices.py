"""Fused networks through which a batch goes in slices: the same bits, in less memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fused_nets import NETS, Halve, conv, images, norm
from hypothesis import given
from hypothesis import strategies as st

import npconv
from npconv import models
from npconv.inference import Session, slices
from npconv.inference import operations as op
from npconv.inference.plan import Plan
from npconv.inference.slices import Segment
from npconv.layers import (
    Concat,
    Container,
    DenseBlock,
    Flatten,
    Identity,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
)

RNG = np.random.default_rng(8)
BLOCKS = {
    "convolution": lambda: conv(4, 4),
    "strided": lambda: conv(4, 4, stride=2),
    "norm": lambda: Sequential(norm(4), ReLU()),
    "pool": lambda: MaxPool2d(3, 1, 1),
    "residual": lambda: Residual(conv(4, 4), ReLU(), conv(4, 4), activation=ReLU()),
    "sum": lambda: Residual(norm(4), ReLU()),
    "branches": lambda: Concat(conv(4, 1), Identity(), Sequential(ReLU(), conv(4, 2))),
    "dense": lambda: DenseBlock(Sequential(norm(4), ReLU(), conv(4, 3)), conv(7, 1)),
    "thin": lambda: conv(4, 4, 1),
    "foreign": Halve,
}
WIDENING = {"branches": 7, "dense": 8}  # their output channels; all others have 4


def session(net: Container) -> Session:
    net.fuse()
    assert isinstance(net._session, Session)
    return net._session


def plan(net: Container, shape: tuple[int, ...], parts: list[Segment], dtype: Any = "f4") -> Plan:
    graph = session(net).graph
    return Plan(graph, graph.shapes(shape), np.dtype(dtype), {}, parts)


def cut(net: Container, sizes: Sequence[int | None]) -> list[Segment]:
    """Let the nodes go at so many images, in turn; foreign layers at all."""
    nodes = session(net).graph.nodes
    return slices._runs(
        [
            None if isinstance(node.operation, op.Anything) else sizes[i % len(sizes)]
            for i, node in enumerate(nodes)
        ]
    )


def network(names: Sequence[str]) -> Container:
    layers: list[Layer] = []
    for name in names:
        layers.append(BLOCKS[name]())
        if name in WIDENING:
            layers.append(conv(WIDENING[name], 4, 1))
    return Sequential(*layers, Flatten())


@given(
    names=st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=5),
    batch=st.integers(0, 7),
    sizes=st.lists(st.sampled_from([None, 1, 2, 3, 5]), min_size=1, max_size=12),
    dtype=st.sampled_from(["f4", "f8"]),
)
def test_any_slices_give_the_same_bits(
    names: list[str], batch: int, sizes: list[int | None], dtype: str
) -> None:
    net = network(names)
    x = images(batch, np.dtype(dtype).type, 5)
    whole = plan(net, x.shape, cut(net, [None]), dtype)
    sliced = plan(net, x.shape, cut(net, sizes if batch else [None]), dtype)
    expected = whole.run(x)
    for _ in range(2):  # the second time in memory that has been used
        np.testing.assert_array_equal(sliced.run(x), expected)
    np.testing.assert_array_equal(sliced.run(-x), whole.run(-x))


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("sizes", [[2], [1, 1, 3], [3, None, None, 2]], ids=str)
def test_slices_of_all_that_can_be_fused(name: str, sizes: list[int | None]) -> None:
    net = NETS[name][0]()
    x = np.concatenate([images(), images(4)])[:, :, :, ::-1]  # 7 images, not contiguous
    whole = plan(net, x.shape, cut(net, [None]))
    sliced = plan(net, x.shape, cut(net, sizes))
    np.testing.assert_array_equal(sliced.run(x), whole.run(x))


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be worth a slice: little stays in cache, and calls cost nothing."""
    for name in ("CACHE", "CALL_NS", "SHARED_CALL_NS", "BORDER_NS", "WEIGHT_NS", "PACK_NS"):
        monkeypatch.setattr(slices, name, 0)
    monkeypatch.setattr(slices, "CACHE", 10_000)


MODELS: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {
    "lenet5": ((1, 28, 28), {}),
    "deep_convnet": ((1, 28, 28), {}),
    "cifar_convnet": ((3, 32, 32), {}),
    "alexnet": ((3, 63, 63), {"width": 0.1}),
    "vgg11_bn": ((3, 32, 32), {"width": 0.1}),
    "googlenet": ((3, 48, 48), {"width": 0.1, "aux_logits": False}),
    "resnet9": ((3, 32, 32), {"filters": 4}),
    "whitened_convnet": ((3, 32, 32), {"widths": (3, 4, 5)}),
    "resnet18": ((3, 48, 48), {"width": 0.1}),
    "resnet50": ((3, 48, 48), {"width": 0.1}),
    "densenet121": ((3, 32, 32), {"growth": 2, "first_channels": 4}),
    "mobilenet_v1": ((3, 48, 48), {"width": 0.2}),
    "mobilenet_v2": ((3, 48, 48), {"width": 0.2}),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("prepared", [False, True], ids=["fused", "prepared"])
def test_models_in_slices(name: str, prepared: bool, eager: None) -> None:
    image, thin = MODELS[name]
    rng = np.random.default_rng(3)
    net = getattr(models, name)(rng=rng, **thin)
    inner = session(net)
    if prepared:
        net.prepare(image)
    x = rng.standard_normal((7, *image), dtype=np.float32)
    chosen = inner.plan(x.shape)
    ready = inner._prepared.get(image, {})
    whole = Plan(inner.graph, chosen.shapes, np.dtype("f4"), ready, cut(net, [None]))
    assert any(segment.images for segment in chosen.segments)
    assert chosen.nbytes < whole.nbytes
    np.testing.assert_array_equal(chosen.run(x), whole.run(x))
    np.testing.assert_array_equal(net.forward(x[:2]), whole.run(x)[:2])


def wide_then_deep() -> Container:
    """Images of 1.6 MB a layer at first, then 19 MB of weights and hardly any images."""
    return Sequential(
        conv(4, 8), ReLU(), conv(8, 8), ReLU(), conv(8, 8, 1), MaxPool2d(8),
        MaxPool2d(28), Flatten(), Linear(8, 2000, rng=RNG), Linear(2000, 2000, rng=RNG),
    )  # fmt: skip


def test_wide_layers_are_sliced_and_deep_ones_are_not() -> None:
    net = wide_then_deep()
    with npconv.threads(1):
        many = session(net).plan((16, 4, 224, 224))
        assert [segment.images for segment in many.segments] == [1, None]
        kinds = [type(node.operation) for node in session(net).graph.nodes]
        first = kinds.index(op.FullyConnected)
        assert kinds.index(op.MaxPool) < many.segments[1].first <= first
        one = session(net).plan((1, 4, 224, 224))
        assert [segment.images for segment in one.segments] == [None]
        # Two arrays for one image, and what the batch is reduced to.
        assert one.nbytes <= many.nbytes < 1.2 * one.nbytes
    with npconv.threads(2):  # as many images for each of them
        two = session(net).plan((16, 4, 224, 224))
        assert [segment.images for segment in two.segments] == [2, None]
        assert session(net).plan((2, 4, 224, 224)).segments == one.segments


@pytest.mark.parametrize("threads", [1, 2])
def test_small_networks_are_left_whole(threads: int) -> None:
    """What fits into the cache anyway is not worth any more calls."""
    net = models.lenet5()
    with npconv.threads(threads):
        for batch in (0, 1, 2, 10, 30):
            chosen = session(net).plan((batch, 1, 28, 28))
            assert [segment.images for segment in chosen.segments] == [None]


def test_foreign_layers_see_the_whole_batch(eager: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "CACHE", 128_000)  # two arrays of one image

    class Centre(Layer):
        def forward(self, x: np.ndarray) -> np.ndarray:
            return x - x.mean(axis=0)

    net = Sequential(conv(4, 4), ReLU(), conv(4, 4), Centre(), conv(4, 4)).eval()
    x = images(5, side=60)
    expected = net.forward(x)
    chosen = session(net).plan(x.shape)
    assert [segment.images is None for segment in chosen.segments] == [False, True, False]
    np.testing.assert_allclose(net.forward(x), expected, rtol=0, atol=1e-5)


def test_what_has_no_images_is_not_sliced(eager: None) -> None:
    net = Sequential(Linear(4, 3, rng=RNG), Linear(3, 5, rng=RNG))
    x = np.random.default_rng(1).standard_normal(4, np.float32)
    expected = net.eval().forward(x)
    np.testing.assert_allclose(net.fuse().forward(x), expected, rtol=0, atol=1e-6)


@given(
    batch=st.integers(1, 12),
    loads=st.lists(
        st.tuples(st.integers(0, 4 << 20), st.integers(0, 1_000_000), st.integers(0, 1 << 20)),
        min_size=1,
        max_size=4,
    ),
)
def test_the_choice_is_the_best_there_is(batch: int, loads: list[tuple[int, int, int]]) -> None:
    """Compared with every other one."""
    given_loads = [slices.Load(image, weights) for image, weights, _ in loads]
    alive = [nbytes for *_, nbytes in loads]

    def time(sizes: Sequence[int | None]) -> float:
        borders = sum(
            slices._border_time(sizes[i - 1], sizes[i], batch * alive[i])
            for i in range(1, len(sizes))
        )
        return borders + sum(
            load.time(batch, size, slices.CALL_NS)
            for load, size in zip(given_loads, sizes, strict=True)
        )

    def all_ways(n: int) -> list[list[int | None]]:
        if n == 0:
            return [[]]
        return [[size, *rest] for size in slices._sizes(batch) for rest in all_ways(n - 1)]

    by_image = [True] * len(loads)
    chosen = slices._cheapest(given_loads, by_image, alive, batch, slices.CALL_NS)
    assert time(chosen) == pytest.approx(min(map(time, all_ways(len(loads)))))


def test_slices_of_many_threads() -> None:
    net = NETS["residual"][0]()
    inputs = [images(batch) for batch in (5, 6, 7, 5, 6, 7)]
    plans = {
        len(x): (plan(net, x.shape, cut(net, [2])), plan(net, x.shape, cut(net, [None])))
        for x in inputs
    }
    expected = [plans[len(x)][1].run(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            results = pool.map(lambda x: plans[len(x)][0].run(x), inputs)
            for y, wanted in zip(results, expected, strict=True):
                np.testing.assert_array_equal(y, wanted)
