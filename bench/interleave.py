"""Timing by turns: short bursts round-robin, so that a change of clock speed meets everyone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from contender import Contender, ContenderError


@dataclass(frozen=True)
class Budget:
    seconds: float  # a case, all contenders together
    burst: float  # one turn of one contender
    rounds: int  # at least so many turns each, however long they take


@dataclass
class Timing:
    samples: list[float] = field(default_factory=list)
    round_minima: list[float] = field(default_factory=list)

    def to_json(self) -> dict:
        """Seconds; spread is the middle half of the samples relative to the median."""
        low, median, high = np.percentile(self.samples, (25, 50, 75))
        return {
            "min": min(self.samples),
            "median": float(median),
            "spread": float((high - low) / median),
            "samples": len(self.samples),
            "round_minima": [float(f"{value:.4g}") for value in self.round_minima],
        }


def interleave(contenders: list[Contender], budget: Budget) -> dict[str, Timing | ContenderError]:
    """By spec. A contender that fails is left out from then on; its value is the failure."""
    results: dict[str, Timing | ContenderError] = {c.spec.text: Timing() for c in contenders}
    begin, rounds, active = time.perf_counter(), 0, list(contenders)
    while active and (rounds < budget.rounds or time.perf_counter() - begin < budget.seconds):
        # Every round starts with another one, so that nobody always follows the same neighbour.
        first = rounds % len(active)
        for contender in active[first:] + active[:first]:
            timing = results[contender.spec.text]
            assert isinstance(timing, Timing)
            try:
                samples = contender.burst(budget.burst)
            except ContenderError as failure:
                results[contender.spec.text] = failure
                active.remove(contender)
                continue
            timing.samples += samples
            timing.round_minima.append(min(samples))
        rounds += 1
    return results
