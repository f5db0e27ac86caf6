"""A graph as kernels, in an order in which each finds its operands computed."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace

from simulator.graph import REDUCTIONS, Graph, Node
from simulator.machines.simt import Dtype
from simulator.simt.fusion import CAST, group_nodes
from simulator.simt.kernels import ITEM_BYTES, GemmKernel, Kernel, StreamKernel, layout
from simulator.simt.streaming import instructions_of
from simulator.units import ceil_div


def lower(graph: Graph, dtype: Dtype = "bfloat16", fused: bool = True) -> list[Kernel]:
    """The kernels of a graph, in an order that respects their operands.

    ``dtype`` is what float GEMMs multiply (their operands' casts give that type); GEMMs of int8 tensors
    stay int8. Fused: groups of element-by-element operations are one kernel each, and the updates of all
    parameters together one (a multi-tensor kernel).
    """
    kernels = _Lowering(graph, dtype, fused).kernels()
    return _in_order(_merge_updates(kernels) if fused else kernels)


class _Lowering:
    def __init__(self, graph: Graph, dtype: Dtype, fused: bool) -> None:
        self.graph = graph
        self.dtype = dtype
        self.groups = group_nodes(graph, fused, keep_casts=dtype != "float32")
        self.members: list[list[int]] = [[] for _ in range(self.groups.count)]
        for index, kernel in enumerate(self.groups.kernel):
            if kernel >= 0:
                self.members[kernel].append(index)
        self.outputs = {self.groups.tensor[node] for node in graph.outputs.values()}
        self.carried = {self.groups.tensor[graph.outputs[path]] for path in graph.carried}
        self.read_elsewhere = {
            self.groups.tensor[source]
            for kernel, members in enumerate(self.members)
            for index in members
            for source in graph.nodes[index].inputs
            if self.groups.kernel[self.groups.tensor[source]] != kernel
        }

    def kernels(self) -> list[Kernel]:
        """One kernel per group."""
        return [self._kernel(members) for members in self.members]

    def _kernel(self, members: Sequence[int]) -> Kernel:
        nodes = self.graph.nodes
        kernel = self.groups.kernel[members[0]]
        reads: dict[int, int] = {}
        after = set()
        for index in members:
            for source in nodes[index].inputs:
                tensor = self.groups.tensor[source]
                if self.groups.kernel[tensor] == kernel or nodes[tensor].op == "scalar":
                    continue
                seen = self.groups.viewed[source] * self._item_bytes(tensor)
                reads[tensor] = max(reads.get(tensor, 0), seen)
                if self.groups.kernel[tensor] >= 0:
                    after.add(self.groups.kernel[tensor])
        writes = {
            index: nodes[index].size * self._item_bytes(index)
            for index in members
            if index in self.read_elsewhere or index in self.outputs
        }
        lead = nodes[members[0]]
        base = Kernel("", "", tuple(members), reads, writes, tuple(sorted(after)))
        if lead.op == "matmul":
            return self._gemm(base, members[0])
        return self._stream(base, lead)

    def _gemm(self, base: Kernel, index: int) -> GemmKernel:
        node = self.graph.nodes[index]
        m, k, n = self.graph.matmul_mkn(index)
        transa, transb = bool(node.attrs["transpose_a"]), bool(node.attrs["transpose_b"])
        a, b = (self.groups.tensor[source] for source in node.inputs)
        dtype: Dtype = "int8" if self.graph.nodes[node.inputs[0]].dtype == "int8" else self.dtype
        return GemmKernel(
            f"gemm_{dtype}_{layout(transa, transb)}", f"gemm {m}x{k}x{n} {layout(transa, transb)}",
            base.nodes, base.reads, base.writes, base.after, m, k, n, transa, transb, dtype, a, b,
        )  # fmt: skip

    def _stream(self, base: Kernel, lead: Node) -> StreamKernel:
        nodes = [self.graph.nodes[index] for index in base.nodes]
        reduction = lead.op in REDUCTIONS
        elements = self.graph.nodes[lead.inputs[0]].size if reduction else lead.size
        costs = [instructions_of(node.op) for node in nodes]
        ops = list(dict.fromkeys(node.op for node in nodes if node.op != CAST)) or [f"to_{self.dtype}"]
        shape = _shape(lead)
        if reduction:
            shape = f"{_shape(self.graph.nodes[lead.inputs[0]])} to {shape}"
        shown = "+".join(ops[:4]) + ("+..." if len(ops) > 4 else "")
        return StreamKernel(
            name="reduction" if reduction else "elementwise" if len(nodes) == 1 else "fused",
            label=f"{shown} {shape}",
            nodes=base.nodes,
            reads=base.reads,
            writes=base.writes,
            after=base.after,
            elements=elements,
            instructions=sum(fma for fma, _ in costs),
            special=sum(special for _, special in costs),
            results=lead.size if reduction else 0,
            update=bool(base.writes) and base.writes.keys() <= self.carried - self.read_elsewhere,
        )

    def _item_bytes(self, tensor: int) -> int:
        """Bytes of an element; a cast gives the GEMMs' operand type."""
        node = self.graph.nodes[tensor]
        return ITEM_BYTES[self.dtype if node.dtype == "bfloat16" else node.dtype]


def _shape(node: Node) -> str:
    return "x".join(map(str, node.shape)) or "scalar"


def _merge_updates(kernels: list[Kernel]) -> list[Kernel]:
    """All kernels that only write the next step's parameters and state become one; nothing waits for them."""
    updates = [i for i, kernel in enumerate(kernels) if isinstance(kernel, StreamKernel) and kernel.update]
    if len(updates) < 2:
        return kernels
    merged = [kernels[i] for i in updates]
    streams = [kernel for kernel in merged if isinstance(kernel, StreamKernel)]
    elements = sum(kernel.elements for kernel in streams)
    kept = [i for i in range(len(kernels)) if i not in set(updates)]
    position = {old: new for new, old in enumerate(kept)}
    after = sorted({position[i] for kernel in merged for i in kernel.after})
    update = StreamKernel(
        name="update",
        label=f"update of {len(merged)} tensors, {elements} elements",
        nodes=tuple(sorted(i for kernel in merged for i in kernel.nodes)),
        reads={t: b for kernel in merged for t, b in kernel.reads.items()},
        writes={t: b for kernel in merged for t, b in kernel.writes.items()},
        after=tuple(after),
        elements=elements,
        instructions=ceil_div(sum(k.instructions * k.elements for k in streams), elements),
        special=ceil_div(sum(k.special * k.elements for k in streams), elements),
        update=True,
    )
    return [replace(kernels[i], after=tuple(position[j] for j in kernels[i].after)) for i in kept] + [update]


def _in_order(kernels: list[Kernel]) -> list[Kernel]:
    """Kernels in topological order, otherwise by their last operation's place in the graph."""
    waiting = [len(kernel.after) for kernel in kernels]
    readers: list[list[int]] = [[] for _ in kernels]
    for i, kernel in enumerate(kernels):
        for j in kernel.after:
            readers[j].append(i)
    ready = [(kernel.nodes[-1], i) for i, kernel in enumerate(kernels) if not waiting[i]]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        _, i = heapq.heappop(ready)
        order.append(i)
        for reader in readers[i]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, (kernels[reader].nodes[-1], reader))
    assert len(order) == len(kernels), "kernels wait for one another in a circle"
    position = {old: new for new, old in enumerate(order)}
    return [replace(kernels[i], after=tuple(sorted(position[j] for j in kernels[i].after))) for i in order]
