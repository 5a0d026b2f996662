"""Runs pieces of Python in processes of their own, which may hang or crash without harm."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).parent


def run_python(
    code: str, *, timeout: float = 60, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the code with this interpreter, in tests/, with the environment's changes.

    Longer than the timeout (seconds) is a hang, and fails the test.
    """
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=HERE,
        env=clean_environment(**environment),
        check=False,
    )


def clean_environment(**changes: str) -> dict[str, str]:
    """This process's environment without npconv's own variables."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("NPCONV_")}
    return {**kept, **changes}


def assert_succeeds(result: subprocess.CompletedProcess[str]) -> None:
    last_lines = "\n".join(result.stdout.splitlines()[-5:])
    assert result.returncode == 0, f"exit {result.returncode}\n{last_lines}\n{result.stderr}"
