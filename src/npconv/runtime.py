"""How the C core runs: threads, forced instruction sets and algorithms, and what it chose.

Environment variables, read once at import and checked where they are first used:

NPCONV_NUM_THREADS
    The process's default number of threads; otherwise the number of usable cores.
NPCONV_ISA
    The instruction set to use where a call does not name one: "avx512", "avx2", "plain", ...
NPCONV_ALGORITHM
    The algorithm of every convolution that does not name one: "direct", "im2col",
    "reference", or another that ``show_config`` lists, where it accepts.
NPCONV_RECYCLE
    Whether memory of large results (from 256 KB on) that were freed is kept for the next ones:
    "1", the default, for at most 32 blocks and 64 MB in the process, or "0".
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, NamedTuple, TypeAlias

from npconv import checks, number_types
from npconv.checks import show

try:
    from npconv import _native
except ImportError as error:
    raise ImportError(
        f"npconv's compiled part, npconv._native, cannot be imported ({error}). It is built when "
        "npconv is installed: run `pip install .` (or, to work on npconv, `pip install -e .`) in "
        "its source directory, with a C compiler at hand, and start Python outside of src/."
    ) from error

Options: TypeAlias = tuple[str, str, int, str] | tuple[str, str, int, str, bool]
"""(algorithm, isa, num_threads, precision), as the C core takes them; 0 threads: the default.
A fifth, True, says that the channels come last."""

native = _native
_AUTO, _STANDARD = "auto", "standard"
PRECISIONS = ("standard", "strict")
MAX_THREADS = 1024
"""More threads than any machine that this is for has cores; a typing mistake should not start
a million."""

_ALGORITHMS = ("auto", *_native.conv_algorithms())
_ENV_THREADS = os.environ.get("NPCONV_NUM_THREADS", "")
_ENV_ISA = os.environ.get("NPCONV_ISA", "")
_ENV_ALGORITHM = os.environ.get("NPCONV_ALGORITHM", "")
_ENV_RECYCLE = os.environ.get("NPCONV_RECYCLE", "")

# What an unadorned call gets. None until the environment has been found valid: importing npconv
# never fails because of a variable, calling it does.
_defaults: Options | None = None
_threads_settled = False


# --- options of a call -----------------------------------------------------------------------


def options(
    algorithm: object = "auto",
    isa: object = None,
    num_threads: object = None,
    precision: object = "standard",
) -> Options:
    """Check how a call asks to be run, and fill in the environment's wishes."""
    defaults = _defaults or _read_environment()
    if algorithm is _AUTO and precision is _STANDARD and isa is None and num_threads is None:
        return defaults  # the usual call; equal strings that are other objects go the long way
    algorithm = checks.choice(algorithm, "algorithm", _ALGORITHMS)
    return (
        defaults[0] if algorithm == "auto" else algorithm,
        defaults[1] if isa is None or isa == "auto" else _usable_isa(isa, "isa"),
        0 if num_threads is None else _thread_count(num_threads, "num_threads"),
        checks.choice(precision, "precision", PRECISIONS),
    )


def _read_environment() -> Options:
    global _defaults
    _settle_threads()
    _native.set_recycling(checks.choice(_ENV_RECYCLE or "1", "NPCONV_RECYCLE", ("0", "1")) == "1")
    _defaults = (
        checks.choice(_ENV_ALGORITHM or "auto", "NPCONV_ALGORITHM", _ALGORITHMS),
        _usable_isa(_ENV_ISA or "auto", "NPCONV_ISA"),
        0,
        "standard",
    )
    usable = [isa for isa, compiled, supported in _native.isas() if compiled and supported]
    _native.set_default_options(_defaults, usable)
    return _defaults


def _settle_threads() -> None:
    """Hand NPCONV_NUM_THREADS to the C core, unless set_num_threads has spoken already."""
    global _threads_settled
    if not _threads_settled:
        if _ENV_THREADS:
            try:
                count = int(_ENV_THREADS)
            except ValueError:
                raise ValueError(
                    f"NPCONV_NUM_THREADS must be an integer, got {show(_ENV_THREADS)}"
                ) from None
            _native.set_num_threads(_thread_count(count, "NPCONV_NUM_THREADS"))
        _threads_settled = True


def _thread_count(value: object, name: str) -> int:
    count = checks.integer(value, name, 1)
    if count > MAX_THREADS:
        raise ValueError(f"{name} must be at most {MAX_THREADS}, got {show(count)}")
    return count


def _usable_isa(value: object, name: str) -> str:
    known = _native.isas()
    isa = checks.choice(value, name, ("auto", *[entry[0] for entry in known]))
    for entry, compiled, supported in known:
        if entry == isa and not (compiled and supported):
            why = "this CPU does not have it" if compiled else "this build does not contain it"
            usable = ", ".join(repr(entry) for entry, *can in known if all(can))
            raise ValueError(f"{name}={isa!r} cannot be used: {why}; usable here: {usable}")
    return isa


# --- threads ---------------------------------------------------------------------------------


def set_num_threads(n: int) -> None:
    """Set how many threads operations use unless a call says otherwise.

    The number holds for the whole process. Results have the same bits for any number.

    Parameters
    ----------
    n : int
        From 1 to 1024; more than the machine has cores is allowed, and slower.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is out of range.

    See Also
    --------
    threads : The same for the length of a ``with`` block.

    Examples
    --------
    >>> import npconv
    >>> before = npconv.get_num_threads()
    >>> npconv.set_num_threads(2)
    >>> npconv.get_num_threads()
    2
    >>> npconv.set_num_threads(before)
    """
    global _threads_settled
    _native.set_num_threads(_thread_count(n, "n"))
    _threads_settled = True


def get_num_threads() -> int:
    """Tell how many threads operations use unless a call says otherwise.

    Returns
    -------
    int
        What was set last, else NPCONV_NUM_THREADS, else the number of usable cores.

    Raises
    ------
    ValueError
        If NPCONV_NUM_THREADS decides and is not a number of threads.

    Examples
    --------
    >>> import npconv
    >>> npconv.get_num_threads() >= 1
    True
    """
    _settle_threads()
    return _native.get_num_threads()


class threads:  # noqa: N801 - used like a function: with npconv.threads(2)
    """Use `n` threads inside a ``with`` block.

    The number is the whole process's, so other Python threads see it too; to affect one call
    only, pass it ``num_threads``.

    Parameters
    ----------
    n : int
        From 1 to 1024.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is out of range.

    Examples
    --------
    >>> import npconv
    >>> with npconv.threads(1):
    ...     npconv.get_num_threads()
    1
    """

    def __init__(self, n: int) -> None:
        self._count = _thread_count(n, "n")
        self._before: list[int] = []

    def __enter__(self) -> None:
        self._before.append(get_num_threads())
        set_num_threads(self._count)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        set_num_threads(self._before.pop())


# --- what there is ---------------------------------------------------------------------------


def cpu_info() -> dict[str, Any]:
    """Describe the processor as npconv sees it.

    Returns
    -------
    dict
        "features" (the CPU features found that matter here), "isa" (the best instruction set
        that this build can use on it), "brand" and "cores" (usable ones).

    Examples
    --------
    >>> import npconv
    >>> sorted({"brand", "cores", "features", "isa"} & set(npconv.cpu_info()))
    ['brand', 'cores', 'features', 'isa']
    """
    return _native.cpu_info()


def show_config(mode: Literal["print", "dict"] = "print") -> dict[str, Any] | None:
    """Show how npconv was built and how it runs on this machine.

    Parameters
    ----------
    mode : {"print", "dict"}
        Whether to print a summary or to return it as a dictionary.

    Returns
    -------
    dict or None
        With ``mode="dict"``: "build", "cpu", "isas", "algorithms", "threads", "environment".

    Raises
    ------
    TypeError, ValueError
        If `mode` is not one of the two.

    Examples
    --------
    >>> import npconv
    >>> npconv.show_config("dict")["algorithms"][-3:]
    ['direct', 'im2col', 'reference']
    """
    checks.choice(mode, "mode", ("print", "dict"))
    with suppress(ValueError):  # what is wrong in the environment shows below
        _settle_threads()
    config = {
        "build": _native.build_info(),
        "cpu": _native.cpu_info(),
        "isas": {name: _isa_state(*state) for name, *state in _native.isas()},
        "algorithms": list(_native.conv_algorithms()),
        "threads": {"default": _native.get_num_threads(), "cores": _native.max_threads()},
        "environment": {
            "NPCONV_NUM_THREADS": _ENV_THREADS,
            "NPCONV_ISA": _ENV_ISA,
            "NPCONV_ALGORITHM": _ENV_ALGORITHM,
            "NPCONV_RECYCLE": _ENV_RECYCLE,
        },
    }
    if mode == "dict":
        return config
    for title, section in config.items():
        print(f"{title}:")
        if not isinstance(section, dict):
            print(f"  {_listed(section)}")
            continue
        for key, value in section.items():
            print(f"  {key}: {_listed(value)}")
    return None


def _isa_state(compiled: bool, supported: bool) -> str:
    if not compiled:
        return "not in this build"
    return "usable" if supported else "not supported by this CPU"


def _listed(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(str(item) for item in value)
    return str(value) if value != "" else "not set"


# --- what was chosen -------------------------------------------------------------------------


def last_plan() -> dict[str, Any] | None:
    """Tell how the last operation that this Python thread called was run.

    Returns
    -------
    dict or None
        "operation", "algorithm", "isa", "dtype", "num_threads" (those that took part),
        "workspace_bytes" and "pieces" (of work, which the threads shared); None before the
        first operation.

    See Also
    --------
    explain : The same before the call, with the alternatives.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> y = npconv.conv2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)), algorithm="reference")
    >>> npconv.last_plan()["algorithm"]
    'reference'
    """
    return _native.last_plan()


class Candidate(NamedTuple):
    """One algorithm that was considered: whether it accepts the call, and if not, why.

    ``seconds`` is what the cost model predicts for one image on one thread, the result's memory
    being there already; None where the algorithm declines or has never been measured.
    """

    name: str
    accepted: bool
    reason: str
    seconds: float | None = None


class Explanation:
    """What :func:`explain` found; ``print`` it, or look at its attributes.

    Attributes
    ----------
    operation : str
        The function that was asked about.
    algorithm : str or None
        What would run; None if the algorithm that was forced declines.
    candidates : tuple of Candidate
        All algorithms; of those that accept, the one with the least predicted time runs.
    dtype : str
        The result's dtype.
    isa : str
        The instruction set.
    shapes : dict
        The shapes of input, weight and output.
    """

    def __init__(
        self,
        operation: str,
        algorithm: str | None,
        candidates: tuple[Candidate, ...],
        dtype: str,
        isa: str,
        shapes: dict[str, tuple[int, ...]],
    ) -> None:
        self.operation = operation
        self.algorithm = algorithm
        self.candidates = candidates
        self.dtype = dtype
        self.isa = isa
        self.shapes = shapes

    def __repr__(self) -> str:
        return f"<Explanation of {self.operation}: {self.algorithm}>"

    def __str__(self) -> str:
        shapes = ", ".join(f"{name} {dims}" for name, dims in self.shapes.items())
        lines = [f"{self.operation}: {shapes}", f"{self.dtype}, {self.isa}"]
        width = max(len(candidate.name) for candidate in self.candidates)
        timed = any(candidate.seconds is not None for candidate in self.candidates)
        for candidate in self.candidates:
            if candidate.name == self.algorithm:
                verdict = "chosen"
            else:
                verdict = "accepts" if candidate.accepted else "declines"
            time = f"{_milliseconds(candidate.seconds):>13}" if timed else ""
            reason = f"  {candidate.reason}" if candidate.reason else ""
            lines.append(f"  {candidate.name:<{width}}  {verdict:<8}{time}{reason}".rstrip())
        return "\n".join(lines)


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e3 * seconds:.4f} ms"


def explain(operation: str | Callable[..., Any], *args: Any, **kwargs: Any) -> Explanation:
    """Say which algorithm a convolution would use, and why not the others.

    Nothing is computed. An algorithm declines with a reason, or has a predicted time: that of one
    image on one thread, so that the choice, and with it every bit of the result, depends on
    neither the batch nor the threads.

    Parameters
    ----------
    operation : str or function
        A convolution or transposed convolution of any number of dimensions, or one of its two
        gradients: "conv2d", "conv2d_input_grad", "conv2d_weight_grad", "conv_transpose1d" and so
        on, "convolve2d" or "correlate2d", or the function itself.
    *args, **kwargs
        The arguments of the call.

    Returns
    -------
    Explanation
        ``str()`` of it is a table; it has ``algorithm`` and ``candidates``.

    Raises
    ------
    TypeError, ValueError, NotImplementedError
        As the call itself would, and if `operation` is another one.

    See Also
    --------
    last_plan : What did run.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, weight = np.ones((1, 3, 8, 8)), np.ones((4, 3, 3, 3))
    >>> why = npconv.explain("conv2d", x, weight, padding=1, algorithm="im2col")
    >>> why.algorithm
    'im2col'
    >>> [candidate.name for candidate in why.candidates][-3:]
    ['direct', 'im2col', 'reference']
    """
    from npconv.functional.explainable import EXPLAINABLE  # it imports this module

    name = operation if isinstance(operation, str) else getattr(operation, "__name__", None)
    entry = EXPLAINABLE.get(name) if isinstance(name, str) else None
    if entry is None or not (isinstance(operation, str) or operation is entry.function):
        raise ValueError(
            f"operation must be one of {', '.join(EXPLAINABLE)}, got {show(operation)}"
        )
    call = inspect.signature(entry.function).bind(*args, **kwargs)
    call.apply_defaults()
    plan = entry.prepare(entry.ndim, **call.arguments)
    geometry, dtype, how, *_ = plan
    isa = how[1]
    chosen: str | None
    if number_types.is_integer(dtype):
        reason = "computes floating-point numbers"
        others = [Candidate(name, False, reason) for name in _native.conv_algorithms()]
        chosen, candidates = "integer", (Candidate("integer", True, ""), *others)
    else:
        computed = number_types.real_dtype(dtype).name
        found, chosen = _native.conv_candidates(entry.operation, geometry, computed, how)
        candidates = tuple([Candidate(*fields[:4]) for fields in found])
    if entry.rival is not None:
        rival, wins = entry.rival(plan, call.arguments)
        chosen, candidates = rival.name if wins else chosen, (rival, *candidates)
    return Explanation(
        entry.function.__name__,
        chosen,
        candidates,
        dtype.name,
        _native.cpu_info()["isa"] if isa == "auto" else isa,
        {
            "input": geometry.output_shape if entry.transposed else geometry.input_shape,
            "weight": geometry.weight_shape,
            "output": geometry.input_shape if entry.transposed else geometry.output_shape,
        },
    )
