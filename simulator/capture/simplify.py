"""Removes what no result needs, and compares two captures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from simulator.capture.recorder import Recorder
from simulator.graph import Graph, Node


def live_graph(recorder: Recorder, outputs: Mapping[str, int], **rest: object) -> Graph:
    """The recorded nodes that reach an output, and all inputs, in the order of recording."""
    nodes = recorder.nodes
    live = {index for index, node in enumerate(nodes) if node.op == "input"}
    waiting = list(outputs.values())
    while waiting:
        index = waiting.pop()
        if index not in live:
            live.add(index)
            waiting += nodes[index].inputs
    place: dict[int, int] = {}
    entries: dict[int, int] = {}
    kept: list[Node] = []
    for index in sorted(live):
        node = nodes[index]
        place[index] = len(kept)
        if node.op == "scalar":
            entry = entries.setdefault(node.attrs["index"], len(entries))
            node = replace(node, attrs={"index": entry})
        elif node.inputs:
            inputs = tuple(place[i] for i in node.inputs)
            node = Node(node.op, inputs, node.shape, node.dtype, node.attrs, node.where)
        kept.append(node)
    return Graph(
        nodes=tuple(kept),
        inputs={node.attrs["path"]: i for i, node in enumerate(kept) if node.op == "input"},
        outputs={path: place[index] for path, index in outputs.items()},
        scalars=tuple(recorder.scalars[entry] for entry in entries),
        **rest,  # type: ignore[arg-type]
    )


def first_difference(one: Graph, other: Graph) -> Node | None:
    """The first node of `other` that computes something else than its counterpart in `one`."""
    for a, b in zip(one.nodes, other.nodes, strict=False):
        if a.key() != b.key():
            return b
        if a.op == "scalar" and repr(one.scalars[a.attrs["index"]]) != repr(
            other.scalars[b.attrs["index"]]
        ):
            return b
    shared = min(len(one.nodes), len(other.nodes))
    longer = max(one.nodes, other.nodes, key=len)
    return longer[shared] if len(longer) > shared else None
