"""The examples run at their smallest size, and say what they should."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scripts import clean_environment

EXAMPLES = Path(__file__).parents[1] / "examples"

for module in ("sklearn", "matplotlib", "tqdm"):
    pytest.importorskip(module, reason="the examples need it")


def run(name: str, cwd: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", "--small", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=clean_environment(NPCONV_NUM_THREADS="1"),  # two would wait for each other
    )
    assert done.returncode == 0, done.stderr
    for path in re.findall(r"^wrote (.*)$", done.stdout, re.M):
        assert (cwd / path).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    return done.stdout


def test_digits(tmp_path: Path) -> None:
    accuracy = re.findall(r"test accuracy (0\.\d+)$", run("digits", tmp_path), re.M)
    assert len(accuracy) == 2
    assert float(accuracy[1]) > 0.7


def test_mnist_deep(tmp_path: Path) -> None:
    """On made-up images of two kinds: dark on the left, dark on the right."""
    rng = np.random.default_rng(0)
    for part in ("train", "t10k"):
        labels = rng.integers(0, 2, 100).astype(np.uint8)
        images = rng.integers(0, 60, (100, 28, 28)).astype(np.uint8)
        images[labels == 0, :, :14] += 150
        images[labels == 1, :, 14:] += 150
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes()
            (tmp_path / f"{part}-{kind}-ubyte").write_bytes(header + values.tobytes())
    out = run("mnist_deep", tmp_path, "--data", ".")
    assert re.search(r"^epoch 1: test accuracy [01]\.\d{4}$", out, re.M)
    assert (tmp_path / "mnist_deep.npz").exists()
    assert "state in mnist_deep.npz" in run("mnist_deep", tmp_path, "--data", ".", "--resume")


def test_cifar10(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        records = rng.integers(0, 256, (20, 3073)).astype(np.uint8)
        records[:, 0] %= 10
        (tmp_path / f"{name}.bin").write_bytes(records.tobytes())
    assert re.match(r"test accuracy [01]\.\d{4}", run("cifar10", tmp_path, "--data", "."))


def test_transfer(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="it reads the photograph")
    out = run("transfer", tmp_path)
    assert len(re.findall(r"^class +\d+: +[\d.]+ %$", out, re.M)) == 5
    (apart,) = re.findall(r"^fused: .* ms, results (.*) apart$", out, re.M)
    assert float(apart) < 1e-4
    again = run("transfer", tmp_path, "--weights", "resnet18_random.npz")
    assert re.findall("^class.*$", again, re.M) == re.findall("^class.*$", out, re.M)


def test_feature_maps(tmp_path: Path) -> None:
    out = run("feature_maps", tmp_path, "--out", "pictures")
    assert re.search(r"^  pool2 +32x2x2$", out, re.M)
    assert re.search(r"^  conv2_2 +8x8 pixels$", out, re.M)  # 14 would be, of a larger image
    assert len(re.findall("^wrote", out, re.M)) == 4


def test_attack(tmp_path: Path) -> None:
    rows = re.findall(r"^(0\.\d\d) +([\d.]+) +([\d.]+)$", run("attack", tmp_path), re.M)
    accuracy = {float(size): (float(noise), float(attack)) for size, noise, attack in rows}
    assert accuracy[0.0][0] == accuracy[0.0][1]
    assert accuracy[0.2][1] < accuracy[0.2][0] - 0.2


def test_photograph(tmp_path: Path) -> None:
    out = run("photograph", tmp_path)
    apart = re.findall(r"^(.*): .* cross-correlation to (.*), its negative to (.*)$", out, re.M)
    assert [name for name, _, _ in apart] == ["vertical edges", "Gaussian blur"]
    for (_, *sizes), near in zip(apart, (1, 0), strict=True):
        assert float(sizes[near]) < 1e-12 < 0.1 < float(sizes[1 - near])


def test_signal(tmp_path: Path) -> None:
    out = run("signal_1d", tmp_path)
    begins, found = map(int, re.search(r"begins at (\d+), found at (\d+)", out).groups())  # type: ignore[union-attr]
    assert abs(begins - found) <= 3
    assert "3 answer most" in out


def test_every_example_is_listed_and_tested() -> None:
    scripts = {path.stem for path in EXAMPLES.glob("*.py")}
    listed = set(re.findall(r"^\| `(\w+)\.py`", (EXAMPLES / "README.md").read_text(), re.M))
    assert scripts == listed
    tested = set(re.findall(r'run\("(\w+)"', Path(__file__).read_text()))
    assert scripts == tested
