"""Room in the unified buffer: free segments that remember which instructions used them last."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from simulator.isa import UnitId

Hazards = tuple[int, ...]
"""Per unit the index of the last instruction that may still touch a place, -1 for none."""

NO_HAZARDS: Hazards = (-1,) * 6
ALIGNMENT = 4  # granules: every element type is aligned anywhere


def later(a: Hazards, b: Hazards) -> Hazards:
    """Per unit the later of two instructions."""
    return tuple(map(max, a, b))


def mark(unit: UnitId, instruction: int) -> Hazards:
    """That instruction of that unit alone."""
    return (*NO_HAZARDS[:unit], instruction, *NO_HAZARDS[unit + 1 :])


def without(hazards: Hazards, unit: UnitId) -> Hazards:
    """The same but for one unit."""
    return (*hazards[:unit], -1, *hazards[unit + 1 :])


class Segment(NamedTuple):
    """A free stretch and its past."""

    address: int
    size: int
    hazards: Hazards


class FreeSpace:
    """Allocates stretches of granules, those first whose last use is longest ago.

    A place that was just used makes its next user wait; the longest unused one lets a load run ahead.
    Where room for few blocks is left (``frame`` > 0) all stretches take whole frames, so that room cannot
    be lost to fragments.
    """

    def __init__(self, granules: int, frame: int) -> None:
        self._frame = frame or ALIGNMENT
        usable = granules // self._frame * self._frame
        self._segments: list[Segment] = [Segment(0, usable, NO_HAZARDS)] if usable else []

    def rounded(self, size: int) -> int:
        """The granules that a stretch of ``size`` takes."""
        return -(-size // self._frame) * self._frame

    def allocate(self, size: int) -> Segment | None:
        """A stretch of (rounded) ``size`` granules, or None where no hole is long enough."""
        want = self.rounded(size)
        best: tuple[int, int, int] | None = None  # age, first and last segment
        segments = self._segments
        for first in range(len(segments)):
            length, newest, last = 0, -1, first
            while length < want:
                if last == len(segments):
                    break
                segment = segments[last]
                if last > first and segment.address != segments[last - 1].address + segments[last - 1].size:
                    break
                length += segment.size
                newest = max(newest, *segment.hazards)
                last += 1
            if length >= want and (best is None or newest < best[0]):
                best = (newest, first, last)
                if newest < 0:
                    break
        if best is None:
            return None
        _, first, last = best
        address, hazards, left = segments[first].address, NO_HAZARDS, want
        remainder: list[Segment] = []
        for segment in segments[first:last]:
            hazards = later(hazards, segment.hazards)
            if segment.size > left:
                rest = Segment(segment.address + left, segment.size - left, segment.hazards)
                remainder.append(rest)
            left -= min(left, segment.size)
        segments[first:last] = remainder
        return Segment(address, want, hazards)

    def release(self, segment: Segment, settled: int) -> None:
        """Gives a stretch back; neighbours last used before instruction ``settled`` grow together."""
        segments = self._segments
        at = bisect_left(segments, segment.address, key=lambda other: other.address)
        segments.insert(at, segment)
        for index in (at, at - 1):
            if 0 <= index < len(segments) - 1:
                left, right = segments[index], segments[index + 1]
                together = left.address + left.size == right.address
                if together and (
                    left.hazards == right.hazards or max(*left.hazards, *right.hazards) < settled
                ):
                    merged = Segment(left.address, left.size + right.size, later(left.hazards, right.hazards))
                    segments[index : index + 2] = [merged]
