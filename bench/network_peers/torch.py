"""PyTorch eager: the functions that its modules call, in the same order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Network:
    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        self.versions = {"torch": torch.__version__}

    def load(self, graph: dict, arrays: dict[str, np.ndarray], training: bool) -> None:
        self.training, self.optimiser = training, None
        self.output = graph["output"]
        tensors = {key: self.torch.from_numpy(value) for key, value in arrays.items()}
        if training:
            for key, value in tensors.items():
                value.requires_grad_(key.endswith(("weight", "bias")))
        self.parameters = [value for value in tensors.values() if value.requires_grad]
        self.steps = []
        for node in graph["nodes"]:
            mine = lambda key, node=node: tensors.get(f"{node['output']}.{key}")  # noqa: E731
            function = getattr(self, "_" + node["op"].lower())(node, mine)
            self.steps.append((function, node["inputs"], node["output"]))
        # When a value has been read for the last time, it goes, as in a module's forward.
        last = {value: i for i, (_, inputs, _) in enumerate(self.steps) for value in inputs}
        self.dead = [
            [value for value in set(inputs) if last[value] == i and value != self.output]
            for i, (_, inputs, _) in enumerate(self.steps)
        ]

    def forward(self, x: np.ndarray) -> np.ndarray:
        with self.torch.inference_mode():
            return self._run(self.torch.from_numpy(x)).numpy()

    def step(self, x: np.ndarray, labels: np.ndarray) -> float:
        for parameter in self.parameters:
            parameter.grad = None
        logits = self._run(self.torch.from_numpy(x))
        loss = self.torch.nn.functional.cross_entropy(logits, self.torch.from_numpy(labels))
        loss.backward()
        if self.optimiser is not None:
            self.optimiser.step()
        return float(loss.detach())

    def train_with_adam(self) -> None:
        self.optimiser = self.torch.optim.Adam(self.parameters)

    def _run(self, x: Any) -> Any:
        values = {0: x}
        for (function, inputs, output), dead in zip(self.steps, self.dead, strict=True):
            values[output] = function(*[values[i] for i in inputs])
            for value in dead:
                del values[value]
        return values[self.output]

    def _convolution(self, node: dict, mine: Callable) -> Callable:
        conv2d, weight, bias = self.torch.conv2d, mine("weight"), mine("bias")
        settings = node["stride"], node["padding"], node["dilation"], node["groups"]
        return lambda x: conv2d(x, weight, bias, *settings)

    def _fullyconnected(self, node: dict, mine: Callable) -> Callable:
        linear, weight, bias = self.torch.nn.functional.linear, mine("weight"), mine("bias")
        return lambda x: linear(x, weight, bias)

    def _affine(self, node: dict, mine: Callable) -> Callable:
        batch_norm, training = self.torch.nn.functional.batch_norm, self.training
        statistics = mine("running_mean"), mine("running_var")
        weights = mine("weight"), mine("bias")
        return lambda x: batch_norm(x, *statistics, *weights, training, 0.1, node["eps"])

    def _elementwise(self, node: dict, mine: Callable) -> Callable:
        functions = self.torch.nn.functional
        in_place = {"relu": functions.relu_, "relu6": lambda x: functions.hardtanh_(x, 0.0, 6.0)}
        out_of_place = {"relu": functions.relu, "relu6": functions.relu6}
        return (out_of_place if self.training else in_place)[node["function"]]

    def _maxpool(self, node: dict, mine: Callable) -> Callable:
        pool = self.torch.nn.functional.max_pool2d
        settings = node["kernel"], node["stride"], node["padding"], node["dilation"], node["ceil"]
        return lambda x: pool(x, *settings)

    def _averagepool(self, node: dict, mine: Callable) -> Callable:
        pool = self.torch.nn.functional.avg_pool2d
        return lambda x: pool(x, node["kernel"])

    def _adaptiveaveragepool(self, node: dict, mine: Callable) -> Callable:
        pool = self.torch.nn.functional.adaptive_avg_pool2d
        return lambda x: pool(x, node["size"])

    def _flat(self, node: dict, mine: Callable) -> Callable:
        return lambda x: self.torch.flatten(x, 1)

    def _add(self, node: dict, mine: Callable) -> Callable:
        return lambda x, y: x + y

    def _join(self, node: dict, mine: Callable) -> Callable:
        return lambda *parts: self.torch.cat(parts, 1)

    def _nothing(self, node: dict, mine: Callable) -> Callable:
        dropout, training = self.torch.nn.functional.dropout, self.training
        return lambda x: dropout(x, node["p"], training)
