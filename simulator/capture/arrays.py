"""The stand-in for an array: a mutable box that holds an immutable node.

Writing in place puts another node into the box, so aliases follow as in NumPy. Views do not
follow: a view is refused as a target, and while one lives its array cannot be written.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from simulator.capture import build
from simulator.capture.assign import assigned, assigned_where
from simulator.capture.hints import ATTRIBUTE_HINTS
from simulator.capture.indexing import Index, parse
from simulator.capture.operands import Operand, machine_type, operand
from simulator.capture.recorder import Recorder, current, error_here, fail
from simulator.capture.standin import StandIn, apply_ufunc
from simulator.graph import STORAGE, Location, Node

_COPY_HINT = "make a new array (w = w + ...), or use .copy() instead of a view"


def _in_place(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    def operate(self: TracedArray, other: Any) -> Any:
        # NumPy's scalars are immutable: `s += 1` makes another one.
        keywords = {} if self.is_scalar else {"out": (self,)}
        return apply_ufunc(ufunc, "__call__", (self, other), keywords)

    return operate


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that NumPy has as a function too."""

    def method(self: TracedArray, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    return method


def _shaped(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that takes a tuple, or its items one by one."""

    def method(self: TracedArray, *items: Any, **kwargs: Any) -> Any:
        many = len(items) != 1 or isinstance(items[0], int)
        arguments = (items,) if many and items else items
        return function(self, *arguments, **kwargs)

    return method


class TracedArray(StandIn):
    """An array of a step. `is_scalar` marks what in NumPy would be an immutable scalar."""

    __slots__ = (
        "__weakref__",
        "_base",
        "_index",
        "_made",
        "_node",
        "_recorder",
        "_stale",
        "_twin",
        "_views",
        "compares_numbers",
        "is_scalar",
        "written",
    )

    def __init__(
        self, recorder: Recorder, node: int, *, is_scalar: bool = False, twin: str = ""
    ) -> None:
        self._recorder = recorder
        self._twin = twin  # of an argument that shares its memory with another: what to say of it
        self._node = node
        self.is_scalar = is_scalar
        self.compares_numbers = False  # True of what in Python is a bool, `t > 3`
        self.written: Location | None = None  # where it was last written in place
        self._base: TracedArray | None = None  # of a view: the array that owns the elements
        self._index: Index | None = None  # of a view made by indexing its base
        self._made: Location | None = None  # of a view
        self._stale: Location | None = None  # of a view: where the base was written since
        self._views: list[weakref.ref[TracedArray]] = []

    # -- reading ------------------------------------------------------------------------------

    def read(self) -> int:
        """The node that is its value now."""
        if self._recorder is not current():
            fail("an array of another capture is used", "do not keep arrays in global variables")
        self._recorder.settle()
        if self._stale:
            fail(f"this view's array was written since, in line {self._stale.line}", _COPY_HINT)
        return self._node

    def operand(self) -> Operand:
        return Operand(self.shape, self.dtype, node=self.read())

    @property
    def _value(self) -> Node:
        return self._recorder.nodes[self._node]

    @property
    def shape(self) -> tuple[int, ...]:
        return self._value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return STORAGE[self._value.dtype]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return build.size(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def T(self) -> Any:
        return np.transpose(self)

    def fresh(self, node: int) -> TracedArray:
        """A new array, or a scalar if this is one."""
        return TracedArray(self._recorder, node, is_scalar=self.is_scalar)

    def view(self, node: int, index: Index | None = None) -> TracedArray:
        """A view of this array whose value is `node`."""
        seen = TracedArray(self._recorder, node)
        if not self.is_scalar:  # a scalar cannot be written, so nobody sees the difference
            base = self if self._base is None else self._base
            seen._base, seen._made = base, self._recorder.here()
            seen._index = index if base is self else None
            base._views.append(weakref.ref(seen))
        return seen

    def __getitem__(self, key: Any) -> TracedArray:
        index = parse(key, self.shape)
        region = build.take(self._recorder, self.read(), index.region)
        node = build.reshape(self._recorder, region, index.shape)
        if index.is_element:
            return TracedArray(self._recorder, node, is_scalar=True)
        return self.view(node, index)

    def __len__(self) -> int:
        if not self.shape:
            fail("an array without axes has no len() and cannot be iterated over")
        return self.shape[0]

    def __iter__(self) -> Iterator[TracedArray]:
        return (self[i] for i in range(len(self)))

    def __copy__(self) -> TracedArray:
        return self.fresh(self.read())

    def __deepcopy__(self, memo: Any) -> TracedArray:
        return self.fresh(self.read())

    def __getattr__(self, name: str) -> Any:
        if hasattr(np.ndarray, name) and not name.startswith("_"):
            fail(f"{name} of an array is not supported", ATTRIBUTE_HINTS.get(name, ""))
        raise AttributeError(f"an array has no attribute '{name}'")

    def __repr__(self) -> str:
        return f"<array {self.dtype} {self.shape}>"

    # -- writing ------------------------------------------------------------------------------

    def write(self, node: int, reads: tuple[Any, ...] = ()) -> None:
        """Makes `node`, computed from `reads`, the array's new value.

        Among `reads` there may be views of this array, as NumPy copies where memory overlaps;
        they cannot be read again.
        """
        if self.is_scalar:
            fail("a scalar cannot be written in place: NumPy's scalars are immutable")
        if self._base is not None:
            self._write_view(node)
            return
        if self._twin:
            fail(self._twin, "pass a copy of one of them, or make a new array (w = w + ...)")
        if self._other_views(reads):
            gc.collect()  # nothing but a reference cycle may hold them
            for view in self._other_views(reads):
                made = f", made in line {view._made.line}," if view._made else ""
                fail(f"in-place write to an array while a view of it{made} lives", _COPY_HINT)
        for view in self._live_views():
            view._stale = self._recorder.here()
        self._node, self.written = node, self._recorder.here()

    def _live_views(self) -> list[TracedArray]:
        live = [view for ref in self._views if (view := ref()) is not None]
        self._views = [weakref.ref(view) for view in live]
        return live

    def _other_views(self, reads: tuple[Any, ...]) -> list[TracedArray]:
        return [view for view in self._live_views() if not any(view is read for read in reads)]

    def _write_view(self, node: int) -> None:
        """Allows the one write through a view that is safe: ``w[key] += v``.

        Python runs it as ``view = w[key]; view += v; w[key] = view``. Unless the last part comes
        next, the error is raised.
        """
        error = error_here("in-place write through a view", "write to the array itself, w[...] = v")
        self._node = node
        self._recorder.unsettled = (self, error)
        if self._index is None:
            self._recorder.settle()

    def __setitem__(self, key: Any, value: Any) -> None:
        unsettled = self._recorder.unsettled
        if unsettled is not None and unsettled[0] is value and self._shows(value, key):
            self._recorder.unsettled = None
            node = assigned(self._recorder, self.read(), value._index, value.operand())
            self.write(node, (value,))
            value._stale = None  # the array has just been made equal to it
            return
        given = operand(value)
        if isinstance(key, TracedArray | np.ndarray) and key.dtype == np.bool_:
            node = assigned_where(self._recorder, self.read(), operand(key), given)
        else:
            node = assigned(self._recorder, self.read(), parse(key, self.shape), given)
        self.write(node, (key, value))

    def _shows(self, view: TracedArray, key: Any) -> bool:
        """Whether a view is what ``self[key]`` gives."""
        return view._base is self and view._index == parse(key, self.shape)

    def fill(self, value: Any) -> None:
        self[...] = value

    # -- NumPy's methods ----------------------------------------------------------------------

    def astype(self, dtype: Any, *, copy: bool = True) -> TracedArray:
        node = build.cast(self._recorder, self.read(), machine_type(dtype, "the result"))
        return self if not copy and node == self._node else self.fresh(node)

    def copy(self) -> TracedArray:
        return self.fresh(self.read())

    def flatten(self) -> TracedArray:
        node = build.reshape(self._recorder, self.read(), (self.size,))
        return TracedArray(self._recorder, node)

    reshape, transpose = _shaped(np.reshape), _shaped(np.transpose)
    ravel, squeeze, swapaxes = (_method(np.ravel), _method(np.squeeze), _method(np.swapaxes))
    sum, mean = _method(np.sum), _method(np.mean)
    max, min = _method(np.max), _method(np.min)
    var, std, any, all = (_method(np.var), _method(np.std), _method(np.any), _method(np.all))
    dot, clip, repeat = (_method(np.dot), _method(np.clip), _method(np.repeat))

    __iadd__, __isub__ = _in_place(np.add), _in_place(np.subtract)
    __imul__, __itruediv__ = _in_place(np.multiply), _in_place(np.divide)
    __ipow__, __imatmul__ = _in_place(np.power), _in_place(np.matmul)
    __iand__, __ior__ = _in_place(np.bitwise_and), _in_place(np.bitwise_or)
    __ixor__, __imod__ = _in_place(np.bitwise_xor), _in_place(np.remainder)
    __ifloordiv__ = _in_place(np.floor_divide)
