"""PyTorch's ways to say one value for all axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from npconv import checks

PerAxis: TypeAlias = int | Sequence[int]


def one(value: Any) -> Any:
    """A sequence of one value stands for all axes."""
    return value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value


def stride_or_none(value: Any) -> Any:
    """PyTorch takes an empty stride for none."""
    return None if value is None or (isinstance(value, (tuple, list)) and not value) else one(value)


def same(padding: Any, stride: Any) -> Any:
    """PyTorch has "same" for a stride of 1 only."""
    if isinstance(padding, str) and padding == "same" and np.any(np.asarray(stride) != 1):
        raise ValueError(f"padding='same' needs a stride of 1, got {checks.show(stride)}")
    return one(padding)
