"""Networks, ready to train."""

from npconv.models.pattern import pattern
from npconv.models.simple_convnet import simple_convnet

__all__ = ["pattern", "simple_convnet"]
