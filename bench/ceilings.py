#!/usr/bin/env python3
"""What the machine can do at best, measured beside every result: FMA peak and memcpy bandwidth.

Run as a program it prints the ceilings of every instruction set; as a module it gives `Ceilings`,
which `run` samples before, during and after a run, so that a busy neighbour shows in the result.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SOURCE = Path(__file__).with_name("ceilings.c")
# Contraction is what makes the plain loop an FMA loop where the baseline has FMA (Arm).
FLAGS = ["-O2", "-std=c11", "-ffp-contract=fast", "-pthread"]


def fma_block(isa: str, dtype: str) -> Callable[[], float]:
    """Load the C program as a library: a call runs one block of FMAs and gives its operations."""
    with tempfile.TemporaryDirectory(prefix="npconv-bench-") as folder:
        library = Path(folder) / "ceilings.so"
        compiler = shlex.split(os.environ.get("CC", "cc"))
        flags = [*FLAGS, "-shared", "-fPIC"]
        subprocess.run([*compiler, *flags, str(SOURCE), "-o", str(library)], check=True)
        function = ctypes.CDLL(str(library)).ceilings_fma_block
    function.argtypes, function.restype = [ctypes.c_char_p, ctypes.c_char_p], ctypes.c_double
    if not function(isa.encode(), dtype.encode()):
        raise ValueError(f"no FMA loop for {isa} and {dtype} on this machine")
    return lambda: float(function(isa.encode(), dtype.encode()))


class Ceilings:
    """Compiles the C program once; every sample is kept with the time it was taken."""

    def __init__(self, seconds: float = 0.2) -> None:
        self.seconds = seconds
        self.samples: list[dict] = []
        self._folder = tempfile.TemporaryDirectory(prefix="npconv-bench-")
        self._program = Path(self._folder.name) / "ceilings"
        self._begin = time.monotonic()
        compiler = shlex.split(os.environ.get("CC", "cc"))
        subprocess.run([*compiler, *FLAGS, str(SOURCE), "-o", str(self._program)], check=True)
        self.isas = self._output("list").split()

    def _output(self, *arguments: object) -> str:
        command = [str(self._program), *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def _sample(self, entry: dict, *arguments: object) -> None:
        best, median = map(float, self._output(*arguments, self.seconds).split())
        when = round(time.monotonic() - self._begin, 1)
        self.samples.append({**entry, "best": best, "median": median, "at_second": when})

    def sample_fma(self, isa: str, dtype: str, threads: int) -> None:
        entry = {"kind": "fma", "isa": isa, "dtype": dtype, "threads": threads, "unit": "GFLOP/s"}
        self._sample(entry, "fma", isa, dtype, threads)

    def sample_memcpy(self, threads: int) -> None:
        self._sample({"kind": "memcpy", "threads": threads, "unit": "GB/s"}, "memcpy", threads)

    def fma_peak(self, isa: str, dtype: str, threads: int) -> float | None:
        """Best GFLOP/s of all samples so far."""
        return self._best(kind="fma", isa=isa, dtype=dtype, threads=threads)

    def memcpy_peak(self, threads: int) -> float | None:
        """Best GB/s, read plus write, of all samples so far."""
        return self._best(kind="memcpy", threads=threads)

    def _best(self, **wanted: object) -> float | None:
        found = [s["best"] for s in self.samples if all(s[k] == v for k, v in wanted.items())]
        return max(found, default=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--seconds", type=float, default=0.5, help="time of one measurement")
    arguments = parser.parse_args()
    ceilings = Ceilings(arguments.seconds)
    for threads in sorted(set(arguments.threads)):
        for isa in ceilings.isas:
            for dtype in ("float32", "float64"):
                ceilings.sample_fma(isa, dtype, threads)
        ceilings.sample_memcpy(threads)
    for sample in ceilings.samples:
        name = " ".join(sample[key] for key in ("kind", "isa", "dtype") if key in sample)
        print(
            f"{name:20} {sample['threads']} thread{'s' if sample['threads'] > 1 else ' '} "
            f"best {sample['best']:8.1f}  median {sample['median']:8.1f} {sample['unit']}"
        )


if __name__ == "__main__":
    main()
