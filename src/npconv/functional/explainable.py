"""The functions that :func:`npconv.explain` knows, and what it must know of them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from npconv.functional import (
    convolution,
    convolution1d,
    convolution3d,
    convolution_calls,
    signal,
    transposed1d,
    transposed2d,
    transposed3d,
    transposed_calls,
)
from npconv.functional.convolution_calls import Plan
from npconv.runtime import Candidate


class Explainable(NamedTuple):
    """What checks a call, for how many dimensions, and what the C core computes for it.

    A transposed convolution's input is the output of the convolution that the C core knows.
    """

    function: Callable[..., Any]
    prepare: Callable[..., Plan]
    ndim: int
    operation: str
    transposed: bool
    rival: Callable[[Plan, dict[str, Any]], tuple[Candidate, bool]] | None = None
    """Another candidate, that the C core does not know, and whether it would run."""


def _family(module: ModuleType, calls: ModuleType, name: str, ndim: int) -> dict[str, Explainable]:
    transposed = calls is transposed_calls
    forward, input_grad = "forward", "input_grad"
    computed = (
        ("", calls.prepare_forward, input_grad if transposed else forward),
        ("_input_grad", calls.prepare_input_grad, forward if transposed else input_grad),
        ("_weight_grad", calls.prepare_weight_grad, "weight_grad"),
    )
    return {
        name + suffix: Explainable(
            getattr(module, name + suffix), prepare, ndim, operation, transposed
        )
        for suffix, prepare, operation in computed
    }


EXPLAINABLE = {
    **_family(convolution, convolution_calls, "conv2d", 2),
    **_family(convolution1d, convolution_calls, "conv1d", 1),
    **_family(convolution3d, convolution_calls, "conv3d", 3),
    **_family(transposed1d, transposed_calls, "conv_transpose1d", 1),
    **_family(transposed2d, transposed_calls, "conv_transpose2d", 2),
    **_family(transposed3d, transposed_calls, "conv_transpose3d", 3),
    "convolve2d": Explainable(
        signal.convolve2d, signal.prepare_filter, 2, "forward", False, signal.rival
    ),
    "correlate2d": Explainable(
        signal.correlate2d, signal.prepare_filter, 2, "forward", False, signal.rival
    ),
}
