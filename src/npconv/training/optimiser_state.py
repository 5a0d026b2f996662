"""An optimiser's state as a dictionary, whether or not it has a method for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from npconv.optim import Optimiser


def state(optimiser: Optimiser) -> Mapping[str, Any]:
    """Return everything that the optimiser remembers."""
    if hasattr(optimiser, "state_dict"):
        found: Mapping[str, Any] = optimiser.state_dict()
        return found
    return {name: _dictionary(value) for name, value in vars(optimiser).items()}


def restore(optimiser: Optimiser, saved: Mapping[str, Any]) -> None:
    """Put back what :func:`state` returned."""
    if hasattr(optimiser, "load_state_dict"):
        optimiser.load_state_dict(saved)
        return
    for name, value in saved.items():
        setattr(optimiser, name, _tuples(value))


def _dictionary(value: Any) -> Any:
    if isinstance(value, tuple):
        value = {str(i): part for i, part in enumerate(value)}
    if isinstance(value, Mapping):
        return {key: _dictionary(part) for key, part in value.items()}
    return value


def _tuples(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if value and all(key.isdigit() for key in value):
        return tuple(_tuples(value[key]) for key in sorted(value, key=int))
    return {key: _tuples(part) for key, part in value.items()}
