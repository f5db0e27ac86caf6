"""A readable listing of a graph."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from simulator.graph import Graph, HostScalar, Node

_INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}


def describe(graph: Graph) -> str:
    """One line per node: index, operation, shape, type, details, source line; then the results."""
    lines = [
        f"{graph.name}: {len(graph.nodes)} nodes, {len(graph.matmuls())} matmuls, "
        f"{len(graph.inputs)} inputs, {len(graph.outputs)} outputs, {len(graph.scalars)} scalars"
    ]
    for index, node in enumerate(graph.nodes):
        operands = " ".join(f"%{i}" for i in node.inputs)
        what = " ".join(part for part in (node.op, operands, _details(graph, node)) if part)
        where = f"{PurePath(node.where.file).name}:{node.where.line}" if node.where.line else ""
        shape = "x".join(map(str, node.shape)) or "scalar"
        lines.append(f"%{index:<4} {node.dtype:9} {shape:12} {what:45} {where}".rstrip())
    for path, index in graph.outputs.items():
        carried = "  (carried)" if path in graph.carried else ""
        lines.append(f"output {path} = %{index}{carried}")
    return "\n".join(lines)


def _details(graph: Graph, node: Node) -> str:
    if node.op == "input":
        path: str = node.attrs["path"]
        return path + (" (resident)" if path in graph.resident else "")
    if node.op == "scalar":
        return formula(graph.scalars[node.attrs["index"]].expression)
    if node.op == "constant":
        value = node.attrs["value"]
        return f"all {value.flat[0]}" if (value == value.flat[0]).all() else "values"
    return ", ".join(_attribute(name, value) for name, value in node.attrs.items() if value)


def _attribute(name: str, value: Any) -> str:
    if name == "key":
        parts = (f"{a}:{b}" + (f":{step}" if step > 1 else "") for a, b, step in value)
        return f"[{', '.join(parts)}]"
    return name if value is True else f"{name}={value}"


def formula(number: HostScalar) -> str:
    """A host scalar's expression as it would be written in Python."""
    if number.op in ("const", "arg"):
        return str(number.args[0])
    args = [formula(arg) for arg in number.args]
    if number.op in _INFIX:
        return f"({args[0]} {_INFIX[number.op]} {args[1]})"
    return f"-{args[0]}" if number.op == "negative" else f"{number.op}({', '.join(args)})"
