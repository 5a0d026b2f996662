"""Random changes to batches of images, so that a network never sees the same image twice.

Every function takes images ``(N, C, H, W)`` and a generator, draws for each image by itself, and
returns a new array of the same dtype; nothing else is random, so the same generator state gives the
same images. Pixels from beyond an image's edge are 0.

>>> import numpy as np
>>> from npconv.data import augment
>>> images = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
>>> augment.random_flip(images, np.random.default_rng(1), probability=1.0)[0, 0]
array([[1., 0.],
       [3., 2.]], dtype=float32)
"""

from npconv.data.augment.brightness import random_brightness
from npconv.data.augment.chain import Augmentation, chain
from npconv.data.augment.crop import random_crop, random_shift
from npconv.data.augment.flip import random_flip
from npconv.data.augment.warp import random_affine, random_rotation, random_scale

__all__ = [
    "Augmentation",
    "chain",
    "random_affine",
    "random_brightness",
    "random_crop",
    "random_flip",
    "random_rotation",
    "random_scale",
    "random_shift",
]
