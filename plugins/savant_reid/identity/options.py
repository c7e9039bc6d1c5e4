"""The possible answers of everybody who is asked about in one moment, in columns: there are many, and few are said."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.candidates import Candidate, Considered, Thoughts, arrival
from savant_reid.identity.tracklet import Tracklet

Int64s = NDArray[np.int64]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Columns(NamedTuple):
    """Possible answers, (n,) each.

    asked: int64 number of who is asked about. global_ids: int64. logs: float64 log rate, in people per second that look
    like this; nats: the look's share in it; arrival_logs: the rest. cameras int64, gaps_s float64: the arrival, none if
    the camera is below 0.
    """

    asked: Int64s
    global_ids: Int64s
    logs: Doubles
    nats: Doubles
    arrival_logs: Doubles
    cameras: Int64s
    gaps_s: Doubles

    def take(self, at: Int64s | Bools) -> Columns:
        """Those at these places."""
        return Columns._make(column[at] for column in self)


def columns_of(rows: Sequence[tuple[int, int, float, float, float, int, float]]) -> Columns:
    """Of a few possible answers, row by row, in the order of the columns."""
    asked, ids, logs, nats, arrival_logs, cameras, gaps_s = zip(*rows, strict=True) if rows else ((),) * 7
    ints = [np.array(column, np.int64) for column in (asked, ids, cameras)]
    doubles = [np.array(column, np.float64) for column in (logs, nats, arrival_logs, gaps_s)]
    return Columns(ints[0], ints[1], doubles[0], doubles[1], doubles[2], ints[2], doubles[3])


def joined(parts: Sequence[Columns]) -> Columns:
    """All of them, one part after another."""
    if len(parts) == 1:
        return parts[0]
    return Columns._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


class Options(NamedTuple):
    """tracklets: the b who are asked about. newcomer_logs: (b,) float64, log rate of people never seen before.

    alone: (b,) int64, the tracklet's own identity if nobody else has shaped it, else 0: to be that one is to be a
    newcomer. known: by who is asked about, then most probable first.
    """

    tracklets: list[Tracklet]
    newcomer_logs: Doubles
    alone: Int64s
    known: Columns

    @property
    def odds(self) -> Doubles:
        """(n,) log-odds against "nobody known"."""
        return np.asarray(self.known.logs - self.newcomer_logs[self.known.asked])

    @property
    def own_ids(self) -> Int64s:
        """(b,) present identities of those who are asked about, 0 for none."""
        return np.array([tracklet.global_id for tracklet in self.tracklets], np.int64)

    @property
    def ends(self) -> list[int]:
        """(b + 1,) the known of the i-th who is asked about are those from ends[i] to ends[i + 1]."""
        return _ends(self.known.asked, len(self.tracklets))

    def but(self, is_out: Sequence[bool] | Bools) -> Options:
        """The same, knowing that these (n,) are somebody else."""
        return self._replace(known=self.known.take(~np.asarray(is_out, bool))) if True in is_out else self

    def candidates(self, at: Int64s) -> list[Candidate]:
        """Those of the known at these places."""
        columns = zip(*(column.tolist() for column in self.known.take(at)), strict=True)
        return [
            Candidate(global_id, log, nats, arrival_log, arrival(camera, gap_s))
            for _, global_id, log, nats, arrival_log, camera, gap_s in columns
        ]

    def probabilities(self) -> tuple[Doubles, Doubles]:
        """(n,) of the known and (b,) of newcomers, which add up to one for each who is asked about.

        Its own identity, if it is alone in it, is a newcomer too: it is as probable as that, and not counted twice.
        """
        asked, b = self.known.asked, len(self.tracklets)
        is_alone = self.known.global_ids == self.alone[asked]
        logs = np.where(is_alone, -np.inf, self.known.logs)
        highest = self.newcomer_logs.copy()
        np.maximum.at(highest, asked, logs)
        known = each(math.exp, logs - highest[asked])
        new = each(math.exp, self.newcomer_logs - highest)
        total = np.bincount(asked, known, b) + new
        new = new / total
        return np.where(is_alone, new[asked], known / total[asked]), new

    def considered(self, known: Doubles, new: Doubles) -> list[Considered]:
        """What to keep of them, for each who is asked about; known, new: their probabilities."""
        kept = self.known.global_ids != self.alone[self.known.asked]
        columns = (self.known.global_ids, self.known.cameras, self.known.gaps_s, known)
        thoughts = Thoughts._make(column[kept] for column in columns)
        ends = _ends(self.known.asked[kept], len(self.tracklets))
        return [Considered(thoughts, *one) for one in zip(ends, ends[1:], new.tolist(), strict=False)]


def together(a: Options, b: Options) -> Options:
    """Those of both, who are asked about: first a, then b."""
    more = b.known._replace(asked=b.known.asked + len(a.tracklets))
    return Options(
        a.tracklets + b.tracklets,
        np.concatenate([a.newcomer_logs, b.newcomer_logs]),
        np.concatenate([a.alone, b.alone]),
        joined([a.known, more]),
    )


def once_each(columns: Columns) -> Columns:
    """Each identity once for each who is asked about: the best that speaks for it."""
    return columns.take(highest_of_each(columns.asked, columns.global_ids, columns.logs))


def highest_of_each(asked: Int64s, global_ids: Int64s, values: Int64s | Doubles) -> Int64s:
    """Where each identity of each who is asked about has its highest value; all (n,)."""
    order = np.lexsort((values, global_ids, asked))
    asked, global_ids = asked[order], global_ids[order]
    is_highest = np.ones(len(order), bool)
    is_highest[:-1] = (asked[1:] != asked[:-1]) | (global_ids[1:] != global_ids[:-1])
    return order[is_highest]


def ranked(columns: Columns) -> Columns:
    """By who is asked about, most probable first."""
    return columns.take(np.lexsort((columns.global_ids, -columns.logs, columns.asked)))


def _ends(asked: Int64s, b: int) -> list[int]:
    """(b + 1,) where each of b begins in asked (n,), which is ascending; the last is its length."""
    ends: list[int] = np.searchsorted(asked, np.arange(b + 1)).tolist()
    return ends


def each(function: Callable[[float], float], values: Doubles) -> Doubles:
    """(n,) log or exp of each, the same on every machine: NumPy's own differ in the last bit with what the processor
    can do."""
    return np.array(list(map(function, values.tolist())), np.float64)
