"""The pictures: that they are PNG of a sensible size, hold what was given, and leave no trace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the pictures are drawn with it")

from npconv import viz
from npconv.viz.tiles import tile


def size(path: Path) -> tuple[int, int]:
    """Width and height from a PNG's header, after checking that it is one."""
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert content[-8:-4] == b"IEND"
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def test_tiles_by_hand() -> None:
    """Three images of 1x2 in two columns, gaps of one.

    1 2 . 3 4
    . . . . .
    5 6 . . .
    """
    nan = np.nan
    expected = [[1, 2, nan, 3, 4], [nan] * 5, [5, 6, nan, nan, nan]]
    np.testing.assert_array_equal(tile(np.arange(1.0, 7).reshape(3, 1, 2), 2), expected)


def test_filters(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    before, after = rng.standard_normal((2, 30, 1, 5, 5))
    path = viz.save_filters(tmp_path / "new" / "folder" / "f.png", before, after)
    assert path == tmp_path / "new" / "folder" / "f.png"
    assert size(path) == (1500, 675)
    same = viz.save_filters(tmp_path / "again.png", before, after)
    assert same.read_bytes() == path.read_bytes()
    other = viz.save_filters(tmp_path / "other.png", after, before)
    assert other.read_bytes() != path.read_bytes()
    with pytest.raises(ValueError, match=r"expected \(K, 1, R, S\)"):
        viz.save_filters(tmp_path / "no.png", before[:, 0], after)
    viz.save_filters(tmp_path / "zero.png", 0 * before, 0 * after)


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_feature_maps(tmp_path: Path, layers: int) -> None:
    maps = {f"layer {i}": np.ones((7, 4, 4)) for i in range(layers)}
    path = viz.save_feature_maps(tmp_path / "m.png", np.eye(8), maps, "an 8x8 image")
    width, height = size(path)
    assert height > 500
    assert width == round(150 * (2.6 + 4.6 * layers))


@pytest.mark.parametrize("epochs", [0, 1, 5])
def test_training_curve(tmp_path: Path, epochs: int) -> None:
    losses = np.geomspace(2, 0.01, 20 * epochs) if epochs else []
    path = viz.save_training_curve(tmp_path / "c.png", list(losses), [0.9] * epochs)
    assert size(path) == (1200, 900)


def test_a_training_that_diverged_is_drawn(tmp_path: Path) -> None:
    losses = [2.3, 1e9, float("inf"), float("nan"), 0.0]
    assert size(viz.save_training_curve(tmp_path / "c.png", losses, [0.1])) == (1200, 900)


@pytest.mark.parametrize(("wrong", "rows"), [(0, 1), (3, 1), (9, 2), (60, 5)])
def test_mistakes(tmp_path: Path, wrong: int, rows: int) -> None:
    labels = np.arange(100) % 10
    predictions = labels.copy()
    predictions[:wrong] = (labels[:wrong] + 1) % 10
    path = viz.save_mistakes(tmp_path / "w.png", np.zeros((100, 8, 8)), labels, predictions)
    assert size(path)[1] == round(150 * (0.6 + 1.5 * rows))


def test_no_picture_needs_pyplot(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from npconv import viz;"
        "viz.save_mistakes('w.png', np.ones((1, 8, 8)), np.zeros(1, int), np.ones(1, int));"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)
    assert size(tmp_path / "w.png")
