"""What became of identities that were merged away: an old id leads to its present one."""

from __future__ import annotations

# Merges remembered; the oldest go first. 100,000 take about 10 MB.
MOST_ALIASES = 100_000


class Aliases:
    """Old ids to those they were merged into, at most `most` of them.

    A chain of merges never breaks in the middle: its links are in the order of time, and the oldest is forgotten first.
    """

    def __init__(self, most: int = MOST_ALIASES) -> None:
        self._most = most
        self._into: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._into)

    def merged(self, old: int, new: int) -> None:
        """`old` lives on as `new`."""
        if old == new:
            return
        self._into.pop(new, None)  # it lives: whatever it was before is over
        self._into.pop(old, None)
        self._into[old] = new
        while len(self._into) > self._most:
            del self._into[next(iter(self._into))]

    def present(self, global_id: int) -> int:
        """What an id is called now; itself if it was never merged away, or so long ago that it is forgotten."""
        chain = []
        while (into := self._into.get(global_id)) is not None:
            chain.append(global_id)
            global_id = into
        for one in chain[:-1]:
            self._into[one] = global_id  # keeps its place in the order
        return global_id
