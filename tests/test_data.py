"""The data readers: what they read, and what they say of files that are not as they should be."""

from __future__ import annotations

import gzip
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from real_data import mnist_folder

from npconv.data import DataError, batches, load_digits, load_mnist, read_idx

IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"


def idx(values: np.ndarray, code: int = 0x08) -> bytes:
    header = bytes([0, 0, code, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(values.dtype.newbyteorder(">")).tobytes()


def pixels(count: int, side: int = 3) -> np.ndarray:
    return (np.arange(count * side * side) % 256).astype(np.uint8).reshape(count, side, side)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five training and two test images of 3x3; half of the files gzipped."""
    (tmp_path / f"train-{IMAGES}").write_bytes(idx(pixels(5)))
    (tmp_path / f"train-{LABELS}.gz").write_bytes(gzip.compress(idx(np.arange(5, dtype="u1"))))
    (tmp_path / f"t10k-{IMAGES}.gz").write_bytes(gzip.compress(idx(pixels(2))))
    (tmp_path / f"t10k-{LABELS}").write_bytes(idx(np.array([9, 0], "u1")))
    return tmp_path


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")],
)
def test_idx_types(tmp_path: Path, code: int, dtype: str) -> None:
    values = np.array([[1, -2, 3], [100, 5, 6]]).astype(dtype)
    (tmp_path / "a").write_bytes(idx(values, code))
    read = read_idx(tmp_path / "a")
    assert read.dtype == values.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, values)


def test_mnist_is_read_gzipped_or_not(folder: Path) -> None:
    data = load_mnist(folder)
    assert data.train_images.dtype == np.float32
    assert data.train_images.shape == (5, 1, 3, 3)
    np.testing.assert_array_equal(data.train_images[:, 0], pixels(5) / np.float32(255))
    assert data.test_images.shape == (2, 1, 3, 3)
    assert data.train_labels.tolist() == [0, 1, 2, 3, 4]
    assert data.test_labels.tolist() == [9, 0]
    assert data.test_labels.dtype == np.int64


def test_a_file_unpacked_under_its_gz_name_is_read(folder: Path) -> None:
    packed = folder / f"t10k-{IMAGES}.gz"
    packed.write_bytes(gzip.decompress(packed.read_bytes()))
    assert load_mnist(folder).test_images.shape == (2, 1, 3, 3)


GOOD = idx(pixels(2))
DAMAGED = {
    "empty": (b"", "not an idx file: it begins with nothing"),
    "not idx": (b"\x89PNG....", "not an idx file: it begins with 89 50 4e 47"),
    "unknown type": (b"\0\0\x07\x03" + GOOD[4:], "not an idx file"),
    "header cut": (GOOD[:9], "truncated: 9 bytes, its header alone has 16"),
    "values cut": (GOOD[:-1], r"truncated: 33 bytes, its header promises 34"),
    "too long": (GOOD + b"\0", "too long: 35 bytes"),
    "huge sizes": (GOOD[:4] + b"\xff" * 12, r"truncated: 16 bytes, its header promises 7922816"),
    "gzip cut": (gzip.compress(GOOD)[:-9], "damaged or truncated gzip"),
    "gzip damaged": (gzip.compress(GOOD)[:12] + b"\xff" * 30, "damaged or truncated gzip"),
    "labels instead": (idx(np.zeros(2, "u1")), "expected images: bytes in 3"),
    "floats": (idx(pixels(2).astype("f4"), 0x0D), "holds float32 values"),
    "too few": (idx(pixels(1)), r"holds 1 images, .* 2 labels"),
    "no pixels": (idx(np.zeros((2, 0, 3), "u1")), "holds no pixels"),
    "other size": (idx(pixels(2, side=4)), r"training images have shape \(1, 3, 3\), test"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_wrong_image_files_are_named(folder: Path, damage: str) -> None:
    content, message = DAMAGED[damage]
    path = folder / f"t10k-{IMAGES}.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_mnist(folder)
    assert str(folder) in str(caught.value)


def test_a_label_past_nine_is_named(folder: Path) -> None:
    (folder / f"t10k-{LABELS}").write_bytes(idx(np.array([1, 10], "u1")))
    with pytest.raises(DataError, match="has a label 10, expected 0 to 9"):
        load_mnist(folder)


@pytest.mark.parametrize("name", [f"train-{IMAGES}", f"t10k-{LABELS}"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"neither {name} nor {name}.gz"):
        load_mnist(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere is not a directory"):
        load_mnist(tmp_path / "nowhere")


def test_real_mnist() -> None:
    data = load_mnist(mnist_folder())
    assert data.train_images.shape == (60000, 1, 28, 28)
    assert data.test_images.shape == (10000, 1, 28, 28)
    assert data.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    mean = data.train_images.mean(dtype=np.float64) * 255
    assert mean == pytest.approx(33.3184, abs=1e-3)


def test_digits() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn ships the digits")
    data = load_digits(np.random.default_rng(0))
    assert data.train_images.shape == (1437, 1, 8, 8)
    assert data.test_images.shape == (360, 1, 8, 8)
    assert data.train_images.dtype == np.float32
    assert (data.train_images.min(), data.train_images.max()) == (0, 1)
    everything = np.concatenate([data.train_labels, data.test_labels])
    assert np.bincount(everything).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # Another generator holds others out.
    other = load_digits(np.random.default_rng(1), held_out=360)
    assert not np.array_equal(other.test_images, data.test_images)
    with pytest.raises(ValueError, match="held_out is 1797"):
        load_digits(np.random.default_rng(0), held_out=1797)


def test_digits_without_scikit_learn_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sklearn", "sklearn.datasets"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"scikit-learn.*pip install 'npconv\[demo\]'"):
        load_digits(np.random.default_rng(0))


def test_batches_keep_order_and_pairs() -> None:
    images, labels = np.arange(14.0).reshape(7, 2), np.arange(7)
    parts = list(batches(images, labels, 3))
    assert [y.tolist() for _, y in parts] == [[0, 1, 2], [3, 4, 5], [6]]
    for x, y in parts:
        np.testing.assert_array_equal(x, images[y])


def test_batches_shuffle_with_a_generator() -> None:
    images, labels = np.arange(100.0), np.arange(100)

    def order(rng: np.random.Generator) -> list[int]:
        parts = list(batches(images, labels, 16, rng))
        for x, y in parts:
            np.testing.assert_array_equal(x, y)
        return np.concatenate([y for _, y in parts]).tolist()

    rng = np.random.default_rng(4)
    first, second = order(rng), order(rng)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second != list(range(100))
    assert order(np.random.default_rng(4)) == first


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batches(np.zeros(3), np.zeros(2), 1), "3 images and 2 labels"),
        (lambda: batches(np.zeros(3), np.zeros(3), 0), "size is 0"),
    ],
)
def test_batches_check_at_the_call(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
