"""Layers in the form that CNN texts use: ``forward``, ``backward``, ``params`` and ``grads``.

A layer is state around one or two calls of :mod:`npconv.functional`; there is no autodiff engine.

>>> import numpy as np
>>> from npconv.layers import Conv2d, Flatten, Linear, ReLU, Sequential, SoftmaxCrossEntropy
>>> rng = np.random.default_rng(0)
>>> net = Sequential(Conv2d(1, 4, 3, rng=rng), ReLU(), Flatten(), Linear(4 * 6 * 6, 10, rng=rng))
>>> loss = SoftmaxCrossEntropy()
>>> x = np.zeros((2, 1, 8, 8), np.float32)
>>> value = loss.forward(net.forward(x), np.array([3, 7]))
>>> _ = net.backward(loss.backward())
>>> sorted(net.grads)
['0.bias', '0.weight', '3.bias', '3.weight']
"""

from npconv.layers.adaptive_avg_pool2d import AdaptiveAvgPool2d
from npconv.layers.adaptive_max_pool2d import AdaptiveMaxPool2d
from npconv.layers.avg_pool2d import AvgPool2d
from npconv.layers.batch_norm2d import BatchNorm2d
from npconv.layers.concat import Concat
from npconv.layers.container import Container
from npconv.layers.conv1d import Conv1d
from npconv.layers.conv2d import Conv2d
from npconv.layers.conv3d import Conv3d
from npconv.layers.conv_transpose1d import ConvTranspose1d
from npconv.layers.conv_transpose2d import ConvTranspose2d
from npconv.layers.conv_transpose3d import ConvTranspose3d
from npconv.layers.dense_block import DenseBlock
from npconv.layers.dropout import Dropout
from npconv.layers.elu import ELU
from npconv.layers.flatten import Flatten
from npconv.layers.global_avg_pool2d import GlobalAvgPool2d
from npconv.layers.identity import Identity
from npconv.layers.initialisers import Initialiser, dirac, glorot, he, normal, zeros
from npconv.layers.layer import Layer
from npconv.layers.leaky_relu import LeakyReLU
from npconv.layers.linear import Linear
from npconv.layers.local_response_norm import LocalResponseNorm
from npconv.layers.lp_pool2d import LpPool2d
from npconv.layers.max_pool2d import MaxPool2d
from npconv.layers.pad2d import Pad2d
from npconv.layers.patch_whitening2d import PatchWhitening2d
from npconv.layers.relu import ReLU
from npconv.layers.relu6 import ReLU6
from npconv.layers.residual import Residual
from npconv.layers.scale import Scale
from npconv.layers.sequential import Sequential
from npconv.layers.sigmoid import Sigmoid
from npconv.layers.softmax_cross_entropy import SoftmaxCrossEntropy
from npconv.layers.tanh import Tanh

__all__ = [
    "ELU",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AvgPool2d",
    "BatchNorm2d",
    "Concat",
    "Container",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "DenseBlock",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "Identity",
    "Initialiser",
    "Layer",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LpPool2d",
    "MaxPool2d",
    "Pad2d",
    "PatchWhitening2d",
    "ReLU",
    "ReLU6",
    "Residual",
    "Scale",
    "Sequential",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Tanh",
    "dirac",
    "glorot",
    "he",
    "normal",
    "zeros",
]
