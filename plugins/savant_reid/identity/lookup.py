"""Who in the gallery may be the people who are asked about: by their looks and their walks, for everybody at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.candidates import Candidate
from savant_reid.identity.enrolment import ELSEWHERE, Entry
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.metric import Metric
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Floats, Tracklet
from savant_reid.identity.transits import Transits

Int64s = NDArray[np.int64]
Doubles = NDArray[np.float64]
# The clocks of two cameras are not exact to this.
SLACK_NS = 300_000_000
# Asked of every camera that somebody may have come from.
PER_CAMERA = 4
# Only so many identities per tracklet are looked at closely; a look worth less than this is not looked at.
MOST_CANDIDATES = 12
LEAST_NATS = -2.0


class _Asked(NamedTuple):
    """Columns of the tracklets that are asked about, (b,) each, and their looks (b, D)."""

    looks: Floats
    cameras: Int64s
    first_ns: Int64s
    global_ids: Int64s
    buckets: Int64s


class _Pairs(NamedTuple):
    """Columns of pairs of somebody asked about and an identity, (p,) each, in the order of those who are asked.

    asked: row in _Asked. start, gap_s: the camera that saw it last, and how long ago. motion: nats for having been
    lost where the tracklet began.
    """

    asked: Int64s
    global_ids: Int64s
    similarities: Floats
    start: Int64s
    motion: Doubles


class _Lost(NamedTuple):
    """Columns of identities that were lost where somebody was found, (l,) each.

    asked: row in _Asked; block: number of the one that the search has them in; nats: for being the one that was found.
    """

    asked: Int64s
    block: Int64s
    global_ids: Int64s
    nats: Doubles


class GalleryLookup:
    """Compares tracklets that have a look with the gallery under the topology; changes nothing."""

    def __init__(
        self,
        gallery: Gallery,
        metric: Metric,
        scores: ScoreModel,
        transits: Transits,
        topology: Topology,
        entry: Entry,
    ) -> None:
        self._gallery, self._metric, self._scores = gallery, metric, scores
        self._transits, self._topology, self._entry = transits, topology, entry

    def candidates(
        self, tracklets: Sequence[Tracklet], looks: Floats, motions: Sequence[Mapping[int, float]]
    ) -> list[list[Candidate]]:
        """Of each tracklet: identities of others, and its own one. looks: (b, D); motions: nats by identity of each."""
        asked = _Asked(
            looks,
            np.array([t.camera for t in tracklets], np.int64),
            np.array([t.first_ns for t in tracklets], np.int64),
            np.array([t.global_id for t in tracklets], np.int64),
            np.array([self._scores.bucket(t.crops) for t in tracklets], np.int64),
        )
        found = self._others(asked, self._pairs(asked, motions))
        for mine, own in zip(found, self._own(tracklets, asked), strict=True):
            mine += own
        return found

    def _pairs(self, asked: _Asked, motions: Sequence[Mapping[int, float]]) -> _Pairs:
        """By one search: who is like whom, or was lost where somebody else was found."""
        blocks = self._transits.possible_from(sorted(set(asked.cameras.tolist()))).tolist()
        blocks += [ELSEWHERE] if self._entry.names else []
        least = np.repeat(self._scores.least_similarities(LEAST_NATS)[asked.buckets][:, None], len(blocks), axis=1)
        lost = self._lost(blocks, motions)
        least[lost.asked, lost.block] = -np.inf  # however little alike
        owners, similarities = self._gallery.nearest(asked.looks, blocks, PER_CAMERA, least)
        worth = self._scores.nats(similarities, asked.buckets[:, None]) > LEAST_NATS
        motion = np.zeros(owners.shape)
        places = lost.block[:, None] * PER_CAMERA + np.arange(PER_CAMERA)
        hit, place = np.nonzero(owners[lost.asked[:, None], places] == lost.global_ids[:, None])
        at, column = lost.asked[hit], places[hit, place]
        worth[at, column], motion[at, column] = True, lost.nats[hit]
        worth &= owners > 0
        if not self._entry.is_open:
            for mine, ids, alike, look in zip(worth, owners, similarities, asked.looks, strict=True):
                at = np.flatnonzero(mine)
                mine[at] = self._entry.admits(ids[at].tolist(), alike[at], look)
        at, column = np.divmod(np.flatnonzero(worth), worth.shape[1])
        start = np.repeat(np.array(blocks, np.int64), PER_CAMERA)[column]
        return _Pairs(at, owners[at, column], similarities[at, column], start, motion[at, column])

    def _lost(self, blocks: Sequence[int], motions: Sequence[Mapping[int, float]]) -> _Lost:
        row_of = self._gallery.row_of
        lost = [
            (at, global_id, row, nats)
            for at, motion in enumerate(motions)
            for global_id, nats in motion.items()
            if (row := row_of(global_id)) is not None
        ]
        asked, global_ids, rows = np.array([one[:3] for one in lost], np.int64).reshape(-1, 3).T
        number = np.full(len(self._topology.cameras) + 1, -1)  # ELSEWHERE is the last
        number[blocks] = np.arange(len(blocks))
        block = number[self._gallery.last_camera[rows]]
        nats = np.array([one[3] for one in lost], np.float64)
        known = block >= 0
        return _Lost(asked[known], block[known], global_ids[known], nats[known])

    def _others(self, asked: _Asked, pairs: _Pairs) -> list[list[Candidate]]:
        """The MOST_CANDIDATES most probable of each who is asked about, but for its own identity."""
        rows = self._gallery.rows_of(pairs.global_ids.tolist())
        camera = asked.cameras[pairs.asked]
        gap_s = np.asarray((asked.first_ns[pairs.asked] - self._gallery.last_seen_ns[rows]) * 1e-9, np.float64)
        with np.errstate(divide="ignore"):
            rate_logs = np.log(self._rates(pairs, camera, gap_s))
        nats = self._scores.nats(pairs.similarities, asked.buckets[pairs.asked], self._gallery.count[rows])
        logs = nats + rate_logs + pairs.motion
        # Who was seen elsewhere after the tracklet began is somebody else.
        free = (gap_s >= -SLACK_NS * 1e-9) | self._topology.overlap[self._gallery.last_camera[rows], camera]
        free &= (pairs.global_ids != asked.global_ids[pairs.asked]) & np.isfinite(logs)
        best = _best(pairs.asked, logs, MOST_CANDIDATES)
        best = best[free[best]]
        found: list[list[Candidate]] = [[] for _ in asked.cameras]
        columns = (pairs.asked, pairs.global_ids, logs, nats, rate_logs + pairs.motion, pairs.start, gap_s)
        for at, global_id, log, look, arrival_log, start, gap in zip(*(c[best].tolist() for c in columns), strict=True):
            came_from = start if start != ELSEWHERE else None
            found[at].append(Candidate(global_id, log, look, arrival_log, came_from, gap))
        return found

    def _rates(self, pairs: _Pairs, camera: Int64s, gap_s: Doubles) -> Doubles:
        """(p,) rates of turning up there; who is enrolled may also come from anywhere."""
        rates = self._transits.rates(pairs.start, camera, gap_s)
        if self._entry.names:
            newcomers = {c: self._transits.newcomer_rate(c) for c in set(camera.tolist())}
            uniform = np.array([self._entry.uniform_rate(newcomers[c]) for c in camera.tolist()])
            rates = np.where(pairs.start == ELSEWHERE, 0.0, rates)
            rates = rates + uniform * np.array([i in self._entry.names for i in pairs.global_ids.tolist()], np.float64)
        return rates

    def _own(self, tracklets: Sequence[Tracklet], asked: _Asked) -> list[list[Candidate]]:
        """The present identity of each, if it has one, however it looks: as likely as its walk and the looks of others
        who have shaped that identity say.

        An identity that nobody else has shaped is as likely as a newcomer was: the tracklet is its only proof.
        """
        row_of, count = self._gallery.row_of, self._gallery.count
        rows = [row_of(t.global_id) if t.global_id else None for t in tracklets]
        shaped = [at for at, row in enumerate(rows) if row is not None and count[row]]
        similarities, nats = np.zeros(len(rows)), np.zeros(len(rows))
        if shaped:
            theirs = np.array([rows[at] for at in shaped])
            centroids = self._metric.look(self._gallery.centroids(theirs))
            alike = np.einsum("nd,nd->n", centroids, asked.looks[shaped])
            similarities[shaped] = alike
            nats[shaped] = self._scores.nats(alike, asked.buckets[shaped], count[theirs])
        refused = {at for at in shaped if not self._admits_own(tracklets[at], similarities[at], asked.looks[at])}
        found: list[list[Candidate]] = [[] for _ in tracklets]
        for at, (tracklet, row, look) in enumerate(zip(tracklets, rows, nats.tolist(), strict=True)):
            if row is not None and at not in refused:
                log, arrival = look + tracklet.arrival_log, tracklet.arrival or ()
                found[at].append(Candidate(tracklet.global_id, log, look, tracklet.arrival_log, *arrival))
        return found

    def _admits_own(self, tracklet: Tracklet, similarity: float, look: Floats) -> bool:
        if tracklet.global_id not in self._entry.names:
            return True
        return bool(self._entry.admits([tracklet.global_id], np.array([similarity]), look)[0])


def _best(groups: Int64s, values: Doubles, most: int) -> Int64s:
    """Indices of the `most` highest values of each group, highest first; groups: (n,) ascending."""
    kept = np.flatnonzero(values >= _least(groups, values, most)[groups])
    groups, values = groups[kept], values[kept]
    order = np.lexsort((-values, groups))
    first = np.searchsorted(groups, groups)
    return kept[order[np.arange(len(order)) - first < most]]


def _least(groups: Int64s, values: Doubles, most: int) -> Doubles:
    """By group, a value that `most` of its values reach; those below it need not be put in order."""
    count = np.bincount(groups)
    width = int(count.max(initial=0))
    if width <= most:
        return np.full(len(count), -np.inf)
    table = np.full((len(count), width), -np.inf)
    table[groups, np.arange(len(groups)) - np.repeat(np.cumsum(count) - count, count)] = values
    return np.asarray(np.partition(table, width - most, axis=1)[:, width - most])
