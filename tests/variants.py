"""Every way in which this machine can run an operation: tests iterate, never list by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import _native, geometry

ISAS: tuple[str, ...] = tuple(
    name for name, compiled, supported in _native.isas() if compiled and supported
)
ALGORITHMS: tuple[str, ...] = _native.conv_algorithms()


def _accepted_by() -> tuple[str, ...]:
    """The algorithms that accept a convolution which nothing but its generality commends."""
    odd = geometry.conv_geometry(
        2,
        (1, 10, 9, 11),
        (6, 5, 2, 3),
        stride=(3, 2),
        padding=((0, 1), (2, 0)),
        dilation=(1, 2),
        groups=2,
    )
    plans = [
        _native.conv_candidates(operation, odd, dtype, ("auto", "auto", 1, "standard"))[0]
        for operation in ("forward", "input_grad", "weight_grad")
        for dtype in ("float32", "float64")
    ]
    refused = {name for plan in plans for name, accepted, *_ in plan if not accepted}
    return tuple(name for name in ALGORITHMS if name not in refused)


# Those that run anything, and so may be forced on any geometry. The others have their own tests;
# in the general ones they run as "auto" wherever they are the first to accept.
GENERAL_ALGORITHMS: tuple[str, ...] = _accepted_by()
# Those for arrays whose channels come last have theirs in test_layouts.py.
CHANNELS_LAST_ALGORITHMS = tuple(name for name in ALGORITHMS if name.endswith("_last"))
SPECIAL_ALGORITHMS = tuple(
    name for name in ALGORITHMS if name not in (*GENERAL_ALGORITHMS, *CHANNELS_LAST_ALGORITHMS)
)

# Arguments for convolutions, and for the operations that have one algorithm only. "auto" is held to
# direct summation, which is exact where the general tests expect it.
CONV_VARIANTS: tuple[dict[str, Any], ...] = tuple(
    {"algorithm": algorithm, "isa": isa} | ({"precision": "strict"} if algorithm == "auto" else {})
    for algorithm in (("auto",) if SPECIAL_ALGORITHMS else ()) + GENERAL_ALGORITHMS
    for isa in ISAS
)
# The plain loops of "reference" use no kernels: one ISA will do where sizes make them slow.
FAST_VARIANTS = tuple(variant for variant in CONV_VARIANTS if variant["algorithm"] != "reference")
ISA_VARIANTS: tuple[dict[str, Any], ...] = tuple({"isa": isa} for isa in ISAS)


def aligned_bytes(size: int) -> np.ndarray:
    """Memory for a prepared weight: at a multiple of 64."""
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size]


def name(variant: dict[str, Any]) -> str:
    """For test ids and messages: "direct/avx2"."""
    return "/".join(str(value) for value in variant.values())
