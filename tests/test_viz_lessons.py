"""The texts' figures: that the numbers in them are the right ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the pictures are drawn with it")

from test_viz import size

from npconv.data import Dataset
from npconv.viz import lessons
from npconv.viz.lessons import gallery

FIGURES = ["bottleneck", "convolution", "flipped", "padding", "pooling", "stride", "two_small"]


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pixels, which are drawn sooner."""
    monkeypatch.setattr("npconv.viz.figure.DPI", 20)


@pytest.mark.parametrize("name", FIGURES)
def test_draws(tmp_path: Path, name: str) -> None:
    path = getattr(lessons, f"save_{name}")(tmp_path / "new" / "a.png")
    assert min(size(path)) > 50


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    def collect(drawn: Any, path: Any) -> Path:
        import matplotlib.text

        found.extend(t.get_text() for t in drawn.findobj(matplotlib.text.Text) if t.get_text())
        return Path(path)

    for module in ("steps", "flipped", "cost", "gallery"):
        monkeypatch.setattr(f"npconv.viz.lessons.{module}.save", collect)
    return found


def test_the_convolution_that_books_work_out(texts: list[str]) -> None:
    lessons.save_convolution("x.png")
    assert "1·2 + 2·0 + 3·1 + 0·0 + 1·1 + 2·2 + 3·1 + 0·0 + 1·2 = 15" in texts
    assert sum(text.endswith(("= 15", "= 16", "= 6")) for text in texts) == 4


def test_strides_and_padding_give_the_formulas_sizes(texts: list[str]) -> None:
    lessons.save_stride("x.png")
    assert "stride 2: ⌊(7 − 3) / 2⌋ + 1 = 3" in texts
    lessons.save_padding("x.png")
    assert "(4 + 2·1 − 3) / 1 + 1 = 4" in texts


def test_two_small_filters_see_as_much(texts: list[str]) -> None:
    lessons.save_two_small("x.png")
    assert "one 5 × 5\nsees 5 × 5 pixels\n25 parameters" in texts
    assert "two 3 × 3\nsees 5 × 5 pixels\n18 parameters" in texts


def test_bottleneck(texts: list[str]) -> None:
    lessons.save_bottleneck("x.png")
    assert {"589,824", "69,632"} <= set(texts)
    assert any("8.5 times fewer" in text for text in texts)


def test_convolution_turns_the_filter(texts: list[str]) -> None:
    """Of the worked example: 15 16 6 15 by cross-correlation, 11 12 10 11 by convolution."""
    lessons.save_flipped("x.png")
    joined = " ".join(texts)
    assert "15 16 6 15" in joined
    assert "11 12 10 11" in joined


def test_gallery_filters_do_what_their_names_say(tmp_path: Path) -> None:
    flat = np.full((12, 12), 0.5)
    for name, kernel in lessons.FILTERS.items():
        middle = gallery.filtered(flat, kernel)[3:-3, 3:-3]
        np.testing.assert_allclose(middle, 0 if "edges" in name else 0.5, atol=1e-12)
    step = np.repeat([[0.0] * 6 + [1.0] * 6], 12, axis=0)
    assert np.abs(gallery.filtered(step, lessons.FILTERS["vertical edges"])[6]).max() == 4
    assert not gallery.filtered(step, lessons.FILTERS["horizontal edges"])[3:-3].any()
    path = lessons.save_gallery(tmp_path / "g.png", gallery._drawn())
    assert size(path) == (260, 124)


def test_photograph_is_there_with_and_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        image = lessons.photograph()
        assert image.ndim == 2
        assert 0 <= image.min() < image.max() <= 1
        monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)


def test_relu_and_tanh(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 1, 6, 6), dtype=np.float32), np.arange(60) % 3
    path = lessons.save_activations(tmp_path / "a.png", Dataset(x, y, x[:5], y[:5]), epochs=2)
    assert size(path) == (160, 100)
