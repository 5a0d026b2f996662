"""``python -m npconv demo``, from end to end."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npconv.__main__ import main

PNG = b"\x89PNG\r\n\x1a\n"
PICTURES = ["filters.png", "feature_maps.png", "training_curve.png", "mistakes.png"]


def demo(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "npconv", "demo", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def extras() -> None:
    """Skip where the demo's packages are not installed."""
    for module in ("sklearn", "matplotlib", "tqdm"):
        pytest.importorskip(module, reason="the demo needs it")


@pytest.mark.usefixtures("extras")
def test_trains_measures_and_draws(tmp_path: Path) -> None:
    done = demo("--epochs", "8", "--threads", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()

    last = re.fullmatch(r"test accuracy: (0\.\d{4})", lines[-1])
    assert last, lines[-1]
    assert float(last[1]) >= 0.95

    written = [line.removeprefix("wrote ") for line in lines if line.startswith("wrote ")]
    assert written == [str(Path("npconv-demo", name)) for name in PICTURES]
    for path in written:
        content = (tmp_path / path).read_bytes()
        assert content.startswith(PNG)
        assert len(content) > 5000

    assert re.search(r"^training: .* images per second$", done.stdout, re.M)
    assert re.search(r"^  npconv +[\d.]+ ms +[\d,]+ images per second$", done.stdout, re.M)
    assert re.search(r"^  plain NumPy im2col +[\d.]+ ms", done.stdout, re.M)
    assert "training: 100%" in done.stderr


@pytest.mark.usefixtures("extras")
def test_same_seed_same_network_whatever_the_threads(tmp_path: Path) -> None:
    lines = [
        demo(
            "--epochs", "1", "--seed", "3", "--threads", threads, "--out", out, cwd=tmp_path
        ).stdout.splitlines()[-1]
        for threads, out in (("1", "a"), ("2", "b"))
    ]
    assert lines[0] == lines[1]
    pictures = [(tmp_path / out / "filters.png").read_bytes() for out in ("a", "b")]
    assert pictures[0] == pictures[1]


def test_help_explains(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["demo", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for word in ("--out", "--data", "--epochs", "--batch", "--seed", "--threads", "MNIST"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["dmeo"], "invalid choice: 'dmeo'"),
        (["demo", "--epochs", "0"], "'0' is not an integer from 1"),
        (["demo", "--batch", "many"], "'many' is not an integer from 1"),
        (["demo", "--seed", "-1"], "'-1' is not an integer from 0"),
    ],
)
def test_wrong_usage_exits_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.usefixtures("extras")
def test_wrong_data_is_an_error_without_traceback(tmp_path: Path) -> None:
    done = demo("--data", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "npconv: error: nowhere is not a directory\n"
    assert done.stdout == ""


@pytest.mark.usefixtures("extras")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "."], "neither train-images-idx3-ubyte nor"),
        (["--out", "file/below"], "file"),
        (["--learning-rate", "-1"], "learning_rate must be a finite number of at least 0"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert main(["demo", *arguments]) == 2
    error = capsys.readouterr().err
    assert "npconv: error: " in error
    assert message in error


@pytest.mark.parametrize("module", ["tqdm", "matplotlib.figure"])
def test_a_missing_extra_says_what_to_install(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: str,
) -> None:
    pytest.importorskip("tqdm", reason="another package is made to miss")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["demo"]) == 2
    error = capsys.readouterr().err
    assert f"needs {module.partition('.')[0]}" in error
    assert "pip install 'npconv[demo]'" in error


@pytest.mark.usefixtures("extras")
def test_an_interrupt_ends_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from npconv.demo import command

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "choose", interrupt)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "npconv: interrupted\n"


@pytest.mark.usefixtures("extras")
def test_mnist_files_are_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A made-up data set of 28x28 images: class 0 is dark on the left, class 1 on the right."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 60), ("t10k", 20)):
        labels = rng.integers(0, 2, count).astype(np.uint8)
        images = rng.integers(0, 60, (count, 28, 28)).astype(np.uint8)
        images[labels == 0, :, :14] += 150
        images[labels == 1, :, 14:] += 150
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes()
            (tmp_path / f"{part}-{kind}-ubyte").write_bytes(header + values.tobytes())
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--data", ".", "--epochs", "6", "--batch", "10"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "60 to learn, 20 held out, 28x28 pixels" in lines[1]
    assert lines[-1] == "test accuracy: 1.0000"
    assert (tmp_path / "npconv-demo" / "mistakes.png").read_bytes().startswith(PNG)
