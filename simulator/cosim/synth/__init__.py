"""Synthesis of the RTL with Yosys: checks of every module, and the table of areas."""
