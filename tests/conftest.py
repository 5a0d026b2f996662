"""Hypothesis profiles and the fixtures that several test files share.

NPCONV_HYPOTHESIS_PROFILE chooses how long the generated tests search:

    dev    (the default) a few examples each, new ones every time
    ci     more examples, the same ones every time
    deep   many; for a night, or after a change to the plan
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_ALWAYS = {
    "deadline": None,  # a neighbour on a shared machine is not a bug
    "suppress_health_check": [HealthCheck.too_slow],
}

settings.register_profile("dev", max_examples=15, **_ALWAYS)
settings.register_profile("ci", max_examples=60, derandomize=True, **_ALWAYS)
settings.register_profile("deep", max_examples=2000, **_ALWAYS)
settings.load_profile(os.environ.get("NPCONV_HYPOTHESIS_PROFILE", "dev"))
