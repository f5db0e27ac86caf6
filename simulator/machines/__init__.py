"""Descriptions of hardware: systolic cores and SIMT machines, as validated data."""
