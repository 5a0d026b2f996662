"""npconv's operations for HIPS autograd: the same functions, which can be differentiated.

::

    import autograd.numpy as np
    import npconv.compat.autograd as nn
    from autograd import grad

    def loss(weight, bias, x, target):
        y = nn.conv2d(x, weight, bias, padding=1, activation="relu")
        return np.sum((nn.max_pool2d(y, 2) - target) ** 2)

    dweight = grad(loss)(weight, bias, x, target)

Names, arguments and results are npconv's, without ``out=``. Gradients are exact, made of operations
that can be differentiated themselves, so that reverse mode works to any order. Forward mode
(``make_jvp``) does not.
"""

from npconv.compat.autograd._convolution import (
    conv1d,
    conv1d_input_grad,
    conv1d_weight_grad,
    conv2d,
    conv2d_input_grad,
    conv2d_weight_grad,
    conv3d,
    conv3d_input_grad,
    conv3d_weight_grad,
    conv_transpose1d,
    conv_transpose1d_input_grad,
    conv_transpose1d_weight_grad,
    conv_transpose2d,
    conv_transpose2d_input_grad,
    conv_transpose2d_weight_grad,
    conv_transpose3d,
    conv_transpose3d_input_grad,
    conv_transpose3d_weight_grad,
)
from npconv.compat.autograd._copying import col2im, fold, im2col, pad, pad_backward, unfold
from npconv.compat.autograd._elementwise import (
    add,
    dropout,
    elu,
    leaky_relu,
    relu,
    relu6,
    sigmoid,
    tanh,
)
from npconv.compat.autograd._linear import linear
from npconv.compat.autograd._normalisation import (
    batch_norm,
    local_response_norm,
    log_softmax,
    softmax,
)
from npconv.compat.autograd._pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    fractional_max_pool2d,
    fractional_max_pool3d,
    global_avg_pool,
    global_max_pool,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
    min_pool1d,
    min_pool2d,
    min_pool3d,
)
from npconv.compat.autograd._signal import convolve2d, correlate2d, separable_conv2d

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "add",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "col2im",
    "conv1d",
    "conv1d_input_grad",
    "conv1d_weight_grad",
    "conv2d",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "conv3d",
    "conv3d_input_grad",
    "conv3d_weight_grad",
    "conv_transpose1d",
    "conv_transpose1d_input_grad",
    "conv_transpose1d_weight_grad",
    "conv_transpose2d",
    "conv_transpose2d_input_grad",
    "conv_transpose2d_weight_grad",
    "conv_transpose3d",
    "conv_transpose3d_input_grad",
    "conv_transpose3d_weight_grad",
    "convolve2d",
    "correlate2d",
    "dropout",
    "elu",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "global_avg_pool",
    "global_max_pool",
    "im2col",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log_softmax",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "min_pool1d",
    "min_pool2d",
    "min_pool3d",
    "pad",
    "pad_backward",
    "relu",
    "relu6",
    "separable_conv2d",
    "sigmoid",
    "softmax",
    "tanh",
    "unfold",
]
