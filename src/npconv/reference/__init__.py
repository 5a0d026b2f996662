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

from npconv.reference.activation import (
    add,
    add_backward,
    elu,
    elu_backward,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu6,
    relu6_backward,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from npconv.reference.convolution import (
    conv2d,
    conv2d_backward,
    conv2d_input_grad,
    conv2d_weight_grad,
)
from npconv.reference.convolution1d import (
    conv1d,
    conv1d_backward,
    conv1d_input_grad,
    conv1d_weight_grad,
)
from npconv.reference.convolution3d import (
    conv3d,
    conv3d_backward,
    conv3d_input_grad,
    conv3d_weight_grad,
)
from npconv.reference.fold import fold, unfold
from npconv.reference.linear import (
    linear,
    linear_backward,
)
from npconv.reference.normalisation import (
    batch_norm,
    batch_norm_backward,
    dropout,
    dropout_backward,
    local_response_norm,
    local_response_norm_backward,
)
from npconv.reference.padding import pad, pad_backward
from npconv.reference.patches import col2im, im2col
from npconv.reference.pooling_average import (
    adaptive_avg_pool1d,
    adaptive_avg_pool1d_backward,
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    adaptive_avg_pool3d,
    adaptive_avg_pool3d_backward,
    avg_pool1d,
    avg_pool1d_backward,
    avg_pool2d,
    avg_pool2d_backward,
    avg_pool3d,
    avg_pool3d_backward,
    global_avg_pool,
    global_avg_pool_backward,
)
from npconv.reference.pooling_lp import (
    lp_pool1d,
    lp_pool1d_backward,
    lp_pool2d,
    lp_pool2d_backward,
    lp_pool3d,
    lp_pool3d_backward,
)
from npconv.reference.pooling_max import (
    adaptive_max_pool1d,
    adaptive_max_pool1d_backward,
    adaptive_max_pool2d,
    adaptive_max_pool2d_backward,
    adaptive_max_pool3d,
    adaptive_max_pool3d_backward,
    fractional_max_pool2d,
    fractional_max_pool2d_backward,
    fractional_max_pool3d,
    fractional_max_pool3d_backward,
    global_max_pool,
    global_max_pool_backward,
    max_pool1d,
    max_pool1d_backward,
    max_pool2d,
    max_pool2d_backward,
    max_pool3d,
    max_pool3d_backward,
    max_unpool1d,
    max_unpool1d_backward,
    max_unpool2d,
    max_unpool2d_backward,
    max_unpool3d,
    max_unpool3d_backward,
    min_pool1d,
    min_pool1d_backward,
    min_pool2d,
    min_pool2d_backward,
    min_pool3d,
    min_pool3d_backward,
)
from npconv.reference.separable import separable_conv2d, separable_conv2d_backward
from npconv.reference.signal import (
    convolve2d,
    convolve2d_backward,
    correlate2d,
    correlate2d_backward,
)
from npconv.reference.softmax import (
    log_softmax,
    log_softmax_backward,
    softmax,
    softmax_backward,
)
from npconv.reference.transposed1d import (
    conv_transpose1d,
    conv_transpose1d_backward,
    conv_transpose1d_input_grad,
    conv_transpose1d_weight_grad,
)
from npconv.reference.transposed2d import (
    conv_transpose2d,
    conv_transpose2d_backward,
    conv_transpose2d_input_grad,
    conv_transpose2d_weight_grad,
)
from npconv.reference.transposed3d import (
    conv_transpose3d,
    conv_transpose3d_backward,
    conv_transpose3d_input_grad,
    conv_transpose3d_weight_grad,
)

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool1d_backward",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "adaptive_avg_pool3d",
    "adaptive_avg_pool3d_backward",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_backward",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_backward",
    "add",
    "add_backward",
    "avg_pool1d",
    "avg_pool1d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "avg_pool3d",
    "avg_pool3d_backward",
    "batch_norm",
    "batch_norm_backward",
    "col2im",
    "conv1d",
    "conv1d_backward",
    "conv1d_input_grad",
    "conv1d_weight_grad",
    "conv2d",
    "conv2d_backward",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "conv3d",
    "conv3d_backward",
    "conv3d_input_grad",
    "conv3d_weight_grad",
    "conv_transpose1d",
    "conv_transpose1d_backward",
    "conv_transpose1d_input_grad",
    "conv_transpose1d_weight_grad",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "conv_transpose2d_input_grad",
    "conv_transpose2d_weight_grad",
    "conv_transpose3d",
    "conv_transpose3d_backward",
    "conv_transpose3d_input_grad",
    "conv_transpose3d_weight_grad",
    "convolve2d",
    "convolve2d_backward",
    "correlate2d",
    "correlate2d_backward",
    "dropout",
    "dropout_backward",
    "elu",
    "elu_backward",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool2d_backward",
    "fractional_max_pool3d",
    "fractional_max_pool3d_backward",
    "global_avg_pool",
    "global_avg_pool_backward",
    "global_max_pool",
    "global_max_pool_backward",
    "im2col",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "log_softmax",
    "log_softmax_backward",
    "lp_pool1d",
    "lp_pool1d_backward",
    "lp_pool2d",
    "lp_pool2d_backward",
    "lp_pool3d",
    "lp_pool3d_backward",
    "max_pool1d",
    "max_pool1d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool3d",
    "max_pool3d_backward",
    "max_unpool1d",
    "max_unpool1d_backward",
    "max_unpool2d",
    "max_unpool2d_backward",
    "max_unpool3d",
    "max_unpool3d_backward",
    "min_pool1d",
    "min_pool1d_backward",
    "min_pool2d",
    "min_pool2d_backward",
    "min_pool3d",
    "min_pool3d_backward",
    "pad",
    "pad_backward",
    "relu",
    "relu6",
    "relu6_backward",
    "relu_backward",
    "separable_conv2d",
    "separable_conv2d_backward",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "tanh",
    "tanh_backward",
    "unfold",
]
