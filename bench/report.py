"""Reading results: rows grouped by what they are of, ratios, means; used by run, table, compare."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

TITLES = {
    "npconv": "npconv",
    "torch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "numpy_im2col": "NumPy im2col",
}
GROUP = ("operation", "dtype", "batch", "threads")


def load(path: str | Path) -> dict:
    result = json.loads(Path(path).read_text())
    if result.get("schema") != 1:
        raise ValueError(f"{path} is not a result of bench/run (schema {result.get('schema')!r})")
    return result


def groups(result: dict) -> dict[tuple, list[dict]]:
    """Rows by (operation, dtype, batch, threads), in the order of the run."""
    found: dict[tuple, list[dict]] = {}
    for row in result["rows"]:
        found.setdefault(group_of(row), []).append(row)
    return found


def group_of(row: dict) -> tuple:
    """Its layout, where that is not the usual one, belongs to the operation."""
    operation, *others = (row[key] for key in GROUP)
    layout = row.get("layout", "NCHW")
    return (operation if layout == "NCHW" else f"{operation} {layout}", *others)


def group_title(group: tuple) -> str:
    operation, dtype, batch, threads = group
    return f"{operation}, {dtype}, batch {batch}, {threads} thread{'s' if threads > 1 else ''}"


def timed(row: dict, roles: dict[str, str], *wanted: str) -> dict[str, float]:
    """Least seconds of every contender with one of these roles that was timed."""
    return {
        name: entry["min"]
        for name, entry in row["contenders"].items()
        if "min" in entry and roles[name] in wanted
    }


def ratios(row: dict, roles: dict[str, str]) -> dict:
    """The best peer (a baseline where no peer is) and how many times faster each subject is."""
    rivals = timed(row, roles, "peer") or timed(row, roles, "baseline")
    if not rivals:
        return {"best_peer": None, "ratios": {}}
    best = min(rivals, key=rivals.__getitem__)
    subjects = timed(row, roles, "subject")
    return {"best_peer": best, "ratios": {name: rivals[best] / t for name, t in subjects.items()}}


def geometric_mean(values: Iterable[float]) -> float:
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms)) if logarithms else math.nan


def summary(result: dict) -> list[dict]:
    """For every group and subject: geometric mean of the ratios, and the worst row.

    `against` names the libraries that were the best peer of some row.
    """
    entries = []
    for group, rows in groups(result).items():
        for subject in (name for name, role in result["roles"].items() if role == "subject"):
            found = {r["layer"]: r["ratios"][subject] for r in rows if subject in r["ratios"]}
            if not found:
                continue
            worst = min(found, key=found.__getitem__)
            rivals = {row["best_peer"].split(":")[0] for row in rows if row["best_peer"]}
            entries.append(
                {
                    **dict(zip(GROUP, group, strict=True)),
                    "contender": subject,
                    "against": sorted(rivals),
                    "rows": len(found),
                    "geometric_mean": geometric_mean(found.values()),
                    "worst_ratio": found[worst],
                    "worst_layer": worst,
                }
            )
    return entries


def duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def title(name: str) -> str:
    peer, *options = name.split(":")
    return " ".join([TITLES.get(peer, peer), *options])
