"""Graphs as kernels: what is fused, what each kernel reads and writes, in which order."""

from __future__ import annotations

import pytest

from simulator.graph import SOURCES, VIEWS, Graph
from simulator.simt.kernels import GemmKernel, Kernel, StreamKernel
from simulator.simt.lowering import lower


def gemms(kernels: list[Kernel]) -> list[GemmKernel]:
    return [kernel for kernel in kernels if isinstance(kernel, GemmKernel)]


def streams(kernels: list[Kernel]) -> list[StreamKernel]:
    return [kernel for kernel in kernels if isinstance(kernel, StreamKernel)]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "int8"])
@pytest.mark.parametrize("fused", [True, False])
def test_each_operation_is_computed_once_and_after_its_operands(
    training_step: Graph, dtype: str, fused: bool
) -> None:
    kernels = lower(training_step, dtype, fused)
    computed = [node for kernel in kernels for node in kernel.nodes]
    skipped = (*SOURCES, *VIEWS, *(("to_bfloat16",) if dtype == "float32" else ()))
    expected = [i for i, node in enumerate(training_step.nodes) if node.op not in skipped]
    assert sorted(computed) == expected
    for position, kernel in enumerate(kernels):
        assert all(before < position for before in kernel.after)
        written = set().union(*(kernels[i].writes for i in kernel.after), *())
        assert {t for t in kernel.reads if training_step.nodes[t].op not in SOURCES} <= written


def test_fused_and_unfused_counts(training_step: Graph) -> None:
    """By hand.

    Fused: 3 casts of inputs, 5 GEMMs, tanh with its slope, the loss's difference and squares, dz, one
    reduction, one update of both layers. Unfused: every operation but the casts of computed tensors, which
    join their producers.
    """
    fused, unfused = lower(training_step), lower(training_step, fused=False)
    assert len(fused) == 3 + 5 + 1 + 1 + 1 + 1 + 1
    operations = [node for node in training_step.nodes if node.op not in SOURCES]
    joined = 3  # casts of h, d and dz
    assert len(unfused) == len(operations) - joined
    assert [kernel.name for kernel in fused].count("update") == 1
    update = next(kernel for kernel in fused if kernel.name == "update")
    assert len(update.writes) == 4
    assert not any(set(update.writes) & set(kernel.reads) for kernel in fused)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("fused", [True, False])
def test_a_cast_is_named_by_the_type_that_it_makes(training_step: Graph, dtype: str, fused: bool) -> None:
    """x and both weights are cast on their own; the other casts are in the kernels before them."""
    casts = [kernel.label for kernel in lower(training_step, dtype, fused) if "to_" in kernel.label]
    assert sorted(casts) == [f"to_{dtype} {shape}" for shape in ("128x10", "32x64", "64x128")]


def test_gemms_keep_their_layouts_and_sizes(training_step: Graph) -> None:
    found = {(kernel.m, kernel.k, kernel.n, kernel.name[-2:]) for kernel in gemms(lower(training_step))}
    assert found == {
        (32, 64, 128, "nn"),
        (32, 128, 10, "nn"),
        (32, 10, 128, "nt"),
        (128, 32, 10, "tn"),
        (64, 32, 128, "tn"),
    }


def test_float32_gemms_take_no_casts(training_step: Graph) -> None:
    kernels = lower(training_step, "float32")
    assert {kernel.dtype for kernel in gemms(kernels)} == {"float32"}
    assert all("to_bfloat16" not in kernel.label for kernel in kernels)
    first = next(kernel for kernel in gemms(kernels) if (kernel.m, kernel.k, kernel.n) == (32, 64, 128))
    assert first.reads == {0: 32 * 64 * 4, 3: 64 * 128 * 4}


def test_cast_of_a_gemm_is_in_its_epilogue(builder) -> None:
    a, b = builder.input("a", 8, 16, dtype="bfloat16"), builder.input("b", 16, 32, dtype="bfloat16")
    builder.output("c", builder.cast(builder.matmul(a, b)))
    (kernel,) = lower(builder.graph())
    assert kernel.writes == {3: 8 * 32 * 2}
    assert kernel.reads == {a: 8 * 16 * 2, b: 16 * 32 * 2}


def test_result_that_is_needed_in_both_types_is_written_in_both(builder) -> None:
    a, b = builder.input("a", 8, 16, dtype="bfloat16"), builder.input("b", 16, 32, dtype="bfloat16")
    c = builder.matmul(a, b)
    builder.output("c", c)
    builder.output("c16", builder.cast(c))
    (kernel,) = lower(builder.graph())
    assert sum(kernel.writes.values()) == 8 * 32 * (4 + 2)


def test_element_operations_after_a_cast_gemm_are_a_kernel_of_their_own(builder) -> None:
    a, b = builder.input("a", 8, 16, dtype="bfloat16"), builder.input("b", 16, 32, dtype="bfloat16")
    cast = builder.cast(builder.matmul(a, b))
    builder.output("c", builder.like("negative", cast))
    assert [type(kernel) for kernel in lower(builder.graph())] == [GemmKernel, StreamKernel]


def test_fused_group_reads_each_operand_once_and_writes_only_what_is_needed(builder) -> None:
    x, y, c = builder.input("x", 100), builder.input("y", 100), builder.scalar()
    t = builder.like("multiply", c, x)
    builder.output("o", builder.like("add", t, builder.like("multiply", x, y)))
    (kernel,) = streams(lower(builder.graph()))
    assert kernel.reads == {x: 400, y: 400}
    assert sum(kernel.writes.values()) == 400
    assert kernel.instructions == 3
    assert len(lower(builder.graph(), fused=False)) == 3


def test_views_cost_nothing_and_broadcasts_read_the_small_operand(builder) -> None:
    x, bias = builder.input("x", 8, 32), builder.input("b", 32)
    wide = builder.add("broadcast_to", bias, shape=(8, 32))
    turned = builder.add("transpose", builder.like("add", x, wide), shape=(32, 8), axes=(1, 0))
    builder.output("o", builder.add("negative", turned, shape=(32, 8)))
    (kernel,) = lower(builder.graph())
    assert kernel.reads == {x: 8 * 32 * 4, bias: 32 * 4}


def test_slice_reads_its_part(builder) -> None:
    x = builder.input("x", 100)
    part = builder.add("slice", x, shape=(10,), key=((0, 10, 1),))
    builder.output("o", builder.like("negative", part))
    (kernel,) = lower(builder.graph())
    assert kernel.reads == {x: 40}


def test_reduction_lies_between_two_groups(builder) -> None:
    """A softmax: the exponentials and their quotient cannot share a kernel."""
    z = builder.input("z", 32, 10)
    e = builder.like("exp", z)
    s = builder.add("reduce_sum", e, shape=(32, 1), axes=(1,), keepdims=True)
    wide = builder.add("broadcast_to", s, shape=(32, 10))
    builder.output("p", builder.like("divide", e, wide))
    assert [kernel.name for kernel in lower(builder.graph())] == ["elementwise", "reduction", "elementwise"]


def test_groups_never_wait_for_one_another_in_a_circle(builder) -> None:
    """u -> small -> v and u -> v: u and v have one size, but a reduction between them."""
    x = builder.input("x", 64)
    u = builder.like("negative", x)
    small = builder.like("exp", builder.add("reduce_max", u, shape=(1,), axes=(0,), keepdims=True))
    v = builder.like("subtract", builder.add("broadcast_to", small, shape=(64,)), u)
    builder.output("o", builder.like("add", v, x))
    names = [kernel.label for kernel in lower(builder.graph())]
    assert names == ["negative 64", "reduce_max 64 to 1", "exp 1", "subtract+add 64"]


def test_operation_on_state_alone_joins_the_kernel_that_needs_it(builder) -> None:
    """``beta * v`` reads nothing computed; it belongs to the update, not to a kernel of its own before the
    GEMM.
    """
    a, b = builder.input("a", 8, 8, dtype="bfloat16"), builder.input("b", 8, 8, dtype="bfloat16")
    v, beta = builder.input("v", 8, 8), builder.scalar()
    decayed = builder.like("multiply", beta, v)
    builder.output("new_v", builder.like("add", decayed, builder.matmul(a, b)), "v")
    kernels = lower(builder.graph())
    assert [len(kernel.nodes) for kernel in kernels] == [1, 2]


def test_operation_on_state_with_a_cast_moves_with_it(builder) -> None:
    """A decayed weight is cast for an early GEMM and used again late: no circle, nothing computed twice."""
    w, c = builder.input("w", 8, 8), builder.scalar()
    decayed = builder.like("multiply", c, w)
    product = builder.matmul(builder.cast(decayed), builder.cast(w))
    product = builder.matmul(builder.cast(product), builder.cast(decayed))
    builder.output("o", builder.like("add", product, decayed), "w")
    kernels = lower(builder.graph())
    assert sum(len(kernel.nodes) for kernel in kernels) == len(
        [node for node in builder.nodes if node.op not in SOURCES]
    )


def test_dead_operations_are_left_out(builder) -> None:
    x = builder.input("x", 4)
    builder.like("exp", x)
    builder.output("o", builder.like("negative", x))
    assert [kernel.label for kernel in lower(builder.graph())] == ["negative 4"]


def test_graph_that_returns_its_input_has_no_kernel(builder) -> None:
    builder.output("o", builder.input("x", 4))
    assert lower(builder.graph()) == []


def test_integer_gemms_stay_integer(builder) -> None:
    a, b = builder.input("a", 8, 16, dtype="int8"), builder.input("b", 16, 32, dtype="int8")
    c = builder.add("matmul", a, b, shape=(8, 32), dtype="int32", transpose_a=False, transpose_b=False)
    builder.output("c", c)
    (kernel,) = gemms(lower(builder.graph(), "float32"))
    assert kernel.dtype == "int8"
    assert sum(kernel.reads.values()) == 8 * 16 + 16 * 32
