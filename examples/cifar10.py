"""A network for CIFAR-10, trained with augmentation and a learning-rate schedule.

((CONV-BATCHNORM-RELU)*2-POOL)*3-FC with 32, 64 and 128 filters of 3x3. Images are standardised;
each is cropped from a padded one and perhaps mirrored. DIR holds the files of the binary or the
Python version, or the folder that either archive makes; npconv.data.download("cifar10") fetches
the former.
"""

import argparse
import math
from functools import partial
from pathlib import Path

import numpy as np

from npconv.data import Dataset, augment, load_cifar10
from npconv.layers import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from npconv.optim import Adam, schedules
from npconv.training import Trainer

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="DIR", type=Path, required=True, help="CIFAR-10's files")
parser.add_argument("--epochs", type=int, default=20, help="how often each image is shown")
parser.add_argument("--subset", metavar="N", type=int, help="train on the first N images only")
parser.add_argument("--width", type=int, default=32, help="filters of the first block")
parser.add_argument("--seed", type=int, default=0, help="of all that is random")
parser.add_argument("--small", action="store_true", help="one epoch of 100 images, few filters")
options = parser.parse_args()
if options.small:
    options.epochs, options.subset, options.width = 1, 100, 4

data = load_cifar10(options.data)
if options.subset:
    data = Dataset(*(array[: options.subset] for array in data))
mean = data.train_images.mean(axis=(0, 2, 3), keepdims=True)
deviation = data.train_images.std(axis=(0, 2, 3), keepdims=True)
data = data._replace(
    train_images=(data.train_images - mean) / deviation,
    test_images=(data.test_images - mean) / deviation,
)

rng = np.random.default_rng(options.seed)
layers, channels = [], 3
for filters in (options.width, 2 * options.width, 4 * options.width):
    for _ in range(2):
        # Batch normalisation adds a bias of its own.
        layers.append(Conv2d(channels, filters, 3, padding=1, bias=False, rng=rng))
        layers += [BatchNorm2d(filters), ReLU()]
        channels = filters
    layers.append(MaxPool2d(2))
net = Sequential(*layers, Flatten(), Linear(channels * 4 * 4, 10, rng=rng))

batch, rate = 100, 0.002
steps = options.epochs * math.ceil(len(data.train_images) / batch)
trainer = Trainer(
    net,
    Adam(rate),
    rng=rng,
    schedule=schedules.cosine(rate, steps),
    augment=augment.chain(partial(augment.random_crop, padding=4), augment.random_flip),
)
history = trainer.fit(data, options.epochs, batch)
print(f"test accuracy {history.accuracies[-1]:.4f} after {history.seconds:.1f} s of training")
