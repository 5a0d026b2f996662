"""Ctrl-C that waits for the end of a step."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import Any, Self


class Interrupt:
    """While entered, the first Ctrl-C only sets ``requested``; the second interrupts at once.

    A training step that is broken off leaves some parameters moved and others not. Signals belong
    to the main thread; in another, nothing is changed.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _note(self, *_: Any) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
