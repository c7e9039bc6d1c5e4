"""Two identities that were one person all the time: found when there is more to go by than at the first decision.

An identity is founded on a few crops, early on by a metric that has learned little. Whenever it has gathered more (at
its first, second, fourth, eighth visit) it is held against the gallery as a whole: the same odds as for an arrival, now
between what both look like in all their visits. Nobody is in two places at once: identities whose visits overlap in
time stay apart, unless their cameras do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.by_hand import Hands
from savant_reid.identity.crossings import Crossings
from savant_reid.identity.enrolment import ELSEWHERE, Entry
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.lookup import SLACK_NS
from savant_reid.identity.metric import Metric
from savant_reid.identity.presence import Presence, Stay
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.transits import Transits

Int64s = NDArray[np.int64]
Floats = NDArray[np.float32]
# Log-odds asked of a merge: it is harder to undo than to do without.
CLEAR_ODDS = 2.0
# Visits at which an identity is held against the gallery.
ASKED_AT = (1, 2, 4, 8)
PER_CAMERA = 2
MOST_CANDIDATES = 6
LEAST_NATS = 4.0
# Together in one camera for no longer than this, apart from when they lay over one another (which counts twice: boxes
# of one person part now and then), may be a mistake of the tracker; it speaks against one person by so many nats.
TOGETHER_NS = 1_000_000_000
TOGETHER_NATS = 3.0


@dataclass(frozen=True)
class Merge:
    """`old` is `new`. odds: log-odds; nats: the looks' share in it."""

    old: int
    new: int
    odds: float
    nats: float


class _Pairs(NamedTuple):
    """Columns of identities and others that look like them, (p,) each, the most alike first.

    asked: number of the identity among those asked about, in their order.
    """

    asked: Int64s
    global_ids: Int64s
    others: Int64s
    similarities: Floats

    def take(self, which: NDArray[np.bool_] | Int64s) -> _Pairs:
        return _Pairs(self.asked[which], self.global_ids[which], self.others[which], self.similarities[which])


class SecondThoughts:
    """Looks for merges; changes nothing."""

    def __init__(
        self,
        gallery: Gallery,
        metric: Metric,
        scores: ScoreModel,
        transits: Transits,
        topology: Topology,
        presence: Presence,
        entry: Entry,
        hands: Hands,
        crossings: Crossings,
    ) -> None:
        self._gallery, self._metric, self._scores = gallery, metric, scores
        self._transits, self._topology, self._presence = transits, topology, presence
        self._entry, self._hands, self._crossings = entry, hands, crossings

    def about(self, tracklets: Sequence[Tracklet], now_ns: int) -> Iterator[Merge]:
        """The best merges of the identities of tracklets that were lost lately, where any is clear.

        Each is weighed when it is asked for, with the one before carried out: two people who were here together may
        both look like a third.
        """
        ids = list(dict.fromkeys(t.global_id for t in tracklets if t.global_id))
        counts = self._gallery.count[self._gallery.rows_of(ids)].tolist()
        yield from self.of([one for one, count in zip(ids, counts, strict=True) if count in ASKED_AT], now_ns)

    def of(self, global_ids: Sequence[int], now_ns: int) -> Iterator[Merge]:
        """The same for these identities, as far as they are here."""
        rows = self._gallery.rows_of(global_ids)
        known = (rows >= 0) & (self._gallery.count[rows] > 0)
        if not known.any():
            return
        pairs = self._alike(np.array(global_ids, np.int64)[known], rows[known])
        stays: dict[int, list[Stay]] = {}
        while len(pairs.asked) and (found := self._first_clear(pairs, stays, now_ns)) is not None:
            asked, merge = found
            yield merge
            pairs = pairs.take(pairs.asked > asked)
            stays.pop(merge.new, None)

    def _alike(self, global_ids: Int64s, rows: Int64s) -> _Pairs:
        """Each of these identities with those that look like it."""
        looks = self._metric.look(self._gallery.centroids(rows))
        blocks = [*range(len(self._topology.cameras)), *([ELSEWHERE] if self._entry.names else [])]
        least = np.full((len(looks), len(blocks)), self._scores.least_similarities(LEAST_NATS)[2], np.float32)
        owners, similarities = self._gallery.nearest(looks, blocks, PER_CAMERA, least)
        asked, column = np.nonzero(owners > 0)
        order = np.lexsort((-similarities[asked, column], asked))
        asked, column = asked[order], column[order]
        pairs = _Pairs(asked, global_ids[asked], owners[asked, column], similarities[asked, column])
        rank = np.arange(len(asked)) - np.searchsorted(asked, asked)
        return pairs.take((rank <= MOST_CANDIDATES) & (pairs.others != pairs.global_ids))

    def _first_clear(self, pairs: _Pairs, stays: dict[int, list[Stay]], now_ns: int) -> tuple[int, Merge] | None:
        """The best merge of the first identity that has a clear one, and its number. stays: as far as they are known,
        by identity."""
        rows = np.stack([self._gallery.rows_of(ids.tolist()) for ids in (pairs.global_ids, pairs.others)])
        nats = self._scores.nats(pairs.similarities, 2, *self._gallery.count[rows])
        likely = (nats > LEAST_NATS) & (rows >= 0).all(axis=0)
        pairs, nats = pairs.take(likely), nats[likely]
        unknown = list({*pairs.global_ids.tolist(), *pairs.others.tolist()} - stays.keys())
        stays.update(zip(unknown, self._presence.of(self._gallery.rows_of(unknown), now_ns), strict=True))
        found = zip(*(column.tolist() for column in (*pairs, nats)), strict=True)
        for asked, ways in groupby(found, key=lambda way: way[0]):
            merges = [
                self._weigh(a, b, look, against, now_ns)
                for _, a, b, similarity, look in ways
                if self._may_be(a, b, similarity) and (against := self._together(stays[a], stays[b])) is not None
            ]
            best = max(merges, key=lambda merge: merge.odds, default=None)
            if best is not None and best.odds > CLEAR_ODDS:
                return asked, best
        return None

    def _may_be(self, a: int, b: int, similarity: float) -> bool:
        """False for two who are enrolled, for too little likeness to one who is, and for what people have split."""
        enrolled = [global_id for global_id in (a, b) if global_id in self._entry.names]
        if len(enrolled) == 2 or self._hands.apart(a, b):
            return False
        if self._entry.is_open:
            return True
        asked, other = (a, b) if a in enrolled else (b, a)
        look = self._metric.look(self._gallery.centroids(self._gallery.rows_of([other])))[0]
        return bool(self._entry.admits([asked], np.array([similarity]), look)[0])

    def _weigh(self, a: int, b: int, nats: float, against: float, now_ns: int) -> Merge:
        """One merge. against: nats, for having been on screen at once."""
        created, birth_camera = self._gallery.created_ns, self._gallery.birth_camera
        new, old = sorted(self._gallery.rows_of([a, b]).tolist(), key=created.__getitem__)
        camera = int(birth_camera[old])
        rate_log = self._presence.rate_log(new, camera, int(created[old]), now_ns)
        odds = nats + rate_log - math.log(self._transits.newcomer_rate(camera)) - against
        return Merge(int(self._gallery.global_ids[old]), int(self._gallery.global_ids[new]), odds, nats)

    def _together(self, ours: Sequence[Stay], theirs: Sequence[Stay]) -> float | None:
        """Nats against one person, from having been on screen at once; None if that is out of the question.

        In one camera a moment is forgiven: when exactly a track went over to somebody else is not known, and what lay
        over one another may have been one person detected twice.
        """
        nats = 0.0
        for a, b in product(ours, theirs):
            if a.first_ns >= b.last_ns or b.first_ns >= a.last_ns:
                continue
            at_once_ns = min(a.last_ns, b.last_ns) - max(a.first_ns, b.first_ns)
            if a.camera != b.camera:
                if at_once_ns >= SLACK_NS and not self._topology.can_share(a.camera, b.camera):
                    return None
            else:
                if at_once_ns - 2 * self._crossings.lain_ns(a.serial, b.serial) > TOGETHER_NS:
                    return None
                nats += TOGETHER_NATS
        return nats
