"""One module per contender. Each has

ROLE                 "subject" (npconv), "peer" (ratios are to the best of these) or "baseline"
OPTIONS              names and defaults of the options of its spec, e.g. onnxruntime:spinning=off
environment(threads, isa, options)  variables that must be set before its process starts
Contender            made in its own process; imports its library when made, not before

`run` starts `worker.py` with the contender's own Python, so a module may import at its top only the
standard library, NumPy, and `workload`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from workload import Case

Call = Callable[[], Any]


class SkipError(Exception):
    """The contender cannot do this, or need not; the message says why."""


class ContenderProtocol(Protocol):
    versions: dict[str, str]

    def __init__(self, threads: int, isa: str, options: dict[str, str]) -> None:
        """ImportError: the library is missing. SkipError: the settings make no sense for it."""

    def bind(self, case: Case, arrays: dict[str, np.ndarray]) -> Call:
        """The call to time: no arguments, a fresh output every time. SkipError if it can't."""

    def outputs(self, result: Any) -> dict[str, np.ndarray]:
        """The arrays of one call's result, by the names that `oracle.expected` uses."""

    def plan(self) -> dict | None:
        """What the last call chose (algorithm, ISA), where the library tells."""
