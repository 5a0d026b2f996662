"""Every way in which this machine can run an operation: tests iterate, never list by hand."""

from __future__ import annotations

from typing import Any

from npconv import _native

ISAS: tuple[str, ...] = tuple(
    name for name, compiled, supported in _native.isas() if compiled and supported
)
ALGORITHMS: tuple[str, ...] = _native.conv_algorithms()

# Arguments for convolutions, and for the operations that have one algorithm only.
CONV_VARIANTS: tuple[dict[str, Any], ...] = tuple(
    {"algorithm": algorithm, "isa": isa} for algorithm in ALGORITHMS for isa in ISAS
)
# The plain loops of "reference" use no kernels: one ISA will do where sizes make them slow.
FAST_VARIANTS = tuple(variant for variant in CONV_VARIANTS if variant["algorithm"] != "reference")
ISA_VARIANTS: tuple[dict[str, Any], ...] = tuple({"isa": isa} for isa in ISAS)


def name(variant: dict[str, Any]) -> str:
    """For test ids and messages: "direct/avx2"."""
    return "/".join(str(value) for value in variant.values())
