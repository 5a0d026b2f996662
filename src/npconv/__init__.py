"""Convolution and pooling for NumPy arrays, forward and backward."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from npconv.functional import (
    add,
    add_backward,
    batch_norm,
    batch_norm_backward,
    col2im,
    conv2d,
    conv2d_backward,
    conv2d_input_grad,
    conv2d_weight_grad,
    dropout,
    dropout_backward,
    elu,
    elu_backward,
    im2col,
    leaky_relu,
    leaky_relu_backward,
    linear,
    linear_backward,
    local_response_norm,
    local_response_norm_backward,
    log_softmax,
    log_softmax_backward,
    max_pool2d,
    max_pool2d_backward,
    pad,
    pad_backward,
    relu,
    relu6,
    relu6_backward,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    softmax,
    softmax_backward,
    tanh,
    tanh_backward,
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
    "add",
    "add_backward",
    "batch_norm",
    "batch_norm_backward",
    "col2im",
    "conv2d",
    "conv2d_backward",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "cpu_info",
    "dropout",
    "dropout_backward",
    "elu",
    "elu_backward",
    "explain",
    "get_num_threads",
    "im2col",
    "last_plan",
    "layers",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "log_softmax",
    "log_softmax_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "models",
    "optim",
    "pad",
    "pad_backward",
    "prepare",
    "reference",
    "relu",
    "relu6",
    "relu6_backward",
    "relu_backward",
    "set_num_threads",
    "show_config",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "tanh",
    "tanh_backward",
    "threads",
]

_LAZY = ("data", "insight", "layers", "models", "optim", "reference", "training", "viz")


def __getattr__(name: str) -> Any:
    """Import the larger parts when they are first used."""
    if name in _LAZY:
        return _import_module(f"npconv.{name}")
    raise AttributeError(f"module 'npconv' has no attribute {name!r}")
