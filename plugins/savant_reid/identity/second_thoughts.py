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
from itertools import product

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.by_hand import Hands
from savant_reid.identity.enrolment import ELSEWHERE, Entry
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.lookup import SLACK_NS
from savant_reid.identity.metric import Metric
from savant_reid.identity.presence import Presence
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.transits import Transits
from savant_reid.identity.twins import Twins

Int64s = NDArray[np.int64]
Floats = NDArray[np.float32]
# Log-odds asked of a merge: it is harder to undo than to do without.
CLEAR_ODDS = 2.0
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
        twins: Twins,
    ) -> None:
        self._gallery, self._metric, self._scores = gallery, metric, scores
        self._transits, self._topology, self._presence = transits, topology, presence
        self._entry, self._hands, self._twins = entry, hands, twins

    def about(self, tracklets: Sequence[Tracklet], now_ns: int) -> Iterator[Merge]:
        """The best merges of the identities of tracklets that were just lost, where any is clear.

        Each is weighed when it is asked for, with the one before carried out: two people who were here together may
        both look like a third.
        """
        ids = dict.fromkeys(t.global_id for t in tracklets if t.global_id)
        rows = {i: row for i in ids if (row := self._gallery.row_of(i)) is not None}
        yield from self.of([i for i, row in rows.items() if self._gallery.count[row] in (1, 2, 4, 8)], now_ns)

    def of(self, global_ids: Sequence[int], now_ns: int) -> Iterator[Merge]:
        """The same for these identities."""
        rows = {i: row for i in global_ids if (row := self._gallery.row_of(i)) is not None and self._gallery.count[row]}
        if not rows:
            return
        looks = self._metric.look(self._gallery.centroids(np.array(list(rows.values()))))
        blocks = [*range(len(self._topology.cameras)), *([ELSEWHERE] if self._entry.names else [])]
        least = np.full((len(looks), len(blocks)), self._scores.least_similarities(LEAST_NATS)[2], np.float32)
        owners, similarities = self._gallery.nearest(looks, blocks, PER_CAMERA, least)
        asked, column = np.nonzero(owners > 0)
        ends = np.searchsorted(asked, np.arange(len(rows)), side="right").tolist()
        who, alike = owners[asked, column], similarities[asked, column]
        for global_id, start, end in zip(rows, [0, *ends], ends, strict=False):
            if (who[start:end] == global_id).all() or self._gallery.row_of(global_id) is None:
                continue  # nobody is alike, or it was merged away since
            merge = self._best(global_id, who[start:end], alike[start:end], now_ns)
            if merge is not None:
                yield merge

    def _best(self, global_id: int, owners: Int64s, similarities: Floats, now_ns: int) -> Merge | None:
        others, row_of = owners.tolist(), self._gallery.row_of
        known = [other if row_of(other) is not None else global_id for other in others]
        counts = self._gallery.count[self._gallery.rows_of([global_id, *known])]
        nats = self._scores.nats(similarities, 2, counts[1:], int(counts[0])).tolist()
        order = np.argsort(-similarities, kind="stable")[: MOST_CANDIDATES + 1]
        merges = [
            self._weigh(global_id, others[at], nats[at], now_ns)
            for at in order.tolist()
            if others[at] != global_id
            and nats[at] > LEAST_NATS
            and self._may_be(global_id, others[at], float(similarities[at]))
        ]
        clear = [merge for merge in merges if merge is not None and merge.odds > CLEAR_ODDS]
        return max(clear, key=lambda merge: merge.odds, default=None)

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

    def _weigh(self, a: int, b: int, nats: float, now_ns: int) -> Merge | None:
        """One merge, or None if the two were in two places at once."""
        rows = self._gallery.row_of(a), self._gallery.row_of(b)
        if rows[0] is None or rows[1] is None:
            return None
        created = self._gallery.created_ns
        old, new = rows if created[rows[0]] > created[rows[1]] else rows[::-1]
        if old is None or new is None:
            return None
        together = self._together(old, new, now_ns)
        if together is None:
            return None
        camera = int(self._gallery.birth_camera[old])
        rate_log = self._presence.rate_log(new, camera, int(created[old]), now_ns)
        odds = nats + rate_log - math.log(self._transits.newcomer_rate(camera)) - together
        return Merge(int(self._gallery.global_ids[old]), int(self._gallery.global_ids[new]), odds, nats)

    def _together(self, a: int, b: int, now_ns: int) -> float | None:
        """Nats against one person, from having been on screen at once; None if that is out of the question.

        In one camera a moment is forgiven: when exactly a track went over to somebody else is not known, and what lay
        over one another may have been one person detected twice.
        """
        nats = 0.0
        for ours, theirs in product(self._presence.of(a, now_ns), self._presence.of(b, now_ns)):
            at_once_ns = min(ours.last_ns, theirs.last_ns) - max(ours.first_ns, theirs.first_ns)
            if ours.camera != theirs.camera:
                if at_once_ns >= SLACK_NS and not self._topology.can_share(ours.camera, theirs.camera):
                    return None
            elif at_once_ns > 0:
                if at_once_ns - 2 * self._twins.lain_ns(ours.serial, theirs.serial) > TOGETHER_NS:
                    return None
                nats += TOGETHER_NATS
        return nats
