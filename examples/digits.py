"""Train a convolutional network on handwritten digits, with every step written out.

The digits are scikit-learn's: 1,797 of 8x8 pixels. Training takes some seconds. The same with
checkpoints, a progress bar and a schedule is npconv.training.Trainer.
"""

import argparse

import numpy as np

from npconv.data import batches, load_digits
from npconv.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, SoftmaxCrossEntropy
from npconv.optim import Adam

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=20, help="how often each image is shown")
parser.add_argument("--small", action="store_true", help="two epochs")
options = parser.parse_args()

rng = np.random.default_rng(0)  # all that is random comes from here
data = load_digits(rng)
net = Sequential(
    Conv2d(1, 16, 3, padding=1, rng=rng),  # 1 x 8 x 8  -> 16 x 8 x 8
    ReLU(),
    Conv2d(16, 32, 3, padding=1, rng=rng),  # -> 32 x 8 x 8
    ReLU(),
    MaxPool2d(2),  # -> 32 x 4 x 4
    Flatten(),  # -> 512
    Linear(512, 10, rng=rng),
)
loss, optimiser = SoftmaxCrossEntropy(), Adam(0.002)

for epoch in range(2 if options.small else options.epochs):
    losses = []
    for images, labels in batches(data.train_images, data.train_labels, 50, rng):
        scores = net.forward(images)
        losses.append(loss.forward(scores, labels))
        net.backward_params(loss.backward())  # fills net.grads
        optimiser.update(net.params, net.grads)
    net.eval()
    right = net.forward(data.test_images).argmax(axis=1) == data.test_labels
    net.train()
    print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, test accuracy {right.mean():.4f}")
