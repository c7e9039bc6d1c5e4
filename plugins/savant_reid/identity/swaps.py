"""A track that went on with another person is found out by its looks, and put right.

Two cases: two tracks that crossed and exchanged their persons (both sides are compared), and a track that went over to
somebody who had none (its crops are strangers to what they were before).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.breaks import most_different
from savant_reid.identity.crops import Crops
from savant_reid.identity.crossings import ENOUGH_CROPS, SWAP_ODDS, WAIT_NS, Crossing, Crossings
from savant_reid.identity.metric import Metric
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.tracklet import Tracklet

Floats = NDArray[np.float32]
FAR_FUTURE_NS = 2**62
# A track is two people's if the crops after some moment are so unlike those before it, and those of either side are
# alike, in nats on average.
STRANGE_NATS = -2.0
ALIKE_NATS = 0.0
# Of so few crops before it is less known than of KNOWN_CROPS: more is asked of those after it.
KNOWN_CROPS = 3
CLEARLY_STRANGE_NATS = -3.0
# An early verdict on a crossing needs so many nats.
CLEAR_NATS = 6.0


@dataclass(frozen=True)
class Swap:
    """Two tracklets exchange their tracks as of since_ns."""

    a: Tracklet
    b: Tracklet
    since_ns: int


@dataclass(frozen=True)
class Cut:
    """The track of `tracklet` belongs to somebody else as of since_ns."""

    tracklet: Tracklet
    since_ns: int


class SwapFinder:
    """Looks for mistakes of the tracker; changes nothing but its own memory of crossings."""

    def __init__(self, crossings: Crossings, crops: Crops, metric: Metric, scores: ScoreModel) -> None:
        self._crossings, self._crops, self._metric, self._scores = crossings, crops, metric, scores

    def swaps(self, now_ns: int) -> list[Swap]:
        """Crossings over whose looks say that the two were exchanged."""
        found: list[Swap] = []
        for crossing in self._crossings.due(now_ns):
            if self._busy(crossing, found) or not self._is_new(crossing, now_ns):
                continue
            verdict = self._judge(crossing, now_ns)
            if verdict is None:
                continue
            self._crossings.close(crossing)
            if verdict > 0.0:
                found.append(Swap(crossing.a, crossing.b, crossing.middle_ns))
        return found

    def cuts(self, learned: list[Tracklet]) -> list[Cut]:
        """Tracklets whose latest crops are all of one stranger."""
        return [
            Cut(tracklet, since_ns)
            for tracklet in learned
            if tracklet.doubts and not self._crossings.involves(tracklet)
            for since_ns in self._stranger_since(tracklet)
        ]

    def _is_new(self, crossing: Crossing, now_ns: int) -> bool:
        """There is more to go by than last time."""
        a, b = crossing.a, crossing.b
        gone = (tracklet.slot < 0 or tracklet.lost for tracklet in (a, b))
        known = (a.crops, b.crops, int(now_ns - crossing.last_ns > WAIT_NS), *map(int, gone))
        if known == crossing.judged:
            return False
        crossing.judged = known
        return True

    def _busy(self, crossing: Crossing, found: list[Swap]) -> bool:
        """One of the two has just been exchanged: its crops are no longer where they were."""
        return any(t in (swap.a, swap.b) for swap in found for t in (crossing.a, crossing.b))

    def _judge(self, crossing: Crossing, now_ns: int) -> float | None:
        """Log-odds that the two were exchanged, or None while it is too early to say."""
        a, b = crossing.a, crossing.b
        after_a, after_b = (self._look(t, crossing.last_ns, FAR_FUTURE_NS) for t in (a, b))
        if after_a is None and after_b is None:
            return None
        before_a, before_b = self._look(a, 0, crossing.start_ns), self._look(b, 0, crossing.start_ns)
        if before_a is None or before_b is None:
            return -FAR_FUTURE_NS  # nothing to compare with, now or later
        nats = SWAP_ODDS
        for after, own, other in ((after_a, before_a, before_b), (after_b, before_b, before_a)):
            if after is not None:
                likeness = np.array([after[0] @ other[0], after[0] @ own[0]])
                as_other, as_own = self._scores.nats(likeness, self._scores.TRACK)
                nats += float(as_other - as_own)
        waited = now_ns - crossing.last_ns > WAIT_NS
        complete = all(
            (look is not None and (look[1] >= ENOUGH_CROPS or waited)) or tracklet.slot < 0 or tracklet.lost
            for look, tracklet in ((after_a, a), (after_b, b))
        )
        return nats if complete or (abs(nats) > CLEAR_NATS and after_a and after_b) else None

    def _look(self, tracklet: Tracklet, since_ns: int, until_ns: int) -> tuple[Floats, int] | None:
        """What it looked like in that time, (D,), and from how many crops."""
        if tracklet.row < 0:
            return None
        vectors, quality = self._crops.between(tracklet.row, since_ns, until_ns)
        if not len(vectors):
            return None
        mean = (quality @ vectors / quality.sum())[None]
        return self._metric.look(self._metric.centred(np.array([tracklet.camera]), mean))[0], len(vectors)

    def _stranger_since(self, tracklet: Tracklet) -> list[int]:
        """When the track went over to somebody else, if its crops since then agree with one another."""
        n = int(self._crops.count[tracklet.row])
        looks = self._metric.look(
            self._metric.centred(np.full(n, tracklet.camera), self._crops.vectors[tracklet.row, :n])
        )
        found = most_different(looks, self._crops.quality[tracklet.row, :n])
        if found is None:
            return []
        across, earlier, later = (float(self._scores.nats(part, self._scores.TRACK).mean()) for part in found[1:])
        place = found.place
        least = STRANGE_NATS if place >= KNOWN_CROPS else CLEARLY_STRANGE_NATS
        if across > least or min(earlier, later) < ALIKE_NATS:
            return []
        times = self._crops.times_ns[tracklet.row]
        return [int(times[place - 1] + times[place]) // 2]
