"""Several layers' dictionaries seen as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

from npconv.checks import Array


class FlatView(MutableMapping[str, Array]):
    """The entries of ``parts[layer][name]`` under the keys ``"layer.name"``; writes go through."""

    def __init__(self, parts: Mapping[str, MutableMapping[str, Array]]) -> None:
        self._parts = parts

    def _find(self, key: str) -> tuple[MutableMapping[str, Array], str]:
        layer, dot, name = key.partition(".")
        if not dot or layer not in self._parts:
            raise KeyError(key)
        return self._parts[layer], name

    def __getitem__(self, key: str) -> Array:
        part, name = self._find(key)
        try:
            return part[name]
        except KeyError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Array) -> None:
        part, name = self._find(key)
        part[name] = value

    def __delitem__(self, key: str) -> None:
        part, name = self._find(key)
        del part[name]

    def __iter__(self) -> Iterator[str]:
        return (f"{layer}.{name}" for layer, part in self._parts.items() for name in part)

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts.values())

    def __repr__(self) -> str:
        return repr(dict(self))
