"""A contender as the driver sees it: a process that is stopped whenever it is not its turn."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import channel
from operation_rows import Row
from peers import SkipError
from workload import Case

HERE = Path(__file__).parent
# Whatever the caller's shell says about threads or instruction sets must not leak into a result.
FOREIGN = ("OMP_", "GOMP_", "KMP_", "MKL_", "ONEDNN_", "DNNL_", "OPENBLAS_", "ATEN_", "NPCONV_")


class ContenderError(Exception):
    """The contender raised or died; the message has its traceback."""


@dataclass(frozen=True)
class Spec:
    """`name` or `name:option=value:option=value`, the name being a module in peers/."""

    text: str
    peer: str
    options: tuple[tuple[str, str], ...]
    folder: str = "peers"  # or another one with such modules

    @classmethod
    def parse(cls, text: str, folder: str = "peers") -> Spec:
        peer, *pairs = text.split(":")
        if not (HERE / folder / f"{peer}.py").exists():
            known = sorted(p.stem for p in (HERE / folder).glob("[!_]*.py"))
            raise ValueError(f"no contender {peer!r}; there are {', '.join(known)}")
        options = dict(importlib.import_module(f"{folder}.{peer}").OPTIONS)
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if key not in options or not equals:
                raise ValueError(f"{peer} has no option {pair!r}; it has {', '.join(options)}")
            options[key] = value
        return cls(text, peer, tuple(options.items()), folder)

    @property
    def role(self) -> str:
        return importlib.import_module(self.module).ROLE

    @property
    def module(self) -> str:
        return f"{self.folder}.{self.peer}"


class Contender:
    def __init__(self, spec: Spec, python: str, threads: int, isa: str) -> None:
        self.spec, self.python, self.threads, self.isa = spec, python, threads, isa
        module = importlib.import_module(spec.module)
        self.environment = {
            **{f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS")},
            **module.environment(threads, isa, dict(spec.options)),
        }
        self.versions: dict[str, str] = {}
        self.start()

    def start(self) -> None:
        """Raise SkipError when the library is missing or the settings make no sense for it."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        from_driver, to_worker = os.pipe()
        from_worker, to_driver = os.pipe()
        settings = {
            "module": self.spec.module,
            "threads": self.threads,
            "isa": self.isa,
            "options": dict(self.spec.options),
        }
        self.process = subprocess.Popen(
            [
                self.python,
                str(HERE / "worker.py"),
                str(from_driver),
                str(to_driver),
                json.dumps(settings),
            ],
            env={**inherited, **self.environment},
            pass_fds=(from_driver, to_driver),
            stdout=sys.stderr,
            start_new_session=True,  # Ctrl-C is the driver's to handle
        )
        os.close(from_driver)
        os.close(to_driver)
        self._commands, self._replies = os.fdopen(to_worker, "wb"), os.fdopen(from_worker, "rb")
        try:
            self.versions = self._reply()[0]["versions"]
        except BaseException:
            self.close()
            raise
        self._stop()

    def bind(self, case: Case | Row, arrays: dict[str, np.ndarray]) -> tuple[dict, dict]:
        """Plan and estimate of the case's call, and its outputs."""
        return self._request({"command": "bind", "case": case.to_json()}, arrays)

    def burst(self, seconds: float) -> list[float]:
        return self._request({"command": "burst", "seconds": seconds})[0]["samples"]

    def release(self) -> None:
        self._request({"command": "release"})

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self._commands, self._replies):
            with contextlib.suppress(BrokenPipeError):  # a command that was never read
                stream.close()

    def _request(self, message: dict, arrays: dict | None = None) -> tuple[dict, dict]:
        """SIGCONT, command, reply, SIGSTOP: one runs at a time, and no spinning thread goes on."""
        try:
            self.process.send_signal(signal.SIGCONT)
            channel.send(self._commands, message, arrays)
            return self._reply()
        except (BrokenPipeError, EOFError):
            status = self.process.wait()
            raise ContenderError(f"{self.spec.text} ended with status {status}") from None
        finally:
            self._stop()

    def _stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)  # nothing happens when it has ended

    def _reply(self) -> tuple[dict, dict]:
        reply, arrays = channel.receive(self._replies)
        if "skip" in reply:
            raise SkipError(reply["skip"])
        if "error" in reply:
            raise ContenderError(f"{self.spec.text}: {reply['error']}")
        return reply, arrays
