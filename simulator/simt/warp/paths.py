"""What the sub-cores of an SM share: shared memory, and the ports to and from L2."""

from __future__ import annotations

from simulator.simt.warp.addresses import SECTOR_BYTES
from simulator.simt.warp.instructions import Instruction, Op
from simulator.simt.warp.state import Activity, Core
from simulator.units import ceil_div


class Paths:
    """Queues that serve in order of arrival: a wavefront per cycle, so many bytes per cycle each way."""

    def __init__(self, core: Core, activity: Activity) -> None:
        self._core, self._activity = core, activity
        self.shared_free = 0
        self._ports = [0, 0]  # in, out: bytes that could have crossed when the last one has

    def access(self, wavefronts: int, now: int) -> int:
        """Wavefronts of shared memory; the cycle of the last one."""
        self.shared_free = max(self.shared_free, now) + wavefronts
        self._activity.wavefronts += wavefronts
        return self.shared_free - 1

    def cross(self, instruction: Instruction, now: int) -> int:
        """Sectors through a port; the cycle at which the last one has arrived."""
        rate, out = self._core.port_bytes, instruction.op is Op.STG
        if out:
            self._activity.sectors_out += instruction.sectors
        else:
            self._activity.sectors_in += instruction.sectors
        self._ports[out] = max(self._ports[out], now * rate) + SECTOR_BYTES * instruction.sectors
        return ceil_div(self._ports[out], rate) + self._core.memory_latency

    @property
    def crossed(self) -> int:
        """The cycle at which nothing is left to cross."""
        return max(ceil_div(port, self._core.port_bytes) for port in self._ports)
