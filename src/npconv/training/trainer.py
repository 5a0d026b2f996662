"""The training loop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from npconv import checks
from npconv.checks import Array
from npconv.data import Dataset
from npconv.data.augment import Augmentation
from npconv.layers import Layer, SoftmaxCrossEntropy
from npconv.optim import Optimiser
from npconv.training import checkpoint as files
from npconv.training import generators
from npconv.training.evaluation import accuracy
from npconv.training.history import History
from npconv.training.interrupt import Interrupt
from npconv.training.progress import Progress
from npconv.training.step import Loss, step


class Trainer:
    """Trains a classifier and remembers how far it is.

    Parameters
    ----------
    net : Layer
        What is trained.
    optimiser : Optimiser
        Moves its parameters.
    loss : Loss, optional
        :class:`npconv.layers.SoftmaxCrossEntropy` unless given.
    rng : numpy.random.Generator
        Shuffles the images anew for each epoch, and is handed to `augment`.
    schedule : callable, optional
        ``schedule(step)`` is the learning rate of step 0, 1, ...; see
        :mod:`npconv.optim.schedules`. Without it the optimiser's stays.
    augment : callable, optional
        ``augment(images, rng)`` changes each batch; see :mod:`npconv.data.augment`.
    mirror : bool
        Whether every image is shown as its mirror image in every other epoch (Jordan 2024): half
        of them in the first, the other half in the second. So two epochs show both sides of all
        images, which mirroring at random leaves to chance.
    checkpoint : path, optional
        Where the state is saved after every epoch, and on Ctrl-C.
    notes : mapping, optional
        Text and numbers to be kept in the checkpoint, such as the network's name; see
        :func:`npconv.training.read_notes`.

    Attributes
    ----------
    epoch, steps : int
        How many are finished.
    history : History
        Losses, accuracies and seconds so far.
    interrupted : bool
        Whether Ctrl-C ended the last ``fit``.
    """

    def __init__(
        self,
        net: Layer,
        optimiser: Optimiser,
        loss: Loss | None = None,
        *,
        rng: np.random.Generator,
        schedule: Callable[[int], float] | None = None,
        augment: Augmentation | None = None,
        mirror: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        self.net = net
        self.optimiser = optimiser
        self.loss: Loss = SoftmaxCrossEntropy() if loss is None else loss
        self.rng = rng
        self.schedule = schedule
        self.augment = augment
        self.mirror = checks.flag(mirror, "mirror")
        self.checkpoint = checkpoint
        self.notes = dict(notes or {})
        self.epoch = 0
        self.steps = 0
        self.history = History()
        self.interrupted = False
        # The order of the epoch under way and how many of its images have been shown.
        self._order: Array | None = None
        self._shown = 0

    def fit(
        self,
        data: Dataset,
        epochs: int,
        batch: int = 100,
        *,
        progress: bool | None = None,
        after_epoch: Callable[[Trainer], None] | None = None,
    ) -> History:
        """Train until `epochs` are finished, counting those of earlier calls and of ``load``.

        After each epoch the accuracy on the test images is measured. Ctrl-C ends the step, saves
        the checkpoint and returns; the same call continues, here or after ``load`` in another
        process, to the very bits of a training that was never interrupted.

        Parameters
        ----------
        data : Dataset
            The test images serve for validation.
        epochs, batch : int
            How often each training image is shown; images in a step.
        progress : bool, optional
            Whether to show a progress bar; if tqdm is installed unless given.
        after_epoch : callable, optional
            Called with the trainer after each epoch, when its checkpoint is written.

        Returns
        -------
        History
        """
        images = len(data.train_images)
        if images != len(data.train_labels) or not images:
            raise ValueError(f"there are {images} images and {len(data.train_labels)} labels")
        if batch < 1:
            raise ValueError(f"batch is {batch}, expected at least 1")
        if self._order is not None and (len(self._order) != images or self._shown % batch):
            raise ValueError(
                f"data has {images} images and batch is {batch}, but an epoch of "
                f"{len(self._order)} images, {self._shown} of them shown, is under way"
            )
        total = epochs * -(-images // batch)
        self.interrupted = False
        self.net.train()
        with Interrupt() as interrupt, Progress(total, self.steps, progress) as bar:
            while self.epoch < epochs and not self.interrupted:
                self._train_epoch(data, batch, bar, interrupt)
                if self._order is None:
                    test = accuracy(self.net, data.test_images, data.test_labels)
                    self.history.accuracies.append(test)
                    bar.epoch(test)
                self.interrupted = interrupt.requested
                if self.checkpoint is not None:
                    self.save(self.checkpoint)
                if self._order is None and after_epoch is not None:
                    after_epoch(self)
        return self.history

    def _train_epoch(self, data: Dataset, batch: int, bar: Progress, interrupt: Interrupt) -> None:
        """Show the images of the epoch that are left, or those until Ctrl-C."""
        if self._order is None:
            self._order, self._shown = self.rng.permutation(len(data.train_images)), 0
        start = time.perf_counter()
        while self._shown < len(self._order) and not interrupt.requested:
            picked = self._order[self._shown : self._shown + batch]
            images, labels = data.train_images[picked], data.train_labels[picked]
            if self.mirror:
                turned = (picked + self.epoch) % 2 == 1
                images[turned] = images[turned, ..., ::-1]
            if self.augment is not None:
                images = self.augment(images, self.rng)
            if self.schedule is not None:
                self.optimiser.learning_rate = self.schedule(self.steps)
            value = step(self.net, self.loss, self.optimiser, images, labels)
            self.history.losses.append(value)
            self.steps += 1
            self._shown += len(picked)
            bar.step(value)
        self.history.seconds += time.perf_counter() - start
        if self._shown == len(self._order):
            self._order = None
            self.epoch += 1

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write network, optimiser, generators and progress to a .npz file without pickles."""
        trees = {
            "model": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": {} if self._order is None else {"order": self._order},
        }
        training = {
            "optimiser": type(self.optimiser).__name__,
            "generators": generators.states(self.rng, self.net),
            "epoch": self.epoch,
            "steps": self.steps,
            "shown": self._shown,
            "history": asdict(self.history),
            "notes": self.notes,
        }
        files.write(path, trees, training)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Take over what :meth:`save` wrote, for a trainer made in the same way.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            It is not a checkpoint (:class:`CheckpointError`), or one of another kind of network,
            optimiser or generator.
        """
        trees, training = files.read(path)
        kind = type(self.optimiser).__name__
        if training["optimiser"] != kind:
            raise files.CheckpointError(
                f"{path} was written with {training['optimiser']}, the trainer has {kind}"
            )
        generators.restore(training["generators"], self.rng, self.net)
        self.net.load_state_dict(trees["model"])
        self.optimiser.load_state_dict(trees["optimiser"])
        self._order, self._shown = trees["epoch"].get("order"), training["shown"]
        self.epoch, self.steps = training["epoch"], training["steps"]
        self.history = History(**training["history"])
        self.notes = training["notes"]
