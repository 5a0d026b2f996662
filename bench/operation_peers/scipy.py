"""SciPy's filters: `scipy` sums with scipy.signal.convolve2d, `scipy:method=fft` transforms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from operation_rows import Row
from peers import Call, SkipError

ROLE, CASE = "peer", Row
OPTIONS = {"method": "direct"}
MOST_PRODUCTS = 2e8  # of a direct sum, which makes about 2e8 a second


def environment(threads: int, isa: str, options: dict[str, str]) -> dict[str, str]:
    return {}


class Contender:
    def __init__(self, threads: int, isa: str, options: dict[str, str]) -> None:
        import scipy
        import scipy.signal

        self.signal, self.method = scipy.signal, options["method"]
        self.versions = {"scipy": scipy.__version__}

    def bind(self, row: Row, arrays: dict[str, np.ndarray]) -> Call:
        if row.function != "convolve2d":
            raise SkipError("SciPy has filters of one channel only")
        x, kernel = arrays.values()
        if row.dtype.startswith("int"):
            x, kernel = x.astype(np.int64), kernel.astype(np.int64)  # sums as wide as npconv's
        mode = row.arguments[0]
        if self.method == "fft":
            if x.dtype.kind != "f":
                raise SkipError("transforms are not exact")
            return lambda: self.signal.fftconvolve(x, kernel, mode)
        if math.prod(x.shape) * math.prod(kernel.shape) > MOST_PRODUCTS:
            raise SkipError("takes seconds")
        return lambda: self.signal.convolve2d(x, kernel, mode)

    def outputs(self, result: Any) -> dict[str, np.ndarray]:
        return {"y": result}

    def plan(self) -> dict | None:
        return None
