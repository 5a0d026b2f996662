"""Transposed convolution of images and its gradients, in plain NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npconv.checks import Array
from npconv.reference.transposed_calls import backward, forward, input_grad, weight_grad


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCHW",
    activation: str | tuple[str, float] | None = None,
    add: Any = None,
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Transposed convolution, (N, C, H, W) ⋆ (C, K/groups, R, S) -> (N, K, OH, OW).

    Every input sends its value, times the weight of each tap, to the output under the tap; taps
    lie as those of the convolution whose input gradient this is. Then come bias, addend and
    activation.

    Parameters and result are those of :func:`npconv.conv_transpose2d`.
    """
    return forward(
        2, x, weight, bias, stride, padding, output_padding, groups, dilation, padding_mode, layout,
        activation, add, precision, out,
    )  # fmt: skip


def conv_transpose2d_input_grad(
    grad: Any,
    weight: Any,
    input_shape: Any,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`conv_transpose2d` by the input.

    (N, K, OH, OW), (C, K/groups, R, S) -> (N, C, H, W)

    Each input sums the gradients of what it was sent to, times the weights of the taps.

    Parameters and result are those of :func:`npconv.conv_transpose2d_input_grad`.
    """
    return input_grad(
        2, grad, weight, input_shape, stride, padding, output_padding, groups, dilation,
        padding_mode, layout, precision,
    )  # fmt: skip


def conv_transpose2d_weight_grad(
    grad: Any,
    x: Any,
    weight_shape: Any,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`conv_transpose2d` by the weight.

    (N, K, OH, OW), (N, C, H, W) -> (C, K/groups, R, S)

    Parameters and result are those of :func:`npconv.conv_transpose2d_weight_grad`.
    """
    return weight_grad(
        2, grad, x, weight_shape, stride, padding, output_padding, groups, dilation,
        padding_mode, layout, precision,
    )  # fmt: skip


def conv_transpose2d_backward(
    grad: Any,
    x: Any,
    weight: Any,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    *,
    needs: Sequence[bool] = (True, True, True),
    padding_mode: str = "constant",
    layout: str = "NCHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of :func:`conv_transpose2d` by input, weight and bias.

    Parameters and result are those of :func:`npconv.conv_transpose2d_backward`.
    """
    return backward(
        2, grad, x, weight, stride, padding, output_padding, groups, dilation, needs, padding_mode,
        layout, precision,
    )  # fmt: skip
