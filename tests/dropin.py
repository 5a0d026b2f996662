"""What the tests of npconv.compat share: the examples' stand-ins, and a count of C calls."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from npconv import _native

EXAMPLES = Path(__file__).parents[1] / "examples" / "dropin"


@contextmanager
def example(*names: str) -> Iterator[list[ModuleType]]:
    """Import modules of examples/dropin, and forget them (and what they import there) again."""
    loaded = set(sys.modules)
    sys.path.insert(0, str(EXAMPLES))
    try:
        yield [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(EXAMPLES))
        for name in set(sys.modules) - loaded:
            if str(EXAMPLES) in (getattr(sys.modules[name], "__file__", None) or ""):
                del sys.modules[name]


def core_calls(function: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
    """Return how often a call of the function calls npconv's C core."""
    before = _native.call_count()
    function(*args, **kwargs)
    return _native.call_count() - before
