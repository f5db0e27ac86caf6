"""The weight FIFO and the loader that fills it from the unified buffer, one tile per WLOAD.

Latency: unified buffer read + ``rows`` cycles from the loader's issue until the whole tile is in the FIFO.
Throughput: one line per cycle, back to back WLOADs without a gap, while slots are free.
Handshake: a WLOAD issues when a slot is free; a slot is taken at the issue and freed when the tile's last
line has entered the array. The shifter takes a tile when all its lines are in.

The shifter works ahead of the array by the unified buffer's latency (see ``weight_shifter``): it can begin
to take a tile ``rows`` cycles after the loader's issue, when the loader has asked for its last line.
"""

from __future__ import annotations

from typing import final

from simulator.isa import UnitId
from simulator.systolic.clock import Clock
from simulator.systolic.queues import RegisteredFifo
from simulator.systolic.tokens import Counter
from simulator.systolic.unit import IssueUnit, Ports
from simulator.trace import WEIGHT_SHIFTER, Stall


def weight_fifo(clock: Clock, depth_tiles: int) -> RegisteredFifo:
    """``items``: whole tiles, in the shifter's time. ``room``: free slots."""
    return RegisteredFifo(
        items=Counter(clock, Stall.WEIGHTS, UnitId.WEIGHT_LOADER),
        room=Counter(clock, Stall.WEIGHT_FIFO, WEIGHT_SHIFTER, credits_at_reset=depth_tiles),
    )


@final
class WeightLoader(IssueUnit):
    """Executes WLOAD."""

    def __init__(self, ports: Ports, fifo: RegisteredFifo) -> None:
        super().__init__(ports, fifo.room)
        self._tiles = fifo.items
        self._lines = self.recorder.stream.occupancy

    def issue(self, instruction: int, start: int, end: int) -> None:
        self._tiles.post((start + self._lines[instruction], instruction))
