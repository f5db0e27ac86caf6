"""The machine that is emulated: the two facts, beside graph and data, that bits depend on."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from simulator.errors import ConfigError
from simulator.reference.refusal import refuse

Dataflow = Literal["ws", "os", "is"]


@dataclass(frozen=True)
class Machine:
    """The matrix unit as far as bits depend on it.

    Raises:
        ConfigError: rows is not a positive integer, or the dataflow has no such name.
    """

    rows: int
    dataflow: Dataflow

    def __post_init__(self) -> None:
        if isinstance(self.rows, bool) or not isinstance(self.rows, int) or self.rows < 1:
            raise ConfigError(f"rows: {self.rows!r}; allowed: an integer of at least 1")
        if self.dataflow not in ("ws", "os", "is"):
            raise ConfigError(f"dataflow: {self.dataflow!r}; allowed: ws, os, is")


current_machine: ContextVar[Machine] = ContextVar("current_machine")


def machine() -> Machine:
    """The machine of the running emulation.

    Raises:
        CaptureError: a machine array was used after its emulation ended.
    """
    found = current_machine.get(None)
    if found is None:
        refuse("a machine array is used outside of emulate()")
    return found
