"""Free lessons from unlabelled video: what a camera's embeddings share, who is surely one person, who surely two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from savant_reid.identity.camera_means import CameraMeans
from savant_reid.identity.score_model import ScoreModel, top_two_mean
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Floats, Tracklet, trimmed_mean

# Two boxes of one camera that overlap more than this may be one person detected twice: no proof of two people.
SAME_PERSON_IOU = 0.3
# Comparisons with others on screen at each decision.
MOST_COMPARISONS = 8
# Crops that a tracklet needs before it teaches anything, and before it can be compared with itself.
LEAST_CROPS = 3
ENOUGH_FOR_HALVES = 6
# A track has swapped persons if at least so many crops in a row ...
LEAST_STRANGERS = 2
# ... are so much more likely another person's than the same one's, in nats: after a crossing or a gap, and without one.
# Wrong cuts cost little (the parts find each other again), missed swaps cost the rest of the track.
SWAP_NATS = 5.0
LONE_SWAP_NATS = 8.0
BREAK_SLACK_NS = 300_000_000


class Learner:
    """Learns from each tracklet that is due; knows how to look at a tracklet without its camera's bias."""

    def __init__(self, scores: ScoreModel, means: CameraMeans, topology: Topology) -> None:
        self.scores, self.means = scores, means
        self._topology = topology

    def crops(self, tracklet: Tracklet) -> Floats:
        """(kept, D) centred embeddings, in order of time."""
        return self.means.centred(tracklet.camera, tracklet.evidence.embeddings)

    def probe(self, tracklet: Tracklet) -> Floats:
        """(D,) the tracklet as one embedding."""
        return trimmed_mean(self.crops(tracklet), tracklet.evidence.qualities)

    def strangers(self, tracklet: Tracklet) -> int:
        """How many of the tracklet's last crops are another person's than those before; 0 for none.

        The most likely change point is where two means explain the crops best (the maximum likelihood of two von
        Mises-Fisher parts: the longest pair of sums). It counts more easily where the tracker may have swapped persons;
        elsewhere somebody may have turned round.
        """
        evidence = tracklet.evidence
        counts = range(LEAST_STRANGERS, len(evidence) - LEAST_CROPS + 1)
        if not counts:
            return 0
        crops, qualities = self.crops(tracklet), evidence.qualities
        fits = [np.linalg.norm(crops[:-n].sum(axis=0)) + np.linalg.norm(crops[-n:].sum(axis=0)) for n in counts]
        count = counts[int(np.argmax(fits))]
        before, after = (trimmed_mean(crops[part], qualities[part]) for part in (slice(-count), slice(-count, None)))
        alike = float(before @ after)
        ratio = self.scores.log_ratios(np.array([alike], np.float32), np.ones(1, bool))[0]
        broken = _break_between(tracklet, evidence.times_ns[-count - 1], evidence.times_ns[-count])
        return count if ratio < -(SWAP_NATS if broken else LONE_SWAP_NATS) else 0

    def learn(self, tracklet: Tracklet, on_screen: Sequence[Tracklet]) -> None:
        """One track is one person; two tracks on screen at once, where no view is shared, are two."""
        if tracklet.asked_ns is None:
            raw = tracklet.evidence
            self.means.add(tracklet.camera, trimmed_mean(raw.embeddings, raw.qualities))
        self._learn_same(tracklet)
        if len(tracklet.evidence) < LEAST_CROPS:
            return
        probe = self.probe(tracklet)
        others = [t for t in on_screen if len(t.evidence) >= LEAST_CROPS and self._surely_two(tracklet, t)]
        for other in others[:MOST_COMPARISONS]:
            self.scores.different.add(top_two_mean(self.crops(other) @ probe))

    def _learn_same(self, tracklet: Tracklet) -> None:
        """The earlier half of a track against its later half."""
        half = len(tracklet.evidence) // 2
        if len(tracklet.evidence) < ENOUGH_FOR_HALVES:
            return
        crops = self.crops(tracklet)
        early = trimmed_mean(crops[:half], tracklet.evidence.qualities[:half])
        self.scores.same.add(top_two_mean(crops[half:] @ early))

    def _surely_two(self, a: Tracklet, b: Tracklet) -> bool:
        if a is b:
            return False
        if a.camera == b.camera:
            return _iou(a.box, b.box) <= SAME_PERSON_IOU
        return not self._topology.can_share(a.camera, b.camera)


def _break_between(tracklet: Tracklet, start_ns: int, end_ns: int) -> bool:
    return any(start_ns - BREAK_SLACK_NS <= at_ns <= end_ns + BREAK_SLACK_NS for at_ns in tracklet.breaks_ns)


def _iou(a: Floats, b: Floats) -> float:
    """Intersection over union of two ltwh boxes."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(0.0, float(across)) * max(0.0, float(down))
    return shared / max(1e-9, float(a[2] * a[3] + b[2] * b[3]) - shared)
