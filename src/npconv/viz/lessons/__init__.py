"""The figures with which texts explain convolution, each drawn from a real computation."""

from npconv.viz.lessons.activations import save_activations
from npconv.viz.lessons.cost import save_bottleneck, save_two_small
from npconv.viz.lessons.flipped import save_flipped
from npconv.viz.lessons.gallery import FILTERS, photograph, save_gallery
from npconv.viz.lessons.steps import save_convolution, save_padding, save_pooling, save_stride

__all__ = [
    "FILTERS",
    "photograph",
    "save_activations",
    "save_bottleneck",
    "save_convolution",
    "save_flipped",
    "save_gallery",
    "save_padding",
    "save_pooling",
    "save_stride",
    "save_two_small",
]
