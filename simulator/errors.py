"""Every error a user can cause. Each carries one clear line; the CLI prints it and exits with code 2.

SimPy rebuilds exceptions as ``type(error)(*error.args)``, so every class here takes the message alone.
"""


class PulsetrainError(Exception):
    """Base of all errors that a user's input can cause."""


class ConfigError(PulsetrainError):
    """A machine file, an option or a data file is wrong; names the field, the value and what is allowed."""


class CaptureError(PulsetrainError):
    """A NumPy function uses something the machine cannot do; names the user's file, line and column."""


class CompileError(PulsetrainError):
    """A graph does not fit the machine; names the operation or the buffer."""


class ProgramError(PulsetrainError):
    """A Program is not valid: an address out of range, a token never posted, a read before any write."""


class DeadlockError(PulsetrainError):
    """No unit can make progress; says who waits for which token, credit or queue."""


class OutOfDomain(PulsetrainError):
    """An engine was asked for something that it cannot do exactly; it refuses instead of approximating."""


class CheckError(PulsetrainError):
    """A check failed: numbers that must be equal are not. The CLI exits with code 1."""
