"""The time that some of a program's functions take."""

import time


class Clock:
    """Adds up the seconds spent in the functions that it has wrapped."""

    def __init__(self):
        self.seconds = 0.0

    def timed(self, function):
        """Return the function, timed."""

        def call(*args, **kwargs):
            start = time.perf_counter()
            result = function(*args, **kwargs)
            self.seconds += time.perf_counter() - start
            return result

        return call

    def watch(self, owner, *names):
        """Replace attributes of an object by themselves, timed."""
        for name in names:
            setattr(owner, name, self.timed(getattr(owner, name)))
