"""The transposer: one block of at most line_elements x line_elements, in one corner and out of the other.

Latency: unified buffer read + rows + columns cycles.
Throughput: occupied for rows + columns cycles: it takes ``rows`` lines in, then gives ``columns`` lines
out; the next block's reads overlap the last line's way out by the unified buffer's latency.
Handshake: issues with its tokens in hand; it has a port of its own on the unified buffer.
"""

from __future__ import annotations

from typing import final

from simulator.systolic.unit import IssueUnit


@final
class Transposer(IssueUnit):
    """An issue unit without conditions of its own."""
