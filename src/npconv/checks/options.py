"""Options: one of several words, bools, numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npconv.checks.wording import show

LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
"""Channels first and channels last."""
PAD_MODES = ("constant", "reflect", "edge", "symmetric", "wrap")
ACTIVATIONS = ("relu", "relu6", "leaky_relu")
LEAKY_SLOPE = 0.01
_CONSTANT = "constant"


def choice(value: object, name: str, allowed: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``allowed``."""
    if isinstance(value, str) and value in allowed:
        return value
    kind = ValueError if isinstance(value, str) else TypeError
    raise kind(f"{name} must be {_either(allowed)}, got {show(value)}")


def _either(allowed: tuple[str, ...]) -> str:
    return " or ".join(repr(item) for item in allowed)


def flag(value: object, name: str) -> bool:
    """Return ``value`` if it is a bool: other truth values are more likely a misplaced argument."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {show(value)}")
    return bool(value)


def three_flags(needs: object) -> list[bool]:
    """Check which of the gradients are needed."""
    if not isinstance(needs, (tuple, list)) or len(needs) != 3:
        raise ValueError(f"needs must be three bools (dx, dweight, dbias), got {show(needs)}")
    return [flag(item, "needs") for item in needs]


def size_rule(value: object) -> bool | str:
    """Return ``ceil_mode``: a bool, or "cover_all"."""
    if isinstance(value, str) and value == "cover_all":
        return "cover_all"
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"ceil_mode must be True, False or 'cover_all', got {show(value)}")
    return bool(value)


def number(value: object, name: str) -> float:
    """Return a finite float; bools are refused."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number, got {show(value)}")
    try:
        checked = float(value)
    except OverflowError:
        checked = math.inf
    if not math.isfinite(checked):
        raise ValueError(f"{name} must be finite, got {show(value)}")
    return checked


def channels_last(layout: object, ndim: int) -> bool:
    """Check ``layout``, and tell which of the two it is."""
    first, last = LAYOUTS[ndim]
    return layout is not first and choice(layout, "layout", (first, last)) == last


def padding_mode(value: object) -> str:
    """Check what surrounds the images of a convolution."""
    return _CONSTANT if value is _CONSTANT else choice(value, "padding_mode", PAD_MODES)


def zeros_around(value: object) -> None:
    """Raise for padding modes of operations whose padding is not filled with anything."""
    if padding_mode(value) != "constant":
        raise ValueError(
            f"padding_mode must be 'constant' here, got {value!r}: the padding of a transposed "
            "convolution is cut off its result"
        )


def activation(value: object) -> tuple[str | None, float]:
    """Return an activation's name, or None, and its slope below zero, which only one has."""
    if value is None:
        return None, 0.0
    if not isinstance(value, tuple):
        return choice(value, "activation", ACTIVATIONS), LEAKY_SLOPE
    if len(value) != 2 or value[0] != "leaky_relu":
        raise ValueError(
            f"activation must be {_either(ACTIVATIONS)} or ('leaky_relu', slope), got {show(value)}"
        )
    return "leaky_relu", number(value[1], "activation's slope")


def index_dtype(value: object, kind: str, kernel: tuple[int, ...]) -> np.dtype[Any]:
    """Check in which dtype pooling is to return indices of a kind."""
    try:
        wanted: np.dtype[Any] = np.dtype(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise TypeError(f"index_dtype must be int64 or uint8, got {show(value)}") from None
    if wanted not in (np.dtype(np.int64), np.dtype(np.uint8)):
        raise TypeError(f"index_dtype must be int64 or uint8, got {wanted}")
    if wanted == np.uint8 and kind != "window":
        raise ValueError(f"index_dtype uint8 needs indices='window', got indices={kind!r}")
    if wanted == np.uint8 and math.prod(kernel) > 256:
        raise ValueError(
            f"index_dtype uint8 counts the pixels of windows of at most 256, this one has "
            f"{show(math.prod(kernel))}"
        )
    return wanted
