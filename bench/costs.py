"""Coefficients of the cost model: conv_costs.def read and written, and fitted to measurements."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

TABLE = Path(__file__).parent.parent / "csrc" / "plan" / "conv_costs.def"
HEAD = """\
/* NPC_CONV_COST(isa, dtype, algorithm, operation, nanoseconds of each feature...): measured and
 * written by bench/fit; an algorithm's features are named where it counts them. */
"""
LINE = re.compile(r"^NPC_CONV_COST\((\w+), (\w+), (\w+), (\w+),([^)]*)\)", re.MULTILINE)
DTYPES = {"float32": "F32", "float64": "F64"}

Key = tuple[str, str, str, str]
"""(isa, dtype, algorithm, operation) as the table spells them: ("avx2", "F32", "direct", ...)."""


def key(isa: str, dtype: str, algorithm: str, operation: str) -> Key:
    return isa, DTYPES[dtype], algorithm, operation.upper()


def read(path: Path) -> dict[Key, list[float]]:
    table: dict[Key, list[float]] = {}
    for isa, dtype, algorithm, operation, numbers in LINE.findall(path.read_text()):
        values = [float(number.rstrip("f")) for number in numbers.split(",")]
        table[isa, dtype, algorithm, operation] = values
    return table


def write(path: Path, table: dict[Key, list[float]]) -> None:
    text = HEAD
    for names, values in sorted(table.items()):
        numbers = [f"{value:.4g}" for value in values]
        while len(numbers) > 1 and numbers[-1] == "0":
            numbers.pop()
        numbers = [n + "f" if re.search("[.e]", n) else n for n in numbers]
        text += f"NPC_CONV_COST({', '.join(names)},\n              {', '.join(numbers)})\n"
    path.write_text(text)


def fit(features: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Coefficients >= 0 (nanoseconds) whose predictions have the least relative error.

    Plain least squares of prediction / measurement forgives predictions that are far too low; each
    pass weighs rows by the last prediction too, which makes twice and half equally wrong.
    """
    from scipy.optimize import nnls

    nanoseconds = 1e9 * seconds
    predicted = nanoseconds
    for _ in range(8):
        rows = features / np.sqrt(nanoseconds * predicted)[:, None]
        scale = np.linalg.norm(rows, axis=0)
        scale[scale == 0] = 1
        solution, _ = nnls(rows / scale, np.sqrt(nanoseconds / predicted), maxiter=1000)
        coefficients = solution / scale
        predicted = np.maximum(features @ coefficients, 1e-3 * nanoseconds)
    return coefficients


def predict(coefficients: list[float] | np.ndarray, features: list[float]) -> float:
    """Seconds, or a negative number where nothing is known: as npc_conv_seconds."""
    total = float(np.dot(coefficients, features[: len(coefficients)]))
    return 1e-9 * total if total > 0 else -1.0


def choose(candidates: dict[str, float]) -> str:
    """The algorithm that the plan takes of {name: predicted seconds}, in the list's order.

    The last of the list, the plain loops, runs only what no other accepts.
    """
    best, least = "", 0.0
    for name, seconds in list(candidates.items())[:-1] or candidates.items():
        if not best or 0 <= seconds < least:
            best, least = name, seconds
        if seconds < 0:
            break
    return best
