"""``docs/area.md`` from the table of areas."""

from __future__ import annotations

from simulator.energy.area_table import Area

_HEAD = """# Area

Written by `python -m simulator.cosim.synth` from `rtl_models/`, as is `simulator/energy/area.csv`; {library}

* **Cells**: one-bit AND, OR, XOR, NOT, MUX and flip-flops. **NAND2**: their transistors in static CMOS, by 4
  (AND and OR 6, XOR and MUX 10, NOT 2, flip-flop 24, with reset 28).
* **Memory**: bits of arrays that stay memories (macros or register files), for which no area is charged:
  buffer, accumulators, tiles of the weight FIFO, queues, the transposer's block, lists of what is under way.
  Multiplexers that Yosys keeps outside of them are cells.
* Seeded faults are tied off. Each unit is flattened and optimised by itself; an array is so many equal PEs, a
  vector unit so many equal lanes, a core the sum of its units. No placement, wires, clock tree or timing.
* Every PE computes bfloat16 (fused, rounded once, with subnormals) and int8. All latencies of the array and
  the buffers are 1; the vector functions take the RTL's default cycles.

`pulsetrain machines NAME` and `pulsetrain step` give the area of any systolic machine from this table; the
rules are in `simulator/energy/area.py`.

| unit | parameters | memory, bits | flip-flops | cells | NAND2 |{um2_head}
|---|---|--:|--:|--:|--:|{um2_rule}
"""


def page(rows: list[Area]) -> str:
    """The page."""
    library = rows[0].library
    used = (
        f"mapped with `{library}`, read where it is installed."
        if library
        else "no cell library was installed."
    )
    head = _HEAD.format(
        library=used, um2_head=" um2 |" if library else "", um2_rule="--:|" if library else ""
    )
    lines = []
    for row in rows:
        cells = [
            f"**{row.unit}**" if row.unit == "core" else row.unit, row.parameters or "-", *(
                f"{value:,}" for value in (row.memory_bits, row.flip_flops, row.cells, row.nand2)
            ),
        ]  # fmt: skip
        if library:
            cells.append(f"{row.um2:,.0f}")
        lines.append("| " + " | ".join(cells) + " |")
    return head + "\n".join(lines) + "\n"
