"""The words of the page: what each stall reason, unit and bound means, in one line."""

from __future__ import annotations

from simulator.trace import Stall

REASON_LABELS = {
    Stall.DISPATCH: "dispatch",
    Stall.TOKEN: "token",
    Stall.WEIGHTS: "weights",
    Stall.WEIGHT_FIFO: "weight FIFO",
    Stall.WEIGHT_RELEASE: "weight release",
    Stall.ACCUMULATE: "accumulate",
    Stall.ARRAY: "array",
    Stall.MEMORY_SWITCH: "memory switch",
    Stall.FINISHED: "finished",
    Stall.QUEUE: "queue",
}
REASON_NOTES = {
    Stall.DISPATCH: "Its queue is empty: the sequencer has not reached its next instruction.",
    Stall.TOKEN: "Another unit has not yet finished what this instruction depends on.",
    Stall.WEIGHTS: "The tile's weights are not yet in the array (or, for the shifter, not in the FIFO).",
    Stall.WEIGHT_FIFO: "No slot of the weight FIFO is free for the next tile.",
    Stall.WEIGHT_RELEASE: "The array's weight registers still hold weights that are in use.",
    Stall.ACCUMULATE: "The accumulators' adder has not finished the sums that this instruction adds to.",
    Stall.ARRAY: "The array has not completed the results that are to be drained.",
    Stall.MEMORY_SWITCH: "The DMA unit waits for transfers of the other memory (HBM or host) to end.",
    Stall.FINISHED: "No instruction of this unit is left in the Program.",
    Stall.QUEUE: "The sequencer finds no room in a unit's instruction queue.",
}
UNIT_LABELS = {
    "sequencer": "sequencer",
    "dma": "DMA",
    "weight_loader": "weight loader",
    "weight_shifter": "weight shifter",
    "matrix_unit": "matrix unit",
    "vector_unit": "vector unit",
    "transposer": "transposer",
}
UNIT_ORDER = (
    "matrix_unit",
    "vector_unit",
    "dma",
    "weight_loader",
    "weight_shifter",
    "transposer",
    "sequencer",
)
"""Units as the page shows them: those that do the arithmetic first."""
