"""Packages that only part of npconv needs, and what to say where they are missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class MissingExtraError(ImportError):
    """An optional package is not installed."""


def require(
    module: str, purpose: str, package: str | None = None, extra: str = "demo"
) -> ModuleType:
    """Import an optional `module`, or say what needs it and how it is installed."""
    try:
        return import_module(module)
    except ImportError as error:
        name = package or module.partition(".")[0]
        raise MissingExtraError(
            f"{purpose} needs {name}, which cannot be imported ({error}): "
            f"pip install 'npconv[{extra}]'"
        ) from error
