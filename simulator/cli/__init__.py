"""The command ``pulsetrain``."""

from simulator.cli.main import main

__all__ = ["main"]
