"""A network in evaluation mode as a list of operations, without nesting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from npconv.inference.operations import Operation, Shape

INPUT = 0


@dataclass(eq=False)
class Node:
    """An operation in its place: values are numbers, path names the layer that it comes from."""

    operation: Operation
    inputs: list[int]
    output: int
    path: str


@dataclass
class Graph:
    """Nodes in an order in which they can run.

    Value 0 is the network's input; every other one is made by one node and never changed.
    """

    nodes: list[Node] = field(default_factory=list)
    output: int = INPUT
    values: int = 1

    def add(self, operation: Operation, inputs: Sequence[int], path: str) -> int:
        """Append a node and return the value that it makes."""
        value = self.values
        self.values += 1
        self.nodes.append(Node(operation, list(inputs), value, path))
        return value

    def users(self) -> dict[int, list[Node]]:
        """For each value, the nodes that read it, one for each time that they do."""
        users: dict[int, list[Node]] = {value: [] for value in range(self.values)}
        for node in self.nodes:
            for value in node.inputs:
                users[value].append(node)
        return users

    def makers(self) -> dict[int, Node]:
        """For each value but the input, the node that makes it."""
        return {node.output: node for node in self.nodes}

    def replace(self, old: int, new: int) -> None:
        """Let everything read `new` where it read `old`."""
        for node in self.nodes:
            node.inputs = [new if value == old else value for value in node.inputs]
        if self.output == old:
            self.output = new

    def shapes(self, input_shape: Shape) -> dict[int, Shape]:
        """Compute the shape of every value."""
        shapes = {INPUT: input_shape}
        for node in self.nodes:
            given = [shapes[value] for value in node.inputs]
            try:
                shapes[node.output] = node.operation.output_shape(*given)
            except ValueError as error:
                raise ValueError(f"layer {node.path!r}: {error}") from None
        return shapes
