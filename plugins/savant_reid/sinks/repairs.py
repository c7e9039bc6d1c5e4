"""What was learnt too late for rows of tracks.csv that had left already, and the one rewrite that applies it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from savant_reid.whole_files import replacing

Key = tuple[str, int]
"""(camera, track_id)"""
RowKey = tuple[str, int, int]
"""(camera, frame, track_id)"""
_Step = tuple[int, int, int | None]

# Each about 15 MB when full. Repairs are the exception: with more than this the oldest ones are lost, and counted.
MAX_REPAIRS = 100_000


class Repairs:
    """Merges, splits and late names. `dropped` counts what did not fit into MAX_REPAIRS.

    Each has a number, in the order in which they were made: what was said of a name before another one was merged into
    it does not concern those of the other one.
    """

    def __init__(self) -> None:
        self.needed = False
        self.dropped = 0
        self._number = 0
        # What a name became, the number of that step, and since when.
        self._into: dict[int, _Step] = {}
        self._late: dict[Key, tuple[int, int]] = {}
        # Each track's first frame with an identity, where earlier rows took it: of those it was not said.
        self._said_from: dict[Key, int] = {}
        # Rows whose identity in the file is not the one that they were named by: what repairs start from.
        self._origins: dict[RowKey, tuple[int, int]] = {}
        self._split: dict[tuple[Key, int], list[_Step]] = {}
        self._sought: dict[Key, list[tuple[int, int, int]]] = {}

    def merge(self, gone: int, survivor: int, after_rows: bool) -> None:
        """after_rows: rows have been written that may carry `gone`."""
        if self.survivor(survivor) == gone:  # a circle would never end
            self._into.pop(gone, None)
            self._into.pop(survivor, None)
        if gone != survivor:
            self._into[gone] = survivor, self._next(), None
            self.needed |= after_rows
            self._bound(self._into)

    def split(self, key: Key, gone: int, new: int, since_ns: int | None = None, now_ns: int = 0) -> None:
        """Rows of the track `key` that carry `gone` belong to `new` (-1: to nobody known).

        since_ns: only rows from then on; those too that were without a name until now_ns, while one was looked for.
        """
        if gone != new:
            self._split.setdefault((key, gone), []).append((new, self._next(), since_ns))
            self.needed = True
            self._bound(self._split)
        if since_ns is not None:
            self._sought.setdefault(key, []).append((since_ns, now_ns, new))
            self._bound(self._sought)

    def name_late(self, key: Key, first_frame: int, global_id: int) -> None:
        """Rows of `key` without identity in frames before `first_frame` belong to `global_id`."""
        self._late[key] = (first_frame, global_id)
        self.needed = True
        self._bound(self._late)

    def named(self, key: Key, first_frame: int) -> None:
        """Rows of `key` before `first_frame` had no identity, and took its first one before they were written."""
        self._said_from[key] = first_frame
        if len(self._said_from) > MAX_REPAIRS:  # the oldest count as said: it matters where two claim one identity
            del self._said_from[next(iter(self._said_from))]

    def remember(self, row: RowKey, named: int, said: int) -> None:
        """A row was written under another identity than `named`; see origin."""
        self._origins[row] = named, said
        self._bound(self._origins)

    def origin(self, row: RowKey, written: int) -> tuple[int, int]:
        """(named, said) of a row that was written as `written`: said at its moment, and named before any correction.

        They differ in rows without an identity that take the track's first.
        """
        key, late = (row[0], row[2]), -1
        if written < 0:
            first_frame, name = self._late.get(key, (0, -1))
            late = name if row[1] < first_frame else -1
        was_said = row[1] >= self._said_from.get(key, 0)
        named, said = self._origins.get(row, (written, written if was_said else -1))
        return (late, said) if named < 0 else (named, said)

    def survivor(self, global_id: int) -> int:
        """The identity that `global_id` lives on in."""
        into = self._into
        while global_id in into:
            global_id = into[global_id][0]
        return global_id

    def final_id(self, camera: str, frame: int, track_id: int, global_id: int, time_ns: int) -> int:
        """The identity of a row that was written, or would be, as `global_id`."""
        key = (camera, track_id)
        if global_id < 0:
            first_frame, name = self._late.get(key, (0, -1))
            global_id = name if frame < first_frame else self._while_sought(key, time_ns)
        number = 0
        while True:
            steps = list(self._split.get((key, global_id), ()))
            if global_id in self._into:
                steps.append(self._into[global_id])
            # Each is later than the one before: a circle, as of a track that is given back, ends.
            later = [s for s in steps if s[1] > number and (s[2] is None or time_ns >= s[2])]
            if not later:
                return global_id
            global_id, number, _ = min(later, key=lambda step: step[1])

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _while_sought(self, key: Key, time_ns: int) -> int:
        """Who a track without a name was, between a swap of persons and the word on who came after; -1 if none."""
        for since_ns, until_ns, new in self._sought.get(key, ()):
            if since_ns <= time_ns <= until_ns:
                return new
        return -1

    def _bound(self, known: dict) -> None:  # type: ignore[type-arg]
        if len(known) > MAX_REPAIRS:
            del known[next(iter(known))]
            self.dropped += 1


def rewrite_tracks(path: Path, repairs: Repairs) -> None:
    """Streams the file through `repairs` into a new one that then takes its place; the old one stays until then."""
    with (
        replacing(path, "the last repairs could not be written") as temporary,
        open(path, newline="", encoding="utf-8") as old,
        open(temporary, "w", newline="", encoding="utf-8") as new,
    ):
        rows = csv.reader(old)
        writer = csv.writer(new, lineterminator="\n")
        writer.writerow(next(rows))
        for _, frame in groupby(rows, key=lambda row: (row[0], row[1])):
            together = list(frame)
            for row, global_id in zip(together, _repaired(together, repairs), strict=True):
                row[3] = str(global_id)
                writer.writerow(row)


def _repaired(rows: Sequence[Sequence[str]], repairs: Repairs) -> list[int]:
    """The identities of one frame's rows of the file."""
    origins = [repairs.origin((row[0], int(row[1]), int(row[2])), int(row[3])) for row in rows]
    final = [
        repairs.final_id(row[0], int(row[1]), int(row[2]), named, int(row[9]))
        for row, (named, _) in zip(rows, origins, strict=True)
    ]
    return without_shared(final, [said for _, said in origins], [named for named, _ in origins])


def without_shared(final: Sequence[int], said: Sequence[int], named: Sequence[int] | None = None) -> list[int]:
    """The identities of one frame's rows, none of them twice; -1 for those who must give way.

    final: what repairs made of them. said: what was said live; a row whose identity was not repaired keeps it. named:
    with the first identity of tracks that had none yet; such a row is the next to keep it.
    """
    keeper: dict[int, int] = {}
    claims: dict[int, int] = {}
    for index, global_id in enumerate(final):
        claim = 2 if said[index] == global_id else int(named is not None and named[index] == global_id)
        if global_id not in keeper or claim > claims[global_id] or claim == 2:
            keeper[global_id], claims[global_id] = index, claim
    return [global_id if keeper[global_id] == index else -1 for index, global_id in enumerate(final)]


def csv_field(text: str) -> str:
    """`text` as one CSV field, quoted where it must be."""
    if any(sign in text for sign in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
