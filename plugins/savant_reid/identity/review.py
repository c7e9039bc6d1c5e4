"""Identities that have changed are looked at once more, a while later: are two of them one person?

What was said too early stays unless somebody asks again. Whoever left a view since the last review is asked about in
the next one, with all that has been learned until then; so many at most, the longest waiting first.
"""

from __future__ import annotations

from collections.abc import Sequence

from savant_reid.identity.site_clock import SiteClock
from savant_reid.identity.tracklet import Tracklet

EVERY_NS = 5_000_000_000
MOST_REVIEWED = 32
MOST_WAITING = 1024


class Review:
    """Whose turn it is; decides nothing."""

    def __init__(self, clock: SiteClock) -> None:
        self._clock = clock
        self._waiting: dict[int, None] = {}
        self._last_ns = 0

    def note(self, tracklets: Sequence[Tracklet]) -> None:
        """These were lost."""
        for tracklet in tracklets:
            if tracklet.global_id and len(self._waiting) < MOST_WAITING:
                self._waiting.setdefault(tracklet.global_id)

    def due(self) -> list[int]:
        """Identities to look at again now; none between two reviews."""
        now_ns = self._clock.now_ns
        if not self._waiting or now_ns - self._last_ns < EVERY_NS:
            return []
        self._last_ns = now_ns
        due = list(self._waiting)[:MOST_REVIEWED]
        for global_id in due:
            del self._waiting[global_id]
        return due
