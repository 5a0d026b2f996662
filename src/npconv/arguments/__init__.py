"""Checked arguments: what `npconv.functional` and `npconv.reference` have in common."""
