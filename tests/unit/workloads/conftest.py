"""Stand-ins for what a training step meets under capture."""

import itertools
import operator
from collections import Counter
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

ELEMENTWISE = {
    *(np.add, np.subtract, np.multiply, np.divide, np.negative, np.absolute, np.sign),
    *(np.sqrt, np.square, np.reciprocal, np.exp, np.log, np.tanh, np.maximum, np.minimum),
    *(np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal, np.matmul),
}
REDUCTIONS = {np.add, np.maximum, np.minimum}
FUNCTIONS = {np.sum, np.max, np.mean, np.where, np.zeros_like}


class NotCapturable(AssertionError):
    """An operation that the machine, or the recording of a step, does not have."""


def refuse(*_: Any) -> Any:
    raise NotCapturable("the value of an array or run-time scalar is needed")


class Watched(np.ndarray):
    """An array that counts its operations, and lets only capturable ones and no float64 pass."""

    calls: ClassVar[Counter[str]] = Counter()

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if ufunc not in (ELEMENTWISE if method == "__call__" else REDUCTIONS):
            raise NotCapturable(f"np.{ufunc.__name__}.{method}")
        if method == "reduce" and inputs[0].dtype.kind == "b":
            raise NotCapturable("a sum of booleans")
        Watched.calls[ufunc.__name__] += 1
        plain = [x.view(np.ndarray) if isinstance(x, Watched) else x for x in inputs]
        if out is not None:
            kwargs["out"] = tuple(x.view(np.ndarray) for x in out)
        result = watch(getattr(ufunc, method)(*plain, **kwargs))
        return out[0] if out is not None else result

    def __array_function__(self, func, types, args, kwargs):
        if func not in FUNCTIONS:
            raise NotCapturable(func.__name__)
        return watch(super().__array_function__(func, types, args, kwargs))

    def astype(self, dtype, *args, **kwargs):
        return watch(super().astype(dtype, *args, **kwargs))

    def __getitem__(self, key):
        for part in key if isinstance(key, tuple) else (key,):
            if not isinstance(part, int | slice | type(None) | type(Ellipsis)):
                raise NotCapturable(f"an index of type {type(part).__name__}")
        return super().__getitem__(key)

    __bool__ = __float__ = __int__ = __index__ = __complex__ = item = tolist = refuse


def watch(array):
    """A float32 or boolean array, or scalar, as a watched one."""
    array = np.asanyarray(array)
    if array.dtype not in (np.float32, np.bool_):
        raise NotCapturable(f"an array of {array.dtype}")
    return array.view(Watched)


class HostScalar:
    """A number of which nothing is known but that arithmetic works on it."""

    __array_ufunc__ = None  # so that arrays hand their operators over

    def __init__(self, value: float) -> None:
        self._value = value

    __bool__ = __float__ = __int__ = __index__ = __format__ = __round__ = refuse
    __lt__ = __le__ = __gt__ = __ge__ = refuse

    def __array__(self, *_: Any) -> Any:
        refuse()

    def __neg__(self) -> "HostScalar":
        return HostScalar(-self._value)


def combine(compute, left, right):
    """The result of arithmetic between a host scalar and a number, another one, or an array."""
    values = [x._value if isinstance(x, HostScalar) else x for x in (left, right)]
    result = compute(*values)
    return result if isinstance(result, np.ndarray) else HostScalar(result)


for name in ("add", "sub", "mul", "truediv", "pow"):
    compute = getattr(operator, name)
    setattr(HostScalar, f"__{name}__", lambda a, b, compute=compute: combine(compute, a, b))
    setattr(HostScalar, f"__r{name}__", lambda a, b, compute=compute: combine(compute, b, a))


def watch_tree(tree):
    """Every array in dicts, lists, tuples and NamedTuples as a watched one."""
    if isinstance(tree, dict):
        return {key: watch_tree(value) for key, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*map(watch_tree, tree))
    if isinstance(tree, list | tuple):
        return type(tree)(map(watch_tree, tree))
    return None if tree is None else watch(tree.copy())


def leaves(tree):
    """Every array in such a tree, in order."""
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in leaves(value)]
    if isinstance(tree, list | tuple):
        return [leaf for value in tree for leaf in leaves(value)]
    return [] if tree is None else [tree]


@pytest.fixture
def capturable() -> SimpleNamespace:
    """The stand-ins, with a fresh count of operations."""
    Watched.calls = Counter()
    return SimpleNamespace(
        watch=watch,
        tree=watch_tree,
        leaves=leaves,
        scalar=HostScalar,
        Watched=Watched,
        error=NotCapturable,
    )


LOSSES = [
    ("quadratic", "sigmoid"),
    ("quadratic", "tanh"),
    ("quadratic", "relu"),
    ("quadratic", "linear"),
    ("cross_entropy", "softmax"),
    ("cross_entropy", "sigmoid"),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`network` runs over every kind of network: all that a configuration can combine."""
    if "network" in metafunc.fixturenames:
        from workloads.mlp import MLP

        networks = [
            MLP((5, 6, 6, 3), activation, loss, output, residual, dropout, l2)
            for activation, (loss, output), residual, dropout, l2 in itertools.product(
                ("sigmoid", "tanh", "relu"), LOSSES, (False, True), (1.0, 0.5), (0.0, 0.01)
            )
        ]
        metafunc.parametrize(
            "network",
            networks,
            ids=lambda n: "-".join(
                [
                    n.activation,
                    n.loss,
                    n.output or "",
                    *["residual"] * n.residual,
                    *["dropout"] * (n.dropout < 1),
                    *["l2"] * (n.l2 > 0),
                ]
            ),
        )
