"""FPIR and FNIR: how often newcomers are taken for somebody known, and known people are not recognised.

A track speaks for the person whom most of its rows show; its answer is what was said in the last row that shows this
person. Tracks of false detections are left out.

- FPIR: of the tracks that are the first appearance of a person, the share whose answer is an identity that was mostly
  somebody else's before this track got it.
- FNIR: of all later tracks, the share whose answer is not the identity that the person mostly had before the track
  began; a person who had none yet is missed too.

Merges count from when they were made: an id means the identity that it lives on in at that time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.answers import Answers
from savant_reid.bench.rows import NOBODY, Int64s, Rows


class Rates(NamedTuple):
    """Shares of 1, and of how many tracks."""

    fpir: float
    fnir: float
    first_tracks: int
    later_tracks: int


class _Tracks(NamedTuple):
    """(k,) int64 each, in the order of `start_ns`; answer_row: the last row that shows the person."""

    track: Int64s
    person: Int64s
    start_ns: Int64s
    answer_row: Int64s
    is_first: NDArray[np.bool_]


def rates(rows: Rows, answers: Answers, confirmed_only: bool = False) -> Rates:
    """confirmed_only: an answer that is not confirmed is taken for none."""
    tracks = _speaking_tracks(rows)
    history = _History(rows, answers)
    wrong = missed = 0
    for track, person, start_ns, row, is_first in zip(*(column.tolist() for column in tracks), strict=True):
        now_ns = int(rows.time_ns[row])
        said = int(answers.global_id[row])
        if confirmed_only and not answers.confirmed[row]:
            said = NOBODY
        said = history.living(said, now_ns)
        if is_first:
            wrong += said != NOBODY and history.owner(said, now_ns, track) not in (NOBODY, person)
        else:
            had = history.mostly(person, start_ns, now_ns)
            missed += had == NOBODY or said != had
    first = int(tracks.is_first.sum())
    later = len(tracks.track) - first
    return Rates(wrong / max(first, 1), missed / max(later, 1), first, later)


def _speaking_tracks(rows: Rows) -> _Tracks:
    real = np.flatnonzero(rows.person >= 0)
    width = max(rows.people, 1)
    keys, count = np.unique(rows.track[real] * width + rows.person[real], return_counts=True)
    order = np.lexsort((-count, keys // width))
    tracks, best = np.unique(keys[order] // width, return_index=True)
    ghosts = np.bincount(rows.track[rows.person < 0], minlength=rows.tracks)
    mostly = count[order][best] >= ghosts[tracks]
    tracks, person = tracks[mostly], (keys[order][best] % width)[mostly]
    person_of = np.full(rows.tracks, NOBODY)
    person_of[tracks] = person
    shows = np.flatnonzero((rows.person >= 0) & (rows.person == person_of[rows.track]))
    answer_row = np.zeros(rows.tracks, np.int64)
    answer_row[rows.track[shows]] = shows  # the last one stays
    start_ns = rows.time_ns[np.unique(rows.track, return_index=True)[1]][tracks]
    by_time = np.argsort(start_ns, kind="stable")
    tracks, person, start_ns = tracks[by_time], person[by_time], start_ns[by_time]
    is_first = np.zeros(len(tracks), bool)
    is_first[np.unique(person, return_index=True)[1]] = True
    return _Tracks(tracks, person, start_ns, answer_row[tracks], is_first)


class _History:
    """Who was called what, until any moment."""

    def __init__(self, rows: Rows, answers: Answers) -> None:
        self._rows, self._ids = rows, answers.global_id
        self._into = {gone: (time_ns, survivor) for time_ns, gone, survivor in answers.merges}
        self._absorbed: dict[int, list[int]] = {}
        for _, gone, survivor in answers.merges:
            self._absorbed.setdefault(survivor, []).append(gone)
        named = np.flatnonzero((rows.person >= 0) & (self._ids >= 0))
        self._by_person = named[np.argsort(rows.person[named], kind="stable")]
        self._person_at = np.searchsorted(rows.person[self._by_person], np.arange(rows.people + 1))
        self._by_id = named[np.argsort(self._ids[named], kind="stable")]
        self._sorted_ids = self._ids[self._by_id]

    def living(self, global_id: int, now_ns: int) -> int:
        """What an id has become by now."""
        seen = set()
        while global_id in self._into and global_id not in seen and self._into[global_id][0] <= now_ns:
            seen.add(global_id)
            global_id = self._into[global_id][1]
        return global_id

    def mostly(self, person: int, until_ns: int, now_ns: int) -> int:
        """The id that a person had in most rows before `until_ns`, as it is called now; -1 for none."""
        mine = self._by_person[self._person_at[person] : self._person_at[person + 1]]
        mine = mine[self._rows.time_ns[mine] < until_ns]
        if not len(mine):
            return NOBODY
        ids, count = np.unique(self._ids[mine], return_counts=True)
        total: dict[int, int] = {}
        for global_id, number in zip(ids.tolist(), count.tolist(), strict=True):
            living = self.living(global_id, now_ns)
            total[living] = total.get(living, 0) + number
        return max(total, key=lambda global_id: (total[global_id], -global_id))

    def owner(self, global_id: int, now_ns: int, track: int) -> int:
        """Who was called so in most rows before `track` was; -1 for nobody."""
        rows = self._rows
        mine = np.concatenate([self._called(one) for one in self._members(global_id, now_ns)])
        mine = mine[mine < mine[rows.track[mine] == track].min()]
        if not len(mine):
            return NOBODY
        people, count = np.unique(rows.person[mine], return_counts=True)
        return int(people[np.argmax(count)])

    def _called(self, global_id: int) -> Int64s:
        start, end = np.searchsorted(self._sorted_ids, [global_id, global_id + 1])
        return self._by_id[start:end]

    def _members(self, global_id: int, now_ns: int) -> list[int]:
        """The id and all that have been merged into it by now."""
        members, waiting = [global_id], [global_id]
        while waiting:
            for gone in self._absorbed.get(waiting.pop(), ()):
                if gone not in members and self._into[gone][0] <= now_ns:
                    members.append(gone)
                    waiting.append(gone)
        return members
