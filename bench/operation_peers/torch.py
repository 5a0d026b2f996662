"""PyTorch on the CPU: the function of torch.nn.functional that has the row's name."""

from __future__ import annotations

from typing import Any

import numpy as np

from operation_rows import Row
from peers import Call, SkipError
from peers.torch import PAD_MODES, environment

__all__ = ["CASE", "OPTIONS", "ROLE", "Contender", "environment"]

ROLE, CASE = "peer", Row
OPTIONS: dict[str, str] = {}


class Contender:
    def __init__(self, threads: int, isa: str, options: dict[str, str]) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.inference_mode().__enter__()  # for the life of the process
        self.versions = {"torch": torch.__version__}

    def bind(self, row: Row, arrays: dict[str, np.ndarray]) -> Call:
        if not row.backward:
            return self._forward(row, arrays)
        with self.torch.inference_mode(False), self.torch.enable_grad():
            return self._backward(row, arrays)

    def _backward(self, row: Row, arrays: dict[str, np.ndarray]) -> Call:
        """The gradients alone: the graph is kept."""
        torch = self.torch
        function = getattr(torch.nn.functional, row.function)
        operands: list[Any] = [torch.from_numpy(array) for array in arrays.values()]
        if row.function == "max_unpool2d":
            operands = list(
                torch.nn.functional.max_pool2d(*operands, *row.arguments, return_indices=True)
            )
        inputs = [tensor.requires_grad_() for tensor in operands if tensor.is_floating_point()]
        y = function(*operands, *row.arguments)
        grad = y.detach().clone()

        def call() -> Any:
            with torch.inference_mode(False):
                return torch.autograd.grad(y, inputs, grad, retain_graph=True)

        return call

    def _forward(self, row: Row, arrays: dict[str, np.ndarray]) -> Call:
        functional = self.torch.nn.functional
        operands = [self.torch.from_numpy(array) for array in arrays.values()]
        if row.dtype in ("int8", "int16"):
            raise SkipError("PyTorch's sums overflow in the dtype of the factors")
        if row.dtype in ("float16", "bfloat16"):
            operands = [tensor.to(getattr(self.torch, row.dtype)) for tensor in operands]
        if row.function == "conv2d_padded":
            return self._padded(row, operands)
        if row.function == "separable_conv2d":
            return self._separable(row, operands)
        if row.function == "max_unpool2d":
            operands = list(functional.max_pool2d(*operands, *row.arguments, return_indices=True))
        function = getattr(functional, row.function, None)
        if function is None:
            raise SkipError(f"PyTorch has no {row.function}")
        arguments = row.arguments

        def call() -> Any:
            return function(*operands, *arguments)

        try:
            call()
        except (RuntimeError, NotImplementedError) as reason:
            raise SkipError(str(reason).splitlines()[0]) from None
        return call

    def _padded(self, row: Row, operands: list[Any]) -> Call:
        functional = self.torch.nn.functional
        x, weight = operands
        widths, mode = [row.arguments[0]] * 4, PAD_MODES[row.options["mode"]]
        groups = row.options.get("groups", 1)
        return lambda: functional.conv2d(functional.pad(x, widths, mode), weight, groups=groups)

    def _separable(self, row: Row, operands: list[Any]) -> Call:
        conv2d = self.torch.nn.functional.conv2d
        x, depthwise, pointwise = operands
        padding, channels = row.arguments[0], x.shape[1]
        return lambda: conv2d(conv2d(x, depthwise, None, 1, padding, 1, channels), pointwise)

    def outputs(self, result: Any) -> dict[str, np.ndarray]:
        if isinstance(result, tuple):  # gradients
            result = self.torch.cat([grad.flatten() for grad in result])
        half = result.dtype in (self.torch.float16, self.torch.bfloat16)
        return {"y": (result.float() if half else result).numpy()}

    def plan(self) -> dict | None:
        return None
