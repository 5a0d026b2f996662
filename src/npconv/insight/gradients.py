"""Which pixels a class hangs on."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv.checks import Array
from npconv.insight.hooks import differentiable, watched
from npconv.layers import Layer, SoftmaxCrossEntropy


def input_gradient(net: Layer, images: Array, labels: Array) -> Array:
    """Return the gradient of each image's own loss with respect to its pixels, (N, C, H, W).

    The loss is softmax cross-entropy with `labels`.
    """
    loss = SoftmaxCrossEntropy()
    with differentiable(net):
        loss.forward(net.forward(images), np.asarray(labels))
        # The loss is a mean over the batch; each image's own is N times its part.
        grad: Array = net.backward(loss.backward() * images.dtype.type(len(images)))
    return grad


def saliency(net: Layer, images: Array, classes: Array) -> Array:
    """Return how much each pixel moves the score of a class, ``(N, C, H, W) -> (N, H, W)``.

    The gradient's largest absolute value over the channels (Simonyan et al. 2013).
    """
    with differentiable(net):
        scores = net.forward(images)
        grad = net.backward(_one_hot(scores, classes))
    result: Array = np.abs(grad).max(axis=1)
    return result


def class_activation(net: Layer, images: Array, classes: Array, layer: str | None = None) -> Array:
    """Return where a layer sees a class, ``(N, C, H, W) -> (N, OH, OW)``, at least 0.

    Its maps are added up, each weighted with the mean gradient of the class's score over it, and
    what is negative is dropped (Grad-CAM, Selvaraju et al. 2017). Where pooling over all pixels and
    one affine layer follow, that is the class-activation map of Zhou et al. 2016 up to a factor.

    Parameters
    ----------
    net, images, classes
        The network, images (N, C, H, W), and a class for each.
    layer : str, optional
        Whose output; that of the last convolution unless given, after the activation that follows
        it.
    """
    outputs: dict[str, Array] = {}
    grads: dict[str, Array] = {}
    with (
        differentiable(net),
        watched(net, "forward", lambda name, _, result: outputs.update({name: result})),
        watched(net, "backward", lambda name, grad, _: grads.update({name: grad})),
    ):
        scores = net.forward(images)
        net.backward(_one_hot(scores, classes))
    name = _last_maps(outputs) if layer is None else layer
    if name not in outputs or outputs[name].ndim != 4:
        maps = [key for key, value in outputs.items() if value.ndim == 4]
        raise ValueError(f"layer is {name!r}, expected one with maps: {', '.join(maps)}")
    weights = grads[name].mean(axis=(2, 3), keepdims=True)
    result: Array = np.maximum((weights * outputs[name]).sum(axis=1), 0)
    return result


def _last_maps(outputs: dict[str, Array]) -> str:
    """Return the last layer of the largest maps among the last ones of more than one pixel."""
    maps = [name for name, value in outputs.items() if value.ndim == 4]
    if not maps:
        raise ValueError("no layer of the network has maps")
    wide = [name for name in maps if max(outputs[name].shape[2:]) > 1] or maps
    # The pooling at the end halves what the convolution before it sees; take that one's size.
    last = wide[-1]
    for name in reversed(wide):
        if outputs[name].shape[1] != outputs[last].shape[1]:
            break
        if outputs[name].shape[2] > outputs[last].shape[2]:
            return name
    return last


def _one_hot(scores: Any, classes: Any) -> Array:
    classes = np.asarray(classes)
    if classes.shape != scores.shape[:1]:
        raise ValueError(f"classes has shape {classes.shape}, expected {scores.shape[:1]}")
    grad: Array = np.zeros_like(scores)
    grad[np.arange(len(grad)), classes] = 1
    return grad
