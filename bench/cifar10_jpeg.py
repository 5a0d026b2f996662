#!/usr/bin/env python3
"""Turn a CIFAR-10 kept as JPEG streams into the files of its binary version.

    bench/cifar10_jpeg.py cifar10_jpeg_60000.npz FOLDER

The .npz has train_jpeg and test_jpeg (all streams one after another), train_offsets and
test_offsets (stream i is bytes offsets[i] to offsets[i + 1]), train_labels and test_labels. What is
written, `npconv train --data FOLDER` and npconv.data.load_cifar10 read. JPEG is lossy: good enough
to train on and to time, not to quote accuracies of the original. Needs Pillow.
"""

from __future__ import annotations

import argparse
import io
import itertools
from pathlib import Path

import numpy as np
from PIL import Image


def decode(streams: bytes, offsets: np.ndarray) -> np.ndarray:
    """Return the images as bytes (N, 3, 32, 32)."""
    images = np.empty((len(offsets) - 1, 3, 32, 32), np.uint8)
    for i, (start, end) in enumerate(itertools.pairwise(offsets)):
        with Image.open(io.BytesIO(streams[start:end])) as image:
            images[i] = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    return images


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="the .npz")
    parser.add_argument("folder", type=Path, help="where the .bin files go")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with np.load(options.source, allow_pickle=False) as source:
        for part in ("train", "test"):
            images = decode(source[f"{part}_jpeg"].tobytes(), source[f"{part}_offsets"])
            labels = source[f"{part}_labels"].astype(np.uint8)
            records = np.concatenate([labels[:, None], images.reshape(len(images), -1)], axis=1)
            names = [f"data_batch_{i}" for i in range(1, 6)] if part == "train" else ["test_batch"]
            for name, rows in zip(names, np.array_split(records, len(names)), strict=True):
                path = options.folder / f"{name}.bin"
                path.write_bytes(rows.tobytes())
                print(f"wrote {path}: {len(rows):,} images")


if __name__ == "__main__":
    main()
