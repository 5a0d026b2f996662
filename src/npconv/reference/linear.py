"""The product of rows with a matrix, and its gradients, in plain NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npconv.arguments.linear import linear_backward_case, linear_case
from npconv.checks import Array
from npconv.reference.activation import leaky_relu, relu, relu6
from npconv.reference.delivery import deliver, quiet


@quiet
def linear(
    x: Any,
    weight: Any,
    bias: Any = None,
    activation: Any = None,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """``activation(x @ weight.T + bias)``; :func:`npconv.linear`."""
    case = linear_case(x, weight, bias, activation, out)
    # Not by @, which need not give a row the same bits in every batch.
    y = np.einsum("...i,oi->...o", case.x.astype("f8"), case.weight.astype("f8"))
    if case.bias is not None:
        y = y + case.bias.astype("f8")
    y = deliver(y, case.shape, case.dtype, out)
    if case.activation == "relu":
        return relu(y, out=out)
    if case.activation == "relu6":
        return relu6(y, out=out)
    return leaky_relu(y, case.slope, out=out) if case.activation else y


@quiet
def linear_backward(
    grad: Any,
    x: Any,
    weight: Any,
    *,
    needs: Sequence[bool] = (True, True, True),
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of :func:`linear` without an activation; :func:`npconv.linear_backward`."""
    case = linear_backward_case(grad, x, weight, needs)
    g, rows, matrix = (part.astype("f8") for part in (case.grad, case.x, case.weight))
    results = [
        deliver(part, shape, case.dtype) if needed else None
        for part, shape, needed in (
            (g @ matrix, case.x_shape, case.needs[0]),
            (g.T @ rows, matrix.shape, case.needs[1]),
            (g.sum(axis=0), (len(matrix),), case.needs[2]),
        )
    ]
    return results[0], results[1], results[2]
