"""Where an identity was and when, its visits that are going on included; and how likely it is to turn up somewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from savant_reid.identity.enrolment import Entry
from savant_reid.identity.finder import HERE_RATE
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.holders import Holders
from savant_reid.identity.lookup import SLACK_NS
from savant_reid.identity.topology import Topology
from savant_reid.identity.transits import Transits
from savant_reid.identity.visits import Rows, Visit

# Somebody seen again in the middle of another's visits is as improbable as this many nats of rate.
NEVER = -20.0


class Stay(NamedTuple):
    """Somebody before a camera, from first_ns to last_ns. serial: of the tracklet."""

    serial: int
    camera: int
    first_ns: int
    last_ns: int


class Presence:
    """Answers questions; changes nothing."""

    def __init__(
        self, gallery: Gallery, transits: Transits, topology: Topology, holders: Holders, entry: Entry
    ) -> None:
        self._gallery, self._transits, self._topology = gallery, transits, topology
        self._holders, self._entry = holders, entry

    def rate_log(self, row: int, camera: int, at_ns: int, now_ns: int) -> float:
        """Log rate of that identity turning up before that camera then."""
        for stay in self.of([row], now_ns)[0]:
            here = stay.camera == camera or self._topology.can_share(stay.camera, camera)
            if here and stay.first_ns <= at_ns < stay.last_ns:
                return math.log(HERE_RATE)
        if int(self._gallery.global_ids[row]) in self._entry.names:
            return math.log(self._entry.uniform_rate(self._transits.newcomer_rate(camera)))
        before = [stay for stay in self._past([row])[0] if stay.last_ns <= at_ns + SLACK_NS]
        return self._log_after(before, camera, at_ns) if before else NEVER

    def arrival_log(self, row: int, visit: Visit) -> float:
        """Log rate of that identity beginning this visit, of which it is judged by its others alone: as somebody known,
        or as a newcomer where this would be its first one."""
        before = [
            stay
            for stay in self._past([row])[0]
            if stay.serial != visit.source and stay.last_ns <= visit.first_ns + SLACK_NS
        ]
        if not before:
            return math.log(self._transits.newcomer_rate(visit.camera))
        return self._log_after(before, visit.camera, visit.first_ns)

    def _log_after(self, before: Sequence[Stay], camera: int, at_ns: int) -> float:
        """Log rate of turning up before that camera then, after the last of these."""
        last = max(before, key=lambda stay: stay.last_ns)
        rate = float(self._transits.rates(last.camera, camera, (at_ns - last.last_ns) * 1e-9))
        return math.log(rate) if rate > 0.0 else NEVER

    def free(self, row: int, visit: Visit, now_ns: int) -> bool:
        """False for who was somewhere else, or already there, during this visit."""
        return not any(
            min(stay.last_ns, visit.last_ns) > max(stay.first_ns, visit.first_ns)
            and not self._topology.can_share(stay.camera, visit.camera)
            for stay in self.of([row], now_ns)[0]
        )

    def tracks(self, global_id: int) -> list[tuple[int, int]]:
        """(camera, track id) of all who carry this identity and may go on."""
        return [(holder.camera, holder.track_id) for holder in self._holders.of(global_id)]

    def of(self, rows: Sequence[int] | Rows, now_ns: int) -> list[list[Stay]]:
        """Visits of identities (n,), those going on included."""
        found = self._past(rows)
        for stays, global_id in zip(found, self._gallery.global_ids[rows].tolist(), strict=True):
            holders = self._holders.of(global_id)
            stays += [Stay(one.serial, one.camera, one.first_ns, now_ns) for one in holders if not one.lost]
        return found

    def _past(self, rows: Sequence[int] | Rows) -> list[list[Stay]]:
        """The same without those that are going on."""
        visits = self._gallery.visits[rows]
        which, at = np.nonzero(visits[:, :, 0])
        found: list[list[Stay]] = [[] for _ in rows]
        for one, visit in zip(which.tolist(), visits[which, at, :4].tolist(), strict=True):
            found[one].append(Stay(*visit))
        return found
