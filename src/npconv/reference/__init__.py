"""Every operation in plain NumPy: the definition of what is right.

The functions here have the names, signatures, checks and results of the fast ones and are
written to be read. They rest on one idea. Along each axis, a window at output ``o`` meets
with its tap ``t`` the input element

    i = o * stride + t * dilation - pad_before

and for one tap, the outputs for which ``i`` lies inside the input are a slice, and so are the
inputs that they meet. A convolution is a sum over taps of slices times a weight; its gradients,
the pools and the column matrices walk over the same taps (:mod:`npconv.reference.taps`). Taps
that fall in the padding are not in the slices: padding is skipped and never multiplied, so that
an infinite weight over it does not give NaN.

Sums are accumulated in float64 whatever the result's dtype, and rounded once at the end.
The options ``algorithm``, ``isa`` and ``num_threads`` are accepted and ignored.

The private functions work in any number of spatial dimensions; arrays come to them with all
three, (N, C, D, H, W), of which two-dimensional operations have D = 1.
"""

from npconv.reference.convolution import (
    conv2d,
    conv2d_backward,
    conv2d_input_grad,
    conv2d_weight_grad,
)
from npconv.reference.padding import pad, pad_backward
from npconv.reference.patches import col2im, im2col
from npconv.reference.pooling import max_pool2d, max_pool2d_backward

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
