"""Everything that capture supports is what the emulation computes, bit for bit.

Each case runs through capture and the kernels, and eagerly through the emulation, on the same arguments:
on values that have NaNs, infinities, both zeros and subnormal numbers among them, and on ordinary ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from simulator.capture import capture
from simulator.capture.standin import FUNCTIONS, UFUNCS
from simulator.numerics.execute import Plan
from simulator.reference import differences, emulate

F = np.float32
SPECIAL = np.array(
    [
        np.nan,
        np.inf,
        -np.inf,
        0.0,
        -0.0,
        1e-45,
        -1e-45,
        1e-39,
        -1.1e-38,
        3.4e38,
        -3.4e38,
        1.0,
        -1.0,
        0.5,
        2.0,
    ],
    F,
)


class Given(NamedTuple):
    """The arguments of every case."""

    x: Any  # float32 (6, 4)
    y: Any  # float32 (6, 4)
    v: Any  # float32 (4,)
    w: Any  # float32 (4, 9), nine columns and ten rows are more than one tile of the array
    u: Any  # float32 (5, 10)
    z: Any  # float32 (10, 3)
    d: Any  # float32 (2, 3, 4)
    zero_d: Any  # float32 ()
    n: Any  # int32 (6, 4)
    k: Any  # int8 (6, 4)
    j: Any  # int8 (4, 5)
    m: Any  # bool (6, 4)
    p: Any  # bool (6, 4)
    s: Any  # np.float32
    i32: Any  # np.int32
    i64: Any  # np.int64, a number
    f64: Any  # np.float64, a number
    flag: Any  # np.bool_, fixed
    lr: Any  # a float
    t: Any  # an int


def given(special: bool) -> Given:
    rng = np.random.default_rng(3)

    def floats(*shape: int) -> Any:
        values = rng.standard_normal(shape).astype(F)
        if special:
            flat = values.reshape(-1)
            at = rng.permutation(flat.size)[: max(1, flat.size * 2 // 3)]
            flat[at] = rng.permutation(np.resize(SPECIAL, at.size))
        return values

    def integers(dtype: Any, *shape: int) -> Any:
        limits = np.iinfo(dtype)
        values = rng.integers(-5, 6, shape).astype(dtype)
        if special:
            values.reshape(-1)[:2] = limits.min, limits.max
        return values

    return Given(
        x=floats(6, 4),
        y=floats(6, 4),
        v=floats(4),
        w=floats(4, 9),
        u=floats(5, 10),
        z=floats(10, 3),
        d=floats(2, 3, 4),
        zero_d=np.array(-0.0 if special else 0.7, F),
        n=integers(np.int32, 6, 4),
        k=integers(np.int8, 6, 4),
        j=integers(np.int8, 4, 5),
        m=rng.random((6, 4)) > 0.4,
        p=rng.random((6, 4)) > 0.6,
        s=F(np.nan if special else 0.1),
        i32=np.int32(3),
        i64=np.int64(3),
        f64=np.float64(0.1),
        flag=np.bool_(True),
        lr=0.1,
        t=7,
    )


Case = Callable[[Given], Any]


def in_place(a: Given, *, what: str) -> Any:
    x, m, n = a.x.copy(), a.m.copy(), a.n.copy()
    if what == "operators":
        x += a.y
        x -= 0.5
        x *= a.v
        x /= a.lr
        x **= 2
        m &= a.p
        m |= a.n > 0
        m ^= a.p
        n += 1
        n -= a.i32
    elif what == "out":
        np.multiply(x, a.y, out=x)
        np.add(x, a.v, out=x)
        np.greater(a.x, a.y, out=m)
        np.isnan(a.x, out=m)
        np.clip(x, -1, a.v, out=x)
        total = np.zeros_like(a.v)
        np.sum(a.x, axis=0, out=total)
        return x, m, total, np.sum(a.n, axis=0, out=np.zeros_like(a.n[0]))
    elif what == "more out":
        x[...] = 0
        return (
            np.mean(a.x, axis=0, out=np.zeros_like(a.v)),
            np.var(a.x, axis=0, out=np.ones_like(a.v)),
            np.std(a.x, axis=0, out=np.ones_like(a.v)),
            np.max(a.x, axis=0, out=np.ones_like(a.v)),
            np.any(a.m, axis=0, out=np.zeros_like(a.m[0])),
            np.any(a.m, axis=0, out=np.zeros_like(a.v)),
            np.add.reduce(a.x, axis=0, out=np.ones_like(a.v)),
            np.matmul(a.x, a.w, out=np.zeros_like(a.x, shape=(6, 9))),
            np.dot(a.x, a.w, out=np.zeros_like(a.x, shape=(6, 9))),
            np.outer(a.v, a.v, out=np.zeros_like(a.w[:, :4])),
            np.concatenate([a.x, a.y], out=np.zeros_like(a.x, shape=(12, 4))),
            np.stack([a.x, a.y], out=np.zeros_like(a.x, shape=(2, 6, 4))),
            np.einsum("ij,jk->ik", a.x, a.w, out=np.zeros_like(a.x, shape=(6, 9))),
            np.add(a.x, 1, out=np.zeros_like(a.n), casting="unsafe"),
        )
    elif what == "regions":
        x[...] = a.y
        x[2:5] = a.v
        x[0] += a.v
        x[:, 1] *= 2
        x[a.m] = -1.0
        x[a.m[:, 0]] = a.v
        x[5, 3] = a.s
        m[...] = 1
        n[2:4] = a.x[:2]
        n[0] = 2.7
    else:
        x.fill(a.s)
        np.copyto(n, a.k)
        np.copyto(m, a.p)
        np.copyto(x, a.v, casting="same_kind")
        x[1:] = x[:-1] * 2
    return x, m, n


def immutable_scalars(a: Given) -> Any:
    s, again = a.x.sum(), a.s
    copied, turned, squeezed, flat = s.copy(), s.T, np.squeeze(s), s.reshape(1)
    same, same_turned, same_squeezed, same_again = copied, turned, squeezed, again
    copied += 1
    turned += 2
    squeezed *= 3
    again -= 1
    flat[0] = 5
    raveled = np.ravel(s)
    raveled *= 2
    chosen = np.where(a.zero_d > 0, a.zero_d, 0.0)  # of NumPy's an array, which is changed
    same_chosen = chosen
    chosen += 1
    return (
        *(s, copied, turned, squeezed, flat, same, same_turned, same_squeezed),
        *(again, same_again, a.s, raveled, chosen, same_chosen),
    )


def shape_facts(a: Given) -> Any:
    x = a.x
    return (
        x * x.shape[0] + x.size / x.ndim + len(x) + np.size(x, 1) + np.ndim(x) + np.shape(x)[0] + x.itemsize
    )


CASES: dict[str, Case] = {
    # element by element
    "add": lambda a: (a.x + a.y, 1 + a.x, a.x + a.lr, a.n + a.n, a.n + 7, a.x + a.m, a.x + True, a.n + a.m),
    "subtract": lambda a: (a.x - a.y, 1.5 - a.x, a.n - a.n, a.x - a.k),
    "multiply": lambda a: (
        a.x * a.y,
        a.x * a.lr,
        a.x * a.m,
        a.x * F(0.3),
        a.x * a.k,
        a.x * -0.0,
        a.x * F(-0.0),
    ),
    "divide": lambda a: (a.x / a.y, 1 / a.x, a.x / a.t, a.x / a.m, np.true_divide(a.x, a.y)),
    "negative": lambda a: (-a.x, -a.n),
    "positive": lambda a: +a.x,
    "absolute": lambda a: (abs(a.x), np.abs(a.n), np.fabs(a.x)),
    "sign": lambda a: (np.sign(a.x), np.sign(a.n)),
    "sqrt": lambda a: np.sqrt(a.x),
    "square": lambda a: np.square(a.x),
    "reciprocal": lambda a: np.reciprocal(a.x),
    "exp": lambda a: np.exp(a.x),
    "log": lambda a: np.log(a.x),
    "tanh": lambda a: np.tanh(a.x),
    "maximum": lambda a: (
        np.maximum(a.x, a.y),
        np.maximum(a.x, 0.0),
        np.maximum(a.x, -0.0),
        np.maximum(a.n, 1),
    ),
    "minimum": lambda a: (
        np.minimum(a.x, a.y),
        np.minimum(0.0, a.x),
        np.minimum(a.x, -0.0),
        np.minimum(a.n, 2),
    ),
    "clip": lambda a: (
        np.clip(a.x, -0.5, 0.5),
        a.x.clip(-0.5, a.y),
        np.clip(a.x, None, 0.2),
        np.clip(a.x, min=-0.1, max=a.v),
        a.n.clip(-1, 2),
    ),
    "equal": lambda a: (a.x == a.y, a.n == a.k, a.m == a.p, a.k == a.k[0], a.n[:, :, None] == np.arange(3)),
    "not_equal": lambda a: (a.x != a.y, a.x != a.x, a.m != a.p),
    "less": lambda a: (a.x < a.y, a.n < 2, a.x < 0, a.k < 0.5, a.m < 1, a.x < np.arange(4)),
    "less_equal": lambda a: (a.x <= a.y, a.n <= a.k, a.x <= -0.0, a.m <= 0.5),
    "greater": lambda a: (a.x > a.y, a.n > 0, a.m > 0, a.x > a.lr),
    "greater_equal": lambda a: (a.x >= a.y, a.n >= 1, a.p >= a.m),
    "logical_and": lambda a: (
        np.logical_and(a.m, a.p),
        np.logical_and(a.x, a.n),
        np.logical_and(a.k, True),
        np.logical_and(a.x, 0.0),
    ),
    "logical_or": lambda a: (np.logical_or(a.m, a.p), np.logical_or(a.x, a.p), np.logical_or(a.k, 0)),
    "logical_xor": lambda a: (np.logical_xor(a.m, a.p), np.logical_xor(a.x, a.y)),
    "logical_not": lambda a: (
        np.logical_not(a.m),
        np.logical_not(a.x),
        np.logical_not(a.n),
        np.logical_not(a.k),
    ),
    "bitwise on bool": lambda a: (
        a.m & a.p,
        a.m | a.p,
        a.m ^ a.p,
        ~a.m,
        a.m & True,
        False | a.m,
        a.m ^ a.flag,
    ),
    "bool arithmetic": lambda a: (
        a.m + a.p,
        a.m * a.p,
        np.maximum(a.m, a.p),
        np.minimum(a.m, a.p),
        a.m * True,
    ),
    "where of bool": lambda a: (np.where(a.x > 0, a.m, a.p), np.where(a.m, a.p, False)),
    "isnan": lambda a: np.isnan(a.x),
    "isinf": lambda a: np.isinf(a.x),
    "isfinite": lambda a: np.isfinite(a.x),
    "powers": lambda a: (a.x**2, a.x**0.5, a.x**1, a.x**-1, a.x**2.0, np.power(a.x, -1.0)),
    "powers by scalars": lambda a: (
        a.x ** F(2),
        a.x ** F(0.5),
        a.x ** np.int8(-1),
        a.x ** np.float64(2),
        a.x**True,
        a.x ** np.bool_(True),
    ),
    "where": lambda a: (
        np.where(a.m, a.x, a.y),
        np.where(a.x > 0, a.x, 0.0),
        np.where(a.x, a.x, a.y),
        np.where(a.m, a.n, 3),
        np.where(a.n, a.v, a.lr),
        np.where(a.m, a.x, a.m),
    ),
    "ufunc dtype": lambda a: (
        np.add(a.m, a.p, dtype=F),
        np.multiply(a.n, a.k, dtype=F),
        np.exp(a.n, dtype=F),
        np.add(a.x, a.y, dtype=F),
        np.equal(a.x, a.y, dtype=bool),
    ),
    "lists": lambda a: (
        a.v + np.array([1, 2, 3, 4], F),
        a.n == [0, 1, 2, 3],
        a.m & [True, False, True, False],
    ),
    # reductions
    "sum": lambda a: (
        a.x.sum(),
        np.sum(a.x, axis=0),
        a.x.sum(axis=-1, keepdims=True),
        a.d.sum(axis=(2, 0)),
        a.d.sum(axis=()),
        a.zero_d.sum(),
    ),
    "sum dtype": lambda a: (
        np.sum(a.m, axis=0, dtype=F),
        np.sum(a.n, dtype=np.int32),
        np.sum(a.k, axis=1, dtype=np.int32),
        np.sum(a.n, axis=1, dtype=F),
        np.sum(a.x, axis=0, dtype=np.int32),
    ),
    "mean": lambda a: (
        a.x.mean(),
        np.mean(a.x, axis=1, keepdims=True),
        np.mean(a.m, axis=0, dtype=F),
        a.d.mean(axis=(0, 2)),
        np.mean(a.n, dtype=F),
    ),
    "max": lambda a: (
        a.x.max(),
        np.max(a.x, axis=0),
        np.amax(a.d, axis=(0, 2), keepdims=True),
        a.n.max(axis=1),
        a.m.max(axis=0),
    ),
    "min": lambda a: (
        a.x.min(),
        np.min(a.x, axis=0),
        np.amin(a.d, axis=(0, 2), keepdims=True),
        a.n.min(axis=1),
        np.min(a.m, axis=0),
    ),
    "any": lambda a: (
        np.any(a.m),
        a.m.any(axis=0),
        np.any(a.x, axis=1, keepdims=True),
        np.any(a.n, axis=0),
        a.k.any(axis=(0, 1)),
    ),
    "all": lambda a: (
        np.all(a.m),
        a.p.all(axis=0),
        np.all(a.x, axis=1, keepdims=True),
        np.all(a.n, axis=0),
        np.all(a.k, axis=1),
    ),
    "var": lambda a: (
        np.var(a.x),
        a.x.var(axis=0),
        np.var(a.d, axis=(0, 2), keepdims=True),
        a.x.var(axis=1, ddof=1),
        np.var(a.n, axis=0, dtype=F),
        np.var(a.m, dtype=F),
    ),
    "std": lambda a: (
        np.std(a.x),
        a.x.std(axis=0),
        np.std(a.d, axis=(0, 2), keepdims=True),
        a.x.std(axis=1, ddof=1),
    ),
    "ufunc.reduce": lambda a: (
        np.add.reduce(a.x),
        np.maximum.reduce(a.x, axis=1),
        np.minimum.reduce(a.d, axis=(0, 1), keepdims=True),
        np.logical_or.reduce(a.m),
        np.logical_and.reduce(a.x, axis=1),
        np.add.reduce(a.k, 1, dtype=np.int32),
        np.maximum.reduce(a.m, axis=0),
        np.minimum.reduce(a.p, axis=None),
    ),
    # products
    "matmul": lambda a: (
        a.x @ a.w,
        a.x.T @ a.y,
        a.x @ a.y.T,
        a.v @ a.w,
        a.x @ a.v,
        a.v @ a.v,
        a.d @ a.w,
        np.matmul(a.u, a.z),
        a.m @ a.w,
        a.z.T @ a.u.T,
    ),
    "matmul int8": lambda a: (
        np.matmul(a.k, a.j, dtype=np.int32),
        np.matmul(a.k.T, a.k, dtype=np.int32),
        np.matmul(a.k, a.j, dtype=F),
    ),
    "dot": lambda a: (
        np.dot(a.x, a.w),
        a.v.dot(a.v),
        np.dot(a.u, a.z),
        np.dot(a.x, a.zero_d),
        np.dot(a.s, a.x),
    ),
    "vdot": lambda a: (np.vdot(a.v, a.v), np.vdot(a.x, a.y)),
    "inner": lambda a: (
        np.inner(a.v, a.v),
        np.inner(a.x, a.y),
        np.inner(a.d, a.x),
        np.inner(a.x, a.v),
        np.inner(a.x, a.zero_d),
    ),
    "tensordot": lambda a: (
        np.tensordot(a.x, a.w, 1),
        np.tensordot(a.x, a.y),
        np.tensordot(a.x, a.y, axes=([0], [0])),
        np.tensordot(a.d, a.d, axes=([1, 2], [1, 2])),
        np.tensordot(a.u, a.z, axes=(1, 0)),
        np.tensordot(a.d, a.w, axes=(-1, 0)),
    ),
    "einsum": lambda a: (
        np.einsum("ij,jk->ik", a.x, a.w),
        np.einsum("ij,kj", a.x, a.y),
        np.einsum("ij,ij->", a.x, a.y),
        np.einsum("ijk->kj", a.d),
        np.einsum("ijk->kij", a.d),
        np.einsum("ijk,kl->ijl", a.d, a.w, optimize=True),
        np.einsum("ij,jk->ki", a.u, a.z),
    ),
    "outer": lambda a: (np.outer(a.v, a.v), np.outer(a.x, a.v), np.outer(a.m, a.v), np.outer(a.m, a.p)),
    # shape
    "reshape": lambda a: (
        a.x.reshape(4, -1),
        np.reshape(a.d, (6, 4)),
        a.x.ravel(),
        np.ravel(a.x.T),
        a.x.flatten(),
        a.d.T.reshape(-1),
        np.reshape(a.x, -1, copy=True),
    ),
    "transpose": lambda a: (
        a.d.T,
        a.d.transpose(2, 0, 1),
        np.transpose(a.d, (1, 0, 2)),
        a.d.swapaxes(0, -1),
        np.swapaxes(a.x, 0, 1),
        np.matrix_transpose(a.d),
        np.moveaxis(a.d, 0, -1),
        np.moveaxis(a.d, (0, 1), (-1, 0)),
    ),
    "squeeze": lambda a: (
        np.squeeze(a.x[:1]),
        a.x[:, :1].squeeze(axis=1),
        np.expand_dims(a.x, (0, -1)),
        np.expand_dims(a.x, 1),
    ),
    "broadcast": lambda a: (
        np.broadcast_to(a.v, (3, 4)),
        np.broadcast_to(a.s, 3),
        *np.broadcast_arrays(a.x, a.v),
        np.broadcast_arrays(a.d, a.v)[1],
    ),
    "atleast": lambda a: (
        np.atleast_1d(a.zero_d),
        np.atleast_2d(a.v),
        list(np.atleast_1d(a.zero_d, a.v)),
        list(np.atleast_2d(a.v, a.x)),
    ),
    "concatenate": lambda a: (
        np.concatenate([a.x, a.y]),
        np.concatenate((a.x, a.y[:, 1:]), axis=1),
        np.concatenate([a.x, a.v[None]], axis=0),
        np.concatenate([a.x, a.y], axis=None),
        np.concatenate([a.x, a.m], -1),
        np.concatenate([a.x, np.zeros((1, 4), F)]),
        np.concatenate([a.n, a.k], dtype=F),
        np.concatenate([a.x[:0], a.x[:2], a.x[3:]]),
    ),
    "stack": lambda a: (
        np.stack([a.x, a.y], axis=-1),
        np.stack([a.x.sum(), a.s, F(2)]),
        np.stack([a.x, a.m]),
        np.vstack([a.v, a.x]),
        np.hstack([a.x, a.y]),
        np.hstack([a.v, a.v]),
        np.column_stack([a.x[:, 0], a.y]),
        np.column_stack([a.v, a.v]),
    ),
    "joined dtype": lambda a: (
        np.stack([a.m, a.p], dtype=F),
        np.vstack([a.m, a.p], dtype=F),
        np.hstack([a.k, a.k], dtype=np.int32),
    ),
    "split": lambda a: (np.split(a.x, 2), np.split(a.x, [1, 3], axis=1), np.array_split(a.x, 3, axis=0)),
    "repeat": lambda a: (
        np.repeat(a.x, 3, axis=1),
        a.x.repeat(2),
        np.repeat(a.m, 2, axis=0),
        a.v.repeat(np.int64(2), axis=-1),
    ),
    "tile": lambda a: (
        np.tile(a.d, (2, 1, 3)),
        np.tile(a.x, (2, 1, 2)),
        np.tile(a.v, 3),
        np.tile(a.m, 2),
        np.tile(a.d, 2),
    ),
    "roll": lambda a: (
        np.roll(a.x, 1, axis=1),
        np.roll(a.x, -2),
        np.roll(a.d, 5, axis=0),
        np.roll(a.n, 0, axis=0),
    ),
    "diff": lambda a: (np.diff(a.x), np.diff(a.x, axis=0), np.diff(a.n, axis=-2), np.diff(a.v)),
    "index": lambda a: (
        a.x[1],
        a.x[-1, 2],
        a.d[..., 0],
        a.d[1, ..., ::2],
        a.x[:, None, 1:99],
        a.x[::5],
        a.x[None],
        [row * 2 for row in a.x],
        a.x[np.int64(1)],
        a.m[0],
    ),
    "shape facts": shape_facts,
    # creation and types
    "like": lambda a: (
        np.zeros_like(a.x),
        np.ones_like(a.x, dtype=np.int32),
        np.full_like(a.x, 0.3),
        np.full_like(a.x, 2, shape=(3,)),
        np.full_like(a.x, a.lr),
        np.full_like(a.x, a.v),
        np.full_like(a.n, 2.7),
        np.zeros_like(a.x, shape=()),
        np.full_like(a.m, 2.0),
        np.full_like(a.x, -0.0),
        np.ones_like(a.m),
        np.zeros_like(a.k),
        np.empty_like(a.x, shape=(2,)) * 0 + 1,
    ),
    "constants": lambda a: (
        a.x + np.full(4, 0.1, F),
        np.ones((6, 4), F) - a.x,
        a.n + np.arange(4, dtype=np.int32),
        a.x * np.eye(4, dtype=F)[0],
    ),
    "astype": lambda a: (
        a.x.astype(np.int32),
        a.x.astype(bool),
        a.n.astype(F),
        a.m.astype(F),
        a.k.astype(np.int32),
        a.k.astype(F),
        a.k.astype(bool),
        np.astype(a.m, np.int32),
        a.x.astype(F, copy=False),
        a.n.astype(bool),
    ),
    "copy": lambda a: (np.copy(a.x), a.x.copy(), np.copy(a.x.T) + 0),
    "result_type": lambda a: (
        a.m.astype(np.result_type(a.m, a.x)),
        a.m.astype(np.result_type(a.n, a.k)),
        a.m.astype(np.result_type(a.v, a.lr, a.t)),
    ),
    "dtype": lambda a: (a.n.astype(a.x.dtype), a.x * np.finfo(a.x.dtype).eps),
    "writing: operators": partial(in_place, what="operators"),
    "writing: out": partial(in_place, what="out"),
    "writing: more out": partial(in_place, what="more out"),
    "writing: regions": partial(in_place, what="regions"),
    "writing: fill, copyto": partial(in_place, what="fill"),
    # numbers
    "immutable scalars": immutable_scalars,
    "narrow scalars": lambda a: (
        a.x * np.float16(0.5),
        a.n + np.int16(3),
        a.x * np.int8(3),
        a.n - np.int32(2),
    ),
    "np.float32 argument": lambda a: (
        a.x * a.s,
        a.s + 1,
        a.x + a.s * a.s,
        np.maximum(a.s, a.x),
        np.where(a.m, a.x, a.s),
        a.s > 0,
        a.s,
        -a.s,
        np.exp(a.s),
    ),
    "np.int32 argument": lambda a: (a.n + a.i32, a.i32 == a.n, a.i32 - 1, a.i32.astype(F) * a.x),
    "np.int64 argument": lambda a: (
        a.x * a.i64,
        a.n + a.i64,
        a.i64 + 1,
        0.9**a.i64,
        a.x / a.i64,
        a.x + (a.i64 - a.t),
    ),
    "np.float64 argument": lambda a: (a.x * a.f64, a.f64 + 1, a.x - a.f64 / 3),
    "np.bool_ argument": lambda a: (
        a.m & a.flag,
        a.x * a.flag,
        a.flag,
        a.x if a.flag else a.y,
        a.m == a.flag,
    ),
    "host scalars": lambda a: (
        a.x * (a.lr / (1 - 0.9**a.t)),
        a.x + np.sqrt(a.lr),
        a.x * np.exp(-a.lr),
        a.x - np.log(a.t),
        a.x / np.minimum(a.t, 5),
        a.x * np.maximum(a.lr, 0.5),
        a.n + np.minimum(a.t, 9),
        a.t + 1,
        a.lr**2,
        -a.t,
        a.lr * abs(-a.t),
        a.x * np.square(a.t),
        np.minimum(a.t, 3),
        np.sqrt(a.t),
    ),
    "host functions": lambda a: (
        a.x * np.add(a.lr, 1),
        a.x * np.subtract(a.lr, 1),
        a.x * np.multiply(a.t, a.t),
        a.x * np.divide(a.t, 3),
        a.x * np.power(0.9, a.t),
        a.x * np.float_power(a.t, 2.0),
        a.x * np.negative(a.t),
        a.x * np.abs(-a.lr),
        a.x * np.fabs(a.t),
        a.x * np.reciprocal(a.lr),
        a.x * np.positive(a.lr),
    ),
    "host comparisons": lambda a: (
        np.where(a.t > 3, a.x, a.y),
        a.x * (a.lr < 0.5),
        (a.t >= 8) & a.m,
        a.t == 7,
        a.t != 7,
        a.lr <= 0.1,
    ),
    "nothing": lambda a: (None, "text", True, 1, 2.5, {"a": a.x, "b": [a.n, (a.m,)]}),
}


def both_ways(case: Case, arguments: Given, dataflow: Any) -> tuple[Any, Any]:
    """What the emulation gives, and what capture and the kernels give."""

    def function(a: Given) -> Any:
        return case(a)

    captured = capture(function, (arguments,), carry=())
    inputs, numbers = captured.flatten_arguments((arguments,))
    execution = Plan(captured.graph, rows=4, dataflow=dataflow).run(inputs, numbers)
    computed = captured.unflatten_outputs(execution.outputs, numbers)
    return emulate(function, (arguments,), rows=4, dataflow=dataflow), computed


@pytest.mark.parametrize("name", CASES)
def test_emulation_and_capture_agree(name: str) -> None:
    for special in (False, True):
        for dataflow in ("ws", "os"):
            expected, computed = both_ways(CASES[name], given(special), dataflow)
            report = differences(expected, computed)
            assert report.equal, (special, dataflow, [str(leaf) for leaf in report.leaves])
            assert report.elements > 0


def test_every_function_of_captures_tables_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    met: set[Any] = set()

    def seen(key: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            met.add(key)
            return function(*args, **kwargs)

        return call

    for key, handler in list(UFUNCS.items()):
        monkeypatch.setitem(UFUNCS, key, seen(key, handler))
    for key, (function, names) in list(FUNCTIONS.items()):
        monkeypatch.setitem(FUNCTIONS, key, (seen(key, function), names))
    for case in CASES.values():
        capture(lambda a, case=case: case(a), (given(False),), carry=())
    assert {str(key) for key in (set(UFUNCS) | set(FUNCTIONS)) - met} == set()
