"""Convolution and pooling for NumPy arrays, forward and backward."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from npconv.functional import (
    col2im,
    conv2d,
    conv2d_backward,
    conv2d_input_grad,
    conv2d_weight_grad,
    im2col,
    max_pool2d,
    max_pool2d_backward,
    pad,
    pad_backward,
)
from npconv.prepared import PreparedWeight, prepare
from npconv.runtime import (
    cpu_info,
    explain,
    get_num_threads,
    last_plan,
    set_num_threads,
    show_config,
    threads,
)

if TYPE_CHECKING:
    from npconv import layers, models, optim, reference

__version__ = "0.1.0"

__all__ = [
    "PreparedWeight",
    "col2im",
    "conv2d",
    "conv2d_backward",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "cpu_info",
    "explain",
    "get_num_threads",
    "im2col",
    "last_plan",
    "layers",
    "max_pool2d",
    "max_pool2d_backward",
    "models",
    "optim",
    "pad",
    "pad_backward",
    "prepare",
    "reference",
    "set_num_threads",
    "show_config",
    "threads",
]

_LAZY = ("data", "layers", "models", "optim", "reference", "viz")


def __getattr__(name: str) -> Any:
    """Import the larger parts when they are first used."""
    if name in _LAZY:
        return _import_module(f"npconv.{name}")
    raise AttributeError(f"module 'npconv' has no attribute {name!r}")
