"""The fast-gradient-sign attack: changes too small to matter to a reader make a network err.

Trains a network on scikit-learn's digits first, which takes seconds, and compares the attack with
random noise of the same size.
"""

import argparse
from pathlib import Path

import numpy as np

from npconv import viz
from npconv.data import load_digits
from npconv.insight import fast_gradient_sign
from npconv.models import pattern
from npconv.optim import Adam
from npconv.training import Trainer, accuracy

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("."), help="where the picture goes")
parser.add_argument("--small", action="store_true", help="two epochs of training")
options = parser.parse_args()

rng = np.random.default_rng(0)
data = load_digits(rng)
net = pattern((1, 8, 8), m=2, n=2, k=1, rng=rng)
Trainer(net, Adam(), rng=rng).fit(data, 2 if options.small else 15, 50)

images, labels = data.test_images, data.test_labels
print("size   noise   attack      (accuracy)")
for size in (0.0, 0.05, 0.1, 0.15, 0.2):
    signs = rng.choice(np.array([-size, size], np.float32), images.shape)
    noisy = (images + signs).clip(0, 1)
    attacked = fast_gradient_sign(net, images, labels, size)
    print(
        f"{size:.2f}  {accuracy(net, noisy, labels):6.3f}   {accuracy(net, attacked, labels):6.3f}"
    )
print(f"wrote {viz.save_attack(options.out / 'attack.png', net, images[:4], labels[:4], 0.15)}")
