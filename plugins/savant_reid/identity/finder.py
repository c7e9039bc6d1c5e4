"""What speaks for and against each known identity, for people before one camera."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import attrgetter

import numpy as np

from savant_reid.identity.candidates import Candidate, Candidates
from savant_reid.identity.enrolment import Entry
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.live import LiveTracks
from savant_reid.identity.lookup import SLACK_NS, GalleryLookup
from savant_reid.identity.metric import Metric
from savant_reid.identity.motion import reappearance_nats
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

    def find(self, tracklets: Sequence[Tracklet], areas: Mapping[int, float]) -> list[Candidates]:
        """Candidates for tracklets of any cameras, by one search for all. areas: pixels of a frame, by camera."""
        cameras = sorted({tracklet.camera for tracklet in tracklets})
        lost = {camera: [t for t in self._live.lost_by(camera) if t.global_id] for camera in cameras}
        shared = {camera: self._shared(camera) for camera in cameras}
        newcomer_rates = self._transits.newcomer_rates().tolist()
        newcomer_logs = {camera: math.log(newcomer_rates[camera]) for camera in cameras}
        motions = {t: self._motion_nats(t, lost[t.camera], areas[t.camera]) for t in tracklets}
        near = self._near([t for t in tracklets if t.mean is not None], motions)
        result = []
        for tracklet in tracklets:
            if tracklet in near:
                look, mine = near[tracklet]
                mine = mine + self._here(tracklet, look, shared[tracklet.camera])
            else:
                mine = self._by_motion(tracklet, motions[tracklet])
            result.append(Candidates(_ranked(mine), newcomer_logs[tracklet.camera], self._alone(tracklet)))
        return result

    def _near(
        self, tracklets: Sequence[Tracklet], motions: Mapping[Tracklet, Mapping[int, float]]
    ) -> dict[Tracklet, tuple[Floats, list[Candidate]]]:
        """The look of each, and candidates from the gallery."""
        if not tracklets:
            return {}
        looks = self._looks(tracklets)
        found = self._lookup.candidates(tracklets, looks, [motions[t] for t in tracklets])
        return dict(zip(tracklets, zip(looks, found, strict=True), strict=True))

    def _alone(self, tracklet: Tracklet) -> int:
        row = self._gallery.row_of(tracklet.global_id) if tracklet.global_id else None
        return tracklet.global_id if row is not None and not self._gallery.count[row] else 0

    def _looks(self, tracklets: Sequence[Tracklet]) -> Floats:
        means = np.stack([t.mean for t in tracklets if t.mean is not None])
        cameras = np.array([t.camera for t in tracklets], np.int64)
        return self._metric.look(self._metric.centred(cameras, means))

    def _free(self, global_id: int, gap_s: float, tracklet: Tracklet) -> bool:
        """False for who was seen elsewhere after this tracklet began."""
        if gap_s >= -SLACK_NS * 1e-9:
            return True
        row = self._gallery.row_of(global_id)
        return row is not None and self._topology.can_share(int(self._gallery.last_camera[row]), tracklet.camera)

    def _motion_nats(self, tracklet: Tracklet, lost: Sequence[Tracklet], area: float) -> dict[int, float]:
        if not self._motion:
            return {}
        return {
            other.global_id: reappearance_nats(other, tracklet, area)
            for other in lost
            if other is not tracklet and other.last_ns <= tracklet.first_ns
        }

    def _by_motion(self, tracklet: Tracklet, motion: Mapping[int, float]) -> list[Candidate]:
        """Candidates for somebody without a crop."""
        found = []
        for global_id, nats in motion.items():
            row = self._gallery.row_of(global_id)
            if row is None or not self._entry.admits([global_id], np.full(1, -1.0), None)[0]:
                continue  # a look is asked for
            start = int(self._gallery.last_camera[row])
            gap_s = (tracklet.first_ns - int(self._gallery.last_seen_ns[row])) * 1e-9
            rate = float(self._transits.rates(start, tracklet.camera, gap_s))
            if rate > 0.0 and self._free(global_id, gap_s, tracklet):
                log = math.log(rate) + nats
                found.append(Candidate(global_id, log, 0.0, log, start, gap_s))
        return found

    def _shared(self, camera: int) -> list[tuple[Tracklet, Floats]]:
        """Who stands before cameras that overlap with this one and has an identity, with their looks."""
        others = np.flatnonzero(self._topology.overlap[camera])
        tracklets = (self._live.tracklets[s] for o in others.tolist() for s in self._live.of_camera(o).tolist())
        seen = [t for t in tracklets if t is not None and not t.lost and t.global_id and t.mean is not None]
        return [(tracklet, self._looks([tracklet])[0]) for tracklet in seen]

    def _here(self, tracklet: Tracklet, look: Floats, shared: Sequence[tuple[Tracklet, Floats]]) -> list[Candidate]:
        """Candidates from overlapping cameras."""
        found = []
        for other, theirs in shared:
            if other.global_id == tracklet.global_id:
                continue
            similarity = np.array([theirs @ look])
            if not self._entry.admits([other.global_id], similarity, look)[0]:
                continue
            nats = float(self._scores.nats(similarity, self._scores.bucket(tracklet.crops))[0])
            arrival_log = math.log(HERE_RATE)
            found.append(Candidate(other.global_id, nats + arrival_log, nats, arrival_log, other.camera))
        return found


def _ranked(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Most probable first, each identity once: the best that speaks for it."""
    best = {c.global_id: c for c in candidates}
    if len(best) < len(candidates):  # cameras overlap
        best = {c.global_id: c for c in sorted(candidates, key=lambda c: c.log)}
    in_order = sorted(best.values(), key=attrgetter("global_id"))
    return tuple(sorted(in_order, key=attrgetter("log"), reverse=True))
