"""Who in the gallery may be the people who are asked about: by their looks and their walks, for everybody at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from savant_reid.identity.enrolment import ELSEWHERE, Entry
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.metric import Metric
from savant_reid.identity.motion import Lost
from savant_reid.identity.options import Columns, Doubles, Int64s, joined
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Floats, Tracklet
from savant_reid.identity.transits import Transits

# The clocks of two cameras are not exact to this.
SLACK_NS = 300_000_000
# Asked of every camera that somebody may have come from.
PER_CAMERA = 4
# Only so many identities per tracklet are looked at closely; a look worth less than this is not looked at.
MOST_CANDIDATES = 12
LEAST_NATS = 1.0


class _Asked(NamedTuple):
    """Columns of the tracklets that are asked about, (b,) each, and their looks (b, D)."""

    looks: Floats
    cameras: Int64s
    first_ns: Int64s
    global_ids: Int64s
    buckets: Int64s


class _Pairs(NamedTuple):
    """Columns of pairs of somebody asked about and an identity, (p,) each, in the order of those who are asked.

    asked: row in _Asked. start: the camera that saw it last, or ELSEWHERE. motion: nats for having been lost where the
    tracklet began.
    """

    asked: Int64s
    global_ids: Int64s
    similarities: Floats
    start: Int64s
    motion: Doubles


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

    def candidates(self, tracklets: Sequence[Tracklet], looks: Floats, lost: Lost) -> Columns:
        """Of each tracklet: identities of others, and its own one. looks: (b, D); lost: by number of the tracklet."""
        asked = _Asked(
            looks,
            np.array([t.camera for t in tracklets], np.int64),
            np.array([t.first_ns for t in tracklets], np.int64),
            np.array([t.global_id for t in tracklets], np.int64),
            np.array([self._scores.bucket(t.crops) for t in tracklets], np.int64),
        )
        return joined([self._others(asked, self._pairs(asked, lost)), self._own(tracklets, asked)])

    def _pairs(self, asked: _Asked, lost: Lost) -> _Pairs:
        """By one search: who is like whom, or was lost where somebody else was found."""
        blocks = self._transits.possible_from(asked.cameras).tolist()
        blocks += [ELSEWHERE] if self._entry.names else []
        least = self._scores.least_similarities(LEAST_NATS)[asked.buckets][:, None].repeat(len(blocks), axis=1)
        number = np.full(len(self._topology.cameras) + 1, -1)  # ELSEWHERE is the last
        number[blocks] = np.arange(len(blocks))
        block = number[self._gallery.last_camera[lost.rows]]
        lost, block = lost.take(block >= 0), block[block >= 0]
        least[lost.asked, block] = -np.inf  # however little alike
        owners, similarities = self._gallery.nearest(asked.looks, blocks, PER_CAMERA, least)
        places = block[:, None] * PER_CAMERA + np.arange(PER_CAMERA)
        hit, place = np.nonzero(owners[lost.asked[:, None], places] == lost.global_ids[:, None])
        was_lost, motion = np.zeros(owners.shape, bool), np.zeros(owners.shape)
        hits = lost.asked[hit], places[hit, place]
        was_lost[hits], motion[hits] = True, lost.nats[hit]
        at, column = found = np.divmod(np.flatnonzero(owners > 0), owners.shape[1])
        start = np.array(blocks, np.int64)[column // PER_CAMERA]
        pairs = _Pairs(at, owners[found], similarities[found], start, motion[found])
        worth = was_lost[found] | (self._scores.nats(pairs.similarities, asked.buckets[at]) > LEAST_NATS)
        if not self._entry.is_open:
            for who, look in enumerate(asked.looks):
                mine = np.flatnonzero(worth & (at == who))
                worth[mine] = self._entry.admits(pairs.global_ids[mine].tolist(), pairs.similarities[mine], look)
        return _Pairs._make(column[worth] for column in pairs)

    def _others(self, asked: _Asked, pairs: _Pairs) -> Columns:
        """The MOST_CANDIDATES most probable of each who is asked about, but for its own identity; more in a tie."""
        rows = self._gallery.rows_of(pairs.global_ids.tolist())
        camera = asked.cameras[pairs.asked]
        gap_s = np.asarray((asked.first_ns[pairs.asked] - self._gallery.last_seen_ns[rows]) * 1e-9, np.float64)
        with np.errstate(divide="ignore"):
            rate_logs = np.log(self._rates(pairs, camera, gap_s))
        nats = self._scores.nats(pairs.similarities, asked.buckets[pairs.asked], self._gallery.count[rows])
        logs = nats + rate_logs + pairs.motion
        best = _best(pairs.asked, logs, MOST_CANDIDATES)
        # Who was seen elsewhere after the tracklet began is somebody else.
        last_camera = self._gallery.last_camera[rows[best]]
        free = (gap_s[best] >= -SLACK_NS * 1e-9) | self._topology.overlap[last_camera, camera[best]]
        free &= pairs.global_ids[best] != asked.global_ids[pairs.asked[best]]
        best = best[free & np.isfinite(logs[best])]
        columns = (pairs.asked, pairs.global_ids, logs, nats, rate_logs + pairs.motion, pairs.start, gap_s)
        return Columns._make(column[best] for column in columns)

    def _rates(self, pairs: _Pairs, camera: Int64s, gap_s: Doubles) -> Doubles:
        """(p,) rates of turning up there; who is enrolled may also come from anywhere."""
        rates = self._transits.rates(pairs.start, camera, gap_s)
        if self._entry.names:
            newcomers = {c: self._transits.newcomer_rate(c) for c in set(camera.tolist())}
            uniform = np.array([self._entry.uniform_rate(newcomers[c]) for c in camera.tolist()])
            rates = np.where(pairs.start == ELSEWHERE, 0.0, rates)
            rates = rates + uniform * np.array([i in self._entry.names for i in pairs.global_ids.tolist()], np.float64)
        return rates

    def _own(self, tracklets: Sequence[Tracklet], asked: _Asked) -> Columns:
        """The present identity of each, if it has one, however it looks: as likely as its walk and the looks of others
        who have shaped that identity say.

        An identity that nobody else has shaped is as likely as a newcomer was: the tracklet is its only proof.
        """
        count = self._gallery.count
        rows = self._gallery.rows_of(asked.global_ids.tolist())
        shaped = np.flatnonzero((rows >= 0) & (count[rows] > 0))
        nats = np.zeros(len(rows))
        if len(shaped):
            theirs = rows[shaped]
            centroids = self._metric.look(self._gallery.centroids(theirs))
            alike = np.einsum("nd,nd->n", centroids, asked.looks[shaped])
            nats[shaped] = self._scores.nats(alike, asked.buckets[shaped], count[theirs])
            for at, similarity in zip(shaped.tolist(), alike.tolist(), strict=True):
                if not self._admits_own(tracklets[at], similarity, asked.looks[at]):
                    rows[at] = -1
        own = np.flatnonzero(rows >= 0)
        arrival_logs = np.array([tracklets[at].arrival_log for at in own.tolist()], np.float64)
        arrivals = [tracklets[at].arrival or (ELSEWHERE, 0.0) for at in own.tolist()]
        cameras, gaps_s = np.array(arrivals, np.float64).reshape(-1, 2).T
        logs = nats[own] + arrival_logs
        return Columns(own, asked.global_ids[own], logs, nats[own], arrival_logs, cameras.astype(np.int64), gaps_s)

    def _admits_own(self, tracklet: Tracklet, similarity: float, look: Floats) -> bool:
        if tracklet.global_id not in self._entry.names:
            return True
        return bool(self._entry.admits([tracklet.global_id], np.array([similarity]), look)[0])


def _best(groups: Int64s, values: Doubles, most: int) -> Int64s:
    """Indices of the `most` highest values of each group, and of all that equal the last; groups: (n,) ascending."""
    count = np.bincount(groups)
    width = int(count.max(initial=0))
    if width <= most:
        return np.arange(len(groups))
    table = np.full((len(count), width), -np.inf)
    table[groups, np.arange(len(groups)) - np.repeat(np.cumsum(count) - count, count)] = values
    return np.flatnonzero(values >= np.partition(table, width - most, axis=1)[groups, width - most])
