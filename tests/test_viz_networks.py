"""The pictures of networks: what is drawn where, and that the same arguments give the same file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the pictures are drawn with it")

from test_viz import size

from npconv import insight, viz
from npconv.checks import Array
from npconv.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from npconv.training import predict
from npconv.viz import figure as figures

CLASSES = ["plane", "ship", "horse"]


def network(channels: int = 1) -> Sequential:
    rng = np.random.default_rng(0)
    return Sequential(
        {
            "conv1": Conv2d(channels, 5, 3, padding=1, rng=rng),
            "relu1": ReLU(),
            "pool1": MaxPool2d(2),
            "conv2": Conv2d(5, 7, 3, rng=rng),
            "flat": Flatten(),
            "fc": Linear(7 * 4, 3, rng=rng),
        }
    )


def images(count: int = 20, channels: int = 1) -> Array:
    return np.random.default_rng(1).random((count, channels, 8, 8), dtype=np.float32)


LABELS = np.arange(20) % 3

DRAWINGS: dict[str, Callable[[Path, int], Path]] = {
    "layers": lambda path, c: viz.save_layers(path, network(c), images(1, c)[0], "layers"),
    "patches": lambda path, c: viz.save_patches(
        path, insight.strongest_patches(network(c), "relu1", images(20, c), 4), "patches"
    ),
    "receptive fields": lambda path, c: viz.save_receptive_fields(
        path, network(c), images(1, c)[0]
    ),
    "saliency": lambda path, c: viz.save_saliency(path, network(c), images(2, c), CLASSES),
    "attack": lambda path, c: viz.save_attack(
        path, network(c), images(2, c), LABELS[:2], 0.1, CLASSES
    ),
    "robustness": lambda path, c: viz.save_robustness(
        path, network(c), images(20, c), LABELS, np.random.default_rng(0)
    ),
    "mistakes": lambda path, c: viz.save_mistakes(
        path, images(20, c), LABELS, predict(network(c), images(20, c)), CLASSES
    ),
    "confusion": lambda path, c: viz.save_confusion(
        path, LABELS, predict(network(c), images(20, c)), CLASSES
    ),
    "filters": lambda path, c: viz.save_filters(
        path, network(c).params["conv1.weight"], 2 * network(c).params["conv1.weight"] ** 2
    ),
}


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pixels, which are drawn sooner."""
    monkeypatch.setattr(figures, "DPI", 20)


@pytest.mark.parametrize(("name", "channels"), list(zip(DRAWINGS, [1, 3] * 5, strict=False)))
def test_draws_grey_and_coloured_images(tmp_path: Path, name: str, channels: int) -> None:
    path = DRAWINGS[name](tmp_path / "new" / "a.png", channels)
    assert path == tmp_path / "new" / "a.png"
    assert min(size(path)) > 50


def test_the_same_arguments_give_the_same_file(tmp_path: Path) -> None:
    for name in ("saliency", "robustness"):
        first, second = (DRAWINGS[name](tmp_path / file, 3) for file in ("a.png", "b.png"))
        assert first.read_bytes() == second.read_bytes()


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All text of the figures that are saved."""
    found: list[str] = []

    def collect(drawn: Any, path: Any) -> Path:
        import matplotlib.text

        found.extend(t.get_text() for t in drawn.findobj(matplotlib.text.Text) if t.get_text())
        return Path(path)

    for module in ("layers", "confusion", "attack", "receptive_field", "bubbles", "patches"):
        monkeypatch.setattr(f"npconv.viz.{module}.save", collect)
    assert figures.save is not collect
    return found


def test_layers_are_named_with_their_sizes(texts: list[str]) -> None:
    viz.save_layers("x.png", network(), images(1)[0], "title")
    assert "the image, 8 × 8" in texts
    assert "conv1: 5 maps, 8 × 8" in texts
    assert "conv2: 7 maps, 2 × 2" in texts
    assert "fc: 3 values" in texts
    assert not any(text.startswith("flat") for text in texts)  # the maps once more


def test_confusion_says_how_many_are_right(texts: list[str]) -> None:
    viz.save_confusion("x.png", np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2]), CLASSES)
    assert "What is taken for what: 75.00 % right" in texts
    assert {"plane", "ship", "horse", "read as", "is"} <= set(texts)


def test_attack_says_what_is_read_before_and_after(texts: list[str]) -> None:
    net = Sequential(Flatten(), Linear(4, 2, rng=np.random.default_rng(0)))
    net.params["1.weight"][:] = [[10, 0, 0, 0], [0, 10, 0, 0]]
    image = np.array([[[[0.55, 0.45], [0, 0]]]], np.float32)
    viz.save_attack("x.png", net, image, np.array([0]), 0.1, ["left", "right"])
    assert "The fast-gradient-sign attack: no pixel changes by more than 0.1" in texts
    # Scores 5.5 and 4.5, then 4.5 and 5.5: 1 / (1 + 1 / e) = 73.1 %.
    assert "read as left, 73.1 % sure" in texts
    assert "read as right, 73.1 % sure" in texts


def test_receptive_fields_are_written(texts: list[str]) -> None:
    viz.save_receptive_fields("x.png", network(), images(1)[0])
    assert {"conv1 … relu1: 3 × 3", "pool1: 4 × 4", "conv2: 7 × 7"} <= set(texts)


def test_bubbles(texts: list[str], tmp_path: Path) -> None:
    bubbles = [viz.Bubble("small", 1e6, 5e4, 0.99), viz.Bubble("large", 2e8, 6e6, 0.995)]
    viz.save_bubbles("x.png", bubbles)
    assert {"small\n50k parameters", "large\n6M parameters"} <= set(texts)
    viz.save_bubbles("x.png", [])


def test_a_filter_that_never_fires_says_so(texts: list[str]) -> None:
    net = network()
    net.params["conv1.weight"][:] = 1
    net.params["conv1.weight"][3] = 0
    found = insight.strongest_patches(net, "relu1", images(), 4)
    viz.save_patches("x.png", found, "title")
    assert texts.count("never fires") == 1
