"""Convolution of sequences and its gradients, in plain NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npconv.checks import Array
from npconv.reference.convolution_calls import backward, forward, input_grad, weight_grad


def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCW",
    activation: str | tuple[str, float] | None = None,
    add: Any = None,
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Cross-correlation, (N, C, W) ⋆ (K, C/groups, S) -> (N, K, OW).

    ``y[n, k, ow] = bias[k] + sum over c, s of weight[k, c, s] *
    x[n, c, ow*stride + s*dilation - left]``,
    where ``c`` counts the input channels of the group that ``k`` belongs to.

    Parameters and result are those of :func:`npconv.conv1d`.
    """
    return forward(
        1, x, weight, bias, stride, padding, dilation, groups, padding_mode, layout,
        activation, add, precision, out,
    )  # fmt: skip


def conv1d_input_grad(
    grad: Any,
    weight: Any,
    input_shape: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`conv1d` by the input.

    (N, K, OW), (K, C/groups, S) -> (N, C, W)

    Every output sends its gradient, times the weight of each tap, to the input under the tap.

    Parameters and result are those of :func:`npconv.conv1d_input_grad`.
    """
    return input_grad(
        1, grad, weight, input_shape, stride, padding, dilation, groups, padding_mode,
        layout, precision,
    )  # fmt: skip


def conv1d_weight_grad(
    grad: Any,
    x: Any,
    weight_shape: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`conv1d` by the weight.

    (N, K, OW), (N, C, W) -> (K, C/groups, S)

    Each tap sums the inputs that it met, each times the gradient of the output it met it for.

    Parameters and result are those of :func:`npconv.conv1d_weight_grad`.
    """
    return weight_grad(
        1, grad, x, weight_shape, stride, padding, dilation, groups, padding_mode, layout, precision
    )


def conv1d_backward(
    grad: Any,
    x: Any,
    weight: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    needs: Sequence[bool] = (True, True, True),
    padding_mode: str = "constant",
    layout: str = "NCW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of :func:`conv1d` by input, weight and bias; None where ``needs`` is False.

    The bias met every output of its channel once: its gradient is the sum of theirs.

    Parameters and result are those of :func:`npconv.conv1d_backward`.
    """
    return backward(
        1, grad, x, weight, stride, padding, dilation, groups, needs, padding_mode,
        layout, precision,
    )  # fmt: skip
