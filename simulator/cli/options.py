"""Options that commands share, and the network that they describe."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from simulator.errors import ConfigError

if TYPE_CHECKING:
    from simulator.machines.systolic import SystolicMachine
    from workloads.arrays import Optimizer
    from workloads.mlp import MLP

Command = TypeVar("Command", bound=Callable[..., Any])

MAX_SIZE = 1 << 20  # of a layer, a batch
ACTIVATIONS = ("sigmoid", "tanh", "relu")
LOSSES = ("quadratic", "cross_entropy")
INITIALIZERS = ("normal", "scaled_normal", "he")
OPTIMIZERS = "sgd|momentum|momentum_ema|nesterov|adagrad|rmsprop|rmsprop_momentum|adam|adamw|FILE.py:NAME"


def machine_options(default: str | None = None) -> Callable[[Command], Command]:
    """``--machine`` and ``--set``."""

    def decorate(command: Command) -> Command:
        command = click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="UNIT.FIELD=VALUE",
            help="Override a number of the machine; may be repeated.",
        )(command)
        described: dict[str, Any] = {"metavar": "NAME_OR_TOML", "help": "A preset or a machine file."}
        if default is None:
            return click.option("--machine", required=True, **described)(command)
        return click.option("--machine", default=default, show_default=True, **described)(command)

    return decorate


def dataflow_options(command: Command) -> Command:
    """``--dataflow`` and ``--engine``."""
    command = click.option(
        "--engine",
        type=click.Choice(["event", "fast", "rtl"]),
        default="event",
        show_default=True,
        help="What times a core: SimPy processes, the same by a compiled recurrence, or the SystemVerilog.",
    )(command)
    return click.option(
        "--dataflow",
        type=click.Choice(["ws", "os", "is"]),
        default=None,
        help="Weight-, output- or input-stationary (default: the machine's).",
    )(command)


def unfused_option(command: Command) -> Command:
    """``--unfused``."""
    return click.option(
        "--unfused",
        is_flag=True,
        help="On a GPU one kernel per operation, as eager frameworks launch them, instead of fused ones.",
    )(command)


def refuse_engine(simt_machine: str) -> None:
    """A SIMT machine has one model: no engine can be asked for.

    Raises:
        ConfigError: one is.
    """
    context = click.get_current_context()
    if context.get_parameter_source("engine") is not ParameterSource.DEFAULT:
        engine = context.params["engine"]
        raise ConfigError(f"engine = {engine!r}: {simt_machine} is a SIMT machine and takes none")


def json_option(command: Command) -> Command:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")(
        command
    )


def workload_options(command: Command) -> Command:
    """The network, its optimizer and its schedule."""
    for option in reversed(
        [
            click.option(
                "--hidden",
                default="128",
                show_default=True,
                metavar="N,N,...",
                help='Widths of the hidden layers; "" for none.',
            ),
            click.option("--activation", type=click.Choice(ACTIVATIONS), default="relu", show_default=True),
            click.option("--loss", type=click.Choice(LOSSES), default="cross_entropy", show_default=True),
            click.option(
                "--output",
                type=click.Choice(["softmax", "sigmoid", "tanh", "relu", "linear"]),
                help="Output activation (default: softmax for cross_entropy, sigmoid for quadratic).",
            ),
            click.option(
                "--init", "initializer", type=click.Choice(INITIALIZERS), default="he", show_default=True
            ),
            click.option("--optimizer", default="adam", show_default=True, metavar=OPTIMIZERS),
            click.option("--lr", type=float, default=None, help="Learning rate (default: the optimizer's)."),
            click.option(
                "--schedule",
                default="constant",
                show_default=True,
                metavar="NAME[:KEY=VALUE,...]",
                help="constant, step, exponential or cosine, with warmup=STEPS.",
            ),
            click.option(
                "--batch", default="32", show_default=True, metavar="N|full", help="Samples of a step."
            ),
            click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True),
            click.option(
                "--residual", is_flag=True, help="Residual connections between equal hidden layers."
            ),
            click.option(
                "--dropout", type=float, default=1.0, show_default=True, help="Ratio of active hidden units."
            ),
            click.option("--l2", type=float, default=0.0, show_default=True, help="L2 regularisation."),
        ]
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class Workload:
    """A network and how it is trained, as the options say."""

    config: MLP
    optimizer: Optimizer
    lr: float
    schedule: str
    initializer: str
    batch: int | None  # None: the full batch
    seed: int
    described: dict[str, Any]


def whole_number(text: str, highest: int) -> int | None:
    """The number if the text is one from 1 to ``highest``, otherwise None."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(highest)):
        return None
    number = int(text)
    return number if 1 <= number <= highest else None


def parse_widths(text: str) -> tuple[int, ...]:
    """Hidden widths.

    Raises:
        ConfigError: not integers of at least 1.
    """
    widths = []
    for part in [part.strip() for part in text.split(",")] if text.strip() else []:
        width = whole_number(part, MAX_SIZE)
        if width is None:
            raise ConfigError(
                f"hidden = {text!r}: integers from 1 to {MAX_SIZE} separated by commas are allowed"
            )
        widths.append(width)
    return tuple(widths)


def parse_batch(text: str) -> int | None:
    """Samples of a step, None for all of them.

    Raises:
        ConfigError: neither ``full`` nor a number from 1 on.
    """
    if text == "full":
        return None
    batch = whole_number(text, MAX_SIZE)
    if batch is None:
        raise ConfigError(f"batch = {text!r}: an integer from 1 to {MAX_SIZE} or full is allowed")
    return batch


@contextmanager
def one_line() -> Iterator[None]:
    """Turns a ``ValueError`` of ``workloads``, which knows nothing of the simulator, into ours."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(str(error)) from error


def make_workload(inputs: int, outputs: int, options: dict[str, Any]) -> Workload:
    """The workload of the options ``workload_options``.

    Raises:
        ConfigError: an option is wrong; names it, its value and what is allowed.
    """
    from workloads import mlp, optimizers

    hidden = parse_widths(options["hidden"])
    batch = parse_batch(options["batch"])
    with one_line():
        config = mlp.MLP(
            (inputs, *hidden, outputs),
            activation=options["activation"],
            loss=options["loss"],
            output=options["output"],
            residual=options["residual"],
            dropout=options["dropout"],
            l2=options["l2"],
        )
        optimizer = optimizers.load(options["optimizer"])
        lr = optimizers.default_lr(optimizer) if options["lr"] is None else options["lr"]
    if not 0.0 < lr < float("inf"):
        raise ConfigError(f"lr = {lr}: a positive number is allowed")
    described = {name: value for name, value in options.items() if value is not None} | {"lr": lr}
    return Workload(
        config, optimizer, lr, options["schedule"], options["initializer"], batch, options["seed"], described
    )


def load_systolic(name: str, overrides: tuple[str, ...], dataflow: str | None = None) -> SystolicMachine:
    """A systolic machine.

    Raises:
        ConfigError: there is none of that name, or it is a SIMT machine.
    """
    from simulator.machines.loader import load_machine
    from simulator.machines.systolic import SystolicMachine

    if dataflow is not None:
        overrides = (*overrides, f"matrix_unit.dataflow={dataflow}")
    machine = load_machine(name, overrides)
    if not isinstance(machine, SystolicMachine):
        raise ConfigError(f"machine = {name!r}: a systolic machine is needed here, this is a SIMT machine")
    return machine


def emit_json(value: dict[str, Any]) -> None:
    """The one JSON object on standard output. Numbers that JSON does not know become null."""
    json.dump(_finite(value), sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
