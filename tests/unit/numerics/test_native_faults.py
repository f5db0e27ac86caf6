"""A fault in the C that cuts work into chunks, pieces and parts shows in the bits of a step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.graph import Graph
from simulator.numerics import build, core, memory, native_plan, recycling
from simulator.numerics.execute import Plan
from tests.unit.numerics.graphs import Builder, layer_inputs

# File, what stands there, and what the fault makes of it.
FAULTS = {
    "the last chunk of a part": ("compute.c", "first + c->part_chunks,", "first + c->part_chunks - 1,"),
    "the last element of a chunk": ("compute.c", "call(rows * columns,", "call(rows * columns - 1,"),
    "the last part": ("compute.c", "(c.chunks + c.part_chunks - 1)", "c.chunks"),
    "a column's elements": ("compute.c", "base + (row + r) *", "base + r *"),
    "a piece of a row": ("compute.c", "at[i] = base + column *", "at[i] = base + 0 *"),
    "the last row of a piece": ("product.c", "g.m = i1 - i0;", "g.m = i1 - i0 - (i1 == g.m);"),
    "the last column of a piece": ("product.c", "g.n = j1 - j0;", "g.n = j1 - j0 - (j0 > 0);"),
    "where a piece of B starts": ("product.c", "(const char *)g.b + j0 *", "(const char *)g.b + 0 *"),
    "which part a thread takes": (
        "pool.c",
        "run(context, part);\n            atomic",
        "run(context, part > 2 ? part - 1 : part);\n            atomic",
    ),
    "the stride of a copy": ("move.c", "from += axis.source_stride", "from += bytes"),
}
THREADS = 2


def step() -> Graph:
    """A product for several threads, vector programs with long and short rows and columns, a transpose."""
    g = Builder()
    x, w, bias = g.input("x", (301, 90)), g.input("w", (90, 1101)), g.input("bias", (1101,))
    column, narrow, row = g.input("column", (301, 1)), g.input("narrow", (301, 10)), g.input("row", (10,))
    wide = (301, 1101)
    z = g.add("add", g.matmul(x, w), bias, shape=wide)
    y = g.add("subtract", g.add("multiply", z, z, shape=wide), column, shape=wide)
    turned = g.add("transpose", y, shape=wide[::-1], axes=(1, 0))
    scaled = g.add("multiply", narrow, column, shape=(301, 10))
    return g.graph(y=y, turned=turned, small=g.add("add", scaled, row, shape=(301, 10)))


def compiled(folder: Path, sources: list[Path], name: str) -> list[Path]:
    """Object files of sources; little optimized, which changes no bit."""
    objects = []
    compiler = next(build._compilers())
    for source in sources:
        objects.append(folder / f"{name}{source.stem}.o")
        flags = (*build._FLAGS, *build._variant_flags(source), "-O1", f'-DSOURCE_HASH="{name}"')
        where = ("-I", str(build.SOURCES), "-c", str(source), "-o", str(objects[-1]))
        build._run([*compiler, *flags, *where])
    return objects


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The core without a fault."""
    sources = sorted(build.SOURCES.glob("*.c"))
    made = compiled(tmp_path_factory.mktemp("core"), sources, "sound")
    return {source.name: made_of for source, made_of in zip(sources, made, strict=True)}


def use(chosen: dict[str, Path], folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Computes with a library of these objects."""
    library = folder / "faulty.so"
    compiler = next(build._compilers())
    linker = compiler[:1] if compiler[1:] == ["-x", "c"] else compiler
    build._run([*linker, "-shared", "-pthread", "-o", str(library), *map(str, chosen.values()), "-lm"])
    patch.setattr(build, "source_hash", lambda: "sound")
    native = core.Native(library)
    native.set_threads(THREADS)
    native.select(native.variants[0])
    patch.setattr(core, "_state", core._State(native, "", native.variants[0]))


def results() -> list[bytes]:
    graph = step()
    outputs = Plan(graph, rows=16, dataflow="ws").run(layer_inputs(graph), {}).outputs
    return [outputs[path].tobytes() for path in sorted(outputs)]


@pytest.fixture(autouse=True)
def fresh_memory_is_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not computed must not be right by chance, as where right results lay before."""

    def filled(size: int) -> np.ndarray:
        block = memory.allocate(size)
        block[:] = 0xFF
        return block

    for user in (native_plan, recycling):
        monkeypatch.setattr(user, "allocate", filled)


@pytest.fixture(scope="module")
def expected() -> list[bytes]:
    with core.forced(core.NUMPY):
        return results()


def test_a_core_without_a_fault(objects, expected, tmp_path, monkeypatch) -> None:
    use(objects, tmp_path, monkeypatch)
    assert results() == expected


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_seen(name, objects, expected, tmp_path, monkeypatch) -> None:
    file, right, wrong = FAULTS[name]
    text = (build.SOURCES / file).read_text()
    assert text.count(right) == 1
    (tmp_path / file).write_text(text.replace(right, wrong))
    (faulty,) = compiled(tmp_path, [tmp_path / file], "sound")
    use({**objects, file: faulty}, tmp_path, monkeypatch)
    assert results() != expected
