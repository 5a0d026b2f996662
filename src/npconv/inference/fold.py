"""Fewer operations for the same result: what is affine goes into weights, the rest into one pass.

Each function takes a graph and changes it in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv.checks import Array
from npconv.inference import operations as op
from npconv.inference.graph import Graph, Node


def fold(graph: Graph) -> None:
    """Do everything that this module can do."""
    leave_out_nothing(graph)
    scale_after(graph)
    scale_before(graph)
    add_inside(graph)
    activate_inside(graph)
    pool_first(graph)


def leave_out_nothing(graph: Graph) -> None:
    """Remove the operations that do nothing."""
    for node in [node for node in graph.nodes if isinstance(node.operation, op.Nothing)]:
        graph.nodes.remove(node)
        graph.replace(node.output, node.inputs[0])


def scale_after(graph: Graph) -> None:
    """Fold an affine operation into the weights of the convolution before it."""
    users, makers = graph.users(), graph.makers()
    for node in list(graph.nodes):
        before = makers.get(node.inputs[0])
        if not isinstance(node.operation, op.Affine) or before is None:
            continue
        target = before.operation
        if (
            not isinstance(target, (op.Convolution, op.FullyConnected))
            or target.activation is not None
            or len(before.inputs) > 1
            or not _only_for(node, before, users, graph)
        ):
            continue
        scale, shift = node.operation.scale, node.operation.shift
        bias = shift if target.bias is None else target.bias * scale + shift
        weight = target.weight * scale.reshape(-1, *[1] * (target.weight.ndim - 1))
        before.operation = _with(target, weight, bias, node.operation.activation)
        graph.nodes.remove(node)
        graph.replace(node.output, before.output)
        users, makers = graph.users(), graph.makers()


def scale_before(graph: Graph) -> None:
    """Fold an affine operation into the weights of the convolution behind it.

    Not where that is padded: the zeros are not scaled.
    """
    users, makers = graph.users(), graph.makers()
    for node in list(graph.nodes):
        target = node.operation
        before = makers.get(node.inputs[0])
        if (
            before is None
            or not isinstance(before.operation, op.Affine)
            or before.operation.activation is not None
            or not _only_for(node, before, users, graph)
            or not isinstance(target, op.Convolution)
            or not _unpadded(target)
        ):
            continue
        scale, shift = before.operation.scale, before.operation.shift
        per_group = target.weight.shape[1]
        groups = len(scale) // per_group
        filters = target.weight.reshape(groups, -1, *target.weight.shape[1:])
        bias = np.einsum("gkcrs,gc->gk", filters, shift.reshape(groups, -1)).reshape(-1)
        if target.bias is not None:
            bias = bias + target.bias
        weight = filters * scale.reshape(groups, 1, per_group, 1, 1)
        node.operation = _with(target, weight.reshape(target.weight.shape), bias, target.activation)
        node.inputs[0] = before.inputs[0]
        graph.nodes.remove(before)
        users, makers = graph.users(), graph.makers()


def add_inside(graph: Graph) -> None:
    """Let a convolution add what is added to its result."""
    users, makers = graph.users(), graph.makers()
    for node in list(graph.nodes):
        if not isinstance(node.operation, op.Add) or node.inputs[0] == node.inputs[1]:
            continue
        for own, other in (node.inputs, node.inputs[::-1]):
            before = makers.get(own)
            if (
                before is not None
                and isinstance(before.operation, op.Convolution)
                and before.operation.activation is None
                and len(before.inputs) == 1
                and _only_for(node, before, users, graph)
            ):
                # Takes the sum's place in the order, for the other operand may be made late.
                before.operation.activation = node.operation.activation
                node.operation = before.operation
                node.inputs = [before.inputs[0], other]
                node.path = before.path
                graph.nodes.remove(before)
                users, makers = graph.users(), graph.makers()
                break


def activate_inside(graph: Graph) -> None:
    """Let the operation before an activation apply it."""
    users, makers = graph.users(), graph.makers()
    for node in list(graph.nodes):
        before = makers.get(node.inputs[0])
        if (
            before is not None
            and isinstance(node.operation, op.Elementwise)
            and node.operation.activation is not None
            and isinstance(before.operation, (op.Convolution, op.Affine, op.FullyConnected, op.Add))
            and before.operation.activation is None
            and _only_for(node, before, users, graph)
        ):
            before.operation.activation = node.operation.activation
            graph.nodes.remove(node)
            graph.replace(node.output, before.output)
            users, makers = graph.users(), graph.makers()


def pool_first(graph: Graph) -> None:
    """Average before a 1x1 convolution instead of behind it, which is less to convolve."""
    users, makers = graph.users(), graph.makers()
    for node in list(graph.nodes):
        before = makers.get(node.inputs[0])
        if (
            before is not None
            and isinstance(node.operation, op.AveragePool)
            and node.operation.is_plain
            and isinstance(before.operation, op.Convolution)
            and before.operation.activation is None
            and len(before.inputs) == 1
            and before.operation.weight.shape[2:] == (1, 1)
            and before.operation.geometry[0] in (1, (1, 1))
            and _unpadded(before.operation)
            and _only_for(node, before, users, graph)
        ):
            before.operation, node.operation = node.operation, before.operation
            before.path, node.path = node.path, before.path


def _only_for(node: Node, before: Node, users: dict[int, list[Node]], graph: Graph) -> bool:
    """Whether nobody but `node` reads what `before` makes."""
    return users[before.output] == [node] and graph.output != before.output


def _unpadded(target: op.Convolution) -> bool:
    padding = target.geometry[1]
    return bool(padding == "valid" or np.all(np.asarray(padding) == 0)) and padding != "same"


def _with(target: Any, weight: Array, bias: Array, activation: op.Activation) -> Any:
    if isinstance(target, op.Convolution):
        return op.Convolution(weight, bias, target.geometry, target.options, activation)
    return op.FullyConnected(weight, bias, activation)
