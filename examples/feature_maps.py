"""What every layer of a trained network makes of an image, and what its filters answer to.

Trains a network on scikit-learn's digits first, which takes seconds.
"""

import argparse
from pathlib import Path

import numpy as np

from npconv import insight, viz
from npconv.data import load_digits
from npconv.models import pattern
from npconv.optim import Adam
from npconv.training import Trainer

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("."), help="where the pictures go")
parser.add_argument("--small", action="store_true", help="one epoch of training")
options = parser.parse_args()

rng = np.random.default_rng(0)
data = load_digits(rng)
net = pattern((1, 8, 8), m=2, n=2, k=1, rng=rng)
before = net.params["conv1_1.weight"].copy()
Trainer(net, Adam(), rng=rng).fit(data, 1 if options.small else 10, 50)

image = data.test_images[0]
print("the image and what the layers make of it:")
for name, output in insight.layer_outputs(net, image[None]).items():
    print(f"  {name:<10} {'x'.join(map(str, output.shape[1:]))}")
print("receptive fields:")
for name, field in insight.receptive_fields(net, (1, 8, 8)).items():
    if name.startswith("conv"):
        print(f"  {name:<10} {field.size[0]}x{field.size[1]} pixels")

best = insight.strongest_patches(net, "relu2_2", data.test_images)
for path in (
    viz.save_filters(options.out / "filters.png", before, net.params["conv1_1.weight"]),
    viz.save_layers(options.out / "layers.png", net, image, "What the layers make of an image"),
    viz.save_patches(options.out / "patches.png", best, "What the last filters answer to"),
    viz.save_saliency(options.out / "saliency.png", net, data.test_images[:3]),
):
    print(f"wrote {path}")
