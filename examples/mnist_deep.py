"""DeepConvNet of the book 'Deep Learning from Scratch' on MNIST.

Six 3x3 convolutions, three poolings, dropout, He's initial weights, Adam; with small shifts of the
images, and a learning rate that falls along a cosine. DIR holds MNIST's four idx files, gzipped or
not; npconv.data.download("mnist") fetches them. Ctrl-C saves the state; --resume goes on there.
"""

import argparse
import math
from functools import partial
from pathlib import Path

import numpy as np

from npconv.data import Dataset, augment, load_mnist
from npconv.models import deep_convnet
from npconv.optim import Adam, schedules
from npconv.training import Trainer

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="DIR", type=Path, required=True, help="MNIST's files")
parser.add_argument("--epochs", type=int, default=20, help="how often each image is shown")
parser.add_argument("--subset", metavar="N", type=int, help="train on the first N images only")
parser.add_argument("--seed", type=int, default=0, help="of all that is random")
parser.add_argument("--checkpoint", type=Path, default=Path("mnist_deep.npz"), help="its file")
parser.add_argument("--resume", action="store_true", help="continue from the checkpoint")
parser.add_argument("--small", action="store_true", help="one epoch of 200 images")
options = parser.parse_args()
if options.small:
    options.epochs, options.subset = 1, 200

data = load_mnist(options.data)
if options.subset:
    data = Dataset(*(array[: options.subset] for array in data))
rng = np.random.default_rng(options.seed)
net = deep_convnet(rng=rng)
batch, rate = 100, 0.001
steps = options.epochs * math.ceil(len(data.train_images) / batch)
trainer = Trainer(
    net,
    Adam(rate),
    rng=rng,
    schedule=schedules.cosine(rate, steps),
    augment=partial(augment.random_shift, pixels=2),
    checkpoint=options.checkpoint,
)
if options.resume:
    trainer.load(options.checkpoint)
history = trainer.fit(
    data,
    options.epochs,
    batch,
    after_epoch=lambda t: print(f"epoch {t.epoch}: test accuracy {t.history.accuracies[-1]:.4f}"),
)
print(f"{history.seconds:.1f} s of training, state in {options.checkpoint}")
