"""What the executor reads of a captured graph.

``simulator.graph`` lies above this package and satisfies these by its shape, so nothing is imported
from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from simulator.numerics.signatures import Array


class NodeLike(Protocol):
    """One operation of a graph (``simulator.graph.Node``)."""

    @property
    def op(self) -> str: ...
    @property
    def inputs(self) -> tuple[int, ...]: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def attrs(self) -> Mapping[str, Any]: ...
    @property
    def where(self) -> object: ...


class GraphLike(Protocol):
    """A captured function (``simulator.graph.Graph``)."""

    @property
    def nodes(self) -> Sequence[NodeLike]: ...
    @property
    def inputs(self) -> Mapping[str, int]: ...
    @property
    def outputs(self) -> Mapping[str, int]: ...
    def scalar_table(self, arguments: Mapping[str, float | int]) -> list[Array]: ...
