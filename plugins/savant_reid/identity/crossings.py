"""Where two people cross, trackers may swap them: every crossing is remembered until their looks have been compared.

Both sides vote: after a swap each of the two looks like the other did before, so one clean crop of each usually tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from savant_reid.identity.aliases import Aliases
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
# Pairs whose time together is remembered afterwards; between two frames no more than this counts.
MOST_PAST = 8192
GAP_NS = 500_000_000
# Two tracklets of which one lies over the other, the earlier one first, and when, site time.
Together = tuple[Tracklet, Tracklet, int]


@dataclass(eq=False, slots=True)
class Crossing:
    """Two tracklets, the earlier one first, whose boxes lay over one another from start_ns to last_ns, site time.

    lain_ns: for how long, crossings before this one included as far as they are remembered. said: identity of the
    earlier one when it began, 0 for none. judged: what there was to go by when it was last judged.
    """

    a: Tracklet
    b: Tracklet
    start_ns: int
    last_ns: int
    lain_ns: int
    said: int
    judged: tuple[int, ...] = ()

    @property
    def serials(self) -> tuple[int, int]:
        """What tells it from the others."""
        return self.a.serial, self.b.serial

    @property
    def is_birth(self) -> bool:
        """The later track began with it; up to APART_NS before, the other may have gone over to somebody else."""
        return self.b.first_ns > self.start_ns - APART_NS

    def is_answered(self, aliases: Aliases) -> bool:
        """Whose track it was is somebody else by now: the identity is free for who goes on on the new one."""
        return self.is_birth and self.said != 0 and aliases.present(self.said) != self.a.global_id

    @property
    def exchanged_ns(self) -> int:
        """When the two were exchanged, if they were."""
        return self.start_ns - APART_NS if self.is_birth else (self.start_ns + self.last_ns) // 2


def close_together(live: LiveTracks, seen: Seen, overlaps: Overlaps) -> list[Together]:
    """Tracklets of which one shares more than CROSSING_SHARE with the other."""
    near = np.maximum(*overlaps.shares()) > CROSSING_SHARE
    firsts, seconds = overlaps.first[near], overlaps.second[near]
    slots = zip(seen.slots[firsts].tolist(), seen.slots[seconds].tolist(), seen.at_ns[firsts].tolist(), strict=True)
    tracklets = live.tracklets
    return [
        (a, b, now_ns) if a.serial < b.serial else (b, a, now_ns)
        for slot_a, slot_b, now_ns in slots
        if slot_a >= 0 and slot_b >= 0 and (a := tracklets[slot_a]) is not None and (b := tracklets[slot_b]) is not None
    ]


class Crossings:
    """Those going on and those over but not judged yet; forgotten after FORGET_NS, so their number is bounded.

    Of MOST_PAST pairs that are done with, it is still known for how long they lay over one another.
    """

    def __init__(self, live: LiveTracks) -> None:
        self._live = live
        self._going: dict[tuple[int, int], Crossing] = {}
        self._over: dict[tuple[int, int], Crossing] = {}
        self._past: dict[tuple[int, int], tuple[int, int]] = {}  # last_ns and lain_ns, the oldest first

    def __iter__(self) -> Iterator[Crossing]:
        return iter([*self._going.values(), *self._over.values()])

    def observe(self, together: Iterable[Together]) -> None:
        """Take in who lies over whom in a batch's frames; who meets again crosses anew."""
        for a, b, now_ns in together:
            serials = a.serial, b.serial
            crossing = self._going.get(serials)
            if crossing is None:
                if serials in self._over:
                    self.close(self._over[serials])
                last_ns, lain_ns = self._past.pop(serials, (now_ns, 0))
                crossing = self._going[serials] = Crossing(a, b, now_ns, last_ns, lain_ns, a.global_id)
            crossing.lain_ns += min(now_ns - crossing.last_ns, GAP_NS)
            crossing.last_ns = now_ns

    def lain_ns(self, serial_a: int, serial_b: int) -> int:
        """For how long two tracklets lay over one another, as far as it is remembered."""
        serials = min(serial_a, serial_b), max(serial_a, serial_b)
        crossing = self._going.get(serials) or self._over.get(serials)
        return crossing.lain_ns if crossing is not None else self._past.get(serials, (0, 0))[1]

    def due(self, now_ns: int) -> list[Crossing]:
        """Those that are over and of which more is known than when they were judged last, in the order of their
        serials; asks for looks at both when they have just ended, drops the outdated."""
        self._end(now_ns)
        due, outdated = [], []
        for serials, crossing in self._over.items():
            a, b, since_ns = crossing.a, crossing.b, now_ns - crossing.last_ns
            if since_ns > FORGET_NS or (a.slot < 0 and b.slot < 0):
                outdated.append(crossing)
                continue
            known = a.crops, b.crops, a.lost, b.lost, since_ns > WAIT_NS
            if known != crossing.judged:
                crossing.judged = known
                due.append(serials)
        for crossing in outdated:
            self.close(crossing)
        return [self._over[serials] for serials in sorted(due)]

    def _end(self, now_ns: int) -> None:
        """Who has been apart for a while has crossed: both are looked at once more."""
        apart_ns = now_ns - APART_NS
        ended = [(serials, crossing) for serials, crossing in self._going.items() if crossing.last_ns < apart_ns]
        for serials, crossing in ended:
            self._over[serials] = self._going.pop(serials)
            for tracklet in (crossing.a, crossing.b):
                if tracklet.slot >= 0:
                    self._live.hungry_ns[tracklet.slot] = 0

    def close(self, crossing: Crossing) -> None:
        """It has been judged, or never will be."""
        if self._over.pop(crossing.serials, None) is not None:
            self._past[crossing.serials] = crossing.last_ns, crossing.lain_ns
            if len(self._past) > MOST_PAST:
                del self._past[next(iter(self._past))]

    def involved(self) -> set[Tracklet]:
        """Those of whom a crossing has not been judged yet."""
        return {tracklet for crossing in self for tracklet in (crossing.a, crossing.b)}
