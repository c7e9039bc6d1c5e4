"""identities.jsonl read as histories: what became of an identity, and who it is now."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from savant_reid.identity.types import EventKind, State
from savant_reid.sinks.lines import read_json_lines

Event = dict[str, Any]
_WANTED = {"kind": str, "time_ns": int, "global_id": int}


class History:
    """Events by identity. An identity that was merged resolves to the one that it lives on in, whatever came later."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self._into: dict[int, int] = {}
        self._of: defaultdict[int, list[int]] = defaultdict(list)
        for place, event in enumerate(events):
            gone, other = event["global_id"], event.get("other_id")
            self._of[gone].append(place)
            if not isinstance(other, int):
                continue
            self._of[other].append(place)
            if event["kind"] == EventKind.MERGED.value:
                self._merge(gone, other)

    def _merge(self, gone: int, survivor: int) -> None:
        """As sinks.repairs does for tracks.csv: of a circle, the last word counts."""
        if self.present(survivor) == gone:
            self._into.pop(gone, None)
            self._into.pop(survivor, None)
        if gone != survivor:
            self._into[gone] = survivor

    def present(self, global_id: int) -> int:
        """The identity that `global_id` lives on in; itself where it was never merged."""
        while global_id in self._into:
            global_id = self._into[global_id]
        return global_id

    def known(self, global_id: int) -> bool:
        """Whether any event speaks of it."""
        return global_id in self._of

    def older_ids(self, global_id: int) -> list[int]:
        """The identities that live on in this one."""
        return sorted(gone for gone in self._into if self.present(gone) == global_id)

    def of(self, global_id: int) -> list[Event]:
        """What happened to an identity and to those merged into it, in the order in which it happened."""
        places = {place for one in (global_id, *self.older_ids(global_id)) for place in self._of[one]}
        return [self.events[place] for place in sorted(places)]

    def state(self, global_id: int) -> str:
        """provisional, confirmed, or how it ended: expired or erased."""
        state = State.PROVISIONAL.value
        for event in self.of(global_id):
            kind = event["kind"]
            if kind in (EventKind.CONFIRMED.value, EventKind.ENROLLED.value):
                state = State.CONFIRMED.value
            elif kind in (EventKind.EXPIRED.value, EventKind.ERASED.value) and event["global_id"] == global_id:
                state = kind
        return state

    def newest_id(self) -> int:
        """The largest identity that any event speaks of; 0 where none does."""
        return max(self._of, default=0)


def read_history(path: Path) -> History:
    """Lines that are not whole, or are no events, are passed over; a missing file is an empty history."""
    if not path.is_file():
        return History([])
    return History(
        [one for one in read_json_lines(path) if all(isinstance(one.get(name), kind) for name, kind in _WANTED.items())]
    )
