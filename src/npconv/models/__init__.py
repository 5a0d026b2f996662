"""Networks, ready to train."""

from npconv.models.simple_convnet import simple_convnet

__all__ = ["simple_convnet"]
