"""The simulation as driver and monitor see it: signals by name, the clock, the cycle, and random pauses."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from cocotb.utils import get_sim_steps, get_sim_time

from simulator.errors import ConfigError

if TYPE_CHECKING:
    from simulator.cosim.bench.adapter import Adapter

RESULTS = "results"  # the monitor's name among the ports
_RESET_CYCLES = 4


class Context:
    """What coroutines of an adapter work with.

    Cycle t begins at the t-th rising edge after reset. Write just after ``rising()``; read after
    ``settled()``, in the middle of the cycle, when everything combinational has its value: a transfer takes
    place at the cycle's end if valid and ready are both high then. That holds in every simulator, whatever
    the order of its events.
    """

    def __init__(
        self, dut: Any, adapter: Adapter, seed: int, back_pressure: float | Mapping[str, float]
    ) -> None:
        check_back_pressure(back_pressure, adapter.inputs)
        self.dut = dut
        self.violations: list[str] = []
        self.stalls = 0  # cycles in which results waited for the monitor
        self.progress = 0  # the cycle of the latest transfer anywhere
        self._adapter = adapter
        self._seed = seed
        self._back_pressure = back_pressure
        self._random: dict[str, random.Random] = {}
        self._clock = Clock(self._handle(adapter.clock), adapter.period_ns, unit="ns")
        self._period = get_sim_steps(adapter.period_ns, "ns")
        self._origin = 0

    async def reset(self) -> None:
        """Start the clock, apply reset with every input idle, and count cycles from its release."""
        active = int(not self._adapter.reset_active_low)
        self._clock.start()
        self.write(self._adapter.reset, active)
        self._adapter.idle(self)
        for _ in range(_RESET_CYCLES):
            await self.rising()
        self.write(self._adapter.reset, 1 - active)
        self._origin = get_sim_time("step")

    def stop(self) -> None:
        """Stop the clock, so that another run may follow in the same test."""
        self._clock.stop()

    async def rising(self) -> None:
        """Until the next cycle begins."""
        await RisingEdge(self._clock.signal)

    async def settled(self) -> None:
        """Until the middle of this cycle."""
        await FallingEdge(self._clock.signal)

    @property
    def cycle(self) -> int:
        """The present cycle, from 0 in the cycle of the release of reset."""
        return int(get_sim_time("step") - self._origin) // self._period

    def write(self, name: str, value: int) -> None:
        """Drive an input."""
        self._handle(name).value = value

    def read(self, name: str) -> int | None:
        """The value of a signal as an unsigned number; None if a bit of it is X or Z."""
        value = self._handle(name).value
        return int(value) if value.is_resolvable else None

    def proceed(self, port: str) -> bool:
        """Whether a port goes on in this cycle; by chance it does not, as often as ``back_pressure`` says."""
        pressure = self._back_pressure
        chance = pressure.get(port, 0.0) if isinstance(pressure, Mapping) else pressure
        return chance <= 0 or self.random(port).random() >= chance

    def random(self, port: str) -> random.Random:
        """A port's own random numbers, the same in every run with the same seed."""
        return self._random.setdefault(port, random.Random(f"{self._seed} {port}"))

    def violation(self, text: str) -> None:
        """Record a broken rule of the protocol."""
        self.violations.append(f"cycle {self.cycle}: {text}")

    def _handle(self, name: str) -> Any:
        handle = self.dut
        for part in name.split("."):
            handle = getattr(handle, part)
        return handle


def check_back_pressure(back_pressure: float | Mapping[str, float], inputs: Iterable[str]) -> None:
    """A misspelt port would never pause, and a test under back-pressure would be none.

    Raises:
        ConfigError: a port that the array has not, or no chance from 0 to below 1.
    """
    ports = (*inputs, RESULTS)
    given = back_pressure if isinstance(back_pressure, Mapping) else {"": back_pressure}
    for port, chance in given.items():
        name = f"back_pressure[{port!r}]" if port else "back_pressure"
        if port and port not in ports:
            raise ConfigError(f"{name}: no such port, one of {', '.join(ports)}")
        if not 0 <= chance < 1:
            raise ConfigError(f"{name} = {chance}: from 0 to below 1")
