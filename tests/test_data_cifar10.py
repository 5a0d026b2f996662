"""CIFAR-10's readers, on files made here, and what they say of others."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npconv.data import DataError, download, load_cifar10, read_cifar10_batch

NAMES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def batch(seed: int, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 3072)).astype(np.uint8), rng.integers(0, 10, count)


def binary(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    return np.concatenate([labels[:, None].astype(np.uint8), pixels], axis=1).tobytes()


def write(folder: Path, kind: str) -> None:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(NAMES):
        pixels, labels = batch(seed)
        if kind == "binary":
            (folder / f"{name}.bin").write_bytes(binary(pixels, labels))
        else:
            content = {"data": pixels, "labels": labels.tolist(), "batch_label": name}
            (folder / name).write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize(
    ("kind", "inside"),
    [
        ("binary", ""),
        ("binary", "cifar-10-batches-bin"),
        ("pickle", ""),
        ("pickle", "cifar-10-batches-py"),
    ],
)
def test_both_versions_give_the_same(tmp_path: Path, kind: str, inside: str) -> None:
    write(tmp_path / inside, kind)
    data = load_cifar10(tmp_path)
    assert data.train_images.shape == (15, 3, 32, 32)
    assert data.test_images.shape == (3, 3, 32, 32)
    assert data.train_images.dtype == np.float32
    assert data.train_labels.dtype == np.int64
    for seed in range(6):
        pixels, labels = batch(seed)
        images = data.test_images if seed == 5 else data.train_images[3 * seed : 3 * seed + 3]
        expected = pixels.reshape(3, 3, 32, 32) / np.float32(255)
        np.testing.assert_array_equal(images, expected)
        found = data.test_labels if seed == 5 else data.train_labels[3 * seed : 3 * seed + 3]
        np.testing.assert_array_equal(found, labels)


def test_a_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    """As the published files are: protocol 2 with byte strings, the array's old module name."""
    write(tmp_path, "pickle")
    pixels, labels = batch(9, count=2)
    content = (
        b"\x80\x02}(U\x04data"
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T"
        + len(pixels.tobytes()).to_bytes(4, "little")
        + pixels.tobytes()
        + b"tb"
        + b"U\x06labels](K"
        + bytes([labels[0]])
        + b"K"
        + bytes([labels[1]])
        + b"eu."
    )
    (tmp_path / "test_batch").write_bytes(content)
    data = load_cifar10(tmp_path)
    np.testing.assert_array_equal(
        data.test_images.reshape(2, -1), pixels.astype(np.float32) / np.float32(255)
    )
    assert data.test_labels.tolist() == labels.tolist()


class Evil:
    """A pickle of it calls os.mkdir."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def test_a_pickle_runs_nothing(tmp_path: Path) -> None:
    write(tmp_path, "pickle")
    made = tmp_path / "made"
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps({"data": Evil(str(made))}))
    with pytest.raises(DataError, match=r"data_batch_3 is not a pickled batch .*mkdir"):
        load_cifar10(tmp_path)
    assert not made.exists()


PIXELS, LABELS = batch(0)
WRONG_PICKLES: dict[str, tuple[Any, str]] = {
    "a list": ([1, 2], "it holds a list, not a dictionary"),
    "no labels": ({"data": PIXELS}, r"has no 'labels'; it has \['data'\]"),
    "short rows": ({"data": PIXELS[:, 1:].copy(), "labels": [0, 1, 2]}, r"shape \(3, 3071\)"),
    "floats": ({"data": PIXELS * 1.0, "labels": [0, 1, 2]}, "not of bytes"),
    "text": ({"data": "pixels", "labels": [0, 1, 2]}, "'data' is not an array of bytes"),
    "too few labels": ({"data": PIXELS, "labels": [0]}, "1 labels"),
    "label": ({"data": PIXELS, "labels": [0, 1, -1]}, "has a label -1"),
    "no integers": ({"data": PIXELS, "labels": ["a", "b", "c"]}, "'labels' is not a list of"),
}


@pytest.mark.parametrize("wrong", WRONG_PICKLES)
def test_wrong_pickles_are_named(tmp_path: Path, wrong: str) -> None:
    write(tmp_path, "pickle")
    content, message = WRONG_PICKLES[wrong]
    (tmp_path / "data_batch_2").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DataError, match=message) as caught:
        load_cifar10(tmp_path)
    assert "data_batch_2" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x80\x02}", b"no pickle", b"\x80\x02]\x94b."])
def test_damaged_pickles_are_named(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "pickle")
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(DataError, match="test_batch is not a pickled batch of CIFAR-10"):
        load_cifar10(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 bytes, expected a multiple of 3073"),
        (binary(PIXELS, LABELS)[:-1], "has 9218 bytes"),
        (binary(PIXELS, LABELS + 10), r"has a label 1\d, expected 0 to 9"),
    ],
)
def test_wrong_binary_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "b.bin").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_cifar10_batch(tmp_path / "b.bin")


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere is not a directory"):
        load_cifar10(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"neither data_batch_1.bin nor data_batch_1"):
        load_cifar10(tmp_path)
    write(tmp_path, "binary")
    (tmp_path / "data_batch_4.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no data_batch_4.bin"):
        load_cifar10(tmp_path)


def test_download_asks_for_checked_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for pooch: nothing is fetched by a test."""
    asked = []
    pooch = types.ModuleType("pooch")
    pooch.os_cache = lambda name: tmp_path / "cache" / name  # type: ignore[attr-defined]
    pooch.Untar = lambda extract_dir: f"untar {extract_dir}"  # type: ignore[attr-defined]
    pooch.retrieve = lambda url, **options: asked.append((url, options))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pooch", pooch)
    assert download("mnist") == tmp_path / "cache" / "npconv" / "mnist"
    assert download("cifar10", tmp_path) == tmp_path / "cifar10"
    assert len(asked) == 5
    for url, options in asked:
        assert url.startswith("https://")
        assert url.endswith(options["fname"])
        assert len(options["known_hash"].removeprefix("sha256:")) == 64
    assert [options["processor"] for _, options in asked] == [None] * 4 + ["untar ."]
    with pytest.raises(ValueError, match="name is 'imagenet', expected one of"):
        download("imagenet")


def test_download_without_pooch_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pooch.*pip install 'npconv\[data\]'"):
        download("mnist")


def test_jpeg_streams_become_the_binary_version(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="it writes and reads the streams")
    arrays = {}
    for part, count in (("train", 7), ("test", 2)):
        streams = []
        for i in range(count):
            stream = io.BytesIO()
            image.new("RGB", (32, 32), (30 * i, 100, 200)).save(stream, "JPEG", quality=95)
            streams.append(stream.getvalue())
        arrays[f"{part}_jpeg"] = np.frombuffer(b"".join(streams), np.uint8)
        arrays[f"{part}_offsets"] = np.cumsum([0, *map(len, streams)])
        arrays[f"{part}_labels"] = np.arange(count)
    np.savez(tmp_path / "c.npz", **arrays)  # type: ignore[arg-type]
    script = Path(__file__).parents[1] / "bench" / "cifar10_jpeg.py"
    subprocess.run(
        [sys.executable, script, tmp_path / "c.npz", tmp_path / "out"], check=True, timeout=60
    )
    data = load_cifar10(tmp_path / "out")
    assert data.train_labels.tolist() == list(range(7))
    colours = 255 * data.train_images.mean(axis=(2, 3))
    np.testing.assert_allclose(colours, [[30 * i, 100, 200] for i in range(7)], atol=3)
