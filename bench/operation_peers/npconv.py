"""npconv: the row's function, called as the row says."""

from __future__ import annotations

from typing import Any

import numpy as np

from operation_rows import Row
from peers import Call
from peers.npconv import environment

__all__ = ["CASE", "OPTIONS", "ROLE", "Contender", "environment"]

ROLE, CASE = "subject", Row
OPTIONS = {"recycle": "off"}


class Contender:
    def __init__(self, threads: int, isa: str, options: dict[str, str]) -> None:
        import npconv

        self.npconv = npconv
        self.isa = {"isa": isa} if isa else {}
        self.versions = {"npconv": npconv.__version__, "numpy": np.__version__}

    def bind(self, row: Row, arrays: dict[str, np.ndarray]) -> Call:
        operands: list[Any] = list(arrays.values())
        if row.dtype == "bfloat16":
            import ml_dtypes

            operands = [array.astype(ml_dtypes.bfloat16) for array in operands]
        elif row.dtype == "float16":
            operands = [array.astype(np.float16) for array in operands]
        arguments, options = row.arguments, {**row.options, **self.isa}
        if row.function == "conv2d_padded":
            options["padding_mode"] = options.pop("mode")
            options["padding"], arguments = arguments[0], ()
            function: Any = self.npconv.conv2d
        elif row.function == "separable_conv2d":
            options["padding"], arguments = arguments[0], ()
            function = self.npconv.separable_conv2d
        elif row.function == "max_unpool2d":
            function = self.npconv.max_unpool2d
            pooled = self.npconv.max_pool2d(operands[0], *arguments, return_indices=True)
            operands = list(pooled)
        else:
            function = getattr(self.npconv, row.function)
        if row.backward:
            return self._backward(row, function, operands, options)
        return lambda: function(*operands, *arguments, **options)

    def _backward(
        self, row: Row, function: Any, operands: list[Any], options: dict[str, Any]
    ) -> Call:
        backward = getattr(self.npconv, f"{row.function}_backward")
        arguments, given = row.arguments, operands
        if "max_pool" in row.function:
            y, indices = function(*operands, *arguments, **options, return_indices=True)
            given = [indices, operands[0].shape]
        else:
            y = function(*operands, *arguments, **options)
        if row.function.startswith("conv"):  # of x and the weight
            arguments, options = arguments[1:], {**options, "needs": (True, True, False)}
        elif row.function == "max_unpool2d":
            given = operands[1:]
        elif "avg_pool" in row.function:
            given = [operands[0].shape]
        if row.function.startswith("adaptive"):
            arguments = ()
        return lambda: backward(y, *given, *arguments, **options)

    def outputs(self, result: Any) -> dict[str, np.ndarray]:
        if isinstance(result, tuple):  # gradients
            result = np.concatenate([grad.ravel() for grad in result if grad is not None])
        return {"y": result.astype(np.float32) if result.dtype.itemsize == 2 else result}

    def plan(self) -> dict | None:
        plan = self.npconv.last_plan()
        return None if plan is None else dict(plan)
