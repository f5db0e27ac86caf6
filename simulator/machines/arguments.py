"""Arguments of the Python API: one line for what is no machine, no size or not among the choices."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, Final

from simulator.errors import ConfigError
from simulator.machines.messages import printable
from simulator.machines.simt import SimtMachine
from simulator.machines.systolic import SystolicMachine

LARGEST: Final = 1 << 20  # of m, k, n
_KINDS: Final = {SystolicMachine: "a systolic machine", SimtMachine: "a SIMT machine"}


def given(value: object) -> str:
    """An argument as Python writes it, on one line, cut at 60 characters."""
    if isinstance(value, SystolicMachine | SimtMachine):
        value = value.name
    try:
        text = printable(" ".join(repr(value).split()))
    except ValueError:  # an integer beyond Python's limit of digits
        text = "an integer of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def check_machine(
    machine: object, *kinds: type[SystolicMachine] | type[SimtMachine], name: str = "machine"
) -> None:
    """A machine of one of these kinds.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(machine, kinds):
        needed = " or ".join(_KINDS[kind] for kind in kinds)
        raise ConfigError(f"{name} = {given(machine)}: {needed} is needed, as load_machine gives it")


def check_systolic(machine: object) -> None:
    """A systolic machine.

    Raises:
        ConfigError: it is none.
    """
    check_machine(machine, SystolicMachine)


def check_systolic_machines(machines: object) -> None:
    """Systolic machines, in a list or a tuple.

    Raises:
        ConfigError: names the first that is none.
    """
    if isinstance(machines, str) or not isinstance(machines, Sequence):
        raise ConfigError(f"machines = {given(machines)}: a list of systolic machines is needed")
    for index, machine in enumerate(machines):
        if not isinstance(machine, SystolicMachine):
            check_machine(machine, SystolicMachine, name=f"machine {index}")


def checked_size(name: str, size: Any) -> int:
    """m, k or n of one GEMM, as Python's integer.

    Raises:
        ConfigError: it is not one from 1 to ``LARGEST``.
    """
    try:
        found = 0 if isinstance(size, bool) else operator.index(size)
    except TypeError:
        found = 0
    if not 1 <= found <= LARGEST:
        raise ConfigError(f"shape: {name} = {given(size)}; an integer from 1 to {LARGEST} is allowed")
    return found


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """One of a few texts.

    Raises:
        ConfigError: it is none of them.
    """
    allowed = list(choices)
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError(f"{name} = {given(value)}: {', '.join(allowed)} is allowed")


def check_flag(name: str, value: object) -> None:
    """A truth value: the texts of the command line would all be true.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"{name} = {given(value)}: True or False is allowed")
