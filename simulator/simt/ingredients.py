"""Parts of the model that an ablation takes out one by one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ingredients:
    """Each is on unless it says otherwise.

    ``waves``: blocks run in whole waves (off: their work spreads evenly over all SMs). ``occupancy``:
    resident blocks hide one another's waits (off: one block per SM). ``l2``: traffic between L2 and the SMs
    takes time, and L2 keeps what fits (off: DRAM delivers every operand of every kernel once).
    ``split_k``: k may be cut (off: one block sums all of k). ``launch``: a launch costs time (off: nothing).
    ``choice``: the kernel that the library picks (off: the fastest). ``rows``: rows that float32 tiles read
    piece by piece cost DRAM's bytes, L2's hits and the TLB's pages (off: nothing).
    """

    waves: bool = True
    occupancy: bool = True
    l2: bool = True
    split_k: bool = True
    launch: bool = True
    choice: bool = True
    rows: bool = True


ALL = Ingredients()
