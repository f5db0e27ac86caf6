"""Small machines for tests: every number can be chosen, the rest is plausible."""

from __future__ import annotations

from typing import Any

from simulator.machines.systolic import SystolicMachine

_TABLES: dict[str, dict[str, Any]] = {
    "technology": {"process_nm": 7},
    "clock": {"mhz": 500},
    "host_link": {"bytes_per_cycle": 8, "latency_cycles": 40},
    "hbm": {"bytes_per_cycle": "33/2", "latency_cycles": 20, "capacity_bytes": 2**30},
    "unified_buffer": {"capacity_bytes": 2**18, "read_latency_cycles": 1},
    "weight_fifo": {"depth_tiles": 2},
    "matrix_unit": {
        "rows": 8,
        "cols": 8,
        "dataflow": "ws",
        "weight_buffers": 2,
        "overlap": True,
        "pe_latency_cycles": 1,
        "horizontal_hop_cycles": 1,
        "vertical_hop_cycles": 1,
    },
    "accumulators": {"lines": 128, "adder_latency_cycles": 2},
    "vector_unit": {
        "lanes": 8,
        "alu_latency_cycles": 3,
        "divide_cycles": 12,
        "sqrt_cycles": 12,
        "table_cycles": 16,
    },
    "sequencer": {"queue_depth": 16},
}


def small_machine(**fields: Any) -> SystolicMachine:
    """A machine of 8 x 8; fields by name (``rows=4``) or by table (``hbm={"latency_cycles": 3}``)."""
    tables = {name: dict(table) for name, table in _TABLES.items()}
    for name, value in fields.items():
        if name in tables:
            tables[name] |= value
            continue
        owners = [table for table in tables.values() if name in table]
        assert len(owners) == 1, name
        owners[0][name] = value
    return SystolicMachine.model_validate({"kind": "systolic", "name": "small", **tables})
