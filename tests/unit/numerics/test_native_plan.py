"""A step as one native call: what is fused, in which order, where values lie, and who owns the results."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from simulator.numerics import core
from simulator.numerics.execute import Plan
from simulator.numerics.fusion import Program, fuse, written
from simulator.numerics.lowering import Lowering
from simulator.numerics.memory import place
from simulator.numerics.recycling import Recycler
from tests.unit.numerics.graphs import Builder, layer_inputs, layer_step
from tests.unit.numerics.vectors import assert_bits

ROOT = Path(__file__).parents[3]


@pytest.fixture
def native():
    """The core, which every machine that runs these tests has a compiler for."""
    found = core.active()
    assert found is not None
    return found


def stages_of(graph, native, needed=None):
    lowering = Lowering(graph.nodes, native, 8, "ws")
    lowering.lower(range(len(graph.nodes)) if needed is None else needed)
    return fuse(lowering.operations, lowering.values), lowering


def random_graph(rng: np.random.Generator):
    """Elementwise operations, products, reductions, views and copies of random operands."""
    g = Builder()
    shape = (int(rng.integers(1, 5)), int(rng.integers(1, 7)))
    whole = [g.input(f"x{i}", shape) for i in range(2)]
    small = [g.input("row", (shape[1],)), g.input("column", (shape[0], 1)), g.input("one", ())]
    for _ in range(int(rng.integers(3, 16))):
        a, b = rng.choice(whole), rng.choice([*whole, *small])
        kind = rng.integers(0, 8)
        if kind < 4:
            op = ("add", "multiply", "subtract", "maximum")[kind]
            whole.append(g.add(op, int(a), int(b), shape=shape))
        elif kind == 4:
            total = g.add("reduce_sum", int(a), shape=(shape[1],), axes=(0,), keepdims=False)
            small.append(total)
        elif kind == 5:
            square = g.matmul(int(a), int(rng.choice(whole)), transpose_b=True)
            whole.append(g.matmul(square, int(a)))
        elif kind == 6:
            flat = g.add("reshape", int(a), shape=(shape[0] * shape[1],))
            whole.append(g.add("reshape", g.add("negative", flat, shape=(flat_size(shape),)), shape=shape))
        else:
            turned = g.add("transpose", int(a), shape=shape[::-1], axes=(1, 0))
            signs = g.add("sign", turned, shape=shape[::-1])
            whole.append(g.add("transpose", signs, shape=shape, axes=(1, 0)))
    chosen = {f"y{i}": int(node) for i, node in enumerate(rng.choice([*whole, *small], 4))}
    return g.graph(x0=whole[-1], **chosen)


def flat_size(shape):
    return shape[0] * shape[1]


@pytest.mark.parametrize("seed", range(150))
def test_random_graphs_equal_numpys_kernels_with_everything_kept_or_nothing(seed, native):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    inputs = layer_inputs(graph, seed)
    with core.forced(core.NUMPY):
        want = Plan(graph, rows=3, dataflow="ws").run(inputs, {}, keep="all")
    plan = Plan(graph, rows=3, dataflow="ws")
    copies = {path: value.copy() for path, value in inputs.items()}
    everything = plan.run(inputs, {}, keep="all")
    for got, value in zip(everything.values, want.values, strict=True):
        assert_bits(got, value)
    for given in ({}, {"donated": ["x0"]}):
        outputs = plan.run(inputs, {}, **given).outputs
        for path, value in want.outputs.items():
            assert_bits(outputs[path], value)
    for path, value in copies.items():
        if path != "x0":
            assert_bits(inputs[path], value)


@pytest.mark.parametrize("seed", range(150))
def test_order_and_memory_of_random_graphs(seed, native):
    """Nothing runs before what it reads, every operation runs once, and no live values overlap."""
    graph = random_graph(np.random.default_rng(seed))
    stages, lowering = stages_of(graph, native)
    there = {i for i, node in enumerate(graph.nodes) if node.op == "input"}
    made = []
    for stage in stages:
        assert set(stage.reads) <= there
        made += written(stage)
        there |= set(written(stage))
    assert sorted(made) == sorted(operation.writes for operation in lowering.operations)
    reads = [set(stage.reads) for stage in stages]
    stored = [[v for v in written(stage) if any(v in read for read in reads)] for stage in stages]
    sizes = {v: lowering.values[v].size * 4 for values in stored for v in values}
    placed = place(sizes, stored, [stage.reads for stage in stages])
    alive = {
        v: (i, max(j for j, read in enumerate(reads) if v in read))
        for i, values in enumerate(stored)
        for v in values
    }
    for one, (first, last) in alive.items():
        assert 0 <= placed.offsets[one] <= placed.bytes - sizes[one]
        for other, (start, end) in alive.items():
            if one < other and start <= last and first <= end:
                low, high = sorted((one, other), key=lambda v: placed.offsets[v])
                assert placed.offsets[low] + sizes[low] <= placed.offsets[high]


def test_an_update_is_one_program_and_memory_is_used_again(native):
    g = Builder()
    w, v, grad = (g.input(path, (64, 32)) for path in ("w", "v", "grad"))
    shape, x = (64, 32), g.input("x", (64, 64))
    for _ in range(6):
        x = g.add("tanh", g.matmul(x, x), shape=(64, 64))
    a = g.add("multiply", v, v, shape=shape)
    b = g.add("add", a, grad, shape=shape)
    c = g.add("divide", grad, g.add("sqrt", b, shape=shape), shape=shape)
    graph = g.graph(w=g.add("subtract", w, c, shape=shape), v=b, x=x)
    stages, _ = stages_of(graph, native)
    programs = [stage for stage in stages if isinstance(stage, Program) and stage.shape == shape]
    assert len(programs) == 1 and len(programs[0].steps) == 5
    plan = Plan(graph, rows=8, dataflow="ws")
    plan.run(layer_inputs(graph), {})
    assert plan._native_plans[frozenset()]._arena.nbytes <= 4 * 64 * 64 * 4


def test_no_program_waits_for_itself(native):
    """y = f(x) and z = y + g(y), where g is a product: f and the addition must not be one program."""
    g = Builder()
    y = g.add("tanh", g.input("x", (8, 8)), shape=(8, 8))
    z = g.add("add", y, g.matmul(y, y), shape=(8, 8))
    graph = g.graph(z=z)
    stages, _ = stages_of(graph, native)
    assert [len(stage.steps) for stage in stages if isinstance(stage, Program)] == [3, 1]


def test_results_are_written_where_they_were_only_if_given_away_and_not_read_again(native):
    g = Builder()
    w, late = g.input("w", (3, 4)), g.input("late", (3, 4))
    new = g.add("multiply", w, w, shape=(3, 4))
    both = g.add("add", new, late, shape=(3, 4))
    again = g.add("subtract", both, late, shape=(3, 4))
    graph = g.graph(w=new, late=both, again=again)
    plan = Plan(graph, rows=8, dataflow="ws")
    inputs = layer_inputs(graph)
    before = {path: value.copy() for path, value in inputs.items()}
    outputs = plan.run(inputs, {}).outputs
    assert not any(np.shares_memory(outputs[path], inputs[path]) for path in inputs)
    given = plan.run(inputs, {}, donated=["w", "late"]).outputs
    assert given["w"] is inputs["w"]  # read by the step that writes it alone
    assert not np.shares_memory(given["late"], inputs["late"])  # read after it
    for path, value in outputs.items():
        assert_bits(given[path], value)
    assert_bits(inputs["late"], before["late"])
    kept = plan.run(layer_inputs(graph), {}, donated=["w"], keep=[w])
    assert_bits(kept.values[w], before["w"])  # what is to be kept is not overwritten
    frozen = layer_inputs(graph)
    frozen["w"].flags.writeable = False
    assert plan.run(frozen, {}, donated=["w"]).outputs["w"] is not frozen["w"]


def test_results_that_somebody_holds_stay_as_they_are():
    graph = layer_step()
    plan = Plan(graph, rows=8, dataflow="ws")
    held, views = [], []
    for seed in range(6):
        outputs = plan.run(layer_inputs(graph, seed), {"lr": 0.1}).outputs
        held.append((outputs, {path: value.copy() for path, value in outputs.items()}))
        row = plan.run(layer_inputs(graph, seed + 10), {"lr": 0.1}).outputs["w"][1:]
        views.append((row, row.copy()))
    for outputs, copies in held:
        for path, value in copies.items():
            assert_bits(outputs[path], value)
    for row, copy in views:
        assert_bits(row, copy)


@pytest.mark.parametrize("count", [3, 1 << 20])
def test_recycled_arrays_are_nobodys(count):
    recycler = Recycler((count,), np.dtype(np.float32))
    first, at = recycler.take()
    assert first.ctypes.data == at
    second, _ = recycler.take()
    assert second is not first
    view = second[1:]
    del first, second
    again, again_at = recycler.take()
    assert again_at == at  # nobody held it any more
    third, third_at = recycler.take()
    assert not np.shares_memory(third, view) and third_at not in (at, view.ctypes.data - 4)
    del again, third


def test_a_plan_serves_two_threads():
    graph = layer_step(batch=40, inputs=90, outputs=50)
    plan = Plan(graph, rows=8, dataflow="ws")
    with core.forced(core.NUMPY):
        numpy_plan = Plan(graph, rows=8, dataflow="ws")
        want = {s: numpy_plan.run(layer_inputs(graph, s), {"lr": 0.1}).outputs["w"].copy() for s in range(4)}
    wrong = []

    def work(seed: int) -> None:
        for _ in range(100):
            got = plan.run(layer_inputs(graph, seed), {"lr": 0.1}).outputs["w"]
            if not np.array_equal(got, want[seed]):
                wrong.append(seed)

    with core.forced(core.active_name(), 3):
        threads = [threading.Thread(target=work, args=(seed,)) for seed in want]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


FORKED = """
import os
from simulator.numerics import core
from simulator.numerics.execute import Plan
from tests.unit.numerics.graphs import layer_inputs, layer_step

graph = layer_step(batch=300, inputs=400, outputs=300)
plan, inputs = Plan(graph, rows=8, dataflow="ws"), layer_inputs(layer_step(300, 400, 300))
want = plan.run(inputs, {"lr": 0.1}).outputs["w"].tobytes()
assert core.threads() == 3
children = []
for _ in range(3):
    child = os.fork()
    if not child:  # none of the pool's threads is here
        same = all(plan.run(inputs, {"lr": 0.1}).outputs["w"].tobytes() == want for _ in range(5))
        os._exit(0 if same and len(os.listdir("/proc/self/task")) >= 3 else 1)
    children.append(child)
assert plan.run(inputs, {"lr": 0.1}).outputs["w"].tobytes() == want
print([os.waitpid(child, 0)[1] for child in children])
"""


def test_a_forked_process_has_threads_of_its_own():
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT), core.THREADS_VARIABLE: "3"},
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("[0, 0, 0]\n", "", 0)
