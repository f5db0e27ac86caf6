"""Tests of the eager emulation against exact rational arithmetic and against NumPy's semantics."""
