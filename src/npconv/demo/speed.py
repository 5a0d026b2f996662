"""How long a training step takes, here and in plain NumPy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from npconv.checks import Array
from npconv.demo.numpy_network import NumpyConvnet
from npconv.layers import Sequential, SoftmaxCrossEntropy
from npconv.optim import Adam
from npconv.training import step


class StepTimes(NamedTuple):
    """Seconds for one training step: forward, backward and Adam's update."""

    npconv: float
    numpy: float


def compare(net: Sequential, padding: int, images: Array, labels: Array) -> StepTimes:
    """Time a step on one batch with `net` and with the same network in plain NumPy.

    Both must first agree in loss and gradients. `net` is trained by this.
    """
    plain = NumpyConvnet(net.params, padding)
    _check_agreement(net, plain, images, labels)
    loss, adam, plain_adam = SoftmaxCrossEntropy(), Adam(), Adam()

    def plain_step() -> None:
        _, grads = plain.gradients(images, labels)
        plain_adam.update(plain.params, grads)

    # In turns, and the better turn of each: whatever else the machine does hits both alike.
    turns = [
        (_median(lambda: step(net, loss, adam, images, labels)), _median(plain_step))
        for _ in range(2)
    ]
    return StepTimes(min(ours for ours, _ in turns), min(theirs for _, theirs in turns))


def _median(run: Callable[[], object], seconds: float = 0.5) -> float:
    run()  # warm caches and threads
    times: list[float] = []
    while sum(times) < seconds or len(times) < 5:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _check_agreement(net: Sequential, plain: NumpyConvnet, images: Array, labels: Array) -> None:
    loss = SoftmaxCrossEntropy()
    value = loss.forward(net.forward(images), labels)
    net.backward_params(loss.backward())
    plain_value, plain_grads = plain.gradients(images, labels)
    agree = np.isclose(value, plain_value, rtol=1e-4)
    for name, grad in net.grads.items():
        scale = float(np.abs(grad).max())
        agree &= np.allclose(grad, plain_grads[name], rtol=0, atol=1e-3 * scale)
    if not agree:
        raise RuntimeError("npconv and the plain NumPy network disagree: please report this")
