"""Pictures of a network and its training, written as PNG with matplotlib (the ``demo`` extra).

Every function takes arrays and a path, writes one picture and returns the path. Figures are made
without pyplot, so nothing is shown on a screen and no global state of matplotlib is touched.
"""

from npconv.viz.feature_maps import save_feature_maps
from npconv.viz.filters import save_filters
from npconv.viz.mistakes import save_mistakes
from npconv.viz.training_curve import save_training_curve

__all__ = ["save_feature_maps", "save_filters", "save_mistakes", "save_training_curve"]
