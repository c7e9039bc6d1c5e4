"""Free lessons from unlabelled video: who is surely one person, and who are surely two."""

from __future__ import annotations

from collections.abc import Sequence

from savant_reid.identity.score_model import ScoreModel, top_two_mean
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Floats, Tracklet

# Two boxes of one camera that overlap more than this may be one person detected twice: no proof of two people.
SAME_PERSON_IOU = 0.3
# Comparisons with others on screen at each decision.
MOST_COMPARISONS = 8
# Crops that a tracklet needs before it teaches anything.
LEAST_CROPS = 3


def learn_scores(scores: ScoreModel, topology: Topology, tracklet: Tracklet, on_screen: Sequence[Tracklet]) -> None:
    """One track is one person; two tracks on screen at once, where no view is shared, are two."""
    halves = tracklet.evidence.halves()
    if halves is not None:
        scores.same.add(top_two_mean(halves[1] @ halves[0]))
    if len(tracklet.evidence) < LEAST_CROPS:
        return
    mean = tracklet.evidence.mean()
    others = [t for t in on_screen if len(t.evidence) >= LEAST_CROPS and surely_two(topology, tracklet, t)]
    for other in others[:MOST_COMPARISONS]:
        scores.different.add(top_two_mean(other.evidence.embeddings @ mean))


def surely_two(topology: Topology, a: Tracklet, b: Tracklet) -> bool:
    """True if two tracklets on screen at this moment cannot be one person."""
    if a is b:
        return False
    if a.camera == b.camera:
        return _iou(a.box, b.box) <= SAME_PERSON_IOU
    return not topology.can_share(a.camera, b.camera)


def _iou(a: Floats, b: Floats) -> float:
    """Intersection over union of two ltwh boxes."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(0.0, float(across)) * max(0.0, float(down))
    return shared / max(1e-9, float(a[2] * a[3] + b[2] * b[3]) - shared)
