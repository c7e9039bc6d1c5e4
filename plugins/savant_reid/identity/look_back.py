"""Visits that were given to the wrong person: found when there is more to go by, and moved to the right one.

What was decided while few people were known and the metric was young is wrong more often than what is decided later. An
identity whose turn it is (review.py) is looked at visit by visit, as far as its prototypes are single visits that have
ended: each is held against the other visits of its identity and against everybody else, by today's metric and with the
walk that would have led there. A visit that clearly is of somebody else, who was nowhere else at that time, is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.gallery import Gallery
from savant_reid.identity.metric import Metric
from savant_reid.identity.presence import Presence
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.visits import Visit, latest

Floats = NDArray[np.float32]
# Log-odds asked of a move, and nats of the look for the right one: what was said in the open is not changed for little.
CLEAR_ODDS = 3.0
LEAST_NATS = 3.0
# Asked of every camera that has seen somebody last.
PER_CAMERA = 2


@dataclass(frozen=True)
class Move:
    """A visit of `old` is one of `new`. odds: log-odds of the one against the other; nats: the look's share in it."""

    visit: Visit
    old: int
    new: int
    odds: float
    nats: float


class LookBack:
    """Looks for visits to be moved; changes nothing."""

    def __init__(self, gallery: Gallery, metric: Metric, scores: ScoreModel, presence: Presence, cameras: int) -> None:
        self._gallery, self._metric, self._scores, self._presence = gallery, metric, scores, presence
        self._cameras = cameras

    def of(self, global_ids: Sequence[int], now_ns: int) -> Iterator[Move]:
        """The clearest move of each of these identities, weighed when it is asked for: those before are carried out."""
        asked = {global_id: visits for global_id in global_ids if (visits := self._visits(global_id))}
        if not asked:
            return
        looks = self._metric.look(np.stack([visit.centred for visits in asked.values() for visit in visits]))
        least = np.full((len(looks), self._cameras), self._scores.least_similarities(LEAST_NATS).min(), np.float32)
        owners, similarities = self._gallery.nearest(looks, range(self._cameras), PER_CAMERA, least)
        at = 0
        for global_id, visits in asked.items():
            found = zip(visits, owners[at:].tolist(), similarities[at:].tolist(), strict=False)
            at += len(visits)
            moves = [
                self._weigh(visit, global_id, new, similarity, now_ns)
                for visit, ids, alike in found
                for new, similarity in zip(ids, alike, strict=True)
                if new not in (0, global_id)
            ]
            best = max((move for move in moves if move is not None), key=lambda move: move.odds, default=None)
            if best is not None:
                yield best

    def _weigh(self, visit: Visit, old: int, new: int, similarity: float, now_ns: int) -> Move | None:
        """This move, or None if it is not clear or `new` was somewhere else."""
        row, target = self._gallery.rows_of([old, new]).tolist()
        count, bucket = self._gallery.count, self._scores.bucket(round(visit.weight))
        look = float(self._scores.nats(np.array(similarity), bucket, int(count[target])))
        if look < LEAST_NATS or not self._presence.free(target, visit, now_ns):
            return None
        mine, others = self._metric.look(np.stack([visit.centred, visit.others]))
        nats = look - float(self._scores.nats(mine @ others, bucket, int(count[row]) - 1))
        odds = nats + self._presence.arrival_log(target, visit) - self._presence.arrival_log(row, visit)
        return Move(visit, old, new, odds, nats) if odds > CLEAR_ODDS else None

    def _visits(self, global_id: int) -> list[Visit]:
        """Those of an identity that may be moved."""
        row = self._gallery.row_of(global_id)
        if row is None or self._gallery.count[row] < 2:
            return []
        visits = single_visits(self._gallery, self._metric, row)
        # Of several visits of one track only the last can be told apart afterwards (rows are known by their time), and
        # of one that goes on none.
        last = {(visit.camera, visit.track_id): visit.source for visit in sorted(visits, key=lambda v: v.first_ns)}
        last |= dict.fromkeys(self._presence.tracks(global_id), 0)
        return [visit for visit in visits if last[visit.camera, visit.track_id] == visit.source]


def single_visits(gallery: Gallery, metric: Metric, row: int) -> list[Visit]:
    """Those that are remembered and have a prototype of their own, in the order of time."""
    sources, cameras, weights, raw = gallery.looks_of(row)
    centred = metric.centred(cameras, raw)
    total = weights @ centred
    place = {source: at for at, source in enumerate(sources.tolist())}
    visits = []
    for source, camera, first_ns, last_ns, track_id in gallery.visits[row].tolist():
        at = place.get(source) if source else None
        if at is not None:
            others = total - weights[at] * centred[at]
            weight = float(weights[at])
            visits.append(
                Visit(source, camera, first_ns, last_ns, track_id, weight, raw[at].copy(), centred[at], others)
            )
    return visits


def move_visit(gallery: Gallery, row: int, target: int, visit: Visit) -> bool:
    """That visit of the identity in `row` was one of that in `target`; True if its track had others in `row`."""
    gallery.drop(row, visit.source)
    gallery.forget_visit(row, visit.source)
    gallery.put(target, visit.source, visit.camera, visit.raw, visit.weight)
    gallery.visits[target] = latest([*gallery.visits[target], np.array(visit[:5], np.int64)])
    if visit.first_ns < gallery.created_ns[target]:
        gallery.created_ns[target], gallery.birth_camera[target] = visit.first_ns, visit.camera
    for one in (row, target):
        last = gallery.visits[one][np.argmax(gallery.visits[one][:, 3])]
        if last[0]:
            gallery.last_seen_ns[one], gallery.last_camera[one] = last[3], last[1]
        gallery.show(one)
    spans = gallery.visits[row]
    return bool(((spans[:, 0] != 0) & (spans[:, 1] == visit.camera) & (spans[:, 4] == visit.track_id)).any())
