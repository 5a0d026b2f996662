"""``python -m npconv demo``: train a small network on handwritten digits and look at it."""
