"""A contender's own process: binds cases, answers with outputs, and times bursts of calls.

Started by `contender.py`, which sends the commands; not meant to be run by hand.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import platform
import signal
import sys
import time
import traceback
from itertools import repeat

import channel
from peers import Call, SkipError
from workload import Case

SAMPLE_SECONDS = 50e-6  # calls shorter than this are timed several at once
WARM_UP_SECONDS = 2e-3
COLD_CACHE_IS_NOTHING = 20e-3  # to a call as long as this; it needs no warming up


def die_with_parent() -> None:
    """A stopped process would otherwise outlive a driver that was killed."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Worker:
    def __init__(self, module: str, threads: int, isa: str, options: dict[str, str]) -> None:
        found = importlib.import_module(module)
        self.case_type = getattr(found, "CASE", Case)
        self.contender = found.Contender(threads, isa, options)
        self.call: Call | None = None
        self.estimate = 0.0

    def bind(self, message: dict, arrays: dict) -> tuple[dict, dict]:
        """Outputs of the first call, and about how long a later one takes."""
        self.release()
        self.call = self.contender.bind(self.case_type.from_json(message["case"]), arrays)
        outputs = self.contender.outputs(self.call())
        plan = self.contender.plan()
        begin = time.perf_counter()
        self.call()
        self.estimate = time.perf_counter() - begin
        return {"plan": plan, "estimate": self.estimate}, outputs

    def burst(self, seconds: float) -> list[float]:
        """Seconds per call, one figure a sample. A call's time includes freeing its result."""
        call, clock = self.call, time.perf_counter
        assert call is not None
        if self.estimate < COLD_CACHE_IS_NOTHING:
            deadline = clock() + WARM_UP_SECONDS
            while True:
                begin = clock()
                call()
                end = clock()
                self.estimate = min(self.estimate, end - begin)
                if end >= deadline:
                    break
        count = max(1, int(SAMPLE_SECONDS / self.estimate))
        samples = []
        deadline = clock() + seconds
        while True:
            begin = clock()
            for _ in repeat(None, count):
                call()
            end = clock()
            samples.append((end - begin) / count)
            if end >= deadline:
                return samples

    def release(self) -> None:
        self.call = None
        gc.collect()


def main() -> None:
    die_with_parent()
    commands, replies = os.fdopen(int(sys.argv[1]), "rb"), os.fdopen(int(sys.argv[2]), "wb")
    try:
        worker = Worker(**json.loads(sys.argv[3]))
    except (ImportError, SkipError) as reason:
        channel.send(replies, {"skip": str(reason)})
        return
    versions = {"python": platform.python_version(), **worker.contender.versions}
    channel.send(replies, {"versions": versions})
    gc.disable()
    while True:
        try:
            message, arrays = channel.receive(commands)
        except EOFError:
            return
        try:
            reply, outputs = {}, {}
            if message["command"] == "bind":
                reply, outputs = worker.bind(message, arrays)
            elif message["command"] == "burst":
                reply = {"samples": worker.burst(message["seconds"])}
            elif message["command"] == "release":
                worker.release()
        except SkipError as reason:
            reply = {"skip": str(reason)}
        except Exception:
            reply = {"error": traceback.format_exc()}
        del arrays
        channel.send(replies, reply, outputs)
        del outputs


if __name__ == "__main__":
    main()
