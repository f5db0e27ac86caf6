"""An SM stepped cycle by cycle: ``docs/simt.md``, rule by rule.

Simple and obviously right, not fast. Every cycle every scheduler looks at every warp. Shares nothing with the
event-driven SM but the descriptions of instructions and of the core.
"""

from __future__ import annotations

import math
from fractions import Fraction

from simulator.simt.warp.instructions import BlockProgram, Op
from simulator.simt.warp.state import Core

PIPES = {
    "ALU": [Op.ALU],
    "FMA": [Op.FMA],
    "TENSOR": [Op.MMA, Op.WGMMA],
    "SHARED": [Op.LDS, Op.STS],
    "GLOBAL": [Op.LDG, Op.STG, Op.COPY],
    "CONTROL": [Op.SYNC, Op.ARRIVE, Op.WAIT],
}
WAIT_FOR = {Op.LDS: "SHARED", Op.STS: "SHARED", Op.LDG: "GLOBAL", Op.STG: "GLOBAL", Op.COPY: "GLOBAL"}


class Stepper:
    """``log``: (cycle, sub-core, warp, position); ``stalls``: per sub-core, name of the reason to cycles."""

    def __init__(self, core: Core, program: BlockProgram, blocks: int, k_tiles: int) -> None:
        self.core, self.program = core, program
        width = len(program.warps)
        self.code = [list(warp.unrolled(k_tiles)) for _ in range(blocks) for warp in program.warps]
        self.block = [number // width for number in range(blocks * width)]
        self.position = [0] * len(self.code)
        self.ready: list[dict[int, tuple[int, str]]] = [{} for _ in self.code]
        self.waits_done = [[0] * len(program.barriers) for _ in self.code]
        # Barrier by barrier: cycles at which arrivals count.
        self.arrivals: list[list[list[int]]] = [[[] for _ in program.barriers] for _ in range(blocks)]
        self.pipe_free = [dict.fromkeys(PIPES, 0) for _ in range(core.sub_cores)]
        self.first: list[int | None] = [None] * core.sub_cores
        self.last: list[int | None] = [None] * core.sub_cores
        self.shared_free = 0
        self.crossed = {"in": Fraction(0), "out": Fraction(0)}  # when the port's last byte has crossed
        self.log: list[tuple[int, int, int, int]] = []
        self.stalls: list[dict[str, int]] = [{} for _ in range(core.sub_cores)]
        self.wavefronts = 0
        self.cycles = 0

    def run(self, limit: int = 1_000_000) -> None:
        """Steps until nothing is left to issue or to store."""
        cycle = 0
        while self._left():
            assert cycle < limit, "does not end"
            for sub_core in range(self.core.sub_cores):
                self._turn(sub_core, cycle)
            cycle += 1
        self.cycles = max(cycle, *(math.ceil(port) for port in self.crossed.values()))
        for stalls in self.stalls:
            stalls["DONE"] = stalls.get("DONE", 0) + self.cycles - cycle

    def _left(self) -> bool:
        return any(p < len(code) for p, code in zip(self.position, self.code, strict=True))

    def _turn(self, sub_core: int, cycle: int) -> None:
        order = [
            warp
            for warp in range(sub_core, len(self.code), self.core.sub_cores)
            if self.position[warp] < len(self.code[warp])
        ]
        first, last = self.first[sub_core], self.last[sub_core]
        order.sort(key=lambda warp: (warp != first, warp == last, warp))
        reasons = [self._obstacle(warp, sub_core, cycle) for warp in order]
        if None not in reasons:
            reason = reasons[0] if reasons else "DONE"
            assert reason is not None
            self.stalls[sub_core][reason] = self.stalls[sub_core].get(reason, 0) + 1
            return
        warp = order[reasons.index(None)]
        for _ in range(self.core.slots):
            if self.position[warp] < len(self.code[warp]) and self._obstacle(warp, sub_core, cycle) is None:
                self._issue(warp, sub_core, cycle)
            else:
                break
        asynchronous = self.code[warp][self.position[warp] - 1].op is Op.WGMMA
        self.first[sub_core] = None if asynchronous else warp
        self.last[sub_core] = warp if asynchronous else None

    def _obstacle(self, warp: int, sub_core: int, cycle: int) -> str | None:
        """What the next instruction waits for, None if it can issue."""
        instruction = self.code[warp][self.position[warp]]
        pending = [self.ready[warp][r] for r in instruction.needs if r in self.ready[warp]]
        if pending:
            last = max(when for when, _ in pending)
            if last > cycle:
                return next(kind for when, kind in pending if when == last)
        if instruction.waits >= 0:
            completions = self._completions(self.block[warp], instruction.waits)
            number = self.waits_done[warp][instruction.waits]
            if number >= len(completions) or completions[number] > cycle:
                return "BARRIER"
        early = instruction.interval if instruction.op is Op.WGMMA else 0
        if self.pipe_free[sub_core][pipe_of(instruction.op)] - early > cycle:
            return "PIPE"
        if instruction.wavefronts and self.shared_free - cycle > self.core.shared_queue:
            return "QUEUE"
        return None

    def _completions(self, block: int, barrier: int) -> list[int]:
        """When each completion of a barrier is seen, those whose arrivals have all been announced."""
        description = self.program.barriers[barrier]
        arrivals, size = self.arrivals[block][barrier], description.arrivals
        whole = [arrivals[i : i + size] for i in range(0, len(arrivals) - size + 1, size)]
        return [0] * description.completed + [max(group) + self.core.barrier_latency for group in whole]

    def _shared(self, wavefronts: int, cycle: int) -> int:
        """Takes shared memory; the cycle of the last wavefront."""
        self.shared_free = max(self.shared_free, cycle) + wavefronts
        self.wavefronts += wavefronts
        return self.shared_free - 1

    def _issue(self, warp: int, sub_core: int, cycle: int) -> None:
        instruction = self.code[warp][self.position[warp]]
        self.log.append((cycle, sub_core, warp, self.position[warp]))
        self.position[warp] += 1
        pipe = pipe_of(instruction.op)
        before = max(self.pipe_free[sub_core][pipe], cycle)
        self.pipe_free[sub_core][pipe] = before + instruction.interval
        done = cycle
        if instruction.wavefronts:
            done = self._shared(instruction.wavefronts, cycle)
        if instruction.op is Op.WGMMA:
            done = self.pipe_free[sub_core][pipe] = max(before + instruction.interval, done + 1)
        done += instruction.latency
        if instruction.sectors:
            done = self._transfer(instruction.sectors * 32, instruction.op, cycle)
        if instruction.waits >= 0:
            self.waits_done[warp][instruction.waits] += 1
        if instruction.arrives >= 0:
            when = done if instruction.op is Op.COPY else cycle
            self.arrivals[self.block[warp]][instruction.arrives].append(when)
        if instruction.dst >= 0:
            known = self.ready[warp].get(instruction.dst, (0, ""))[0]
            self.ready[warp][instruction.dst] = (max(known, done), WAIT_FOR.get(instruction.op, "RESULT"))

    def _transfer(self, size: int, op: Op, cycle: int) -> int:
        """Bytes through the port; the cycle at which the last has arrived."""
        way = "out" if op is Op.STG else "in"
        self.crossed[way] = max(self.crossed[way], Fraction(cycle)) + Fraction(size, self.core.port_bytes)
        return math.ceil(self.crossed[way]) + self.core.memory_latency


def pipe_of(op: Op) -> str:
    """The pipe that an instruction takes."""
    return next(pipe for pipe, ops in PIPES.items() if op in ops)
