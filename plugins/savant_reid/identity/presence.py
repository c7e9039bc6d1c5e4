"""Where an identity was and when, its visits that are going on included; and how likely it is to turn up somewhere."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.enrolment import Entry
from savant_reid.identity.finder import HERE_RATE
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.holders import Holders
from savant_reid.identity.lookup import SLACK_NS
from savant_reid.identity.topology import Topology
from savant_reid.identity.transits import Transits
from savant_reid.identity.visits import Visit

Int64s = NDArray[np.int64]
# Somebody seen again in the middle of another's visits is as improbable as this many nats of rate.
NEVER = -20.0


class Presence:
    """Answers questions; changes nothing."""

    def __init__(
        self, gallery: Gallery, transits: Transits, topology: Topology, holders: Holders, entry: Entry
    ) -> None:
        self._gallery, self._transits, self._topology = gallery, transits, topology
        self._holders, self._entry = holders, entry

    def rate_log(self, row: int, camera: int, at_ns: int, now_ns: int) -> float:
        """Log rate of that identity turning up before that camera then."""
        _, cameras, first_ns, last_ns = self.of(row, now_ns).T
        here = self._topology.overlap[cameras, camera] | (cameras == camera)
        if (here & (first_ns <= at_ns) & (last_ns > at_ns)).any():
            return math.log(HERE_RATE)
        visits = self._gallery.visits[row]
        before = visits[(visits[:, 0] != 0) & (visits[:, 3] <= at_ns + SLACK_NS)]
        if int(self._gallery.global_ids[row]) in self._entry.names:
            return math.log(self._entry.uniform_rate(self._transits.newcomer_rate(camera)))
        if not len(before):
            return NEVER
        last = before[int(np.argmax(before[:, 3]))]
        gap_s = np.array([max(0.0, (at_ns - last[3]) * 1e-9)])
        rate = float(self._transits.rates(np.array([last[1]]), camera, gap_s)[0])
        return math.log(rate) if rate > 0.0 else NEVER

    def arrival_log(self, row: int, visit: Visit) -> float:
        """Log rate of that identity beginning this visit, of which it is judged by its others alone: as somebody known,
        or as a newcomer where this would be its first one."""
        visits = self._gallery.visits[row]
        before = visits[
            (visits[:, 0] != 0) & (visits[:, 0] != visit.source) & (visits[:, 3] <= visit.first_ns + SLACK_NS)
        ]
        if not len(before):
            return math.log(self._transits.newcomer_rate(visit.camera))
        last = before[int(np.argmax(before[:, 3]))]
        gap_s = np.array([max(0.0, (visit.first_ns - last[3]) * 1e-9)])
        rate = float(self._transits.rates(np.array([last[1]]), visit.camera, gap_s)[0])
        return math.log(rate) if rate > 0.0 else NEVER

    def free(self, row: int, visit: Visit, now_ns: int) -> bool:
        """False for who was somewhere else, or already there, during this visit."""
        _, cameras, first_ns, last_ns = self.of(row, now_ns).T
        at_once = np.minimum(last_ns, visit.last_ns) - np.maximum(first_ns, visit.first_ns)
        return not ((at_once > 0) & ~self._topology.overlap[cameras, visit.camera]).any()

    def tracks(self, global_id: int) -> list[tuple[int, int]]:
        """(camera, track id) of all who carry this identity and may go on."""
        return [(holder.camera, holder.track_id) for holder in self._holders.of(global_id)]

    def of(self, row: int, now_ns: int) -> Int64s:
        """(n, 4) serial, camera, first_ns, last_ns of an identity's visits, those going on included."""
        visits = self._gallery.visits[row]
        past = visits[visits[:, 0] != 0]
        live = [
            (holder.serial, holder.camera, holder.first_ns, now_ns)
            for holder in self._holders.of(int(self._gallery.global_ids[row]))
            if not holder.lost
        ]
        return np.concatenate([past[:, :4], np.array(live, np.int64).reshape(-1, 4)])
