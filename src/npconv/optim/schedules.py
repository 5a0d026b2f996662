"""Learning rates that change: functions from the step's number, 0, 1, ..., to its rate.

>>> from npconv.optim import schedules
>>> rate = schedules.warm_up(schedules.cosine(0.1, 100), 10)
>>> [round(rate(step), 4) for step in (0, 4, 9, 10, 60, 110, 200)]
[0.01, 0.05, 0.1, 0.1, 0.05, 0.0, 0.0]

Set ``optimiser.learning_rate = rate(step)`` before each update, or give the function to
:class:`npconv.training.Trainer`.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from npconv import checks
from npconv.arguments.elementwise import number

Schedule: TypeAlias = Callable[[int], float]


def constant(rate: float) -> Schedule:
    """Return a schedule that stays at `rate`."""
    checked = number(rate, "rate", 0)
    return lambda step: checked


def step(rate: float, every: int, factor: float = 0.1) -> Schedule:
    """Return a schedule that multiplies `rate` by `factor` after each `every` steps."""
    start, scale = number(rate, "rate", 0), number(factor, "factor", 0)
    length = checks.integer(every, "every", 1)
    return lambda step: start * scale ** (step // length)


def multi_step(rate: float, milestones: Sequence[int], factor: float = 0.1) -> Schedule:
    """Return a schedule that multiplies `rate` by `factor` at each step that `milestones` names."""
    start, scale = number(rate, "rate", 0), number(factor, "factor", 0)
    at = sorted([checks.integer(item, "milestones", 0) for item in milestones])
    return lambda step: start * scale ** bisect.bisect_right(at, step)


def exponential(rate: float, factor: float) -> Schedule:
    """Return a schedule that multiplies `rate` by `factor` after every step."""
    start, scale = number(rate, "rate", 0), number(factor, "factor", 0)
    return lambda step: float(start * scale**step)


def cosine(rate: float, steps: int, lowest: float = 0.0) -> Schedule:
    """Return a schedule that falls from `rate` to `lowest` in `steps` steps, along half a cosine.

    It stays there (Loshchilov and Hutter 2017, without restarts).
    """
    start, end = number(rate, "rate", 0), number(lowest, "lowest", 0)
    length = checks.integer(steps, "steps", 1)

    def at(step: int) -> float:
        turned = math.cos(math.pi * min(step, length) / length)
        return end + (start - end) * (1 + turned) / 2

    return at


def warm_up(schedule: Schedule, steps: int) -> Schedule:
    """Return `schedule` after `steps` steps in which the rate rises evenly to its first one.

    Step s = 0, 1, ... of those has ``(s + 1) / steps`` of it; the schedule's own steps are counted
    from their end.
    """
    length = checks.integer(steps, "steps", 0)

    def at(step: int) -> float:
        if step < length:
            return schedule(0) * (step + 1) / length
        return schedule(step - length)

    return at


def one_cycle(rate: float, steps: int, rise: int) -> Schedule:
    """Return a schedule that rises evenly to `rate` in `rise` of `steps` steps, then falls to zero.

    It falls along half a cosine (after Smith 2018; the momentum stays).
    """
    length = checks.integer(steps, "steps", 1)
    first = checks.integer(rise, "rise", 0)
    if first >= length:
        raise ValueError(f"rise is {first}, expected less than steps={length}")
    return warm_up(cosine(rate, length - first), first)
