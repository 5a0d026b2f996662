"""Docstrings of operations that exist in one, two and three dimensions.

The two-dimensional one is written out; the others bring a first line and their examples.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])
_WORDS = {
    1: (
        ("(N, C, H, W) -> (N, C, OH, OW)", "(N, C, W) -> (N, C, OW)"),
        ("   (C, H, W) -> (C, OH, OW)", "   (C, W) -> (C, OW)"),
        ("H, W", "W"),
        ("OH, OW", "OW"),
        ("int or (int, int)", "int"),
        ("((top, bottom), (left, right))", "((left, right),)"),
        ("(int, int)", "(int,)"),
        ("NCHW", "NCW"),
        ("NHWC", "NWC"),
        ("The height and width", "The length"),
    ),
    3: (
        ("OH, OW", "OD, OH, OW"),
        (", H, W", ", D, H, W"),
        ("((top, bottom), (left, right))", "((front, back), (top, bottom), (left, right))"),
        ("(int, int)", "(int, int, int)"),
        ("(N, C, 2)", "(N, C, 3)"),
        ("for W, then H,", "for D, H, then W,"),
        ("NCHW", "NCDHW"),
        ("NHWC", "NDHWC"),
        ("The height and width", "The depth, height and width"),
        ("``row * W + column``", "``(slice * H + row) * W + column``"),
        ("``r * S + s``", "``(t * R + r) * S + s``"),
    ),
}


def like(function: Callable[..., Any], ndim: int) -> Callable[[_Function], _Function]:
    """Complete a docstring with the sections of the two-dimensional operation's."""
    name = function.__name__.replace("2d", "")

    def complete(definition: _Function) -> _Function:
        summary, example = inspect.cleandoc(definition.__doc__ or "").split("\n\n", 1)
        text = (inspect.getdoc(function) or "").split("\n\n", 1)[1]
        text = text[: text.index("Examples\n--------")]
        for old, new in _WORDS[ndim]:
            text = text.replace(old, new)
        text = text.replace(f"{name}2d", f"{name}{ndim}d")
        definition.__doc__ = f"{summary}\n\n{text}{example}"
        return definition

    return complete
