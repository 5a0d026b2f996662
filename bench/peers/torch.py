"""PyTorch on the CPU. Arrays become tensors (without a copy) before the timing starts."""

from __future__ import annotations

from typing import Any

import numpy as np

from peers import Call, SkipError
from workload import Case

ROLE = "peer"
OPTIONS: dict[str, str] = {}

# What oneDNN, MKL and ATen's own kernels are each told to stay within.
LIMITS = {
    "avx2": ("AVX2", "AVX2", "avx2"),
    "plain": ("SSE41", "SSE4_2", "default"),
}
PAD_MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def environment(threads: int, isa: str, options: dict[str, str]) -> dict[str, str]:
    if isa not in LIMITS:
        return {}
    onednn, mkl, aten = LIMITS[isa]
    return {
        "ONEDNN_MAX_CPU_ISA": onednn,
        "MKL_ENABLE_INSTRUCTIONS": mkl,
        "ATEN_CPU_CAPABILITY": aten,
    }


class Contender:
    def __init__(self, threads: int, isa: str, options: dict[str, str]) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        self.mode = torch.inference_mode()
        self.mode.__enter__()  # for the life of the process
        self.versions = {
            "torch": torch.__version__,
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        }
        self.names: list[str] = []

    def bind(self, case: Case, arrays: dict[str, np.ndarray]) -> Call:
        tensors = {name: self.torch.from_numpy(array) for name, array in arrays.items()}
        if case.channels_last:
            last = self.torch.channels_last
            tensors = {
                k: v.contiguous(memory_format=last) if k in ("x", "grad") else v
                for k, v in tensors.items()
            }
        self.names = ["y"]
        make = {"conv": self._conv, "pool": self._pool, "pad": self._pad}[case.layer.kind]
        return make(case, tensors)

    def _conv(self, case: Case, tensors: dict[str, Any]) -> Call:
        layer = case.layer
        stride, padding, dilation = ([v] * 2 for v in (layer.stride, layer.padding, layer.dilation))
        if case.operation == "forward":
            conv2d = self.torch.conv2d
            x, weight, bias = tensors["x"], tensors["weight"], tensors.get("bias")
            return lambda: conv2d(x, weight, bias, stride, padding, dilation, layer.groups)
        needs = [case.operation != name for name in ("weight_grad", "input_grad")]
        needs.append(case.operation == "backward")
        self.names = [n for n, need in zip(("dx", "dweight", "dbias"), needs, strict=True) if need]
        backward = self.torch.ops.aten.convolution_backward.default
        grad = tensors["grad"]
        # Of the operand that a lone gradient does not need only the shape is looked at.
        x = tensors.get("x", self.torch.empty(case.x_shape, dtype=grad.dtype))
        weight = tensors.get("weight", self.torch.empty(case.weight_shape, dtype=grad.dtype))
        bias_sizes = [layer.out_channels]
        geometry = (stride, padding, dilation, False, [0, 0], layer.groups)
        return lambda: backward(grad, x, weight, bias_sizes, *geometry, needs)

    def _pool(self, case: Case, tensors: dict[str, Any]) -> Call:
        layer, x = case.layer, tensors.get("x")
        kernel = list(layer.kernel)
        stride, padding, dilation = ([v] * 2 for v in (layer.stride, layer.padding, layer.dilation))
        window = (kernel, stride, padding, dilation, False)
        if case.operation.startswith("avg"):
            if layer.dilation != 1:
                raise SkipError("PyTorch has no dilated average-pooling")
            mean = (kernel, stride, padding, False, True, None)
            if case.operation == "avg_pool":
                avg_pool2d = self.torch.nn.functional.avg_pool2d
                return lambda: avg_pool2d(x, *mean)
            self.names = ["dx"]
            grad, like = (
                tensors["grad"],
                self.torch.empty(case.x_shape, dtype=tensors["grad"].dtype),
            )
            spread = self.torch.ops.aten.avg_pool2d_backward.default
            return lambda: spread(grad, like, *mean)
        if case.operation == "max_pool":
            max_pool2d = self.torch.max_pool2d
            return lambda: max_pool2d(x, *window)
        with_indices = self.torch.ops.aten.max_pool2d_with_indices.default
        if case.operation == "max_pool_indices":
            self.names = ["y", "indices"]
            return lambda: with_indices(x, *window)
        self.names = ["dx"]
        grad, indices = tensors["grad"], with_indices(x, *window)[1]
        backward = self.torch.ops.aten.max_pool2d_with_indices_backward.default
        return lambda: backward(grad, x, *window, indices)

    def _pad(self, case: Case, tensors: dict[str, Any]) -> Call:
        layer, x = case.layer, tensors["x"]
        pad = self.torch.nn.functional.pad
        widths = [layer.padding] * 4
        if layer.mode == "constant":
            return lambda: pad(x, widths)
        if layer.mode not in PAD_MODES:
            raise SkipError(f"PyTorch has no padding mode {layer.mode}")
        mode = PAD_MODES[layer.mode]
        return lambda: pad(x, widths, mode)

    def outputs(self, result: Any) -> dict[str, np.ndarray]:
        values = result if isinstance(result, (tuple, list)) else (result,)
        given = [value for value in values if value is not None]
        return {name: v.numpy() for name, v in zip(self.names, given, strict=True)}

    def plan(self) -> dict | None:
        return None
