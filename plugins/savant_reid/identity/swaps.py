"""A track that went on with another person is found out by its looks, and put right.

Two cases: two tracks that crossed and exchanged their persons (both sides are compared), and a track that went over to
somebody who had none (its crops are strangers to what they were before).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class _Looks(NamedTuple):
    """looks: (n, D), zero where there is none; crops: (n,) behind each."""

    looks: Floats
    crops: NDArray[np.int64]


class SwapFinder:
    """Looks for mistakes of the tracker; changes nothing but its own memory of crossings."""

    def __init__(self, crossings: Crossings, crops: Crops, metric: Metric, scores: ScoreModel) -> None:
        self._crossings, self._crops, self._metric, self._scores = crossings, crops, metric, scores

    def swaps(self, now_ns: int) -> list[Swap]:
        """Crossings over whose looks say that the two were exchanged."""
        known = [(crossing, _known(crossing, now_ns)) for crossing in self._crossings.due(now_ns)]
        fresh = [(crossing, what) for crossing, what in known if what != crossing.judged]
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
        sides = [(crossing, t) for crossing in crossings for t in (crossing.a, crossing.b)]
        after = self._looks([(t, c.last_ns, FAR_FUTURE_NS) for c, t in sides])
        seen = [at for at in range(len(crossings)) if after.crops[2 * at] or after.crops[2 * at + 1]]
        verdicts: list[float | None] = [None] * len(crossings)
        if not seen:
            return verdicts
        rows = np.array([[2 * at, 2 * at + 1] for at in seen])
        before = self._looks([(t, 0, c.start_ns) for c, t in (sides[row] for row in rows.ravel().tolist())])
        looks, crops = after.looks[rows], after.crops[rows]
        own = before.looks.reshape(looks.shape)
        as_own, as_other = (
            self._scores.nats(np.einsum("csd,csd->cs", looks, which), self._scores.TRACK)
            for which in (own, own[:, ::-1])
        )
        gains = np.where(crops > 0, as_other - as_own, 0.0)
        nats = SWAP_ODDS + gains[:, 0] + gains[:, 1]
        waited = np.array([now_ns - crossings[at].last_ns > WAIT_NS for at in seen])
        gone = np.array([_gone(t) for _, t in sides])[rows]
        complete = ((crops >= ENOUGH_CROPS) | ((crops > 0) & waited[:, None]) | gone).all(axis=1)
        clear = (np.abs(nats) > CLEAR_NATS) & (crops > 0).all(axis=1)
        # Nothing to compare with, now or later.
        hopeless = (before.crops.reshape(crops.shape) == 0).any(axis=1)
        said = np.where(hopeless, -np.inf, nats).tolist()
        for at, verdict, ready in zip(seen, said, (hopeless | complete | clear).tolist(), strict=True):
            verdicts[at] = verdict if ready else None
        return verdicts

    def _looks(self, spans: Sequence[tuple[Tracklet, int, int]]) -> _Looks:
        """What tracklets looked like between two times, since < time <= until."""
        crops = np.zeros(len(spans), np.int64)
        looks = np.zeros((len(spans), self._metric.dimension), np.float32)
        some = [at for at, (tracklet, _, _) in enumerate(spans) if tracklet.row >= 0]
        if not some:
            return _Looks(looks, crops)
        rows, since_ns, until_ns, cameras = np.array(
            [(t.row, since, until, t.camera) for t, since, until in (spans[at] for at in some)], np.int64
        ).T
        crops[some], means = self._crops.means_between(rows, since_ns, until_ns)
        seen = crops[some] > 0
        looks[np.array(some)[seen]] = self._metric.look(self._metric.centred(cameras[seen], means))
        return _Looks(looks, crops)

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
