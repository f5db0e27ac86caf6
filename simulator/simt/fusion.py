"""Which operations share a kernel: groups of element-by-element nodes, casts with their producers."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.graph import ELEMENTWISE, SOURCES, VIEWS, Graph, Node

CAST = "to_bfloat16"


@dataclass(frozen=True)
class Groups:
    """Node by node: its kernel's number (-1: it costs nothing) and the node that it is a view of."""

    kernel: list[int]
    tensor: list[int]
    viewed: list[int]  # elements of the tensor that node i sees
    count: int


def live_nodes(graph: Graph) -> list[bool]:
    """Nodes that an output depends on."""
    live = [False] * len(graph.nodes)
    stack = list(graph.outputs.values())
    while stack:
        index = stack.pop()
        if not live[index]:
            live[index] = True
            stack += graph.nodes[index].inputs
    return live


def tensor_of(graph: Graph, index: int, keep_casts: bool) -> int:
    """The node whose memory a node is a view of."""
    while graph.nodes[index].op in VIEWS or (graph.nodes[index].op == CAST and not keep_casts):
        index = graph.nodes[index].inputs[0]
    return index


def group_nodes(graph: Graph, fused: bool, keep_casts: bool) -> Groups:
    """The kernels of a graph.

    Fused: element-by-element nodes of one size that no GEMM, reduction or change of size lies between share
    a kernel. Unfused: a kernel per operation. Either way a cast to 16 bits joins the kernel that computes
    its operand, and views are free. ``keep_casts`` False: casts are views (GEMMs of float32 take none).
    """
    view = _Views(graph, keep_casts)
    level = _levels(graph, view)
    kernels = _Partition(len(graph.nodes))
    readers: dict[tuple[int, int], int] = {}  # (tensor, level) -> a simple node that reads it
    for index in view.working:
        node = graph.nodes[index]
        if index in view.joined:
            kernels.join(node.inputs[0], index)
        elif fused and view.simple[index]:
            for tensor in (view.tensor[source] for source in node.inputs):
                if graph.nodes[tensor].size != node.size:
                    continue
                if view.simple[tensor] and level[tensor] == level[index]:
                    kernels.join(tensor, index)
                kernels.join(readers.setdefault((tensor, level[index]), index), index)
    numbers: dict[int, int] = {}
    kernel = [-1] * len(graph.nodes)
    for index in view.working:
        kernel[index] = numbers.setdefault(kernels.root(index), len(numbers))
    return Groups(kernel, view.tensor, view.viewed, len(numbers))


class _Views:
    """What each live node is: a source, a view, work of its own, or a cast that its operand's kernel does."""

    def __init__(self, graph: Graph, keep_casts: bool) -> None:
        nodes, live = graph.nodes, live_nodes(graph)
        self.tensor = list(range(len(nodes)))
        self.viewed = [node.size for node in nodes]
        self.working: list[int] = []  # nodes that a kernel computes, in order
        self.joined: set[int] = set()  # casts in the kernel of their operand
        self.simple = [False] * len(nodes)  # element by element, in a kernel of such
        for index, node in enumerate(nodes):
            if not live[index] or node.op in SOURCES:
                continue
            source = node.inputs[0]
            if node.op in VIEWS or (node.op == CAST and not keep_casts):
                self.tensor[index] = self.tensor[source]
                self.viewed[index] = min(self.viewed[source], node.size)
                continue
            computed = self.tensor[source] == source and nodes[source].op not in SOURCES
            if node.op == CAST and computed:
                self.joined.add(index)
                self.simple[index] = self.simple[source]
            else:
                self.simple[index] = node.op in ELEMENTWISE
            self.working.append(index)

    def step(self, nodes: tuple[Node, ...], tensor: int, index: int) -> int:
        """0 if ``index`` can read ``tensor`` without a kernel's end between them, else 1."""
        if nodes[tensor].op in SOURCES or index in self.joined:
            return 0
        fusible = self.simple[tensor] and self.simple[index] and nodes[tensor].size == nodes[index].size
        return 0 if fusible else 1


def _levels(graph: Graph, view: _Views) -> list[int]:
    """Kernel ends on the longest way to each node.

    Nodes of one level and size never have a kernel's end between them, and an edge between two kernels goes
    up by at least one: groups within a level cannot wait for one another in a circle. Nodes that read
    nothing computed (such as ``beta * state``) move to the level of their first reader.
    """
    nodes = graph.nodes
    level = [0] * len(nodes)
    free = [node.op in SOURCES for node in nodes]
    readers: list[list[int]] = [[] for _ in nodes]
    for index in view.working:
        tensors = {view.tensor[source] for source in nodes[index].inputs}
        for tensor in tensors:
            level[index] = max(level[index], level[tensor] + view.step(nodes, tensor, index))
            readers[tensor].append(index)
        free[index] = view.simple[index] and all(free[tensor] for tensor in tensors)
    for index in reversed(view.working):
        if free[index] and readers[index]:
            level[index] = min(level[reader] - view.step(nodes, index, reader) for reader in readers[index])
    for index in view.working:
        if index in view.joined:  # its only operand may have stayed behind
            level[index] = level[nodes[index].inputs[0]]
    return level


class _Partition:
    """Sets of nodes that share a kernel (union-find)."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, member: int) -> int:
        """The first node of the member's set."""
        while self._parent[member] != member:
            self._parent[member] = self._parent[self._parent[member]]
            member = self._parent[member]
        return member

    def join(self, a: int, b: int) -> None:
        """The two sets become one."""
        a, b = self.root(a), self.root(b)
        self._parent[max(a, b)] = min(a, b)
