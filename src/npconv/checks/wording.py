"""How error messages name axes and show values."""

from __future__ import annotations

import reprlib

import numpy as np

SPATIAL_AXES = {1: ("W",), 2: ("H", "W"), 3: ("D", "H", "W")}
BATCH_AXES = {
    1: "(N, C, W) or (C, W)",
    2: "(N, C, H, W) or (C, H, W)",
    3: "(N, C, D, H, W) or (C, D, H, W)",
}
LAST_AXES = {
    1: "(N, W, C) or (W, C)",
    2: "(N, H, W, C) or (H, W, C)",
    3: "(N, D, H, W, C) or (D, H, W, C)",
}
WEIGHT_AXES = {
    1: "(K, C/groups, S)",
    2: "(K, C/groups, R, S)",
    3: "(K, C/groups, T, R, S)",
}
TRANSPOSED_WEIGHT_AXES = {
    1: "(C, K/groups, S)",
    2: "(C, K/groups, R, S)",
    3: "(C, K/groups, T, R, S)",
}


def show(value: object) -> str:
    """Word ``value`` for an error message: short whatever it is, with its type if not plain."""
    if isinstance(value, int) and not isinstance(value, bool):
        # str() of very long integers is refused by Python itself.
        return str(value) if value.bit_length() <= 256 else f"a {value.bit_length()}-bit integer"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, (tuple, list)) and len(value) <= 8:
        inner = ", ".join(
            show(item)
            if isinstance(item, (int, tuple, list)) and not isinstance(item, bool)
            else reprlib.repr(item)
            for item in value
        )
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    text = reprlib.repr(value)
    return text if isinstance(value, (tuple, list, str)) else f"{text} ({type(value).__name__})"
