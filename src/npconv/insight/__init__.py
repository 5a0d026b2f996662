"""What a network computes inside, in NumPy alone; :mod:`npconv.viz` draws it.

All functions take any network made of :mod:`npconv.layers` and leave it as it was: parameters,
mode and statistics. They run it as in evaluation, without dropout and with running statistics.

>>> import numpy as np
>>> from npconv.insight import layer_outputs, receptive_fields
>>> from npconv.models import simple_convnet
>>> net = simple_convnet((1, 8, 8), 4, 3, 10, 10, rng=np.random.default_rng(0))
>>> image = np.zeros((1, 1, 8, 8), np.float32)
>>> {name: y.shape[1:] for name, y in layer_outputs(net, image).items() if y.ndim == 4}
{'conv1': (4, 6, 6), 'relu1': (4, 6, 6), 'pool1': (4, 3, 3)}
>>> receptive_fields(net, (1, 8, 8))["pool1"].size
(4, 4)
"""

from npconv.insight.activations import layer_outputs
from npconv.insight.attack import fast_gradient_sign
from npconv.insight.confusion import confusion_matrix
from npconv.insight.damage import add_noise, add_white_dots
from npconv.insight.gradients import class_activation, input_gradient, saliency
from npconv.insight.patches import Patches, strongest_patches
from npconv.insight.receptive_field import Field, receptive_fields

__all__ = [
    "Field",
    "Patches",
    "add_noise",
    "add_white_dots",
    "class_activation",
    "confusion_matrix",
    "fast_gradient_sign",
    "input_gradient",
    "layer_outputs",
    "receptive_fields",
    "saliency",
    "strongest_patches",
]
