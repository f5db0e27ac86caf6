"""The Python API: the same names as the command line, for functions of one's own."""

from simulator.api.checks import Check, CheckPlan, Checks
from simulator.api.engines import ENGINES, time_program
from simulator.api.gemm import GemmResult, gemm, gemm_scalesim
from simulator.api.simt import simt_step
from simulator.api.step import Step, build_step
from simulator.api.training import Evaluation, StepInput, Training, train
from simulator.machines.loader import list_presets, load_machine

__all__ = [
    "ENGINES",
    "Check",
    "CheckPlan",
    "Checks",
    "Evaluation",
    "GemmResult",
    "Step",
    "StepInput",
    "Training",
    "build_step",
    "gemm",
    "gemm_scalesim",
    "list_presets",
    "load_machine",
    "simt_step",
    "time_program",
    "train",
]
