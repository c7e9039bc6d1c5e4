"""A track that went on with another person is found out by its looks, and put right.

Two cases: two tracks that crossed and exchanged their persons (both sides are compared), and a track that went over to
somebody who had none (its crops are strangers to what they were before).
"""

from __future__ import annotations

from collections.abc import Sequence
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
Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]
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
        known = [(crossing, _known(crossing, now_ns)) for crossing in self._crossings.due(now_ns)]
        fresh = [(crossing, what) for crossing, what in known if what != crossing.judged]
        fresh.sort(key=lambda one: one[0].serials)
        found: list[Swap] = []
        for (crossing, what), verdict in zip(
            fresh, self._judge([crossing for crossing, _ in fresh], now_ns), strict=True
        ):
            if _busy(crossing, found):
                continue
            crossing.judged = what
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

    def _judge(self, crossings: Sequence[Crossing], now_ns: int) -> list[float | None]:
        """Log-odds that the two of each were exchanged, or None while it is too early to say."""
        if not crossings:
            return []
        sides = [tracklet for crossing in crossings for tracklet in (crossing.a, crossing.b)]
        times_ns = np.array([(crossing.start_ns, crossing.last_ns) for crossing in crossings], np.int64)
        start_ns, last_ns = np.repeat(times_ns, 2, axis=0).T
        rows = np.array([tracklet.row for tracklet in sides], np.int64)
        earlier = self._crops.between(rows, np.zeros_like(start_ns), start_ns)
        later = self._crops.between(rows, last_ns, np.full_like(last_ns, FAR_FUTURE_NS))
        crops = later.sum(axis=1).reshape(-1, 2)
        waited = now_ns - times_ns[:, 1:] > WAIT_NS
        gone = np.array([_gone(tracklet) for tracklet in sides]).reshape(-1, 2)
        complete = ((crops >= ENOUGH_CROPS) | ((crops > 0) & waited) | gone).all(axis=1)
        # Nothing to compare with, now or later.
        hopeless = (earlier.sum(axis=1).reshape(-1, 2) == 0).any(axis=1)
        seen, both = (crops > 0).any(axis=1), (crops > 0).all(axis=1)
        # Of most that just began to be seen again, nothing could be said whatever they look like.
        weighed = np.flatnonzero(((complete & seen) | both) & ~hopeless)
        nats = np.full(len(crossings), -np.inf)
        if len(weighed):
            at = np.stack([2 * weighed, 2 * weighed + 1], axis=1)
            cameras = np.array([[sides[one].camera for one in pair] for pair in at.tolist()], np.int64)
            nats[weighed] = self._nats(rows[at], cameras, earlier[at], later[at])
        ready = seen & (hopeless | complete | (both & (np.abs(nats) > CLEAR_NATS)))
        return [verdict if said else None for verdict, said in zip(nats.tolist(), ready.tolist(), strict=True)]

    def _nats(self, rows: Rows, cameras: Rows, earlier: Bools, later: Bools) -> NDArray[np.float64]:
        """(n,) log-odds that two sides, (n, 2) each, were exchanged, by their earlier and later crops (n, 2, per)."""
        before, after = (self._looks(rows.ravel(), cameras.ravel(), which) for which in (earlier, later))
        as_own, as_other = (
            self._scores.nats(np.einsum("csd,csd->cs", after, which), self._scores.TRACK)
            for which in (before, before[:, ::-1])
        )
        gains = np.where(later.any(axis=2), as_other - as_own, 0.0)
        return np.asarray(SWAP_ODDS + gains[:, 0] + gains[:, 1])

    def _looks(self, rows: Rows, cameras: Rows, which: Bools) -> Floats:
        """(n, 2, D) what pairs of tracklets, (2 n,) one after the other, look like by these of their crops."""
        which = which.reshape(len(rows), -1)
        looks = np.zeros((len(rows), self._metric.dimension), np.float32)
        some = which.any(axis=1)
        means = self._crops.means_of(rows[some], which[some])
        looks[some] = self._metric.look(self._metric.centred(cameras[some], means))
        return looks.reshape(-1, 2, self._metric.dimension)

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


def _known(crossing: Crossing, now_ns: int) -> tuple[int, ...]:
    """What there is to go by; a crossing is judged again when this has changed."""
    a, b = crossing.a, crossing.b
    return a.crops, b.crops, now_ns - crossing.last_ns > WAIT_NS, _gone(a), _gone(b)


def _gone(tracklet: Tracklet) -> bool:
    return tracklet.slot < 0 or tracklet.lost


def _busy(crossing: Crossing, found: Sequence[Swap]) -> bool:
    """One of the two has just been exchanged: its crops are no longer where they were."""
    return any(t in (swap.a, swap.b) for swap in found for t in (crossing.a, crossing.b))
