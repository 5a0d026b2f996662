"""``python -m npconv`` and its commands, on a few of scikit-learn's digits."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from npconv.__main__ import main
from npconv.commands.train import RATES, _optimiser, _schedule

COMMANDS = ["demo", "train", "eval", "summary", "show", "attack", "bench"]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def extras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Skip where the packages are not installed; work in a folder of its own, draw coarsely."""
    for module in ("sklearn", "matplotlib", "tqdm"):
        pytest.importorskip(module, reason="the commands need it")
    monkeypatch.setattr("npconv.viz.figure.DPI", 20)
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    captured = capsys.readouterr()
    return captured.out if code == 0 else captured.err


def pictures(out: str) -> list[str]:
    """The pictures that were announced, each of which must be a PNG."""
    paths = re.findall(r"^wrote (.*\.png)$", out, re.M)
    for path in paths:
        assert Path(path).read_bytes().startswith(PNG)
    return paths


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) > 10
    assert f"usage: python -m npconv {command}" in text


def test_help_lists_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(re.search(rf"^    {command} ", text, re.M) for command in COMMANDS)


@pytest.mark.usefixtures("extras")
def test_train_then_look(capsys: pytest.CaptureFixture[str]) -> None:
    """One network through all commands that read a checkpoint."""
    small = ("--subset", "300", "--epochs", "5", "--threads", "1")
    out = run(capsys, "train", *small, "--seed", "5")
    assert pictures(out) == ["npconv-train/filters.png", "npconv-train/training_curve.png"]
    assert "wrote npconv-train/checkpoint.npz" in out
    assert "digits: 300 images to learn, 300 held out" in out
    assert re.fullmatch(r"test accuracy: 0\.\d{4}", out.splitlines()[-1])

    checkpoint = ("--checkpoint", "npconv-train/checkpoint.npz")
    out = run(capsys, "eval", *checkpoint, "--augment")
    assert "test accuracy" in out
    out = run(capsys, "eval", *checkpoint)
    assert pictures(out) == ["npconv-eval/confusion.png", "npconv-eval/mistakes.png"]
    assert len(re.findall(r"^ +\d: +\d+ of +\d+ right$", out, re.M)) == 10
    after = float(re.search(r"^test accuracy: (.*)$", out, re.M)[1])  # type: ignore[index]
    assert after > 0.6

    out = run(capsys, "eval", "--compare", *checkpoint[1:], *checkpoint[1:])
    assert pictures(out) == ["npconv-eval/bubbles.png"]
    assert len(re.findall(rf"^simple +97,000 +[\d,]+ +{after:.4f}$", out, re.M)) == 2

    out = run(capsys, "attack", *checkpoint, "--strength", "0.2")
    assert pictures(out) == ["npconv-attack/attack.png"]
    shares = [float(x) for x in re.findall(r": (\d\.\d{4})$", out, re.M)]
    assert shares[0] == after
    assert shares[2] < 0.5 * shares[0]
    assert shares[2] < shares[1]

    out = run(capsys, "show", *checkpoint, "filters", "fields", "layers", "--image", "3")
    assert pictures(out) == [f"npconv-show/{n}.png" for n in ("filters", "fields", "layers")]
    # The filters before training are made anew: those of the seed.
    with np.load("npconv-train/checkpoint.npz") as file:
        assert '"seed": 5' in str(file["training"])


@pytest.mark.parametrize("name", RATES)
def test_optimisers_of_train(name: str) -> None:
    optimiser = _optimiser(name, 0.5, 0.25)
    assert type(optimiser).__name__.lower() == name
    assert (optimiser.learning_rate, optimiser.weight_decay) == (0.5, 0.25)
    assert _optimiser(name, 0.5, None).weight_decay == (0.01 if name == "adamw" else 0)


def test_schedules_of_train() -> None:
    assert _schedule("constant", 1, 10) is None
    cosine, cycle = (_schedule(name, 1, 10) for name in ("cosine", "one-cycle"))
    assert cosine is not None
    assert cycle is not None
    assert [cosine(0), cosine(5), cosine(10)] == pytest.approx([1, 0.5, 0])
    assert [cycle(0), cycle(1), cycle(6), cycle(10)] == pytest.approx([0.5, 1, 0.5, 0])


@pytest.mark.usefixtures("extras")
def test_ctrl_c_and_resume_give_the_same_network(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("train", "--subset", "200", "--epochs", "2", "--augment")
    run(capsys, *arguments, "--out", "straight")

    from npconv.training import progress

    count = iter(range(100))
    original = progress.Progress.step

    def interrupting(self: progress.Progress, loss: float) -> None:
        original(self, loss)
        if next(count) == 5:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(progress.Progress, "step", interrupting)
    assert main([*arguments, "--out", "stopped"]) == 130
    assert "stopped in epoch 2; the same command with --resume continues" in capsys.readouterr().out
    out = run(capsys, *arguments, "--out", "stopped", "--resume")
    assert "continuing after 1 epochs, 6 steps" in out
    with np.load("straight/checkpoint.npz") as a, np.load("stopped/checkpoint.npz") as b:
        assert a.files == b.files
        for name in a.files:
            if name != "training":  # which has the seconds
                np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.usefixtures("extras")
def test_show_and_attack_without_a_checkpoint_train_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from npconv.training import Trainer

    fit = Trainer.fit
    # One epoch will do here.
    monkeypatch.setattr(Trainer, "fit", lambda self, data, epochs, batch: fit(self, data, 1, batch))
    out = run(capsys, "show", "saliency")
    assert out.startswith("training the network 'pattern' on digits first\n")
    assert pictures(out) == ["npconv-show/saliency.png"]


@pytest.mark.usefixtures("extras")
def test_other_data(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A made-up CIFAR-10 of the first kind: five equal files for training."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        records = rng.integers(0, 256, (12, 3073)).astype(np.uint8)
        records[:, 0] = np.arange(12) % 10
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    train = ("train", "--data", ".", "--network", "cifar", "--epochs", "1", "--augment")
    out = run(capsys, *train, "--optimiser", "momentum", "--schedule", "constant")
    assert "cifar10: 60 images to learn, 12 held out" in out
    checkpoint = ("--checkpoint", "npconv-train/checkpoint.npz")
    out = run(capsys, "eval", *checkpoint, "--data", ".")
    assert "airplane:" in out
    error = run(capsys, "eval", *checkpoint, code=2)
    assert "was trained on cifar10: give --data DIR" in error
    train = ("train", "--data", ".", "--network", "resnet9", "--epochs", "2", "--batch", "20")
    decay = ("--optimiser", "nesterov", "--weight-decay", "0.001", "--schedule", "one-cycle")
    out = run(capsys, *train, *decay, "--out", "residual")
    assert pictures(out) == ["residual/filters.png", "residual/training_curve.png"]
    history = json.loads(Path("residual/history.json").read_text())
    assert history["network"] == "resnet9"
    assert history["weight_decay"] == 0.001
    assert len(history["losses"]) == len(history["test_accuracies"]) == 2
    assert f"test accuracy: {history['test_accuracies'][1]:.4f}" in out
    assert "airplane:" in run(
        capsys, "eval", "--checkpoint", "residual/checkpoint.npz", "--data", "."
    )
    train = ("train", "--data", ".", "--network", "whitened", "--epochs", "1", "--batch", "30")
    ways = ("--label-smoothing", "0.2", "--norm-bias-rate", "0", "--augment", "gentle")
    out = run(capsys, *train, *ways, "--out", "whitened")
    history = json.loads(Path("whitened/history.json").read_text())
    assert (history["label_smoothing"], history["norm_bias_rate"]) == (0.2, 0)
    assert history["augment"] == "gentle"
    with np.load("whitened/checkpoint.npz") as state:
        whiten = state["model/whiten.weight"]
        np.testing.assert_array_equal(whiten[12:], -whiten[:12])  # computed from the images
        assert not state["model/block1.2.bias"].any()
        assert state["model/fc.bias"].any()
        assert "model/block1.2.weight" not in state
    again = run(capsys, "eval", "--checkpoint", "whitened/checkpoint.npz", "--data", ".")
    assert out.splitlines()[-1] == again.splitlines()[-1]
    (tmp_path / "empty").mkdir()
    error = run(capsys, "eval", "--data", "empty", code=2)
    assert "empty holds neither MNIST" in error
    assert "nor CIFAR-10" in error


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "summary", "simple")
    assert re.search(r"^conv1 +Conv2d +1×30×24×24 +780 +432,000$", out, re.M)
    assert re.search(r"^total +433,890", out, re.M)
    assert "1×64×4×4" in run(capsys, "summary", "deep", "--input", "1,28,28")
    assert "1×96×110×110" in run(capsys, "summary", "zfnet")
    assert re.search(r"^total +11,689,512 ", run(capsys, "summary", "resnet18"), re.M)
    error = run(capsys, "summary", "resnet51", code=2)
    assert "NETWORK is 'resnet51', expected one of simple, deep" in error


def test_bench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    out = run(capsys, "bench", "--layers", "lenet", "--seconds", "0", "--threads", "1")
    assert "1 threads; PyTorch is not installed" in out
    rows = re.findall(r"^lenet c3 +100  (\w+) +[\d.]+ +[\d.]+$", out, re.M)
    assert rows == ["forward", "backward"]
    error = run(capsys, "bench", "--layers", "nothing", code=2)
    assert "--layers is 'nothing', which none of these has" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--network", "huge"], "invalid choice: 'huge'"),
        (["train", "--epochs", "0"], "'0' is not an integer from 1"),
        (["show", "everything"], "'everything' is not one of filters, layers"),
        (["attack", "--strength", "2"], "'2' is not a number from 0 to 1"),
        (["summary", "deep", "--input", "28"], "'28' is not three integers from 1"),
    ],
)
def test_wrong_usage_exits_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("extras")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval", "--checkpoint", "nowhere.npz"], "nowhere.npz"),
        (["eval", "--checkpoint", "other.npz"], "other.npz is not a checkpoint"),
        (["train", "--data", "nowhere"], "nowhere is not a directory"),
        (["show", "fields", "--image", "99999", "--checkpoint", "other.npz"], "not a checkpoint"),
    ],
)
def test_what_cannot_be_done_is_said(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    np.savez("other.npz", a=np.zeros(1))
    assert message in run(capsys, *arguments, code=2)


@pytest.mark.parametrize("command", ["train", "eval", "show", "attack"])
def test_a_missing_extra_says_what_to_install(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for module in ("tqdm", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, module, None)
    assert "pip install 'npconv[demo]'" in run(capsys, command, code=2)
