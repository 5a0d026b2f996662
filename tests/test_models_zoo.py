"""The published networks: how many parameters they have, what they return, their gradients."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from npconv import models
from npconv.layers import Layer, he
from npconv.models import count_parameters, summary


class Row(NamedTuple):
    name: str
    parameters: int  # as published, or torchvision's
    multiply_adds: float  # in millions, likewise, for one image
    thin: dict[str, Any]  # options for a network that is quick to run
    image: tuple[int, int, int] = (3, 224, 224)
    thin_image: tuple[int, int, int] = (3, 64, 64)
    sibling: str = ""  # a smaller network of the same parts, whose gradients are enough


ZOO = [
    Row("lenet5", 61_706, 0.42, {}, (1, 28, 28), (1, 28, 28)),
    Row("lenet5_1998", 61_750, 0.418, {}, (1, 28, 28), (1, 28, 28)),
    Row("simple_convnet", 433_890, 0.87, {"filters": 3}, (1, 28, 28), (1, 12, 12)),
    Row("deep_convnet", 123_552, 8.77, {"hidden": 5}, (1, 28, 28), (1, 12, 12)),
    Row("cifar_convnet", 31_066, 0.36, {"filters": 3}, (3, 32, 32), (3, 8, 8)),
    Row("alexnet", 61_100_840, 714, {"width": 0.05}, thin_image=(3, 63, 63)),
    Row("alexnet_2012", 60_965_224, 724, {"width": 0.05}, thin_image=(3, 224, 224)),
    Row("zfnet", 62_357_608, 1170, {"width": 0.05}, thin_image=(3, 224, 224)),
    Row("vgg11", 132_863_336, 7609, {"width": 0.03}, thin_image=(3, 32, 32)),
    Row("vgg13", 133_047_848, 11308, {"width": 0.03}, thin_image=(3, 32, 32), sibling="vgg11"),
    Row("vgg16", 138_357_544, 15470, {"width": 0.03}, thin_image=(3, 32, 32), sibling="vgg11"),
    Row("vgg19", 143_667_240, 19632, {"width": 0.03}, thin_image=(3, 32, 32), sibling="vgg11"),
    Row("vgg11_bn", 132_868_840, 7609, {"width": 0.03}, thin_image=(3, 32, 32)),
    Row(
        "vgg13_bn", 133_053_736, 11308, {"width": 0.03}, thin_image=(3, 32, 32), sibling="vgg11_bn"
    ),
    Row(
        "vgg16_bn", 138_365_992, 15470, {"width": 0.03}, thin_image=(3, 32, 32), sibling="vgg11_bn"
    ),
    Row(
        "vgg19_bn", 143_678_248, 19632, {"width": 0.03}, thin_image=(3, 32, 32), sibling="vgg11_bn"
    ),
    Row("googlenet", 13_004_888, 1498, {"width": 0.06}),
    Row("googlenet_2014", 13_378_280, 1582, {"width": 0.06}, thin_image=(3, 224, 224)),
    Row("resnet9", 6_573_130, 378, {"filters": 3}, (3, 32, 32), (3, 16, 16)),
    # Filters that pass zeros on tie where windows are pooled, which has no slope: not those.
    Row(
        "whitened_convnet",
        1_971_362,
        118.2,
        {"widths": (3, 4, 5), "init": he},
        (3, 32, 32),
        (3, 17, 17),
    ),
    Row("resnet18", 11_689_512, 1814, {"width": 0.06}),
    Row("resnet34", 21_797_672, 3664, {"width": 0.06}, sibling="resnet18"),
    Row("resnet50", 25_557_032, 4089, {"width": 0.06}),
    Row("resnet50_v1", 25_557_032, 3836, {"width": 0.06}),
    Row("resnet101", 44_549_160, 7801, {"width": 0.06}, sibling="resnet50"),
    Row("resnet152", 60_192_808, 11514, {"width": 0.06}, sibling="resnet50"),
    Row("preact_resnet18", 11_687_720, 1814, {"width": 0.06}),
    Row("preact_resnet50", 25_549_352, 4089, {"width": 0.06}),
    Row("densenet121", 7_978_856, 2834, {"growth": 2, "first_channels": 4}),
    Row("mobilenet_v1", 4_231_976, 569, {"width": 0.1}),
    Row("mobilenet_v2", 3_504_872, 301, {"width": 0.1}),
]
BY_NAME = {row.name: row for row in ZOO}
SMALL = ("simple_convnet", "deep_convnet", "cifar_convnet", "resnet9", "whitened_convnet")
each_model = pytest.mark.parametrize("row", ZOO, ids=list(BY_NAME))


def make(row: Row, **options: Any) -> Layer:
    constructor: Callable[..., Layer] = getattr(models, row.name)
    return constructor(**options)


def thin(row: Row, **options: Any) -> Layer:
    options = row.thin | {"rng": np.random.default_rng(3)} | options
    if row.name in SMALL:
        options |= {"input_shape": row.thin_image, "classes": 5}
    else:
        options |= {"classes" if row.name.startswith("lenet") else "num_classes": 5}
    return make(row, **options)


@each_model
def test_parameters_and_multiply_adds_are_those_published(row: Row) -> None:
    small = row.name in SMALL
    net = make(row, **({"rng": np.random.default_rng(0)} if small else {}))
    assert count_parameters(net) == row.parameters
    table = summary(net, row.image)
    assert table.parameters == row.parameters
    assert table.multiply_adds / 1e6 == pytest.approx(row.multiply_adds, rel=0.01)
    assert table.rows[-1].output_shape == (1, 10 if row.image[1] < 224 else 1000)


def outputs(net: Layer, x: np.ndarray) -> list[np.ndarray]:
    result: Any = net.forward(x)
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("row", [r for r in ZOO if not r.sibling], ids=lambda row: row.name)
def test_gradients_are_slopes(row: Row) -> None:
    """Along one direction through all parameters and pixels at once."""
    options: dict[str, Any] = {"dtype": np.float64}
    if "dropout" in options_of(row):
        options["dropout"] = 0.0
    if "dropout_aux" in options_of(row):
        options["dropout_aux"] = 0.0
    net = thin(row, **options)
    rng = np.random.default_rng(8)
    places = {"x": rng.standard_normal((2, *row.thin_image)), **net.params}
    for key, value in places.items():
        if key.endswith("bias"):
            value += 0.1 * rng.standard_normal(value.shape)
    ways = {key: rng.standard_normal(value.shape) for key, value in places.items()}
    for key in ways:
        ways[key] *= np.sqrt(np.mean(places[key] ** 2)) or 1.0

    parts = outputs(net, places["x"])
    assert parts[0].shape == (2, 5)
    grads = [rng.standard_normal(part.shape) for part in parts]
    dx = net.backward(tuple(grads) if len(grads) > 1 else grads[0])
    assert set(net.grads) == set(net.params)
    slopes = {"x": dx} | {key: value.copy() for key, value in net.grads.items()}
    expected = sum(float((slopes[key] * ways[key]).sum()) for key in places)

    def value(step: float) -> float:
        for key, place in places.items():
            place += step * ways[key]
        result = sum(
            float((y * g).sum()) for y, g in zip(outputs(net, places["x"]), grads, strict=True)
        )
        for key, place in places.items():
            place -= step * ways[key]
        return result

    size = np.sqrt(sum(float(((slopes[key] * ways[key]) ** 2).sum()) for key in places))
    # A step may cross a ReLU's kink; a smaller one need not.
    errors = [
        abs((value(step) - value(-step)) / (2 * step) - expected) for step in (1e-7, 1e-8, 1e-9)
    ]
    assert min(errors) < 1e-4 * size


def options_of(row: Row) -> set[str]:
    return set(inspect.signature(getattr(models, row.name)).parameters)


@each_model
def test_evaluation_gives_logits_fused_too(row: Row) -> None:
    net = thin(row).eval()
    x = np.random.default_rng(1).standard_normal((2, *row.thin_image)).astype(np.float32)
    expected = net.forward(x)
    assert expected.shape == (2, 5)
    assert expected.dtype == np.float32
    fused = net.prepare(row.thin_image).forward(x)  # type: ignore[attr-defined]
    np.testing.assert_allclose(fused, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    assert np.abs(expected - expected[::-1]).max() > 0
