"""The functions that :func:`npconv.explain` knows, and what it must know of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from npconv.functional import convolution
from npconv.functional.convolution_calls import (
    Plan,
    prepare_forward,
    prepare_input_grad,
    prepare_weight_grad,
)


class Explainable(NamedTuple):
    """What checks a call, for how many dimensions, and what the C core calls it."""

    function: Callable[..., Any]
    prepare: Callable[..., Plan]
    ndim: int
    operation: str


EXPLAINABLE = {
    "conv2d": Explainable(convolution.conv2d, prepare_forward, 2, "forward"),
    "conv2d_input_grad": Explainable(
        convolution.conv2d_input_grad, prepare_input_grad, 2, "input_grad"
    ),
    "conv2d_weight_grad": Explainable(
        convolution.conv2d_weight_grad, prepare_weight_grad, 2, "weight_grad"
    ),
}
