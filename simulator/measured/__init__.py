"""Measured GPUs: tables of kernel times, and how far roofline, tile-and-wave and the full model are off."""
