"""Edges and blur on a photograph, with conv2d and with true convolution.

conv2d slides a filter over an image as it is (cross-correlation, as networks do); convolve2d, a
convolution in the sense of mathematics, turns it round first. For a filter that is the same when
turned round, such as a blur, both agree; for an edge filter the sign changes.
"""

import argparse
from pathlib import Path

import numpy as np

import npconv
from npconv.viz import lessons

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("."), help="where the picture goes")
parser.add_argument("--small", action="store_true", help="a part of the photograph")
options = parser.parse_args()

image = lessons.photograph()  # scikit-learn's flower, (H, W) from 0 to 1
if options.small:
    image = image[:80, :100]
print(f"the photograph has {image.shape[0]} x {image.shape[1]} pixels")

edges = lessons.FILTERS["vertical edges"]
blur = lessons.FILTERS["Gaussian blur 5 × 5"]
for name, kernel in (("vertical edges", edges), ("Gaussian blur", blur)):
    # conv2d takes batches of images with channels: one of each here.
    correlated = npconv.conv2d(image[None, None], kernel[None, None], padding="same")[0, 0]
    convolved = npconv.convolve2d(image, kernel, mode="same")
    away = np.abs(convolved - correlated).max()
    turned = np.abs(convolved + correlated).max()
    print(f"{name}: convolution is cross-correlation to {away:.1e}, its negative to {turned:.1e}")

# All edges of a picture, whatever their direction.
both = np.stack([edges, edges.T])[:, None]
across, along = npconv.conv2d(image[None, None], both, padding="same")[0]
strength = np.hypot(across, along)
print(f"strongest edge at (row, column) {divmod(int(strength.argmax()), image.shape[1])}")
print(f"wrote {lessons.save_gallery(options.out / 'gallery.png', image)}")
