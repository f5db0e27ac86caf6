"""The training core in SystemVerilog, one module per file, named like the units of ``simulator.systolic``."""
