"""npconv itself. It makes the network; the others get it from here."""

from __future__ import annotations

from typing import Any

import numpy as np

import network_graph


class Network:
    def __init__(self, threads: int) -> None:
        import npconv

        npconv.set_num_threads(threads)
        info = npconv.cpu_info()
        self.versions = {"npconv": npconv.__version__, "isa": info["isa"]}

    def make(self, name: str) -> tuple[dict, dict[str, np.ndarray]]:
        from npconv import models
        from npconv.layers import SoftmaxCrossEntropy

        options: dict[str, Any] = {"aux_logits": False} if name.startswith("googlenet") else {}
        if name == "resnet9":  # as many as the command 'train' gives it
            options["filters"] = 16
        rng = np.random.default_rng(0)
        self.model = getattr(models, name)(rng=rng, **options)
        self.loss, self.optimiser = SoftmaxCrossEntropy(), None
        for key, value in self.model.state_dict().items():  # lively ones, as after training
            if key.endswith("running_mean"):
                value[...] = 0.1 * rng.standard_normal(value.shape)
            elif key.endswith("running_var"):
                value[...] = rng.uniform(0.5, 1.5, value.shape)
        return network_graph.describe(self.model)

    def load(self, graph: dict, arrays: dict[str, np.ndarray], training: bool) -> None:
        self.model.train(training)

    def prepare(self, shape: tuple[int, ...]) -> None:
        self.model.prepare(shape)

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self.model.forward(x)

    def step(self, x: np.ndarray, labels: np.ndarray) -> float:
        value = self.loss.forward(self.model.forward(x), labels)
        self.model.backward_params(self.loss.backward())
        if self.optimiser is not None:
            self.optimiser.update(self.model.params, self.model.grads)
        return value

    def train_with_adam(self) -> None:
        from npconv.optim import Adam

        self.optimiser = Adam()
