"""Where two people cross, trackers may swap them: every crossing is remembered until their looks have been compared.

Both sides vote: after a swap each of the two looks like the other did before, so one clean crop of each usually tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from savant_reid.identity.live import LiveTracks, Seen
from savant_reid.identity.overlaps import Overlaps
from savant_reid.identity.tracklet import Tracklet

# Two people cross while one shares more than this with the other.
CROSSING_SHARE = 0.3
# Apart for so long, the crossing is over; gone for so long, it is forgotten undecided.
APART_NS = 300_000_000
FORGET_NS = 6_000_000_000
# Judged with so many clean crops of each since, or after so long with what there is.
ENOUGH_CROPS = 2
WAIT_NS = 1_500_000_000
# How often trackers swap at a crossing, before anything has been seen of it (FACTS of the field: 4 %).
SWAP_ODDS = math.log(0.04 / 0.96)
# Crops asked for quickly once it is over.
LOOKS_EVERY_NS = 200_000_000


@dataclass(eq=False)
class Crossing:
    """Two tracklets whose boxes lay over one another from start_ns to last_ns, site time.

    over: they are apart. judged: what there was to go by when it was last judged.
    """

    a: Tracklet
    b: Tracklet
    start_ns: int
    last_ns: int
    over: bool = False
    judged: tuple[int, ...] = ()

    @property
    def serials(self) -> tuple[int, int]:
        """What tells it from the others that go on: of two who crossed, the earlier one comes first."""
        return self.a.serial, self.b.serial

    @property
    def middle_ns(self) -> int:
        return (self.start_ns + self.last_ns) // 2


def close_together(live: LiveTracks, seen: Seen, overlaps: Overlaps) -> Iterator[tuple[Tracklet, Tracklet, int]]:
    """Tracklets of which one shares more than CROSSING_SHARE with the other, and when, site time."""
    near = np.maximum(*overlaps.shares()) > CROSSING_SHARE
    firsts, seconds = overlaps.first[near], overlaps.second[near]
    slots = zip(seen.slots[firsts].tolist(), seen.slots[seconds].tolist(), seen.at_ns[firsts].tolist(), strict=True)
    for slot_a, slot_b, now_ns in slots:
        a, b = (live.tracklets[slot] if slot >= 0 else None for slot in (slot_a, slot_b))
        if a is not None and b is not None:
            yield a, b, now_ns


class Crossings:
    """Those going on and those over but not judged yet; forgotten after FORGET_NS, so their number is bounded."""

    def __init__(self, live: LiveTracks) -> None:
        self._live = live
        self._open: dict[tuple[int, int], Crossing] = {}

    def __iter__(self) -> Iterator[Crossing]:
        return iter(list(self._open.values()))

    def observe(self, seen: Seen, overlaps: Overlaps) -> None:
        """Take in the overlaps of a batch's frames."""
        for a, b, now_ns in close_together(self._live, seen, overlaps):
            if a.serial > b.serial:
                a, b = b, a
            key = (a.serial, b.serial)
            crossing = self._open.get(key)
            if crossing is None or crossing.over:
                crossing = self._open[key] = Crossing(a, b, now_ns, now_ns)
            crossing.last_ns = now_ns

    def due(self, now_ns: int) -> list[Crossing]:
        """Those that are over, in any order; asks for looks at both when they have just ended, drops the outdated."""
        over = []
        for key, crossing in list(self._open.items()):
            since_ns = now_ns - crossing.last_ns
            if since_ns > FORGET_NS or (crossing.a.slot < 0 and crossing.b.slot < 0):
                del self._open[key]
            elif since_ns > APART_NS:
                if not crossing.over:
                    crossing.over = True
                    for tracklet in (crossing.a, crossing.b):
                        if tracklet.slot >= 0:
                            self._live.hungry_ns[tracklet.slot] = 0
                over.append(crossing)
        return over

    def close(self, crossing: Crossing) -> None:
        """It has been judged."""
        self._open.pop(crossing.serials, None)

    def involves(self, tracklet: Tracklet) -> bool:
        """True if a crossing of this tracklet has not been judged yet."""
        return any(tracklet is c.a or tracklet is c.b for c in self._open.values())
