"""Weights that are transformed once, for many forward calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from npconv import checks, layouts
from npconv.border import bordered
from npconv.checks import Array, show
from npconv.geometry import ConvGeometry, conv_geometry
from npconv.runtime import Options, native, options

_ALIGNMENT = 64  # that the C core asks for


class PreparedWeight:
    """What :func:`prepare` returns: a weight, ready for forward calls of one geometry.

    It may be given wherever a weight is. ``conv1d``, ``conv2d`` and ``conv3d`` use what was
    prepared; everything else sees the plain array, as ``numpy.asarray`` does, read-only. It cannot
    be changed, and any number of threads may use it at once.

    Pickles hold the plain weight and the arguments of :func:`prepare`, not what was made of them:
    where one is loaded, the weight is prepared again, for that machine's instruction set (unless
    `isa` was given) by that version of npconv.

    Attributes
    ----------
    shape : tuple of int
        (K, C/groups, R, S), or with fewer or more spatial axes.
    dtype : dtype
        float32 or float64, of the calls that it serves.
    geometry : ConvGeometry
        Of those calls. Their batch may be any, here it is 1.
    algorithm, isa, precision, layout : str
        How they are computed.
    nbytes : int
        Memory that it takes, the plain weight included.
    version : str
        Of the npconv that prepared it.
    """

    __slots__ = (
        "_arguments", "_plain", "algorithm", "dtype", "geometry", "isa", "layout", "made",
        "nbytes", "precision", "shape", "version",
    )  # fmt: skip

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    geometry: ConvGeometry
    algorithm: str
    isa: str
    precision: str
    layout: str
    nbytes: int
    version: str
    made: Array
    _plain: Array
    _arguments: tuple[str, str | None]

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise TypeError("PreparedWeight is made by npconv.prepare")

    @classmethod
    def _make(
        cls,
        plain: Array,
        geometry: ConvGeometry,
        algorithm: str,
        isa: str | None,
        precision: str,
        layout: str,
    ) -> PreparedWeight:
        """Prepare a settled array of its own; algorithm and ISA are as the caller named them."""
        last = checks.channels_last(layout, geometry.ndim)
        how = layouts.told(options(algorithm, isa, None, precision), last)
        chosen = native.conv_candidates("forward", geometry, plain.dtype.name, how)[1]
        if chosen is not None:  # else the next line says why not
            how = (chosen, native.cpu_info()["isa"] if how[1] == "auto" else how[1], *how[2:])
        made = _aligned(native.conv_prepared_size(geometry, plain.dtype.name, how))
        native.conv_prepare(geometry, plain, made, how)
        plain.flags.writeable = made.flags.writeable = False
        self = object.__new__(cls)
        for name, value in {
            "_plain": plain,
            "_arguments": (algorithm, isa),
            "made": made,
            "shape": plain.shape,
            "dtype": plain.dtype,
            "geometry": geometry,
            "algorithm": how[0],
            "isa": how[1],
            "precision": precision,
            "layout": layout,
            "nbytes": plain.nbytes + made.nbytes,
            "version": native.build_info()["version"],
        }.items():
            object.__setattr__(self, name, value)
        return self

    def fitted(
        self,
        geometry: ConvGeometry,
        dtype: np.dtype[Any],
        how: Options,
        algorithm: object,
        isa: object,
    ) -> Options:
        """How a call is run that has this weight, or ValueError if it does not fit.

        ``how`` are the call's checked options; algorithm and isa tell which of them it named.
        """
        mine = self.geometry
        if geometry._replace(batch=1) != mine:
            axes = 3 - mine.ndim
            for what, wanted, got in (
                ("groups", mine.groups, geometry.groups),
                ("images of shape", mine.input_shape[1:], geometry.input_shape[1:]),
                ("stride", mine.stride[axes:], geometry.stride[axes:]),
                ("dilation", mine.dilation[axes:], geometry.dilation[axes:]),
                ("padding", _padding(mine), _padding(geometry)),
            ):
                if wanted != got:
                    self._refuse(what, wanted, got)
        if dtype != self.dtype:
            self._refuse("dtype", self.dtype, dtype)
        if isinstance(algorithm, str) and algorithm not in ("auto", self.algorithm):
            self._refuse("algorithm", self.algorithm, algorithm)
        if isinstance(isa, str) and isa not in ("auto", self.isa):
            self._refuse("isa", self.isa, isa)
        if how[3] == "strict" and self.precision != "strict":
            self._refuse("precision", self.precision, how[3])
        first, last = checks.LAYOUTS[mine.ndim]
        layout = last if len(how) > 4 else first
        if layout != self.layout:
            self._refuse("layout", self.layout, layout)
        fitted = (self.algorithm, self.isa, how[2], self.precision)
        return layouts.told(fitted, layout == last)

    @staticmethod
    def _refuse(what: str, wanted: object, got: object) -> NoReturn:
        raise ValueError(f"weight was prepared for {what} {wanted}, got {got}")

    @property
    def ndim(self) -> int:
        """How many axes the weight has."""
        return len(self.shape)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        if dtype is not None and np.dtype(dtype) != self.dtype:
            if copy is False:
                raise ValueError(f"a {self.dtype} weight as {np.dtype(dtype)} needs a copy")
            return self._plain.astype(dtype)
        # A view, for an array that owns its memory can be made writeable again.
        return self._plain.copy() if copy else self._plain.view()

    def __len__(self) -> int:
        return self.shape[0]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a PreparedWeight cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a PreparedWeight cannot be changed")

    def __repr__(self) -> str:
        return (
            f"<PreparedWeight {self.shape} of {self.dtype} for images "
            f"{self.geometry.input_shape[1:]}: {self.algorithm}, {self.isa}>"
        )

    def __copy__(self) -> PreparedWeight:
        return self

    def __deepcopy__(self, memo: object) -> PreparedWeight:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        settings = (tuple(self.geometry), *self._arguments, self.precision, self.layout)
        return _prepare_again, (self._plain, *settings)


native.set_prepared_type(PreparedWeight)


def _padding(geometry: ConvGeometry) -> tuple[tuple[int, int], ...]:
    pairs = zip(geometry.pad_before, geometry.pad_after, strict=True)
    return tuple(pairs)[3 - geometry.ndim :]


def _aligned(size: int) -> Array:
    """Bytes at a multiple of the alignment."""
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size]


def _prepare_again(
    plain: Array,
    fields: tuple[Any, ...],
    algorithm: str,
    isa: str | None,
    precision: str,
    layout: str,
) -> PreparedWeight:
    """What pickles call."""
    settled = np.array(plain, dtype=plain.dtype.newbyteorder("="), order="C")
    return PreparedWeight._make(settled, ConvGeometry(*fields), algorithm, isa, precision, layout)


def prepare(
    weight: ArrayLike,
    *,
    x_shape: Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] | Sequence[Sequence[int]] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    padding_mode: str = "constant",
    dtype: DTypeLike | None = None,
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    layout: str | None = None,
) -> PreparedWeight:
    """Transform a convolution's weight once, for many calls.

    ::

        (K, C/groups, R, S) -> (K, C/groups, R, S), prepared

    The algorithm is chosen here, and works on the weight as far as it can without an image:
    Winograd's transforms it, which is most of its work on small images; the others read weights as
    they are, and are spared their conversion. The result takes the weight's place in calls with
    the same stride, padding, dilation, groups and size of images; their batch and number of
    threads are free. Every bit is that of the call with the plain weight. Other calls raise
    ValueError; the gradients take it as a plain array.

    A prepared weight is a copy. It takes the weight's memory, and where Winograd's algorithm runs
    up to 4.1 times that again (K rounded up to 16).

    Parameters
    ----------
    weight : array_like, (K, C/groups, S), (K, C/groups, R, S) or (K, C/groups, T, R, S)
        The filters, for :func:`conv1d`, :func:`conv2d` or :func:`conv3d`.
    x_shape : (N, C, H, W), (C, H, W) or (H, W)
        The shape of the images to come, for conv2d; likewise with W or D, H, W for the others. N
        does not matter.
    stride, padding, dilation, groups, padding_mode
        As the convolution will be given them.
    dtype : {"float32", "float64"}, optional
        The dtype that the calls compute in: NumPy's promotion of their inputs. The weight's own
        unless given.
    precision, algorithm, isa
        As for :func:`conv2d`. Calls that do not name them get what is named here.
    layout : str, optional
        As the convolution will be given it; channels first unless given.

    Returns
    -------
    PreparedWeight
        Immutable, picklable, and usable from many threads at once.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `dtype` is neither float32 nor float64.
    ValueError
        If shapes, sizes or options do not fit together, or `dtype` cannot hold the weight.

    See Also
    --------
    conv1d, conv2d, conv3d

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> rng = np.random.default_rng(0)
    >>> weight = rng.standard_normal((64, 64, 3, 3), dtype=np.float32)
    >>> ready = npconv.prepare(weight, x_shape=(64, 14, 14), padding=1)
    >>> x = rng.standard_normal((2, 64, 14, 14), dtype=np.float32)
    >>> y = npconv.conv2d(x, ready, padding=1)
    >>> bool((y == npconv.conv2d(x, weight, padding=1)).all())
    True
    >>> npconv.conv2d(x, ready)
    Traceback (most recent call last):
        ...
    ValueError: weight was prepared for padding ((1, 1), (1, 1)), got ((0, 0), (0, 0))
    """
    options(algorithm, isa, None, precision)
    filters = checks.array(weight, "weight")
    checks.rank(filters, "weight", (3, 4, 5), " or ".join(checks.WEIGHT_AXES.values()))
    ndim = filters.ndim - 2
    channels = filters.shape[1] * checks.integer(groups, "groups", 1)
    named = checks.LAYOUTS[ndim][0] if layout is None else layout
    last = checks.channels_last(named, ndim)
    batches = checks.LAST_AXES[ndim] if last else checks.BATCH_AXES[ndim]
    axes = f"{batches} or ({', '.join(checks.SPATIAL_AXES[ndim])})"
    shape = checks.shape(x_shape, "x_shape", (ndim, ndim + 1, ndim + 2), axes)
    images = (1, channels, *shape)
    if len(shape) > ndim:
        images = layouts.shape_first((1, *shape[-ndim - 1 :]), last)
    geometry = conv_geometry(
        ndim, images, filters.shape, stride, padding, dilation, groups, input_name="x_shape"
    )
    geometry, _ = bordered(geometry, checks.padding_mode(padding_mode), "x_shape")
    kind = _computed_in(filters, dtype)
    # Always a copy: nobody else may change it.
    plain = np.array(filters, dtype=kind, order="C")
    return PreparedWeight._make(plain, geometry, algorithm, isa, precision, named)


def _computed_in(weight: Array, dtype: object) -> np.dtype[Any]:
    if dtype is None:
        return checks.float_dtype(weight=weight)
    try:
        wanted: np.dtype[Any] = np.dtype(dtype)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise TypeError(f"dtype must be float32 or float64, got {show(dtype)}") from None
    if wanted not in (checks.FLOAT32, checks.FLOAT64):
        raise TypeError(f"dtype must be float32 or float64, got {wanted}")
    promoted = checks.float_dtype(weight=weight, dtype=np.empty(0, wanted))
    if promoted != wanted:
        raise ValueError(
            f"dtype {wanted} cannot hold the weight, which is {weight.dtype}; calls with both "
            f"compute in {promoted}"
        )
    return wanted
