"""Where all generators of a training stand, and putting them back there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from npconv.layers import Layer


def states(rng: np.random.Generator, net: Layer) -> dict[str, Any]:
    """Return the state of `rng` and of every generator in a layer of `net`, as for JSON."""
    return {name: _plain(found.bit_generator.state) for name, found in _find(rng, net)}


def restore(saved: Mapping[str, Any], rng: np.random.Generator, net: Layer) -> None:
    """Put the generators back to what :func:`states` returned."""
    found = dict(_find(rng, net))
    if set(found) != set(saved):
        raise ValueError(
            f"the checkpoint has generators {sorted(saved)}, the trainer {sorted(found)}"
        )
    for name, generator in found.items():
        have, want = type(generator.bit_generator).__name__, saved[name]["bit_generator"]
        if have != want:
            raise ValueError(f"generator {name!r} is a {have}, the checkpoint's is a {want}")
    for name, generator in found.items():
        generator.bit_generator.state = saved[name]


def _find(rng: np.random.Generator, net: Layer) -> Iterator[tuple[str, np.random.Generator]]:
    """Each generator once, though layers may share it, named by where it is met first."""
    seen = {id(rng)}
    yield "trainer", rng
    for path, layer in _layers("", net):
        for name, value in vars(layer).items():
            if isinstance(value, np.random.Generator) and id(value) not in seen:
                seen.add(id(value))
                yield f"{path}{name}", value


def _layers(path: str, layer: Layer) -> Iterator[tuple[str, Layer]]:
    yield path, layer
    for name, part in getattr(layer, "layers", {}).items():
        yield from _layers(f"{path}{name}.", part)


def _plain(state: Any) -> Any:
    if isinstance(state, Mapping):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state
