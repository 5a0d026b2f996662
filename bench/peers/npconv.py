"""npconv itself: `npconv:algorithm=direct:precision=strict` forces what the options name.

`npconv:prepared=yes` convolves with weights that `npconv.prepare` has seen before the timing, as
ONNX Runtime does. Results get fresh memory from the system unless `recycle=on` is given.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from peers import Call, SkipError
from workload import Case

ROLE = "subject"
OPTIONS = {
    "algorithm": "auto",
    "precision": "standard",
    "isa": "",
    "prepared": "no",
    "recycle": "off",
}


def environment(threads: int, isa: str, options: dict[str, str]) -> dict[str, str]:
    recycle = {"off": "0"}.get(options["recycle"])
    variables = {"NPCONV_NUM_THREADS": str(threads)}
    return variables if recycle is None else {**variables, "NPCONV_RECYCLE": recycle}


def last(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(images, 1, -1))


class Contender:
    def __init__(self, threads: int, isa: str, options: dict[str, str]) -> None:
        import npconv

        self.npconv = npconv
        self.prepared = options["prepared"] == "yes"
        if self.prepared and not hasattr(npconv, "prepare"):
            raise SkipError("this npconv has no prepare()")
        self.versions = {"npconv": npconv.__version__, "numpy": np.__version__}
        self.precise = {"algorithm": options["algorithm"], "precision": options["precision"]}
        forced = options["isa"] or isa
        self.isa = {"isa": forced} if forced else {}
        self.names: list[str] = []
        self.last = False

    def bind(self, case: Case, arrays: dict[str, np.ndarray]) -> Call:
        if self.prepared and case.operation != "forward":
            raise SkipError("weights are prepared for the forward convolution only")
        self.names = {
            "input_grad": ["dx"],
            "weight_grad": ["dweight"],
            "backward": ["dx", "dweight", "dbias"],
            "max_pool_indices": ["y", "indices"],
            "max_pool_backward": ["dx"],
            "avg_pool_backward": ["dx"],
        }.get(case.operation, ["y"])
        self.last = case.channels_last
        if self.last:
            if case.layer.kind == "pad":
                raise SkipError("pad has no layouts")
            arrays = {k: last(v) if k in ("x", "grad") else v for k, v in arrays.items()}
        make = {"conv": self._conv, "pool": self._pool, "pad": self._pad}[case.layer.kind]
        return make(case, arrays)

    def _layout(self) -> dict[str, str]:
        return {"layout": "NHWC"} if self.last else {}

    def _x_shape(self, case: Case) -> tuple[int, ...]:
        n, c, h, w = case.x_shape
        return (n, h, w, c) if self.last else case.x_shape

    def _conv(self, case: Case, arrays: dict[str, np.ndarray]) -> Call:
        npconv, layer = self.npconv, case.layer
        geometry = (layer.stride, layer.padding, layer.dilation, layer.groups)
        x, weight, grad, bias = (arrays.get(n) for n in ("x", "weight", "grad", "bias"))
        keywords = {k: v for k, v in self.precise.items() if v not in ("auto", "standard")}
        keywords |= self.isa | self._layout()
        if self.prepared:
            weight = self._prepare(case, weight, keywords)
        if case.operation == "forward":
            return lambda: npconv.conv2d(x, weight, bias, *geometry, **keywords)
        if case.operation == "input_grad":
            shape = self._x_shape(case)
            return lambda: npconv.conv2d_input_grad(grad, weight, shape, *geometry, **keywords)
        if case.operation == "weight_grad":
            shape = case.weight_shape
            return lambda: npconv.conv2d_weight_grad(grad, x, shape, *geometry, **keywords)
        return lambda: npconv.conv2d_backward(grad, x, weight, *geometry, **keywords)

    def _prepare(self, case: Case, weight: Any, keywords: dict[str, str]) -> Any:
        """Everything that prepare() can be told about the calls to come."""
        prepare, layer = self.npconv.prepare, case.layer
        known = {
            "x_shape": self._x_shape(case),
            "stride": layer.stride,
            "padding": layer.padding,
            "dilation": layer.dilation,
            "groups": layer.groups,
            **keywords,
        }
        wanted = inspect.signature(prepare).parameters
        return prepare(weight, **{name: v for name, v in known.items() if name in wanted})

    def _pool(self, case: Case, arrays: dict[str, np.ndarray]) -> Call:
        npconv, layer, keywords = self.npconv, case.layer, self.isa | self._layout()
        window = (layer.kernel, layer.stride, layer.padding, layer.dilation)
        if case.operation.startswith("avg"):
            settings = {"dilation": layer.dilation, **keywords}
            if case.operation == "avg_pool":
                x = arrays["x"]
                return lambda: npconv.avg_pool2d(x, *window[:3], **settings)
            grad, shape = arrays["grad"], self._x_shape(case)
            return lambda: npconv.avg_pool2d_backward(grad, shape, *window[:3], **settings)
        x = arrays["x"]
        if case.operation == "max_pool":
            return lambda: npconv.max_pool2d(x, *window, **keywords)
        if case.operation == "max_pool_indices":
            return lambda: npconv.max_pool2d(x, *window, return_indices=True, **keywords)
        grad, shape = arrays["grad"], self._x_shape(case)
        indices = npconv.max_pool2d(x, *window, return_indices=True, **keywords)[1]
        return lambda: npconv.max_pool2d_backward(grad, indices, shape, *window, **keywords)

    def _pad(self, case: Case, arrays: dict[str, np.ndarray]) -> Call:
        npconv, x, mode, width = self.npconv, arrays["x"], case.layer.mode, case.layer.padding
        widths = ((0, 0), (0, 0), (width, width), (width, width))
        return lambda: npconv.pad(x, widths, mode)

    def outputs(self, result: Any) -> dict[str, np.ndarray]:
        values = result if isinstance(result, tuple) else (result,)
        found = dict(zip(self.names, values, strict=True))
        if self.last:
            images = ("y", "dx", "indices")
            found = {k: np.moveaxis(v, -1, 1) if k in images else v for k, v in found.items()}
        return found

    def plan(self) -> dict | None:
        plan = self.npconv.last_plan()
        return None if plan is None else dict(plan)
