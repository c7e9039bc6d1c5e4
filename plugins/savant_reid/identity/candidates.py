"""What speaks for and against each known identity, for people before one camera."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.enrolment import ELSEWHERE, Entry
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.live import LiveTracks
from savant_reid.identity.metric import Metric
from savant_reid.identity.motion import reappearance_nats
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.search import Search
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Arrival, Floats, Tracklet, Walk
from savant_reid.identity.transits import Transits

# The clocks of two cameras are not exact to this.
SLACK_NS = 300_000_000
# Asked of every camera that somebody may have come from.
PER_CAMERA = 4
# Only so many identities per tracklet are looked at closely; a look worth less than this is not looked at.
MOST_CANDIDATES = 12
LEAST_NATS = -2.0
# Somebody before an overlapping camera turns up in this one too at this rate, per second.
HERE_RATE = 0.3


@dataclass(frozen=True)
class Candidate:
    """One possible answer. log: of its rate, in people per second that look like this; nats: the look's share in it."""

    global_id: int
    log: float
    nats: float
    arrival: Arrival | None
    arrival_log: float


@dataclass(frozen=True)
class Candidates:
    """The best answers for one tracklet, most probable first. newcomer_log: log rate of people never seen before.

    alone: the tracklet's own identity if nobody else has shaped it, else 0: to be that one is to be a newcomer.
    """

    found: tuple[Candidate, ...]
    newcomer_log: float
    alone: int = 0

    def odds(self, candidate: Candidate) -> float:
        """Log-odds against "nobody known"."""
        return candidate.log - self.newcomer_log

    def of(self, global_id: int) -> Candidate | None:
        return next((candidate for candidate in self.found if candidate.global_id == global_id), None)

    def without(self, global_ids: Collection[int]) -> Candidates:
        """The same, knowing that these are somebody else."""
        return replace(self, found=tuple(c for c in self.found if c.global_id not in global_ids))

    @cached_property
    def _posterior(self) -> dict[int, float]:
        """Probabilities that add up to one, 0 being a newcomer; its own identity, if it is alone in it, is that too."""
        logs = {candidate.global_id: candidate.log for candidate in self.found if candidate.global_id != self.alone}
        logs[0] = self.newcomer_log
        highest = max(logs.values())
        shares = {global_id: math.exp(log - highest) for global_id, log in logs.items()}
        total = sum(shares.values())
        return {global_id: share / total for global_id, share in shares.items()}

    def probability(self, global_id: int) -> float:
        """Posterior probability of one identity, 0 (a newcomer) included."""
        return self._posterior.get(0 if global_id == self.alone else global_id, 0.0)

    def walks(self) -> tuple[Walk, ...]:
        """Every explanation of where the tracklet came from."""
        known = [c for c in self.found if c.global_id != self.alone]
        walks = (Walk(c.global_id, c.arrival, self.probability(c.global_id)) for c in known)
        return (*walks, Walk(0, None, self.probability(0)))


class _Found(NamedTuple):
    """What a search has found for one probe: owners, similarities, and the cameras that saw them last; all (n,)."""

    owners: NDArray[np.int64]
    similarities: Floats
    starts: NDArray[np.int64]


class CandidateFinder:
    """Compares tracklets with the gallery under the topology; changes nothing."""

    def __init__(
        self,
        gallery: Gallery,
        search: Search,
        metric: Metric,
        scores: ScoreModel,
        transits: Transits,
        topology: Topology,
        live: LiveTracks,
        entry: Entry,
        *,
        motion: bool = True,
    ) -> None:
        self._gallery, self._search, self._metric, self._scores = gallery, search, metric, scores
        self._transits, self._topology, self._live = transits, topology, live
        self._entry, self._motion = entry, motion

    def find(self, tracklets: Sequence[Tracklet], areas: Mapping[int, float]) -> list[Candidates]:
        """Candidates for tracklets of any cameras, by one search for all. areas: pixels of a frame, by camera."""
        cameras = sorted({tracklet.camera for tracklet in tracklets})
        lost = {camera: self._lost(camera) for camera in cameras}
        shared = {camera: self._shared(camera) for camera in cameras}
        newcomer_logs = {camera: math.log(self._transits.newcomer_rate(camera)) for camera in cameras}
        seen = [tracklet for tracklet in tracklets if tracklet.mean is not None]
        near = dict(zip(seen, self._search_for(seen, cameras), strict=True)) if seen else {}
        result = []
        for tracklet in tracklets:
            camera = tracklet.camera
            motion = self._motion_nats(tracklet, lost[camera], areas[camera])
            if tracklet in near:
                look, found = near[tracklet]
                mine = self._near(tracklet, look, found, motion) + self._here(tracklet, look, shared[camera])
            else:
                mine = self._by_motion(tracklet, motion)
            best = {c.global_id: c for c in sorted(mine, key=lambda c: c.log)}
            ranked = sorted(best.values(), key=lambda c: (-c.log, c.global_id))
            result.append(Candidates(tuple(ranked), newcomer_logs[camera], self._alone(tracklet)))
        return result

    def _search_for(self, tracklets: Sequence[Tracklet], cameras: Sequence[int]) -> Iterator[tuple[Floats, _Found]]:
        """The look of each, and who in the gallery is most like it, camera by camera."""
        looks = self._looks(tracklets)
        blocks = self._transits.possible_from(cameras).tolist()
        blocks += [ELSEWHERE] if self._entry.names else []
        nearest = self._search.nearest(looks, blocks, PER_CAMERA)
        starts = np.repeat(np.array(blocks, np.int64), PER_CAMERA)
        for i, look in enumerate(looks):
            yield look, _Found(nearest.owners[i], nearest.similarities[i], starts)

    def _alone(self, tracklet: Tracklet) -> int:
        row = self._gallery.row_of(tracklet.global_id) if tracklet.global_id else None
        return tracklet.global_id if row is not None and not self._gallery.count[row] else 0

    def _looks(self, tracklets: Sequence[Tracklet]) -> Floats:
        means = np.stack([t.mean for t in tracklets if t.mean is not None])
        cameras = np.array([t.camera for t in tracklets], np.int64)
        return self._metric.look(self._metric.centred(cameras, means))

    def _near(
        self, tracklet: Tracklet, look: Floats, found_near: _Found, motion: Mapping[int, float]
    ) -> list[Candidate]:
        """Candidates from the gallery, and the tracklet's own identity, however it looks."""
        owners, similarities, starts = found_near
        bucket = self._scores.bucket(tracklet.crops)
        alike = self._scores.nats(similarities, bucket) > LEAST_NATS
        if motion:
            alike |= np.isin(owners, list(motion))
        worth = np.flatnonzero(alike & (owners > 0))
        if not self._entry.is_open:
            worth = worth[self._entry.admits(owners[worth].tolist(), similarities[worth], look)]
        ids = owners[worth].tolist()
        rows = self._gallery.rows_of(ids)
        nats = self._scores.nats(similarities[worth], bucket, self._gallery.count[rows])
        gap_s = np.asarray((tracklet.first_ns - self._gallery.last_seen_ns[rows]) * 1e-9, np.float64)
        with np.errstate(divide="ignore"):
            arrival_logs = np.log(self._rates(starts[worth], tracklet.camera, gap_s, ids))
        extra = np.array([motion.get(global_id, 0.0) for global_id in ids])
        logs = nats + arrival_logs + extra
        found = []
        own = tracklet.global_id
        order = np.argsort(-logs, kind="stable")[:MOST_CANDIDATES].tolist()
        for at in order:
            global_id = ids[at]
            if global_id == own or not math.isfinite(logs[at]) or not self._free(global_id, float(gap_s[at]), tracklet):
                continue
            start = int(starts[worth[at]])
            arrival = Arrival(start, float(gap_s[at])) if start != ELSEWHERE else None
            arrival_log = float(arrival_logs[at] + extra[at])
            found.append(Candidate(global_id, float(logs[at]), float(nats[at]), arrival, arrival_log))
        mine = self._own(tracklet, look, bucket)
        return [*found, mine] if mine else found

    def _rates(self, starts: np.ndarray, camera: int, gap_s: np.ndarray, ids: Sequence[int]) -> np.ndarray:
        """(n,) rates of turning up here; who is enrolled may also come from anywhere."""
        rates = self._transits.rates(starts, camera, gap_s)
        if self._entry.names:
            uniform = self._entry.uniform_rate(self._transits.newcomer_rate(camera))
            rates = np.where(starts == ELSEWHERE, 0.0, rates)
            rates = rates + uniform * np.array([global_id in self._entry.names for global_id in ids], np.float64)
        return rates

    def _own(self, tracklet: Tracklet, look: Floats, bucket: int) -> Candidate | None:
        """Its present identity: as likely as its walk and the looks of others who have shaped that identity say.

        An identity that nobody else has shaped is as likely as a newcomer was: the tracklet is its only proof.
        """
        row = self._gallery.row_of(tracklet.global_id) if tracklet.global_id else None
        if row is None:
            return None
        nats = 0.0
        if self._gallery.count[row]:
            centroid = self._metric.look(self._gallery.centroids(np.array([row])))[0]
            similarity = np.array([centroid @ look])
            enrolled = tracklet.global_id in self._entry.names
            if enrolled and not self._entry.admits([tracklet.global_id], similarity, look)[0]:
                return None
            nats = float(self._scores.nats(similarity, bucket, self._gallery.count[[row]])[0])
        log = nats + tracklet.arrival_log
        return Candidate(tracklet.global_id, log, nats, tracklet.arrival, tracklet.arrival_log)

    def _free(self, global_id: int, gap_s: float, tracklet: Tracklet) -> bool:
        """False for who was seen elsewhere after this tracklet began."""
        if gap_s >= -SLACK_NS * 1e-9:
            return True
        row = self._gallery.row_of(global_id)
        return row is not None and self._topology.can_share(int(self._gallery.last_camera[row]), tracklet.camera)

    def _lost(self, camera: int) -> list[Tracklet]:
        """Who has just been lost by this camera and has an identity."""
        tracklets = (self._live.tracklets[slot] for slot in self._live.of_camera(camera).tolist())
        return [t for t in tracklets if t is not None and t.lost and t.global_id]

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
            rate = float(self._transits.rates(np.array([start]), tracklet.camera, np.array([gap_s]))[0])
            if rate > 0.0 and self._free(global_id, gap_s, tracklet):
                log = math.log(rate) + nats
                found.append(Candidate(global_id, log, 0.0, Arrival(start, gap_s), log))
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
            found.append(Candidate(other.global_id, nats + arrival_log, nats, Arrival(other.camera, 0.0), arrival_log))
        return found
