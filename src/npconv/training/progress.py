"""The progress bar."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from npconv._extras import MissingExtraError, require


class Progress:
    """A tqdm bar that counts training steps and shows the loss and the test accuracy.

    Parameters
    ----------
    total, done : int
        Steps in all, and those made before.
    wanted : bool or None
        None means: if tqdm is installed.
    """

    def __init__(self, total: int, done: int, wanted: bool | None) -> None:
        self._bar: Any = None
        self._shown: dict[str, str] = {}
        if wanted is False:
            return
        try:
            tqdm = require("tqdm", "the progress bar").tqdm
        except MissingExtraError:
            if wanted:
                raise
            return
        # A line a tenth of a second suits a terminal, not a log file.
        pause = 0.1 if sys.stderr.isatty() else 10
        self._bar = tqdm(
            total=total, initial=done, unit="batch", desc="training", mininterval=pause
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, loss: float) -> None:
        """Count a step."""
        if self._bar is not None:
            self._shown["loss"] = f"{loss:.4f}"
            self._bar.set_postfix(self._shown, refresh=False)
            self._bar.update()

    def epoch(self, accuracy: float) -> None:
        """Show an epoch's test accuracy from now on."""
        self._shown["test accuracy"] = f"{accuracy:.4f}"
        if self._bar is not None:
            self._bar.set_postfix(self._shown)
