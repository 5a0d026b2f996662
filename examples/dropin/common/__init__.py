"""A stand-in for the book's package of this name: plain NumPy, written anew in its style."""
