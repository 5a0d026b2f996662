"""A small convolutional network in ONNX's reference evaluator, before and after npconv.

The network is built here, with random weights, as exporters write it. What npconv changes is the
argument ``new_ops``.

    python examples/dropin/onnx_convnet.py [--small] [--runs N]
"""

import argparse
import time

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import npconv.compat.onnx


def network(batch, side, width):
    """Return a model of three convolutions, batch normalisation, poolings and a matrix."""
    rng = np.random.default_rng(0)
    nodes, weights = [], []
    last = "images"

    def weight(name, *shape, scale=1.0):
        values = (scale * rng.standard_normal(shape)).astype(np.float32)
        weights.append(numpy_helper.from_array(values, name))
        return name

    def node(kind, *inputs, **attributes):
        nonlocal last
        out = f"{kind}{len(nodes)}"
        nodes.append(helper.make_node(kind, [last, *inputs], [out], **attributes))
        last = out

    channels = 3
    for number, filters in enumerate((width, 2 * width, 4 * width)):
        shape = filters, channels, 3, 3
        w = weight(f"w{number}", *shape, scale=(2 / (9 * channels)) ** 0.5)
        node("Conv", w, weight(f"b{number}", filters), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        if number == 1:
            scale, offset, mean = (weight(f"bn{i}", filters) for i in range(3))
            variance = numpy_helper.from_array(np.ones(filters, np.float32), "bn3")
            weights.append(variance)
            node("BatchNormalization", scale, offset, mean, "bn3")
        node("Relu")
        if number < 2:
            node("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        channels = filters
    node("GlobalAveragePool")
    node("Flatten")
    node("Gemm", weight("fc", channels, 10), weight("fcb", 10))

    shape = [batch, 3, side, side]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)
    scores = helper.make_tensor_value_info(last, TensorProto.FLOAT, [batch, 10])
    graph = helper.make_graph(nodes, "network", [images], [scores], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    checker.check_model(model)
    return model


def run(session, images, runs):
    """Return the scores and the seconds of the fastest run."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        (scores,) = session.run(None, {"images": images})
        seconds.append(time.perf_counter() - start)
    return scores, min(seconds)


def main():
    """Run the network in both evaluators and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--small", action="store_true", help="little images")
    options = parser.parse_args()
    batch, side, width = (1, 8, 2) if options.small else (1, 64, 16)

    model = network(batch, side, width)
    images = np.random.default_rng(1).standard_normal((batch, 3, side, side), dtype=np.float32)
    before, seconds_before = run(ReferenceEvaluator(model), images, 2)
    session = ReferenceEvaluator(model, new_ops=npconv.compat.onnx.new_ops)
    after, seconds_after = run(session, images, options.runs)

    print(f"{'':10}{'a run':>12}{'gain':>9}{'best class':>12}")
    for name, scores, seconds in (
        ("before", before, seconds_before),
        ("after", after, seconds_after),
    ):
        gain = seconds_before / seconds
        print(f"{name:10}{1e3 * seconds:9.2f} ms{gain:8.1f}x{scores[0].argmax():12}")
    apart = np.abs(after - before).max() / np.abs(before).max()
    print(f"largest relative difference of a score, before and after: {apart:.1e}")


if __name__ == "__main__":
    main()
