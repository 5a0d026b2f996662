"""torch.compile with its default backend, which needs a C++ compiler: the same functions, fused."""

from __future__ import annotations

import numpy as np

from network_peers.torch import Network as Eager


class Network(Eager):
    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.versions["mode"] = "torch.compile"

    def load(self, graph: dict, arrays: dict[str, np.ndarray], training: bool) -> None:
        super().load(graph, arrays, training)
        self._run = self.torch.compile(self._run)
