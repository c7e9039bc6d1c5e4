"""What an identity that was said of a track means after merges and splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

Key = tuple[str, str, int]
"""(run, camera, track_id)"""

EARLIEST_NS, LATEST_NS = -(2**63), 2**63 - 1
NOBODY = -1


class Event(NamedTuple):
    """A merge, or a split of the track in question."""

    kind: str
    time_ns: int
    global_id: int
    other_id: int | None
    since_ns: int | None


class Meaning(NamedTuple):
    """In sightings from `from_ns` on, before `until_ns`: this identity. named_id: the one before any correction."""

    from_ns: int
    until_ns: int
    named_id: int
    global_id: int


def first_meanings(said: int, first: Iterable[tuple[int, int]]) -> list[Meaning]:
    """Without corrections. first: when the track got its first identity, and which, as told by sightings and by events.

    An event's time may be that of another camera, a moment earlier: where both tell the same, the later one counts.
    """
    told = sorted(first)
    if said != NOBODY or not told:
        return [Meaning(EARLIEST_NS, LATEST_NS, said, said)]
    first_ns, first_id = max(one for one in told if one[1] == told[0][1])
    return [Meaning(EARLIEST_NS, first_ns, first_id, first_id), Meaning(first_ns, LATEST_NS, NOBODY, NOBODY)]


def corrected(meanings: Iterable[Meaning], said: int, events: Iterable[Event]) -> list[Meaning]:
    """events: in their order."""
    found = list(meanings)
    for event in events:
        new = NOBODY if event.other_id is None else event.other_id
        since_ns = EARLIEST_NS if event.since_ns is None else event.since_ns
        found = [part for meaning in found for part in _changed(meaning, event.global_id, new, since_ns, LATEST_NS)]
        if event.since_ns is not None and said == NOBODY:
            # While the tracker had gone over to somebody else, and the word on who it is was not out.
            until_ns = event.time_ns + 1
            found = [part for meaning in found for part in _changed(meaning, NOBODY, new, since_ns, until_ns)]
    return found


def _changed(meaning: Meaning, gone: int, new: int, from_ns: int, until_ns: int) -> Iterator[Meaning]:
    """The meaning, with `new` for `gone` from `from_ns` on and before `until_ns`."""
    middle = max(meaning.from_ns, from_ns), min(meaning.until_ns, until_ns)
    if meaning.global_id != gone or middle[0] >= middle[1]:
        yield meaning
        return
    if meaning.from_ns < middle[0]:
        yield meaning._replace(until_ns=middle[0])
    yield Meaning(*middle, meaning.named_id, new)
    if middle[1] < meaning.until_ns:
        yield meaning._replace(from_ns=middle[1])
