"""What a result was measured on and with: machine, compiler, commit."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
# Of the many CPU flags, those that a kernel could be built for.
FEATURES = ("sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512", "amx", "asimd", "sve")


def describe() -> dict:
    info = _cpuinfo()
    flags = info.get("flags", info.get("Features", "")).split()
    return {
        "cpu": info.get("model name", platform.processor() or platform.machine()),
        "family_model_stepping": [info.get(k) for k in ("cpu family", "model", "stepping")],
        "features": sorted(f for f in flags if f.startswith(FEATURES)),
        "virtual": "hypervisor" in flags,
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "caches": _caches(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "huge_pages": _read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "system": platform.platform(),
        "compiler": _first_line([*shlex.split(os.environ.get("CC", "cc")), "--version"]),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load_average": list(os.getloadavg()),
    }


def commit() -> dict:
    """Of the tree that holds bench/; dirty when a tracked file differs from the commit."""
    changes = _output(["git", "status", "--porcelain", "--untracked-files=no"])
    return {
        "commit": _first_line(["git", "rev-parse", "HEAD"]),
        "dirty": None if changes is None else bool(changes.strip()),
    }


def command(name: str) -> list[str]:
    """How the script was called. Folders of this machine do not belong in a result."""
    return [name, *map(_without_folder, sys.argv[1:])]


def _without_folder(argument: str) -> str:
    option, equals, value = argument.rpartition("=")
    return option + equals + (os.path.basename(value) if os.path.isabs(value) else value)


def stolen_seconds() -> float | None:
    """CPU time that a hypervisor has given to others since boot, all cores together."""
    for line in (_read("/proc/stat") or "").splitlines():
        words = line.split()
        if words[0] == "cpu" and len(words) > 8:
            return int(words[8]) / os.sysconf("SC_CLK_TCK")
    return None


def _cpuinfo() -> dict[str, str]:
    info: dict[str, str] = {}
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        info.setdefault(key.strip(), value.strip())
    return info


def _caches() -> dict[str, str]:
    caches = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (_read(folder / name) for name in ("level", "type", "size"))
        if kind != "Instruction" and level and size:
            caches[f"L{level}"] = size
    return caches


def _read(path: str | Path) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _output(command: list[str]) -> str | None:
    try:
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _first_line(command: list[str]) -> str | None:
    lines = (_output(command) or "").splitlines()
    return lines[0] if lines else None
