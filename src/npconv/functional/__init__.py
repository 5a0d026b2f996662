"""The operations: functions from arrays to arrays."""

from npconv.functional.convolution import (
    conv2d,
    conv2d_backward,
    conv2d_input_grad,
    conv2d_weight_grad,
)
from npconv.functional.padding import pad, pad_backward
from npconv.functional.patches import col2im, im2col
from npconv.functional.pooling import max_pool2d, max_pool2d_backward

__all__ = [
    "col2im",
    "conv2d",
    "conv2d_backward",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "im2col",
    "max_pool2d",
    "max_pool2d_backward",
    "pad",
    "pad_backward",
]
