"""Entry point: commands, and how errors leave them.

Commands import what they need when they run, so that help is quick.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, NoReturn

import click

from simulator import __version__
from simulator.errors import CheckError, PulsetrainError

_COMMANDS = {
    "run": "train a network on the simulated machine, check every number, write a report",
    "gemm": "time matrix multiplications",
    "step": "time one training step, by operation, unit and stall",
    "cosim": "run training steps in RTL and in the models, compare every cycle and bit",
    "validate": "compare the SIMT model with measured GPUs",
    "machines": "list presets, or one machine's numbers with their sources",
}
EXIT_BAD_INPUT, EXIT_CHECK_FAILED, EXIT_INTERRUPTED = 2, 1, 130


class _Commands(click.Group):
    """Commands live in modules of the same name, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"simulator.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pulsetrain")
def _pulsetrain() -> None:
    """How fast would this chip train this network, and what would make it faster?"""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line; exits 0 on success, 2 on bad input with one line, 1 on a failed check."""
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> int:
    try:
        outcome: Any = _pulsetrain.main(arguments, prog_name="pulsetrain", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        return _complain(error.format_message(), EXIT_BAD_INPUT)
    except CheckError as error:
        return _complain(str(error), EXIT_CHECK_FAILED)
    except PulsetrainError as error:
        return _complain(str(error), EXIT_BAD_INPUT)
    except MemoryError as error:
        return _complain(f"not enough memory for this size: {error}", EXIT_BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        return EXIT_CHECK_FAILED


def _complain(message: str, code: int) -> int:
    print(f"pulsetrain: {' '.join(message.split())}", file=sys.stderr)
    return code
