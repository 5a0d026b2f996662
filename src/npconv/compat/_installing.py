"""Names of other modules, replaced and put back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType, TracebackType
from typing import Any, Self


class Installed:
    """What an ``install`` has replaced; ``undo()`` or the end of a ``with`` block puts it back."""

    def __init__(self) -> None:
        self._before: list[tuple[dict[str, Any], str, Any]] = []

    def replace(self, module: ModuleType, names: Mapping[str, Any]) -> None:
        """Bind `names` in `module`, and wherever else a loaded module has taken them from it.

        A name that `module` does not have is left alone: there is nothing that would use it.
        """
        present = {name: new for name, new in names.items() if name in vars(module)}
        originals = {name: vars(module)[name] for name in present}
        for holder in [module, *_loaded_modules()]:
            namespace = vars(holder)
            for name, new in present.items():
                if namespace.get(name) is originals[name] is not new:
                    self.bind(namespace, name, new)

    def add_module(self, name: str, module: ModuleType) -> None:
        """Make `module` what ``import name`` finds."""
        self.bind(sys.modules, name, module)

    def undo(self) -> None:
        """Put everything back; a second call does nothing."""
        while self._before:
            namespace, name, value = self._before.pop()
            if value is _ABSENT:
                namespace.pop(name, None)
            else:
                namespace[name] = value

    def bind(self, namespace: dict[str, Any], name: str, value: Any) -> None:
        """Set one name."""
        self._before.append((namespace, name, namespace.get(name, _ABSENT)))
        namespace[name] = value

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.undo()


_ABSENT: Any = object()


def _loaded_modules() -> list[ModuleType]:
    return [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
