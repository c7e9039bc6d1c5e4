"""What speaks for and against each known identity, for people before one camera."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from savant_reid.identity.enrolment import Entry
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.live import LiveTracks
from savant_reid.identity.lookup import SLACK_NS, GalleryLookup
from savant_reid.identity.metric import Metric
from savant_reid.identity.motion import NONE_LOST, Lost, reappearance_nats
from savant_reid.identity.options import (
    Columns,
    Int64s,
    Options,
    columns_of,
    each,
    highest_of_each,
    joined,
    once_each,
    ranked,
)
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Floats, Tracklet
from savant_reid.identity.transits import Transits

# Somebody before an overlapping camera turns up in this one too at this rate, per second.
HERE_RATE = 0.3


class CandidateFinder:
    """Compares tracklets with the gallery under the topology; changes nothing."""

    def __init__(
        self,
        gallery: Gallery,
        metric: Metric,
        scores: ScoreModel,
        transits: Transits,
        topology: Topology,
        live: LiveTracks,
        entry: Entry,
        *,
        motion: bool = True,
    ) -> None:
        self._gallery, self._metric, self._scores, self._transits = gallery, metric, scores, transits
        self._topology, self._live, self._entry, self._motion = topology, live, entry, motion
        self._lookup = GalleryLookup(gallery, metric, scores, transits, topology, entry)

    def find(self, tracklets: Sequence[Tracklet], areas: Mapping[int, float]) -> Options:
        """Possible answers for tracklets of any cameras, by one search for all. areas: pixels of a frame, by camera."""
        lost = self._lost(tracklets, areas)
        is_near = np.array([tracklet.mean is not None for tracklet in tracklets], bool)
        known = []
        if is_near.any():
            known.append(self._near(tracklets, np.flatnonzero(is_near), lost.take(is_near[lost.asked])))
        if not is_near.all():
            known.append(self._by_motion(tracklets, lost.take(~is_near[lost.asked])))
        rates = self._transits.newcomer_rates().tolist()
        newcomer_logs = np.array([math.log(rates[tracklet.camera]) for tracklet in tracklets])
        own_ids = [tracklet.global_id for tracklet in tracklets]
        rows = self._gallery.rows_of(own_ids)
        alone = np.where((rows >= 0) & (self._gallery.count[rows] == 0), np.array(own_ids, np.int64), 0)
        return Options(list(tracklets), newcomer_logs, alone, ranked(joined(known)))

    def _near(self, tracklets: Sequence[Tracklet], near: Int64s, lost: Lost) -> Columns:
        """From the gallery and from overlapping cameras, for those that have a look; near: their numbers."""
        mine = [tracklets[at] for at in near.tolist()]
        looks = self._looks(mine)
        found = self._lookup.candidates(mine, looks, lost._replace(asked=np.searchsorted(near, lost.asked)))
        if self._topology.overlap.any():
            found = once_each(joined([found, self._here(mine, looks)]))
        return found._replace(asked=near[found.asked])

    def _looks(self, tracklets: Sequence[Tracklet]) -> Floats:
        means = np.stack([t.mean for t in tracklets if t.mean is not None])
        cameras = np.array([t.camera for t in tracklets], np.int64)
        return self._metric.look(self._metric.centred(cameras, means))

    def _lost(self, tracklets: Sequence[Tracklet], areas: Mapping[int, float]) -> Lost:
        """Who in the gallery was lost before each of them appeared, in the same camera; where several tracks of one
        identity were, the latest counts."""
        if not self._motion:
            return NONE_LOST
        live, (cameras, first_ns) = self._live, _beginnings(tracklets)
        here = np.zeros(live.cameras, bool)
        here[cameras] = True
        slots = live.lost_slots()
        slots = slots[here[live.camera[slots]]]
        others = [live.tracklets[slot] for slot in slots.tolist()]
        ids = np.array([other.global_id if other is not None else 0 for other in others], np.int64)
        rows = self._gallery.rows_of(ids.tolist())
        before = (live.camera[slots] == cameras[:, None]) & (live.last_ns[slots] <= first_ns[:, None]) & (rows >= 0)
        asked, at = np.nonzero(before)
        latest = highest_of_each(asked, ids[at], live.last_ns[slots[at]])
        asked, at, slots = asked[latest], at[latest], slots[at[latest]]
        boxes = np.array([tracklet.first_box for tracklet in tracklets])[asked]
        frames = np.array([areas[camera] for camera in cameras.tolist()])[asked]
        gaps_s = np.asarray((first_ns[asked] - live.last_ns[slots]) * 1e-9, np.float64)
        nats = reappearance_nats(live.box[slots], live.velocity[slots], boxes, gaps_s, frames)
        return Lost(asked, ids[at], rows[at], nats)

    def _by_motion(self, tracklets: Sequence[Tracklet], lost: Lost) -> Columns:
        """Candidates for those without a crop; a look is asked for who is enrolled."""
        if not self._entry.is_open:
            lost = lost.take(self._entry.admits(lost.global_ids.tolist(), np.full(len(lost.asked), -1.0), None))
        cameras, first_ns = _beginnings(tracklets)
        start, end = self._gallery.last_camera[lost.rows], cameras[lost.asked]
        gaps_s = np.asarray((first_ns[lost.asked] - self._gallery.last_seen_ns[lost.rows]) * 1e-9, np.float64)
        rates = self._transits.rates(start, end, gaps_s)
        # Who was seen elsewhere after the tracklet began is somebody else.
        free = (rates > 0.0) & ((gaps_s >= -SLACK_NS * 1e-9) | self._topology.overlap[start, end])
        lost, start, gaps_s = lost.take(free), start[free], gaps_s[free]
        logs = each(math.log, rates[free]) + lost.nats
        return Columns(lost.asked, lost.global_ids, logs, np.zeros(len(logs)), logs, start, gaps_s)

    def _shared(self, camera: int) -> list[tuple[Tracklet, Floats]]:
        """Who stands before cameras that overlap with this one and has an identity, with their looks."""
        others = np.flatnonzero(self._topology.overlap[camera])
        tracklets = (self._live.tracklets[s] for o in others.tolist() for s in self._live.of_camera(o).tolist())
        seen = [t for t in tracklets if t is not None and not t.lost and t.global_id and t.mean is not None]
        return [(tracklet, self._looks([tracklet])[0]) for tracklet in seen]

    def _here(self, tracklets: Sequence[Tracklet], looks: Floats) -> Columns:
        """Candidates from overlapping cameras. looks: (b, D)."""
        found = []
        shared = {camera: self._shared(camera) for camera in {t.camera for t in tracklets}}
        for at, (tracklet, look) in enumerate(zip(tracklets, looks, strict=True)):
            for other, theirs in shared[tracklet.camera]:
                if other.global_id == tracklet.global_id:
                    continue
                similarity = np.array([theirs @ look])
                if not self._entry.admits([other.global_id], similarity, look)[0]:
                    continue
                nats = float(self._scores.nats(similarity, self._scores.bucket(tracklet.crops))[0])
                arrival_log = math.log(HERE_RATE)
                found.append((at, other.global_id, nats + arrival_log, nats, arrival_log, other.camera, 0.0))
        return columns_of(found)


def _beginnings(tracklets: Sequence[Tracklet]) -> tuple[Int64s, Int64s]:
    """(b,) cameras and times where tracklets began."""
    cameras, first_ns = np.array([(t.camera, t.first_ns) for t in tracklets], np.int64).T
    return cameras, first_ns
