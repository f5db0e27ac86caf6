"""Co-simulation: Programs in the SystemVerilog core, event logs as Traces, the comparison with models."""
