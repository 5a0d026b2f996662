"""What both definitions of ``fold`` check."""

from __future__ import annotations

import math

from npconv import checks
from npconv.checks import Array


def folded_shape(
    cols: object, output_size: object, kernel_size: object
) -> tuple[Array, tuple[int, ...]]:
    """Return the columns and the (N, C, H, W) or (C, H, W) that they are folded to."""
    columns = checks.array(cols, "cols")
    checks.rank(columns, "cols", (2, 3), "(N, C·R·S, OH·OW) or (C·R·S, OH·OW)")
    size = checks.per_axis(output_size, "output_size", 2, 0)
    taps = math.prod(checks.per_axis(kernel_size, "kernel_size", 2, 1))
    rows = columns.shape[-2]
    if rows % taps:
        raise ValueError(
            f"cols has {rows} rows, which the {taps} elements of a window do not divide"
        )
    return columns, (*columns.shape[:-2], rows // taps, *size)
