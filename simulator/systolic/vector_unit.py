"""The vector unit: element-by-element functions and reductions, memory to memory.

Latency: unified buffer read, then ``interval`` cycles per beat, then the write; all from
``simulator.timing``.
Throughput: one instruction at a time: the next one issues after this one's last write (occupancy =
latency), so it needs no hazard checks between its own instructions.
Handshake: issues with its tokens in hand; it has a port of its own on the unified buffer and on the
accumulators, so nothing stalls it once it has started.
"""

from __future__ import annotations

from typing import final

from simulator.systolic.unit import IssueUnit


@final
class VectorUnit(IssueUnit):
    """An issue unit without conditions of its own."""
