"""The training flag, and what a forward pass keeps for the backward pass."""

from __future__ import annotations

from typing import Any, Self


class Mode:
    """Something that runs forward and backward, in training or in evaluation mode.

    Attributes
    ----------
    training : bool
        True at first. Only in training mode does ``forward`` keep what ``backward`` needs, so that
        evaluation holds no activations.
    """

    def __init__(self) -> None:
        self.training = True
        self._kept: tuple[Any, ...] | None = None

    def train(self, mode: bool = True) -> Self:
        """Switch to training mode (or, with ``mode=False``, to evaluation mode)."""
        self.training = mode
        if not mode:
            self._kept = None
        return self

    def eval(self) -> Self:
        """Switch to evaluation mode and let go of anything kept for ``backward``."""
        return self.train(False)

    def _keep(self, *values: Any) -> None:
        self._kept = values if self.training else None

    def _recall(self) -> tuple[Any, ...]:
        if self._kept is None:
            raise RuntimeError(
                f"{type(self).__name__}.backward needs a forward pass in training mode before it"
            )
        return self._kept
