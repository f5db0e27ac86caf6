"""Which machine stands for the GPU that a measurement names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from simulator.errors import ConfigError
from simulator.machines.loader import load_machine
from simulator.machines.simt import SimtMachine

# The preset for a GPU's name as drivers and public data sets write it, reduced to letters and digits in lower
# case without the makers. The whole name counts: V100S, A100X, H100 NVL or 1080 Max-Q are other products.
# What a name leaves open (form, memory) is the common one: SXM, 40 GB of an A100, 16 GB of a P100.
_PRESETS = (
    ("h200(sxm5?)?(141gb)?(hbm3e)?", "h200"),
    ("h100(sxm5?)?(80gb)?(hbm3|sxm5?)?", "h100"),
    ("a100(sxm4?)?80(gb)?(sxm4?)?", "a100_80"),
    ("a100(pcie80gb|80(gb)?pcie)", "a100_80_pcie"),
    ("a100(sxm4?)?(40(gb)?)?(sxm4?)?", "a100_40"),
    ("a100(pcie(40gb)?|40(gb)?pcie)", "a100_40_pcie"),
    ("v100(sxm2?)?(16gb|32gb)?", "v100"),
    ("v100pcie(16gb|32gb)?", "v100_pcie"),
    ("p100(sxm2?)?(16gb)?", "p100"),
    ("p100pcie(16gb)?", "p100_pcie"),
    ("(gtx)?1080ti(11gb)?", "gtx_1080_ti"),
    ("(gtx)?1080(8gb)?", "gtx_1080"),
    ("titanxp(collectorsedition)?", "titan_xp"),
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
                hint = f'give --machine "{gpu}=NAME_OR_TOML"'
                raise ConfigError(f"gpu = {gpu!r}: no preset is known for it; {hint}")
            machine = load_machine(name)
            if not isinstance(machine, SimtMachine):
                raise ConfigError(f"machine = {name!r}: a SIMT machine is needed to stand for a GPU")
            self._loaded[plain] = machine
        return self._loaded[plain]

    def replace(self, gpu: str, machine: SimtMachine) -> None:
        """From now on this machine stands for the GPU."""
        self._loaded[_plain(gpu)] = machine


def _preset(plain: str) -> str | None:
    return next((preset for pattern, preset in _PRESETS if re.fullmatch(pattern, plain)), None)


def _plain(gpu: str) -> str:
    plain = "".join(character for character in gpu.lower() if character.isalnum())
    for maker in _MAKERS:
        plain = plain.replace(maker, "")
    return plain
