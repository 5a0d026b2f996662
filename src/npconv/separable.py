"""What both definitions of the separable convolution check."""

from __future__ import annotations

from npconv import checks
from npconv.checks import Array


def both_weights(images: Array, depthwise: object, pointwise: object) -> tuple[Array, Array]:
    """Return (C·M, 1, R, S) and (K, C·M, 1, 1) filters."""
    first, second = checks.array(depthwise, "depthwise"), checks.array(pointwise, "pointwise")
    checks.rank(first, "depthwise", (4,), "(C·M, 1, R, S)")
    checks.rank(second, "pointwise", (2, 4), "(K, C·M) or (K, C·M, 1, 1)")
    channels = images.shape[1]
    if first.shape[1] != 1:
        raise ValueError(
            f"depthwise has shape {first.shape}: its second axis must be 1, as every filter sees "
            "one channel"
        )
    if channels == 0 or len(first) % channels:
        raise ValueError(
            f"depthwise has {len(first)} filters, expected a multiple of x's {channels} channels"
        )
    if second.shape[1] != len(first) or second.shape[2:] not in ((), (1, 1)):
        raise ValueError(
            f"pointwise has shape {second.shape}, expected (K, {len(first)}) or "
            f"(K, {len(first)}, 1, 1), as depthwise has {len(first)} filters"
        )
    return first, second.reshape(*second.shape[:2], 1, 1)


def four_flags(needs: object) -> list[bool]:
    """Check which of the four gradients are needed."""
    if not isinstance(needs, (tuple, list)) or len(needs) != 4:
        raise ValueError(
            f"needs must be four bools (dx, ddepthwise, dpointwise, dbias), got "
            f"{checks.show(needs)}"
        )
    return [checks.flag(item, "needs") for item in needs]
