"""Classify a photograph with the weights of a torchvision network, without PyTorch.

The weights are a state_dict saved as arrays, which PyTorch writes once with

    import numpy, torchvision
    state = torchvision.models.resnet18(weights="DEFAULT").state_dict()
    numpy.savez("resnet18.npz", **{name: value.numpy() for name, value in state.items()})

Without --weights, random ones are made and saved, and classify nothing.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from npconv import models

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("--network", default="resnet18", help="a name that torchvision has, too")
parser.add_argument("--weights", metavar="FILE", type=Path, help="its state_dict as .npz")
parser.add_argument("--image", metavar="FILE", type=Path, help="a photograph")
parser.add_argument("--small", action="store_true", help="a small image")
options = parser.parse_args()


def photograph(side: int) -> np.ndarray:
    """Read an image, cut out its middle, and standardise it as ImageNet's networks expect."""
    from PIL import Image

    if options.image is not None:
        picture = Image.open(options.image).convert("RGB")
    else:
        from sklearn.datasets import load_sample_image

        picture = Image.fromarray(load_sample_image("flower.jpg"))
    scale = side * 256 / 224 / min(picture.size)
    picture = picture.resize([round(length * scale) for length in picture.size])
    left, top = ((length - side) // 2 for length in picture.size)
    pixels = np.asarray(picture.crop((left, top, left + side, top + side)), np.float32) / 255
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    return ((pixels - mean) / deviation).transpose(2, 0, 1)[None].astype(np.float32)


make = getattr(models, options.network)
if options.weights is None:
    options.weights = Path(f"{options.network}_random.npz")
    make(rng=np.random.default_rng(0)).save(options.weights)
    print(f"no --weights: random ones are in {options.weights}")

net = make()
with np.load(options.weights) as state:
    net.load_state_dict(state)  # the names and shapes are torchvision's
net.eval()

x = photograph(64 if options.small else 224)
scores = net.forward(x)[0]
shares = np.exp(scores - scores.max())
shares /= shares.sum()
for number in np.argsort(-shares)[:5]:
    print(f"class {number:4}: {100 * shares[number]:5.2f} %")

net.fuse()  # batch normalisation folded into the convolutions, ReLU done where they store
away = np.abs(net.forward(x)[0] - scores).max() / np.abs(scores).max()
start = time.perf_counter()
net.forward(x)
print(f"fused: {1e3 * (time.perf_counter() - start):.1f} ms, results {away:.0e} apart")
