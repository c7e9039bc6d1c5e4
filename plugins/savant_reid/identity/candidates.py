"""What speaks for and against each known identity, for one tracklet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.gallery import Gallery
from savant_reid.identity.learning import Learner
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.tracklets import LiveTracklets

# The clocks of two cameras are not exact to this.
SLACK_NS = 300_000_000
# Only so many identities per tracklet enter the joint assignment.
MOST_CANDIDATES = 8


@dataclass(frozen=True)
class Candidates:
    """The best answers for one tracklet, most probable first.

    global_ids: (k,). odds: (k,) log-odds of "this identity" against "nobody known": the appearance's log-likelihood
    ratio plus the log prior of the walk. arrivals: (k,) that log prior. surprises: (k,) how unlikely it is, in nats,
    that a stranger looks this much alike, less what the walk takes from that. novelty: probability of "nobody known".
    """

    global_ids: NDArray[np.int64]
    odds: NDArray[np.float64]
    arrivals: NDArray[np.float64]
    surprises: NDArray[np.float64]
    novelty: float

    def probability(self, at: int) -> float:
        """Posterior probability of the candidate at that place, everything considered."""
        return float(np.exp(self.odds[at]) * self.novelty)

    def probability_of(self, global_id: int) -> float:
        """Posterior probability of one identity; 0 if it is no candidate."""
        places = np.flatnonzero(self.global_ids == global_id)
        return self.probability(int(places[0])) if len(places) else 0.0

    def without_taken(self, taken: dict[int, float]) -> Candidates:
        """The same, knowing that somebody else on screen is that identity with that probability."""
        left = np.array([1.0 - taken.get(global_id, 0.0) for global_id in self.global_ids.tolist()])
        everything = 1.0 / self.novelty - 1.0
        gone = float((np.exp(self.odds) * (1.0 - left)).sum())
        odds = self.odds + np.log(np.maximum(left, 1e-12))
        return replace(self, odds=odds, novelty=1.0 / (1.0 + max(0.0, everything - gone)))


class CandidateFinder:
    """Compares a tracklet with the whole gallery under the topology."""

    def __init__(self, gallery: Gallery, topology: Topology, learner: Learner, live: LiveTracklets) -> None:
        self._gallery = gallery
        self._topology = topology
        self._learner = learner
        self._live = live

    def find(self, tracklet: Tracklet) -> Candidates:
        """Candidates for a tracklet with evidence; its own identity competes without what it gave itself."""
        gallery = self._gallery
        probe = self._learner.probe(tracklet)
        similarities, same_camera = gallery.similarities(probe, tracklet.serial, tracklet.camera)
        arrivals = self._arrivals(tracklet)
        odds = self._learner.scores.log_ratios(similarities, same_camera) + arrivals
        order = np.argsort(-odds, kind="stable")[:MOST_CANDIDATES]
        order = order[np.isfinite(odds[order])]
        surprises = self._learner.scores.surprises(similarities[order]) + arrivals[order]
        novelty = 1.0 / (1.0 + float(np.exp(odds[np.isfinite(odds)]).sum()))
        return Candidates(gallery.global_ids[order].copy(), odds[order], arrivals[order], surprises, novelty)

    def _arrivals(self, tracklet: Tracklet) -> NDArray[np.float64]:
        """(size,) log prior of each identity walking in here now; -inf where it was seen elsewhere at that time.

        The weights of all identities share one unit of probability, so a crowd of plausible candidates makes each
        less so, while a lone implausible one does not become plausible.
        """
        gallery = self._gallery
        n = gallery.size
        start, last_ns = gallery.last_camera[:n].copy(), gallery.last_seen_ns[:n].copy()
        blocked = np.zeros(n, bool)
        here = np.zeros(n, bool)
        for other in self._live:
            row = gallery.row_of(other.global_id) if other is not tracklet else None
            if row is None:
                continue
            if not self._at_once(other, tracklet):
                if other.last_ns <= tracklet.last_ns and other.last_ns > last_ns[row]:
                    start[row], last_ns[row] = other.camera, other.last_ns
            elif self._topology.can_share(other.camera, tracklet.camera):
                here[row] = True
            else:
                # A founder is its identity, and who has left cannot be asked again; the claims of the others who
                # are on screen are settled jointly (see Decider).
                blocked[row] |= other.founder or not self._live.is_visible(other)
        gap_s = (tracklet.first_ns - last_ns) * 1e-9
        weights = self._topology.weights(start, tracklet.camera, np.maximum(gap_s, 0.0))
        weights[here] = 1.0
        shareable = np.array([self._topology.can_share(int(c), tracklet.camera) for c in start], bool)
        blocked |= (gap_s < -SLACK_NS * 1e-9) & ~shareable & ~here
        own = gallery.row_of(tracklet.global_id) if tracklet.global_id else None
        with np.errstate(divide="ignore"):
            arrivals = np.log(np.where(blocked, 0.0, weights / max(1.0, float(weights[~blocked].sum()))))
        if own is not None and np.isfinite(arrivals[own]):
            arrivals[own] = tracklet.arrival
        return np.asarray(arrivals)

    def _at_once(self, a: Tracklet, b: Tracklet) -> bool:
        """True if both were on screen at the same time."""
        return a.shared_ns(b) >= (0 if a.camera == b.camera else SLACK_NS)
