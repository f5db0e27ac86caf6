"""One streaming multiprocessor with its resident thread blocks, warp instruction by warp instruction.

A SimPy time is a sub-core's turn in a cycle. A scheduler's own clock runs ahead of SimPy's while nothing that
others do can matter to it; it waits for its turn before it touches what sub-cores share.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from simulator.simt.warp.instructions import PIPE_OF, STALL_OF, BlockProgram, Instruction, Op, Pipe, Stall
from simulator.simt.warp.paths import Paths
from simulator.simt.warp.state import Activity, BlockState, Core, Issue, WarpState

Process = Generator[simpy.Event, Any, None]

_NEVER = 1 << 60
_SYNC_FIRST = -1


class Sm:
    """``blocks`` thread blocks that start together and multiply ``k_tiles`` k-tiles each."""

    def __init__(
        self, core: Core, program: BlockProgram, blocks: int, k_tiles: int, keep_log: bool = False
    ) -> None:
        self.core, self.program, self.k_tiles = core, program, k_tiles
        self._keep_log = keep_log
        self._activity = Activity.nothing(core.sub_cores)
        self._env = simpy.Environment()
        self._wake = [self._env.event() for _ in range(core.sub_cores)]
        self._ended = [0] * core.sub_cores  # cycles, once the last warp has issued everything
        self._unknown = [0] * core.sub_cores  # warps that wait for a barrier nobody can date yet
        self._pipe_free = [[0] * len(Pipe) for _ in range(core.sub_cores)]
        codes = [warp.unrolled(k_tiles) for warp in program.warps]
        self._warps: list[WarpState] = []
        for _ in range(blocks):
            block = BlockState(program)
            for code in codes:
                index = len(self._warps)
                self._warps.append(WarpState(index, index % core.sub_cores, block, code))
        for sub_core in range(core.sub_cores):
            self._env.process(self._schedule(sub_core))
        self._paths = Paths(core, self._activity)

    def run(self) -> Activity:
        """Runs to the end.

        Raises:
            RuntimeError: warps wait for one another.
        """
        self._env.run()
        if not all(warp.finished for warp in self._warps):
            raise RuntimeError("warps wait for one another at barriers")
        activity = self._activity
        activity.cycles = max(*self._ended, self._paths.crossed)
        for ended, stalls in zip(self._ended, activity.stalls, strict=True):
            stalls[Stall.DONE] = activity.cycles - ended
        width = len(self.program.warps)
        for start in range(0, len(self._warps), width):
            ends = [0] * self.k_tiles
            for offset, warp in enumerate(self._warps[start : start + width]):
                if count := self.program.multiplies(offset):
                    last = warp.multiplied[count - 1 : count * self.k_tiles : count]
                    ends = [max(pair) for pair in zip(ends, last, strict=True)]
            activity.k_tile_ends.append(ends)
        for warp in self._warps:
            activity.multiplied[warp.sub_core] += warp.multiplied
        for cycles in activity.multiplied:
            cycles.sort()
        activity.log.sort()
        return activity

    def _schedule(self, index: int) -> Process:
        """One sub-core's scheduler: the warp that issued last goes on while it can, else the oldest.

        After an asynchronous multiply the warp has the last place, so that warps share the tensor core.
        """
        env, turns, stalls = self._env, self.core.sub_cores, self._activity.stalls[index]
        patience = max(1, (self.core.barrier_latency - 1) * turns)  # what completes now matters later
        yield env.timeout(index)
        active = [warp for warp in self._warps if warp.sub_core == index and warp.code]
        order, now, last_behind = list(active), 0, False
        while order:
            ahead = now * turns + index - int(env.now)
            if ahead >= patience and self._unknown[index]:
                yield env.timeout(ahead)
                ahead = 0
            chosen, soonest = self._choose(order, now, ahead > 0)
            if chosen is not None:
                self._issue(chosen, now)
                for _ in range(self.core.slots - 1):
                    if chosen.finished:
                        break
                    if chosen.code[chosen.pc].op > Op.MMA and ahead > 0:
                        yield env.timeout(ahead)
                        ahead = 0
                    chosen.until = self._earliest(chosen, now, ahead > 0)
                    if chosen.until != now:
                        break
                    self._issue(chosen, now)
                self._activity.issuing[index] += 1
                now += 1
                behind = chosen.code[chosen.pc - 1].op is Op.WGMMA
                if chosen.finished:
                    active.remove(chosen)
                    order = list(active)
                elif behind or last_behind or chosen is not order[0]:
                    order = [warp for warp in active if warp is not chosen]
                    order.insert(len(order) if behind else 0, chosen)
                last_behind = behind
            elif soonest == _SYNC_FIRST:
                yield env.timeout(ahead)
            else:
                stall, wake = order[0].stall, self._wake[index]
                until = soonest * turns + index - int(env.now)
                if soonest == _NEVER:
                    yield wake
                elif until > patience and self._unknown[index]:
                    yield env.timeout(until) | wake
                if wake.triggered:  # something has a date now: look again
                    self._wake[index] = env.event()
                else:
                    stalls[stall] += soonest - now
                    now = soonest
        self._ended[index] = now

    def _choose(self, order: list[WarpState], now: int, ahead: bool) -> tuple[WarpState | None, int]:
        """The first warp that can issue, or nobody and the cycle at which to look again."""
        soonest = _NEVER
        for warp in order:
            if warp.until <= now:
                at = self._earliest(warp, now, ahead)
                if at == now:
                    return warp, now
                if at == _SYNC_FIRST:
                    return None, at
                warp.until = at
            if warp.until < soonest:
                soonest = warp.until
        return None, soonest

    def _earliest(self, warp: WarpState, now: int, ahead: bool) -> int:
        """The first cycle from ``now`` at which the warp's next instruction may issue, as far as is known."""
        instruction, ready = warp.code[warp.pc], warp.ready
        latest = now
        for register in instruction.needs:
            if ready[register] > latest:
                latest = ready[register]
                warp.stall = warp.kind[register]
        if latest > now:
            return latest
        op = instruction.op
        if (barrier := instruction.waits) >= 0:
            completed, position = warp.block.completed[barrier], warp.waited[barrier]
            if position == len(completed):
                if ahead:
                    return _SYNC_FIRST
                warp.stall = Stall.BARRIER
                warp.block.waiting[barrier].append(warp)
                self._unknown[warp.sub_core] += 1
                return _NEVER
            if completed[position] > now:
                warp.stall = Stall.BARRIER
                return completed[position]
        free = self._pipe_free[warp.sub_core][PIPE_OF[op]]
        if free > now:
            if op is Op.WGMMA:
                free -= instruction.interval  # one is taken while another runs
            if free > now:
                warp.stall = Stall.PIPE
                return free
        if op > Op.MMA:
            if ahead:
                return _SYNC_FIRST
            free = self._paths.shared_free - self.core.shared_queue
            if instruction.wavefronts and free > now:
                warp.stall = Stall.QUEUE
                return free
        return now

    def _issue(self, warp: WarpState, now: int) -> None:
        instruction, activity, sub_core = warp.code[warp.pc], self._activity, warp.sub_core
        op, pipes = instruction.op, self._pipe_free[sub_core]
        pipe = PIPE_OF[op]
        pipes[pipe] = max(pipes[pipe], now) + instruction.interval
        activity.issued[sub_core][op] += 1
        activity.busy[sub_core][pipe] += instruction.interval
        if self._keep_log:
            activity.log.append(Issue(now, sub_core, warp.index, warp.pc))
        done = now + instruction.latency
        if op > Op.MMA or instruction.waits >= 0:
            done = self._touch(warp, instruction, now)
        if instruction.dst >= 0:
            warp.ready[instruction.dst] = max(warp.ready[instruction.dst], done)
            warp.kind[instruction.dst] = STALL_OF[op]
        if instruction.macs:
            warp.multiplied.append(done - instruction.latency)
        warp.pc += 1

    def _touch(self, warp: WarpState, instruction: Instruction, now: int) -> int:
        """What an instruction does to what sub-cores share; when its result is there."""
        started = now
        if instruction.wavefronts:
            started = self._paths.access(instruction.wavefronts, now)
        if instruction.op is Op.WGMMA:  # as long as the tensor core or the last operand takes
            pipes = self._pipe_free[warp.sub_core]
            started = pipes[Pipe.TENSOR] = max(pipes[Pipe.TENSOR], started + 1)
        done = started + instruction.latency
        if instruction.sectors:
            done = self._paths.cross(instruction, now)
        if instruction.waits >= 0:
            warp.waited[instruction.waits] += 1
        if instruction.arrives >= 0:
            self._arrive(warp.block, instruction.arrives, done if instruction.op is Op.COPY else now)
        return done

    def _arrive(self, block: BlockState, number: int, cycle: int) -> None:
        block.arrived[number] += 1
        block.latest[number] = max(block.latest[number], cycle)
        if block.arrived[number] % block.arrivals[number]:
            return
        block.completed[number].append(block.latest[number] + self.core.barrier_latency)
        block.latest[number] = 0
        waiting, block.waiting[number] = block.waiting[number], []
        for warp in waiting:
            self._unknown[warp.sub_core] -= 1
            warp.until = 0
            if not self._wake[warp.sub_core].triggered:
                self._wake[warp.sub_core].succeed()
