"""One library with one network in a process of its own; `networks` starts it and sends commands."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

import channel


def memory(field: str) -> int:
    """Bytes of VmRSS or VmHWM, the most that it has been."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


class Worker:
    def __init__(self, peer: str, threads: int) -> None:
        self.network = importlib.import_module(f"network_peers.{peer}").Network(threads)
        self.x: Any = None
        self.labels: Any = None

    def make(self, message: dict, arrays: dict) -> tuple[dict, dict]:
        graph, weights = self.network.make(message["network"])
        return {"graph": graph}, weights

    def load(self, message: dict, arrays: dict) -> tuple[dict, dict]:
        """Take the network, run it once, and answer with what comes out."""
        shape = message["shape"]
        rng = np.random.default_rng(1)
        self.x = rng.standard_normal(shape, dtype=np.float32)
        self.labels = rng.integers(0, message["classes"], shape[0])
        before = memory("VmRSS")
        self.network.load(message["graph"], arrays, message["training"])
        if message["adam"]:
            self.network.train_with_adam()
        if message["training"]:
            result = np.array(self.network.step(self.x, self.labels))
            self.call = lambda: self.network.step(self.x, self.labels)
        else:
            if message["prepared"] and hasattr(self.network, "prepare"):
                self.network.prepare(tuple(shape))
            result = self.network.forward(self.x)
            self.call = lambda: self.network.forward(self.x)
        return {"before": before}, {"result": result}

    def burst(self, message: dict, arrays: dict) -> tuple[dict, dict]:
        samples, deadline = [], time.perf_counter() + message["seconds"]
        while not samples or time.perf_counter() < deadline:
            begin = time.perf_counter()
            self.call()
            samples.append(time.perf_counter() - begin)
        return {"samples": samples, "peak": memory("VmHWM")}, {}


def main() -> None:
    reading, writing = os.fdopen(int(sys.argv[1]), "rb"), os.fdopen(int(sys.argv[2]), "wb")
    try:
        worker = Worker(sys.argv[3], int(sys.argv[4]))
    except ImportError as error:
        channel.send(writing, {"error": f"{error}"})
        return
    channel.send(writing, {"versions": worker.network.versions})
    gc.disable()
    while True:
        try:
            message, arrays = channel.receive(reading)
        except EOFError:
            return
        try:
            reply, results = getattr(worker, message["command"])(message, arrays)
        except Exception:
            reply, results = {"error": traceback.format_exc(limit=-3)}, {}
        channel.send(writing, reply, results)


main()
