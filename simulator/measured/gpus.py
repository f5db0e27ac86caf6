"""Which machine stands for the GPU that a measurement names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from simulator.errors import ConfigError
from simulator.machines.loader import load_machine
from simulator.machines.simt import SimtMachine

# The preset for a GPU's name as drivers and public data sets write it, reduced to letters and digits in lower
# case without the makers; the first pattern that the name starts with counts.
_PRESETS = (
    ("h200(?!.*nvl)", "h200"),
    ("h100(?!.*(pcie|nvl))", "h100"),
    ("a100(80gbpcie|pcie80gb)", "a100_80_pcie"),
    ("a100pcie", "a100_40_pcie"),
    ("a100.*80gb", "a100_80"),
    ("a100", "a100_40"),
    ("v100pcie", "v100_pcie"),
    ("v100", "v100"),
    ("p100pcie", "p100_pcie"),
    ("p100", "p100"),
    ("(gtx)?1080ti", "gtx_1080_ti"),
    ("(gtx)?1080", "gtx_1080"),
    ("titanxp$", "titan_xp"),
    ("titanxpascal", "titan_x_pascal"),
)
_MAKERS = ("nvidia", "tesla", "geforce")


class Gpus:
    """Machines by the names of measured GPUs; ``given`` are ``GPU=NAME_OR_TOML`` and come first."""

    def __init__(self, given: Sequence[str] = ()) -> None:
        self._given: dict[str, str] = {}
        for text in given:
            gpu, equals, machine = text.rpartition("=")
            if not (equals and gpu.strip() and machine.strip()):
                raise ConfigError(f"machine = {text!r}: GPU=NAME_OR_TOML is allowed, GPU as the data name it")
            self._given[_plain(gpu)] = machine.strip()
        self._loaded: dict[str, SimtMachine] = {}

    def machine(self, gpu: str) -> SimtMachine:
        """The machine of a measured GPU.

        Raises:
            ConfigError: no preset is known under that name, or it is not a SIMT machine.
        """
        plain = _plain(gpu)
        if plain not in self._loaded:
            name = self._given.get(plain) or _preset(plain)
            if name is None:
                raise ConfigError(f'gpu = {gpu!r}: no preset is known for it; give --machine "{gpu}=..."')
            machine = load_machine(name)
            if not isinstance(machine, SimtMachine):
                raise ConfigError(f"machine = {name!r}: a SIMT machine is needed to stand for a GPU")
            self._loaded[plain] = machine
        return self._loaded[plain]

    def replace(self, gpu: str, machine: SimtMachine) -> None:
        """From now on this machine stands for the GPU."""
        self._loaded[_plain(gpu)] = machine


def _preset(plain: str) -> str | None:
    return next((preset for pattern, preset in _PRESETS if re.match(pattern, plain)), None)


def _plain(gpu: str) -> str:
    plain = "".join(character for character in gpu.lower() if character.isalnum())
    for maker in _MAKERS:
        plain = plain.replace(maker, "")
    return plain
