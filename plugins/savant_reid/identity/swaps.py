"""A track that went on with another person is found out by its looks, and put right.

Three cases: two tracks that crossed and exchanged their persons (both sides are compared); a track that went over to
somebody else while its person went on on a new one that begins there (the same, but the new one has no crops from
before); and a track that went over to somebody who had none (its crops are strangers to what they were before).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.aliases import Aliases
from savant_reid.identity.breaks import AFTER, BEFORE, most_different
from savant_reid.identity.crops import Crops
from savant_reid.identity.crossings import APART_NS, ENOUGH_CROPS, SWAP_ODDS, WAIT_NS, Crossing, Crossings
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

    def __init__(
        self, crossings: Crossings, crops: Crops, metric: Metric, scores: ScoreModel, aliases: Aliases
    ) -> None:
        self._crossings, self._crops, self._metric, self._scores = crossings, crops, metric, scores
        self._aliases = aliases

    def swaps(self, now_ns: int) -> list[Swap]:
        """Crossings over whose looks say that the two were exchanged."""
        due = self._crossings.due(now_ns)
        found: list[Swap] = []
        exchanged: set[Tracklet] = set()
        for crossing, verdict in zip(due, self._judge(due, now_ns), strict=True):
            if crossing.a in exchanged or crossing.b in exchanged:
                crossing.judged = ()  # crops are no longer where they were
            elif verdict is not None:
                self._crossings.close(crossing)
                if verdict > 0.0 and not crossing.is_answered(self._aliases):
                    found.append(Swap(crossing.a, crossing.b, crossing.exchanged_ns))
                    exchanged |= {crossing.a, crossing.b}
        return found

    def cuts(self, learned: list[Tracklet]) -> list[Cut]:
        """Tracklets whose latest crops are all of one stranger."""
        least, count = BEFORE + AFTER, self._crops.count
        cuts = self._gone_over([one for one in learned if one.doubts and count[one.row] >= least])
        involved = self._crossings.involved() if cuts else set()
        return [cut for cut in cuts if cut.tracklet not in involved]

    def _judge(self, crossings: Sequence[Crossing], now_ns: int) -> list[float | None]:
        """Log-odds that the two of each were exchanged, or None while it is too early to say."""
        if not crossings:
            return []
        columns = [(c.a.row, c.b.row, c.a.lost, c.b.lost, c.start_ns, c.last_ns, c.is_birth) for c in crossings]
        table = np.array(columns, np.int64)
        rows, gone, start_ns, last_ns = table[:, :2], table[:, 2:4] > 0, table[:, 4], table[:, 5]
        is_birth = table[:, 6] > 0
        earlier = self._crops.between(rows, 0, (start_ns - APART_NS * is_birth)[:, None])
        later = self._crops.between(rows, last_ns[:, None], FAR_FUTURE_NS)
        crops = np.count_nonzero(later, axis=2)
        waited = (now_ns - last_ns > WAIT_NS)[:, None]
        complete = ((crops >= ENOUGH_CROPS) | ((crops > 0) & waited) | gone).all(axis=1)
        # Nothing to compare with, now or later; a track that has just begun never had.
        known = np.count_nonzero(earlier, axis=2) > 0
        hopeless = ~(known[:, 0] & (known[:, 1] | is_birth))
        seen, both = (crops > 0).any(axis=1), (crops > 0).all(axis=1)
        # Of most that just began to be seen again, nothing could be said whatever they look like.
        weighed = np.flatnonzero(((complete & seen) | both) & ~hopeless)
        nats = np.full(len(crossings), -np.inf)
        if len(weighed):
            cameras = np.array([crossings[at].a.camera for at in weighed.tolist()], np.int64)
            nats[weighed] = self._nats(rows[weighed], cameras, earlier[weighed], later[weighed])
        ready = seen & (hopeless | complete | (both & (np.abs(nats) > CLEAR_NATS)))
        return [verdict if said else None for verdict, said in zip(nats.tolist(), ready.tolist(), strict=True)]

    def _nats(self, rows: Rows, cameras: Rows, earlier: Bools, later: Bools) -> NDArray[np.float64]:
        """(n,) log-odds that two sides, (n, 2) each, were exchanged, by their earlier and later crops (n, 2, per)."""
        looks = self._looks(rows, cameras, np.stack([earlier, later], axis=2))
        before, after = looks[:, :, 0], looks[:, :, 1]
        alike = np.stack([np.einsum("csd,csd->cs", after, which) for which in (before, before[:, ::-1])])
        as_own, as_other = self._scores.nats(alike, self._scores.TRACK)
        known, seen = (np.count_nonzero(which, axis=2) > 0 for which in (earlier, later))
        gains = np.where(known[:, ::-1], as_other, 0.0) - np.where(known, as_own, 0.0)
        gains[~seen] = 0.0
        odds = SWAP_ODDS + gains[:, 0] + gains[:, 1]
        # A second box on somebody looks like the first one, too: whose track it is must have changed.
        least = gains.min(axis=1)
        return np.asarray(np.where(known.all(axis=1) | (least > 0.0), odds, np.minimum(odds, least)))

    def _looks(self, rows: Rows, cameras: Rows, which: Bools) -> Floats:
        """(n, 2, k, D) what pairs of tracklets (n, 2) of cameras (n,) look like by these of their crops
        (n, 2, k, per)."""
        means = self._crops.means_of(rows, which)
        looks = np.zeros_like(means)
        some = which.any(axis=3)
        looks[some] = self._metric.look(self._metric.centred(cameras[np.nonzero(some)[0]], means[some]))
        return looks

    def _gone_over(self, tracklets: Sequence[Tracklet]) -> list[Cut]:
        """Those of which all crops since some moment are of a stranger and agree with one another."""
        if not tracklets:
            return []
        rows, cameras = np.array([(tracklet.row, tracklet.camera) for tracklet in tracklets], np.int64).T
        kept = np.arange(self._crops.per) < self._crops.count[rows][:, None]
        of, crop = np.nonzero(kept)
        looks = np.zeros((*kept.shape, self._metric.dimension), np.float32)
        looks[of, crop] = self._metric.look(self._metric.centred(cameras[of], self._crops.vectors[rows[of], crop]))
        place, *similarities = most_different(looks, np.where(kept, self._crops.quality[rows], np.float32(0.0)))
        across, own = self._scores.nats(np.stack(similarities), self._scores.TRACK)
        later = np.arange(self._crops.per) >= place[:, None]
        least = np.where(place >= KNOWN_CROPS, STRANGE_NATS, CLEARLY_STRANGE_NATS)
        strange = across.mean(axis=1, where=kept & later) <= least
        for side in (~later, kept & later):
            strange &= own.mean(axis=1, where=side) >= ALIKE_NATS
        at = np.flatnonzero(strange)
        since_ns = self._crops.times_ns[rows[at, None], place[at, None] - [1, 0]].sum(axis=1) // 2
        return [Cut(tracklets[i], since) for i, since in zip(at.tolist(), since_ns.tolist(), strict=True)]
