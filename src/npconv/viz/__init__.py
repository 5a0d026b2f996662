"""Pictures of a network and its training, written as PNG with matplotlib (the ``viz`` extra).

Every function takes a path, and arrays or a network, writes one picture and returns the path; the
same arguments give the same file. Figures are made without pyplot, so nothing is shown on a screen
and no global state of matplotlib is touched.

:mod:`npconv.viz.lessons` draws what texts explain convolution with: padding, strides, steps.
"""

from npconv.viz import lessons
from npconv.viz.attack import save_attack
from npconv.viz.bubbles import Bubble, save_bubbles
from npconv.viz.confusion import save_confusion
from npconv.viz.feature_maps import save_feature_maps
from npconv.viz.filters import save_filters
from npconv.viz.layers import save_layers
from npconv.viz.mistakes import save_mistakes
from npconv.viz.patches import save_patches
from npconv.viz.receptive_field import save_receptive_fields
from npconv.viz.robustness import save_robustness
from npconv.viz.saliency import save_saliency
from npconv.viz.training_curve import save_training_curve

__all__ = [
    "Bubble",
    "lessons",
    "save_attack",
    "save_bubbles",
    "save_confusion",
    "save_feature_maps",
    "save_filters",
    "save_layers",
    "save_mistakes",
    "save_patches",
    "save_receptive_fields",
    "save_robustness",
    "save_saliency",
    "save_training_curve",
]
