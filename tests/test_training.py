"""The training loop: what it learns, and that a checkpoint continues it bit for bit."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npconv.checks import Array
from npconv.data import Dataset, augment
from npconv.layers import Flatten, Layer, Linear, ReLU, Sequential
from npconv.optim import SGD, Adam, Momentum, Optimiser
from npconv.training import CheckpointError, Trainer, accuracy, predict, read_notes, step, views


def data(train: int = 60, test: int = 30) -> Dataset:
    """Images of 4x4 that are brighter in their upper or in their lower half."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, train + test)
    images = rng.uniform(0, 0.6, (train + test, 1, 4, 4)).astype(np.float32)
    images[labels == 0, :, :2] += 0.4
    images[labels == 1, :, 2:] += 0.4
    return Dataset(images[:train], labels[:train], images[train:], labels[train:])


class Noise(Layer):
    """Adds noise while training: a layer with a generator of its own."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self._rng = rng

    def forward(self, x: Array) -> Array:
        if not self.training:
            return x
        return x + self._rng.normal(0, 0.1, x.shape).astype(x.dtype)

    def backward(self, grad: Array) -> Array:
        return grad


def trainer(
    seed: int = 1, optimiser: Callable[[], Optimiser] = lambda: Adam(0.01), **options: Any
) -> Trainer:
    rng = np.random.default_rng(seed)
    net = Sequential(
        Noise(np.random.default_rng(seed + 100)),
        Flatten(),
        Sequential(Linear(16, 8, rng=rng), Noise(rng), ReLU()),
        Linear(8, 2, rng=rng),
    )
    options.setdefault("augment", partial(augment.random_brightness, amount=0.1))
    options.setdefault("schedule", lambda step: 0.01 / (1 + step))
    return Trainer(net, optimiser(), rng=rng, **options)


def assert_same(a: Trainer, b: Trainer) -> None:
    assert a.history.losses == b.history.losses
    assert a.history.accuracies == b.history.accuracies
    assert (a.epoch, a.steps) == (b.epoch, b.steps)
    for name, value in a.net.params.items():
        np.testing.assert_array_equal(value, b.net.params[name])


def test_mirror_shows_both_sides_in_two_epochs() -> None:
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, (30, 1, 4, 4)).astype(np.float32)
    made_up = Dataset(images, np.zeros(30, int), images, np.zeros(30, int))
    before, shown = images.copy(), []

    def note(batch: Array, rng: np.random.Generator) -> Array:
        shown.append(batch.copy())
        return batch

    trainer(augment=note, mirror=True).fit(made_up, 2, 7, progress=False)
    np.testing.assert_array_equal(images, before)
    first, second = np.concatenate(shown[:5]), np.concatenate(shown[5:])
    sides = {}
    for epoch in (first, second):
        for image in epoch:
            same = (images == image).all(axis=(1, 2, 3))
            turned = (images == image[..., ::-1]).all(axis=(1, 2, 3))
            sides.setdefault(int(np.argmax(same | turned)), []).append(bool(same.any()))
    assert sorted(sides) == list(range(30))
    assert all(sorted(side) == [False, True] for side in sides.values())
    assert sum(side[0] for side in sides.values()) == 15


def test_learns() -> None:
    made = trainer(schedule=lambda step: 0.02)
    history = made.fit(data(), 20, 10, progress=False)
    assert len(history.losses) == made.steps == 20 * 6
    assert len(history.accuracies) == made.epoch == 20
    assert history.accuracies[-1] > 0.9
    assert np.mean(history.losses[-6:]) < 0.5 * np.mean(history.losses[:6])
    assert history.seconds > 0
    assert not made.interrupted


def test_every_image_is_shown_once_an_epoch_in_an_order_of_its_own() -> None:
    source = data(7, 3)
    source = source._replace(train_images=np.arange(7, dtype=np.float32).reshape(7, 1, 1, 1))
    seen: list[list[float]] = []

    def watch(images: Array, rng: np.random.Generator) -> Array:
        seen.append(images.ravel().tolist())
        return np.zeros((len(images), 1, 4, 4), np.float32)

    trainer(augment=watch).fit(
        source._replace(test_images=source.test_images), 2, 3, progress=False
    )
    assert [len(batch) for batch in seen] == [3, 3, 1] * 2
    first, second = ([x for batch in part for x in batch] for part in (seen[:3], seen[3:]))
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


def test_the_schedule_sets_the_rate_of_each_step() -> None:
    rates: list[float] = []

    class Watched(SGD):
        def update(self, params: Any, grads: Any) -> None:
            rates.append(self.learning_rate)

    trainer(optimiser=lambda: Watched(9.0), schedule=lambda step: 0.5**step).fit(
        data(20), 2, 10, progress=False
    )
    assert rates == [1, 0.5, 0.25, 0.125]


@pytest.mark.parametrize("optimiser", [SGD, Momentum, Adam])
def test_resumes_bit_for_bit_after_an_epoch(
    tmp_path: Path, optimiser: Callable[[], Optimiser]
) -> None:
    straight = trainer(optimiser=optimiser)
    straight.fit(data(), 4, 25, progress=False)

    path = tmp_path / "new" / "c.npz"
    trainer(optimiser=optimiser, checkpoint=path).fit(data(), 2, 25, progress=False)
    # Other weights and generators, all of which the checkpoint replaces.
    resumed = trainer(seed=7, optimiser=optimiser)
    resumed.load(path)
    assert resumed.epoch == 2
    resumed.fit(data(), 4, 25, progress=False)
    assert_same(straight, resumed)


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_ctrl_c_saves_and_resumes_bit_for_bit(tmp_path: Path, stop: int) -> None:
    straight = trainer()
    straight.fit(data(), 3, 20, progress=False)
    path = tmp_path / "c.npz"

    def interrupting(step: int) -> float:
        if step == stop:
            os.kill(os.getpid(), signal.SIGINT)
        return 0.01 / (1 + step)

    before = signal.getsignal(signal.SIGINT)
    stopped = trainer(checkpoint=path, schedule=interrupting)
    stopped.fit(data(), 3, 20, progress=False)
    assert signal.getsignal(signal.SIGINT) is before
    assert stopped.interrupted
    assert stopped.steps == stop + 1

    resumed = trainer(seed=7)
    resumed.load(path)
    assert resumed.steps == stop + 1
    resumed.fit(data(), 3, 20, progress=False)
    assert_same(straight, resumed)
    # And the same trainer goes on, too.
    stopped.schedule = straight.schedule
    stopped.fit(data(), 3, 20, progress=False)
    assert_same(straight, stopped)


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    def impatient(step: int) -> float:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return 0.1

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trainer(schedule=impatient).fit(data(), 1, 20, progress=False)
    assert signal.getsignal(signal.SIGINT) is before


def test_trains_in_another_thread() -> None:
    made = trainer()
    thread = threading.Thread(target=lambda: made.fit(data(), 1, progress=False))
    thread.start()
    thread.join(60)
    assert made.epoch == 1


def test_legacy_generators_are_resumed(tmp_path: Path) -> None:
    def make() -> Trainer:
        made = trainer()
        made.rng = np.random.Generator(np.random.MT19937(3))
        return made

    straight, first, resumed = make(), make(), make()
    straight.fit(data(), 2, 20, progress=False)
    first.fit(data(), 1, 20, progress=False)
    first.save(tmp_path / "c.npz")
    resumed.load(tmp_path / "c.npz")
    resumed.fit(data(), 2, 20, progress=False)
    assert_same(straight, resumed)
    other = make()
    other.rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="'trainer' is a PCG64, the checkpoint's is a MT19937"):
        other.load(tmp_path / "c.npz")


def test_notes_and_callbacks(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    seen: list[tuple[int, bool]] = []
    made = trainer(checkpoint=path, notes={"network": "small", "seed": 3})
    made.fit(
        data(),
        3,
        progress=False,
        after_epoch=lambda t: seen.append((t.epoch, path.exists())),
    )
    assert seen == [(1, True), (2, True), (3, True)]
    assert read_notes(path) == {"network": "small", "seed": 3}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.npz"]
    # No pickles: every array is a plain one.
    with np.load(path, allow_pickle=False) as file:
        assert {file[name].dtype.kind for name in file.files} <= {"f", "i", "U"}


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 no zip"])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.npz"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"c\.npz is not a checkpoint of npconv"):
        trainer().load(path)
    np.savez(path, a=np.zeros(2))
    with pytest.raises(CheckpointError, match=r"c\.npz is not a checkpoint of npconv"):
        read_notes(path)
    with pytest.raises(FileNotFoundError):
        read_notes(tmp_path / "nowhere.npz")


def test_a_checkpoint_of_another_training_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    trainer().save(path)
    with pytest.raises(CheckpointError, match="was written with Adam, the trainer has SGD"):
        trainer(optimiser=SGD).load(path)
    other = trainer()
    other.net = Sequential(Flatten(), Linear(16, 2, rng=other.rng))
    with pytest.raises(ValueError, match=r"generators \['0\._rng', 'trainer'\], the trainer \["):
        other.load(path)


def test_a_failed_write_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.npz"
    made = trainer()
    made.save(path)
    content = path.read_bytes()

    def fail(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        made.save(path)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]


def test_progress_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm", reason="the bar is tqdm's")
    trainer().fit(data(), 2)
    shown = capsys.readouterr().err
    assert "training: 100%" in shown
    assert "test accuracy=" in shown
    trainer().fit(data(), 1, progress=False)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    trainer().fit(data(), 1)
    assert capsys.readouterr().err == ""
    with pytest.raises(ImportError, match="the progress bar needs tqdm"):
        trainer().fit(data(), 1, progress=True)


def test_views_move_and_mirror_images() -> None:
    images = np.arange(1, 19, dtype="f4").reshape(1, 2, 3, 3)
    seen = [view(images) for view in views(1)]
    assert len(seen) == 10
    still, down, up, right, left = seen[:5]
    np.testing.assert_array_equal(still, images)
    np.testing.assert_array_equal(down[..., 1:, :], images[..., :-1, :])
    np.testing.assert_array_equal(up[..., :-1, :], images[..., 1:, :])
    np.testing.assert_array_equal(right[..., 1:], images[..., :-1])
    np.testing.assert_array_equal(left[..., :-1], images[..., 1:])
    for moved, rim in [
        (down, np.s_[..., 0, :]),
        (up, np.s_[..., -1, :]),
        (right, np.s_[..., 0]),
        (left, np.s_[..., -1]),
    ]:
        assert not moved[rim].any()
    mirrored = np.ascontiguousarray(images[..., ::-1])
    for view, other in zip(seen[5:], views(1, mirror=False), strict=True):
        np.testing.assert_array_equal(view, other(mirrored))
    assert not views(5)[1](images).any(), "moved out of sight"
    with pytest.raises(ValueError, match="pixels"):
        views(-1)


def test_predict_adds_the_outputs_for_all_views() -> None:
    rng = np.random.default_rng(5)
    net = Sequential(Flatten(), Linear(16, 3, rng=rng))
    images = rng.standard_normal((7, 1, 4, 4), dtype=np.float32)
    wanted = sum(net.forward(view(images)).copy() for view in views(1)).argmax(axis=1)
    np.testing.assert_array_equal(predict(net, images, 3, views=views(1)), wanted)
    assert (wanted != predict(net, images)).any(), "the views should matter here"


def test_predict_and_accuracy() -> None:
    net = Sequential(
        Noise(np.random.default_rng(0)), Flatten(), Linear(4, 2, rng=np.random.default_rng(0))
    )
    net.params["2.weight"][:] = [[1, 0, 0, 0], [0, 1, 0, 0]]
    images = np.zeros((5, 1, 2, 2), np.float32)
    images[[1, 2], 0, 0, 1] = 1
    for batch in (1, 2, 500):
        assert predict(net, images, batch).tolist() == [0, 1, 1, 0, 0]
    assert accuracy(net, images, np.array([0, 1, 0, 0, 1])) == 0.6
    assert net.training
    assert not net.eval().training
    predict(net, images)
    assert not net.training
    assert predict(net, images[:0]).shape == (0,)


def test_step_returns_the_loss_before_the_update() -> None:
    made, source = trainer(), data()
    made.net.eval()
    made.net.train()
    values = [
        step(made.net, made.loss, SGD(0.0), source.train_images, source.train_labels)
        for _ in range(2)
    ]
    assert values[0] == pytest.approx(np.log(2), rel=0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.fit(data(), 1, 0), "batch is 0"),
        (lambda t: t.fit(data()._replace(train_labels=np.zeros(3)), 1), "60 images and 3 labels"),
        (lambda t: t.fit(data(0), 1), "0 images and 0 labels"),
        (lambda t: t.fit(data(60, 0), 1, progress=False), "no images to measure"),
        (lambda t: accuracy(t.net, np.zeros((2, 1, 4, 4)), np.zeros(3)), "2 images and 3 labels"),
        (lambda t: predict(t.net, np.zeros((2, 1, 4, 4)), 0), "batch is 0"),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[Trainer], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(trainer())


def test_other_data_in_the_middle_of_an_epoch_is_refused() -> None:
    made = trainer(schedule=lambda step: os.kill(os.getpid(), signal.SIGINT) or 0.1)
    made.fit(data(), 1, 20, progress=False)
    assert made.interrupted
    with pytest.raises(ValueError, match="batch is 7, but an epoch of 60 images, 20 of them"):
        made.fit(data(), 1, 7)
    with pytest.raises(ValueError, match="data has 50 images"):
        made.fit(data(50), 1, 20)
