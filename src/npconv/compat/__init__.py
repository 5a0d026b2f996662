"""Adapters that give existing NumPy models npconv's operations.

One module a target, each imported by its own name (``import npconv.compat.book``), so that
npconv needs none of the targets' packages. ``docs/compat`` has a page for each.
"""
