"""What the machine cannot do is an error of one line that names the user's code."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from simulator.errors import CaptureError, ConfigError
from simulator.reference import MachineArray, emulate
from simulator.reference.operators import DEFINED, INHERITED

Step = Callable[[Any], Any]

REFUSED: dict[str, Step] = {
    "ufunc": lambda x: np.expm1(x),
    "log1p": lambda x: np.log1p(x),
    "sin": lambda x: np.sin(x),
    "arctan2": lambda x: np.arctan2(x, x),
    "floor_divide": lambda x: x // 2,
    "remainder": lambda x: x % 2,
    "divmod": lambda x: divmod(x, 2),
    "rint": lambda x: np.rint(x),
    "accumulate": lambda x: np.add.accumulate(x),
    "reduceat": lambda x: np.add.reduceat(x, [0, 1]),
    "ufunc outer": lambda x: np.multiply.outer(x, x),
    "at": lambda x: np.add.at(x, [0], 1.0),
    "multiply.reduce": lambda x: np.multiply.reduce(x),
    "prod": lambda x: x.prod(),
    "cumsum": lambda x: np.cumsum(x),
    "argmax": lambda x: x.argmax(),
    "sort": lambda x: np.sort(x),
    "in-place sort": lambda x: x.sort(),
    "norm": lambda x: np.linalg.norm(x),
    "vecdot": lambda x: np.vecdot(x, x),
    "take": lambda x: np.take(x, [0]),
    "nan_to_num": lambda x: np.nan_to_num(x),
    "allclose": lambda x: np.allclose(x, x),
    "power 3": lambda x: x**3,
    "power -0.5": lambda x: x**-0.5,
    "power of a number": lambda x: 2**x,
    "power with an array": lambda x: np.power(x, x),
    "in-place power": lambda x: x.__ipow__(3),
    "float64 constant": lambda x: x + np.zeros(3),
    "float64 0-d": lambda x: x * np.array(2.0),
    "arange": lambda x: x * np.arange(3),
    "list": lambda x: np.add(x, [1.0, 2.0, 3.0]),
    "complex": lambda x: x * 1j,
    "float16": lambda x: x * np.ones(3, np.float16),
    "astype float64": lambda x: x.astype(np.float64),
    "astype int": lambda x: x.astype(int),
    "astype int8": lambda x: x.astype(np.int8),
    "zeros_like float64": lambda x: np.zeros_like(x, dtype=np.float64),
    "where of scalars": lambda x: np.where(x > 0, 1.0, 0.0),
    "where with one argument": lambda x: np.where(x > 0),
    "where keyword": lambda x: np.add(x, x, where=np.ones(3, bool)),
    "sum where": lambda x: np.sum(x, where=np.ones(3, bool)),
    "sum initial": lambda x: x.sum(initial=1.0),
    "sum of bool": lambda x: (x > 0).sum(),
    "mean of bool": lambda x: (x > 0).mean(),
    "sum of int32": lambda x: x.astype(np.int32).sum(),
    "sum dtype": lambda x: x.sum(dtype=np.float64),
    "ufunc dtype": lambda x: np.add(x, x, dtype=np.float64),
    "reshape order": lambda x: np.reshape(x, (3, 1), order="F"),
    "int32 multiply": lambda x: x.astype(np.int32) * 2,
    "int32 divide": lambda x: x.astype(np.int32) / 2,
    "int32 with float": lambda x: x.astype(np.int32) + 1.5,
    "int32 with float32": lambda x: x.astype(np.int32) + x,
    "int32 exp": lambda x: np.exp(x.astype(np.int32)),
    "int32 matmul": lambda x: x.astype(np.int32) @ x.astype(np.int32),
    "int32 overflow": lambda x: x.astype(np.int32) + 2**31,
    "int8 add": lambda x: np.ones(3, np.int8) + x.astype(np.bool_),
    "isnan of ints": lambda x: np.isnan(x.astype(np.int32)),
    "bool subtract": lambda x: (x > 0) - (x > 1),
    "compare int with 0.1": lambda x: x.astype(np.int32) == 0.1,
    "var ddof": lambda x: x.var(ddof=3),
    "var of ints": lambda x: x.astype(np.int32).var(),
    "repeats": lambda x: np.repeat(x, [1, 2, 3]),
    "second diff": lambda x: np.diff(x, 2),
    "diff of bool": lambda x: np.diff(x > 1),
    "tensordot 0": lambda x: np.tensordot(x, x, 0),
    "tensordot of a number": lambda x: np.tensordot(x, 1.0, 0),
    "inner of a number": lambda x: np.inner(x, 2.0),
    "copyto of another kind": lambda x: np.copyto(x.astype(np.int32), x),
    "copyto where": lambda x: np.copyto(x, x, where=x > 0),
    "ravel order": lambda x: np.ravel(x, order="F"),
    "broadcast of a number": lambda x: np.broadcast_arrays(x, 1.0),
    "bool exp": lambda x: np.exp(x > 0),
    "and of ints": lambda x: x.astype(np.int32) & 1,
    "compare with int64": lambda x: x.astype(np.int32) == np.array([2**40] * 3),
    "batched matmul": lambda x: x @ np.ones((2, 3, 3), np.float32),
    "matmul with a number": lambda x: np.dot(x, 2.0),
    "matmul axes": lambda x: np.matmul(x[None], x[:, None], axes=[(0, 1), (0, 1), (0, 1)]),
    "float": lambda x: float(x[0]),
    "int": lambda x: int(x[0]),
    "bool": lambda x: bool(x[0]),
    "if": lambda x: x if x[0] > 0 else -x,
    "index": lambda x: [1, 2][x[0]],
    "format": lambda x: f"{x}",
    "item": lambda x: x[0].item(),
    "tolist": lambda x: x.tolist(),
    "contains": lambda x: 1.0 in x,
    "explicit __array__": lambda x: x.__array__(),
    "view": lambda x: x.view(np.int32),
    "flat": lambda x: x.flat,
    "real": lambda x: x.real,
    "shape assignment": lambda x: setattr(x, "shape", (3, 1)),
    "dtype assignment": lambda x: setattr(x, "dtype", np.int32),
    "fancy index": lambda x: x[np.arange(2)],
    "list index": lambda x: x[[0, 1]],
    "mask index": lambda x: x[x > 0],
    "bool index": lambda x: x[True],
    "float index": lambda x: x[0.0],
    "fancy assignment": lambda x: x.__setitem__(np.arange(2), 1.0),
    "mask assignment": lambda x: x.__setitem__(x > 0, x),
    "float64 assignment": lambda x: x.__setitem__(slice(None), np.zeros(3)),
    "scalar assignment": lambda x: x[0].__setitem__(..., 1.0),
    "out scalar": lambda x: np.add(x[0], x[0], out=x.sum()),
    "out plain": lambda x: np.add(x, x, out=np.zeros(3, np.float32)),
    "in-place on plain": lambda x: np.zeros(3, np.float32).__iadd__(x),
    "out int": lambda x: np.add(x, x, out=np.zeros_like(x, dtype=np.int32)),
    "copyto plain": lambda x: np.copyto(np.zeros(3, np.float32), x),
    "full plain": lambda x: np.full((3,), x[0]),
    "returned set": lambda x: {1},
    "returned float64": lambda x: np.zeros(3),
}
# Where no protocol is asked, the opaque memory makes NumPy itself raise.
LEAKS: dict[str, Step] = {
    "asarray": lambda x: np.asarray(x) * 2,
    "asarray with dtype": lambda x: np.asarray(x, dtype=np.float32),
    "array": lambda x: np.array([x, x]) + 1,
    "array with dtype": lambda x: np.array([x[0], 1.0], dtype=np.float32),
    "sum of a list": lambda x: np.sum([x, x]),
    "float32": lambda x: np.float32(x[0]),
    "assignment into plain": lambda x: np.zeros(3, np.float32).__setitem__(slice(None), x),
    "index of plain": lambda x: np.eye(3)[x.astype(np.int32)],
    "dot of plain": lambda x: np.ones(3, np.float32).dot(x),
}


def run(step: Step, x: Any = None) -> Any:
    values = np.array([1, 2, 3], np.float32) if x is None else x
    return emulate(step, (values,), rows=4, dataflow="ws")


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(CaptureError) as caught:
        run(REFUSED[name])
    assert "\n" not in str(caught.value)
    assert len(caught.value.args) == 1


@pytest.mark.parametrize("name", LEAKS)
def test_no_way_around_the_protocols(name: str) -> None:
    with pytest.raises((CaptureError, TypeError, ValueError, IndexError)):
        run(LEAKS[name])


def test_the_error_names_the_line_of_the_user() -> None:
    line = test_the_error_names_the_line_of_the_user.__code__.co_firstlineno
    with pytest.raises(CaptureError, match=rf"{__file__}:{line + 5}:\d+: np\.expm1 is not"):
        run(
            lambda x: (
                np.expm1(x)
            )
        )  # fmt: skip


def _returns_float64(x: Any) -> Any:
    return np.zeros(3)


def test_an_error_outside_of_the_function_names_its_definition() -> None:
    line = _returns_float64.__code__.co_firstlineno
    for step, x in ((_returns_float64, None), (_returns_float64, np.zeros(3))):
        with pytest.raises(CaptureError, match=rf"^{__file__}:{line}:1: a float64 array"):
            run(step, x)


def test_every_attribute_of_ndarray_is_decided() -> None:
    for name in set(dir(np.ndarray)) - INHERITED:
        owner = next(one for one in MachineArray.__mro__ if name in vars(one))
        assert owner is not np.ndarray, name
        assert (owner is MachineArray) == (name in DEFINED), name


@pytest.mark.parametrize(
    "argument",
    [np.zeros(2), np.arange(3), np.float16(1), np.uint8(1), 1j, {1}, np.zeros(2, np.uint8)],
)
def test_refused_arguments(argument: Any) -> None:
    with pytest.raises(CaptureError):
        emulate(lambda x: x, (argument,), rows=4, dataflow="ws")


def test_refused_machines_and_use_after_the_end() -> None:
    one = np.ones((1, 1), np.float32)
    for rows, dataflow in ((0, "ws"), (True, "ws"), (4, "xs")):
        with pytest.raises(ConfigError):
            emulate(abs, (one,), rows=rows, dataflow=dataflow)
    kept: list[Any] = []
    emulate(kept.append, (one,), rows=4, dataflow="ws")
    with pytest.raises(CaptureError, match="outside of emulate"):
        kept[0] @ kept[0]


def test_numpys_own_errors_stay() -> None:
    for step in (
        lambda x: x + np.ones(2, np.float32),
        lambda x: np.add(x, np.ones((2, 3), np.float32), out=x),
        lambda x: np.add(x, np.ones((1, 3), np.float32), out=x),
        lambda x: np.broadcast_to(x, (2, 3)).fill(1.0),
        lambda x: np.sum(x, axis=(0, 0)),
    ):
        with pytest.raises(ValueError):
            run(step)
    for step in (lambda x: x[5], lambda x: x.sum(axis=1), lambda x: x[0, 0]):
        with pytest.raises(IndexError):
            run(step)
    with pytest.raises(TypeError):
        run(lambda x: list(x.sum()))
