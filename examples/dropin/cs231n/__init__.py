"""A stand-in for the course's package of this name: plain NumPy, written anew in its style."""
