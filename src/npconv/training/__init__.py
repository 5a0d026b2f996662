"""Training loops: epochs, batches, validation, and checkpoints that resume bit for bit.

>>> import numpy as np
>>> from npconv.data import Dataset
>>> from npconv.layers import Flatten, Linear, Sequential
>>> from npconv.optim import Adam
>>> from npconv.training import Trainer
>>> rng = np.random.default_rng(0)
>>> images = rng.standard_normal((200, 1, 4, 4), dtype=np.float32)
>>> labels = (images.sum((1, 2, 3)) > 0).astype(int)
>>> data = Dataset(images[:150], labels[:150], images[150:], labels[150:])
>>> net = Sequential(Flatten(), Linear(16, 2, rng=rng))
>>> history = Trainer(net, Adam(0.05), rng=rng).fit(data, epochs=10, batch=25, progress=False)
>>> len(history.losses), history.accuracies[-1] > 0.9
(60, True)
"""

from npconv.training.checkpoint import CheckpointError, load_weights, read_notes
from npconv.training.evaluation import accuracy, predict
from npconv.training.history import History
from npconv.training.step import Loss, step
from npconv.training.trainer import Trainer
from npconv.training.views import View, views

__all__ = [
    "CheckpointError",
    "History",
    "Loss",
    "Trainer",
    "View",
    "accuracy",
    "load_weights",
    "predict",
    "read_notes",
    "step",
    "views",
]
