"""ONNX Runtime's CPU provider: a model of one node, the weights in it as in any ONNX file.

So it packs weights once, when the session is made; npconv gets them with every call. At more than
one thread `onnxruntime:spinning=off` is a second contender, and the better of the two counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from peers import Call, SkipError
from workload import Case

ROLE = "peer"
OPTIONS = {"spinning": "on"}

OPSET = 19  # the first one whose Pad has the mode "wrap"
IR_VERSION = 9
# From this size on the results go to fresh memory, as everybody's do: of its own accord ONNX
# Runtime writes to memory that it keeps from call to call. What it needs in between it may keep.
FRESH_BYTES = 256 << 10
PAD_MODES = ("constant", "reflect", "edge", "wrap")


def environment(threads: int, isa: str, options: dict[str, str]) -> dict[str, str]:
    return {}


class Contender:
    def __init__(self, threads: int, isa: str, options: dict[str, str]) -> None:
        import onnx
        import onnxruntime

        if isa:
            raise SkipError(f"ONNX Runtime cannot be held to the ISA {isa}")
        if threads == 1 and options["spinning"] == "off":
            raise SkipError("with one thread nothing spins: the same as onnxruntime")
        self.onnx, self.onnxruntime = onnx, onnxruntime
        self.versions = {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}
        self.settings = onnxruntime.SessionOptions()
        self.settings.intra_op_num_threads = threads
        self.settings.inter_op_num_threads = 1
        self.settings.log_severity_level = 3
        spinning = "1" if options["spinning"] == "on" else "0"
        self.settings.add_session_config_entry("session.intra_op.allow_spinning", spinning)
        self.names: list[str] = []
        self.plane = 1

    def bind(self, case: Case, arrays: dict[str, np.ndarray]) -> Call:
        if case.channels_last:
            raise SkipError("ONNX Runtime's CPU provider has no convolution with channels last")
        if case.operation not in ("forward", "max_pool", "max_pool_indices", "pad"):
            raise SkipError("ONNX Runtime has no gradients")
        if case.operation == "forward" and case.dtype == "float64":
            raise SkipError("ONNX Runtime has no float64 convolution")
        self.names = ["y", "indices"] if case.operation == "max_pool_indices" else ["y"]
        self.plane = case.layer.height * case.layer.width
        model = self._model(case, arrays)
        session = self.onnxruntime.InferenceSession(
            model.SerializeToString(), self.settings, providers=["CPUExecutionProvider"]
        )
        feeds, run = {"x": arrays["x"]}, session.run
        types = {"y": case.dtype, "indices": "int64"}
        outputs = {name: (case.y_shape, np.dtype(types[name])) for name in self.names}
        if sum(np.prod(shape) * dtype.itemsize for shape, dtype in outputs.values()) < FRESH_BYTES:
            return lambda: run(None, feeds)
        return self._into_fresh_memory(session, arrays["x"], outputs)

    @staticmethod
    def _into_fresh_memory(
        session: Any, x: np.ndarray, outputs: dict[str, tuple[tuple[int, ...], np.dtype]]
    ) -> Call:
        binding = session.io_binding()
        binding.bind_cpu_input("x", x)

        def call() -> list[np.ndarray]:
            results = []
            for name, (shape, dtype) in outputs.items():
                result = np.empty(shape, dtype)
                binding.bind_output(name, "cpu", 0, dtype.type, shape, result.ctypes.data)
                results.append(result)
            session.run_with_iobinding(binding)
            return results

        return call

    def _model(self, case: Case, arrays: dict[str, np.ndarray]) -> Any:
        helper = self.onnx.helper
        node, constants = self._node(case, arrays)
        dtype = helper.np_dtype_to_tensor_dtype(np.dtype(case.dtype))
        types = {"y": dtype, "indices": self.onnx.TensorProto.INT64}
        graph = helper.make_graph(
            [node],
            case.operation,
            [helper.make_tensor_value_info("x", dtype, case.x_shape)],
            [helper.make_tensor_value_info(n, types[n], case.y_shape) for n in self.names],
            [self.onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    def _node(self, case: Case, arrays: dict[str, np.ndarray]) -> tuple[Any, dict]:
        """The node, and the constants beside its input x, in order."""
        make, layer = self.onnx.helper.make_node, case.layer
        if case.operation == "pad":
            if layer.mode not in PAD_MODES:
                raise SkipError(f"ONNX has no padding mode {layer.mode}")
            constants = {"pads": np.array([0, 0, layer.padding, layer.padding] * 2, np.int64)}
            return make("Pad", ["x", *constants], self.names, mode=layer.mode), constants
        window = {
            "kernel_shape": list(layer.kernel),
            "strides": [layer.stride] * 2,
            "pads": [layer.padding] * 4,
            "dilations": [layer.dilation] * 2,
        }
        if case.operation == "forward":
            constants = {name: arrays[name] for name in ("weight", "bias") if name in arrays}
            node = make("Conv", ["x", *constants], self.names, group=layer.groups, **window)
            return node, constants
        return make("MaxPool", ["x"], self.names, **window), {}

    def outputs(self, result: Any) -> dict[str, np.ndarray]:
        outputs = dict(zip(self.names, result, strict=True))
        if "indices" in outputs:
            # ONNX counts over the whole array; npconv and PyTorch in each plane.
            outputs["indices"] = outputs["indices"] % self.plane
        return outputs

    def plan(self) -> dict | None:
        return None
