"""The demo's four pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from npconv import viz
from npconv.checks import Array
from npconv.data import Dataset
from npconv.layers import Sequential
from npconv.training import History, predict


def draw(
    folder: Path, filters_before: Array, net: Sequential, history: History, data: Dataset
) -> Iterator[Path]:
    """Write the pictures into `folder`, yielding the path of each."""
    yield viz.save_filters(folder / "filters.png", filters_before, net.params["conv1.weight"])

    image, label = data.test_images[0], data.test_labels[0]
    yield viz.save_feature_maps(
        folder / "feature_maps.png",
        image[0],
        _feature_maps(net, image),
        f"What the network sees in a {label}",
    )

    yield viz.save_training_curve(folder / "training_curve.png", history.losses, history.accuracies)

    yield viz.save_mistakes(
        folder / "mistakes.png",
        data.test_images[:, 0],
        data.test_labels,
        predict(net, data.test_images),
    )


def _feature_maps(net: Sequential, image: Array) -> dict[str, Array]:
    """Return one image's maps after the ReLU and after the pooling of the first block."""
    captions = {"relu1": "convolution and ReLU", "pool1": "2 × 2 pooling"}
    maps = {}
    x = image[None]
    net.eval()
    for name, layer in net.layers.items():
        x = layer.forward(x)
        if name in captions:
            maps[captions[name]] = x[0]
    net.train()
    return maps
