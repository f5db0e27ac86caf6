"""The Python API: the same names as the command line, for functions of one's own."""

import importlib
from typing import TYPE_CHECKING, Any

from simulator.api.engines import ENGINES, time_program
from simulator.api.gemm import GemmResult, gemm, gemm_scalesim
from simulator.api.gemms import GemmCycles, gemm_cycles
from simulator.machines.loader import list_presets, load_machine

if TYPE_CHECKING:
    from simulator.api.checks import Check, CheckPlan, Checks
    from simulator.api.simt import simt_step
    from simulator.api.step import Step, build_step
    from simulator.api.training import Evaluation, StepInput, Training, train

__all__ = [
    "ENGINES",
    "Check",
    "CheckPlan",
    "Checks",
    "Evaluation",
    "GemmCycles",
    "GemmResult",
    "Step",
    "StepInput",
    "Training",
    "build_step",
    "gemm",
    "gemm_cycles",
    "gemm_scalesim",
    "list_presets",
    "load_machine",
    "simt_step",
    "time_program",
    "train",
]
# Imported when they are first asked for: timing a GEMM needs neither capture nor arithmetic.
_LATER = {
    **dict.fromkeys(("Check", "CheckPlan", "Checks"), "checks"),
    **dict.fromkeys(("Step", "build_step"), "step"),
    **dict.fromkeys(("Evaluation", "StepInput", "Training", "train"), "training"),
    "simt_step": "simt",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
