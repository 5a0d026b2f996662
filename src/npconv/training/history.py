"""What a training remembers of itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """The loss of every step, the test accuracy after every epoch, the seconds spent training."""

    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    seconds: float = 0.0
