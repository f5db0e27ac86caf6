"""Machines with small arrays for the array oracle."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from simulator.machines.systolic import SystolicMachine


def machine_of(
    rows: int,
    cols: int,
    *,
    dataflow: str = "ws",
    weight_buffers: int = 2,
    overlap: bool = True,
    pe: int = 1,
    vertical: int = 1,
    horizontal: int = 1,
    adder: int = 1,
    read: int = 1,
    **tables: dict[str, Any],
) -> SystolicMachine:
    """A machine with the given array; ``tables`` adds to or changes the other tables."""
    rate = {"bytes_per_cycle": 64, "latency_cycles": 3}
    description: dict[str, Any] = {
        "kind": "systolic",
        "name": "oracle",
        "technology": {"process_nm": 28.0},
        "clock": {"mhz": 1000.0},
        "host_link": rate,
        "hbm": {**rate, "capacity_bytes": 2**20},
        "unified_buffer": {"capacity_bytes": 2**20, "read_latency_cycles": read},
        "weight_fifo": {"depth_tiles": 2},
        "matrix_unit": {
            "rows": rows,
            "cols": cols,
            "dataflow": dataflow,
            "weight_buffers": weight_buffers,
            "overlap": overlap,
            "pe_latency_cycles": pe,
            "horizontal_hop_cycles": horizontal,
            "vertical_hop_cycles": vertical,
        },
        "accumulators": {"lines": 4096, "adder_latency_cycles": adder},
        "vector_unit": {
            "lanes": rows,
            "alu_latency_cycles": 1,
            "divide_cycles": 1,
            "sqrt_cycles": 1,
            "table_cycles": 1,
        },
        "sequencer": {"queue_depth": 4},
    }
    for table, values in tables.items():
        description[table] = {**description[table], **values}
    return SystolicMachine.model_validate(description)


@st.composite
def machines(draw: st.DrawFn, dataflow: str | None = None) -> SystolicMachine:
    """Machines with small arrays of any setting, and short queues and FIFOs around them."""
    return machine_of(
        draw(st.integers(1, 6)),
        draw(st.integers(1, 6)),
        dataflow=dataflow or draw(st.sampled_from(["ws", "os", "is"])),
        weight_buffers=draw(st.sampled_from([2, 1])),
        overlap=draw(st.sampled_from([True, True, False])),
        pe=draw(st.integers(1, 4)),
        vertical=draw(st.integers(1, 3)),
        horizontal=draw(st.integers(1, 3)),
        adder=draw(st.sampled_from([1, 2, 3, 4, 9])),
        read=draw(st.integers(1, 3)),
        weight_fifo={"depth_tiles": draw(st.integers(1, 3))},
        sequencer={"queue_depth": draw(st.integers(1, 4))},
        hbm={"latency_cycles": draw(st.sampled_from([0, 3, 20]))},
    )
