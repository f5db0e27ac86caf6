"""Loads a user's optimizer from FILE.py:NAME and checks it before any training starts."""

import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np

_ARGUMENTS = {"init": ("w",), "update": ("w", "g", "state", "lr", "t")}
_WANTED = "init(w) -> state and update(w, g, state, lr, t) -> (w, state)"


def load(spec: str) -> Any:
    """The object NAME of the file: anything with `init` and `update`, or a class or function
    without arguments that makes one.

    A class whose functions take no `self` is used as it is, so it needs no decorators.
    Raises: ValueError of one line that says what is wrong and what is allowed.
    """
    file, colon, name = spec.rpartition(":")
    if not (colon and file and name):
        raise ValueError(f"optimizer '{spec}': write FILE.py:NAME, NAME with {_WANTED}")
    path = Path(file)
    module = _run(path)
    if not hasattr(module, name):
        public = [key for key in vars(module) if not key.startswith("_")]
        raise ValueError(f"{path} has no '{name}'; it has {', '.join(public) or 'no public names'}")
    where = f"{path}:{name}"
    optimizer = _instance(path, where, getattr(module, name))
    _try(path, where, optimizer)
    return optimizer


def _run(path: Path) -> ModuleType:
    # Compiled here, not imported: an import would leave __pycache__ beside the user's file, and
    # could take a stale one for a file edited twice within a second.
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read optimizer file {path}: {error.strerror}") from None
    module = ModuleType(f"user_optimizer_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up by name
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        if isinstance(error, SyntaxError):
            raise ValueError(f"{path}:{error.lineno}: syntax error: {error.msg}") from None
        _fail(path, str(path), "cannot be loaded", error)
    return module


def _instance(path: Path, where: str, found: Any) -> Any:
    """What was found if it is an optimizer, or may be meant as one; else what it makes."""
    made = found
    if _lacking(found) or (inspect.isclass(found) and _takes_self(found)):
        if callable(found) and not _accepts(found, 0):
            raise ValueError(f"{where} cannot be made without arguments: give each a default")
        try:
            made = found() if callable(found) else found
        except Exception as error:
            _fail(path, where, "cannot be made", error)
    problem = _problem(made)
    if problem:
        raise ValueError(f"{where} {problem}: an optimizer has {_WANTED}")
    return made


def _lacking(candidate: Any) -> list[str]:
    return [name for name in _ARGUMENTS if not callable(getattr(candidate, name, None))]


def _takes_self(found: Any) -> bool:
    signatures = (_signature(getattr(found, name)) for name in _ARGUMENTS)
    return any(known and "self" in known.parameters for known in signatures)


def _problem(candidate: Any) -> str | None:
    """What keeps a candidate from being an optimizer, or None."""
    if lacking := _lacking(candidate):
        return f"lacks {' and '.join(lacking)}"
    for name, arguments in _ARGUMENTS.items():
        if not _accepts(getattr(candidate, name), len(arguments)):
            return f"has an {name} that does not take ({', '.join(arguments)})"
    return None


def _accepts(function: Callable[..., Any], count: int) -> bool:
    signature = _signature(function)
    try:
        if signature:
            signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (ValueError, TypeError):  # some built-in functions have none
        return None


def _try(path: Path, where: str, optimizer: Any) -> None:
    """One update of a small array: finds slips in the file before a long run starts."""
    w = np.ones((2, 3), np.float32)
    try:
        with np.errstate(all="ignore"):
            result = optimizer.update(w.copy(), w.copy(), optimizer.init(w.copy()), 0.1, 1)
    except Exception as error:
        _fail(path, where, "failed on a 2x3 array", error)
    if not (isinstance(result, tuple) and len(result) == 2 and np.shape(result[0]) == w.shape):
        raise ValueError(f"{where}: update must return (w, state), w with its shape kept")


def _fail(path: Path, where: str, what: str, error: BaseException) -> NoReturn:
    """Raises ValueError with the error's last line in the user's file and its text on one line."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    at = f" at line {lines[-1]}" if lines else ""
    text = " ".join(str(error).split())
    raise ValueError(f"{where} {what}{at}: {type(error).__name__}: {text}") from None
