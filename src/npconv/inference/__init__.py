"""Networks run for their output only: folded, with their memory planned.

``fuse`` and ``prepare`` of :class:`npconv.layers.Container` come here; there is no need to call
this package itself.
"""

from npconv.inference.session import Session, fused
from npconv.inference.summary import Row, Summary, summary

__all__ = ["Row", "Session", "Summary", "fused", "summary"]
