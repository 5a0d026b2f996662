"""ONNX Runtime's CPU provider, with all its graph optimisations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

OPSET, IR_VERSION = 17, 9


class Network:
    def __init__(self, threads: int) -> None:
        import onnx
        import onnxruntime

        self.onnx, self.onnxruntime = onnx, onnxruntime
        self.versions = {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}
        self.settings = onnxruntime.SessionOptions()
        self.settings.intra_op_num_threads = threads
        self.settings.inter_op_num_threads = 1
        self.settings.log_severity_level = 3

    def load(self, graph: dict, arrays: dict[str, np.ndarray], training: bool) -> None:
        if training:
            raise NotImplementedError("ONNX Runtime's package has no training")
        helper = self.onnx.helper
        constants = [self.onnx.numpy_helper.from_array(value, key) for key, value in arrays.items()]
        nodes = [self._node(node, arrays) for node in graph["nodes"]]
        images = helper.make_tensor_value_info("0", 1, ["N", 3, "H", "W"])
        logits = helper.make_tensor_value_info(str(graph["output"]), 1, ["N", "classes"])
        made = helper.make_graph(nodes, "network", [images], [logits], constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION)
        self.session = self.onnxruntime.InferenceSession(
            model.SerializeToString(), self.settings, providers=["CPUExecutionProvider"]
        )

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self.session.run(None, {"0": x})[0]

    def _node(self, node: dict, arrays: dict[str, np.ndarray]) -> Any:
        name, attributes, constants = getattr(self, "_" + node["op"].lower())(node)
        given = [f"{node['output']}.{key}" for key in constants]
        inputs = [*map(str, node["inputs"]), *[key for key in given if key in arrays]]
        return self.onnx.helper.make_node(name, inputs, [str(node["output"])], **attributes)

    def _convolution(self, node: dict) -> tuple:
        attributes = {
            "strides": _pair(node["stride"]),
            "pads": _pair(node["padding"]) * 2,
            "dilations": _pair(node["dilation"]),
            "group": node["groups"],
        }
        return "Conv", attributes, ("weight", "bias")

    def _fullyconnected(self, node: dict) -> tuple:
        return "Gemm", {"transB": 1}, ("weight", "bias")

    def _affine(self, node: dict) -> tuple:
        names = ("weight", "bias", "running_mean", "running_var")
        return "BatchNormalization", {"epsilon": node["eps"]}, names

    def _elementwise(self, node: dict) -> tuple:
        return {"relu": "Relu"}[node["function"]], {}, ()

    def _maxpool(self, node: dict) -> tuple:
        attributes = {
            "kernel_shape": _pair(node["kernel"]),
            "strides": _pair(node["stride"] or node["kernel"]),
            "pads": _pair(node["padding"]) * 2,
            "dilations": _pair(node["dilation"]),
            "ceil_mode": int(node["ceil"]),
        }
        return "MaxPool", attributes, ()

    def _averagepool(self, node: dict) -> tuple:
        kernel = _pair(node["kernel"])
        return "AveragePool", {"kernel_shape": kernel, "strides": kernel}, ()

    def _adaptiveaveragepool(self, node: dict) -> tuple:
        if _pair(node["size"]) == [1, 1]:
            return "GlobalAveragePool", {}, ()
        return "Identity", {}, ()  # at 224x224 the image has this size already

    def _flat(self, node: dict) -> tuple:
        return "Flatten", {}, ()

    def _add(self, node: dict) -> tuple:
        return "Add", {}, ()

    def _join(self, node: dict) -> tuple:
        return "Concat", {"axis": 1}, ()

    def _nothing(self, node: dict) -> tuple:
        return "Identity", {}, ()


def _pair(value: int | Sequence[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)
