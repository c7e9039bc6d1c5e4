"""Who carries which identity right now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import combinations

from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet


class Holders:
    """Live tracklets by identity; lost ones count as holders until their tracks end."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._of: dict[int, list[Tracklet]] = {}
        self._several: dict[int, list[Tracklet]] = {}  # those of them with more than one holder

    def give(self, tracklet: Tracklet, global_id: int) -> None:
        """The tracklet's identity is this one from now on; 0 for none."""
        self.drop(tracklet)
        tracklet.global_id = global_id
        if global_id:
            holders = self._of.setdefault(global_id, [])
            holders.append(tracklet)
            if len(holders) > 1:
                self._several[global_id] = holders

    def drop(self, tracklet: Tracklet) -> None:
        """It is no longer live, or has no identity any more; its own word for that stays."""
        mine = self._of.get(tracklet.global_id)
        if mine is not None and tracklet in mine:
            mine.remove(tracklet)
            if len(mine) == 1:
                del self._several[tracklet.global_id]
            if not mine:
                del self._of[tracklet.global_id]

    def __contains__(self, global_id: int) -> bool:
        """True if somebody carries this identity."""
        return global_id in self._of

    def of(self, global_id: int) -> list[Tracklet]:
        return list(self._of.get(global_id, ()))

    def cameras_of(self, global_ids: Iterable[int], but: Collection[Tracklet]) -> dict[int, list[int]]:
        """Where those of these identities are that somebody on screen carries, by identity; `but` for some people."""
        found: dict[int, list[int]] = {}
        for global_id in global_ids:
            for holder in self._of.get(global_id, ()):
                if not holder.lost and holder not in but:
                    found.setdefault(global_id, []).append(holder.camera)
        return found

    def rivals(self, tracklet: Tracklet, global_id: int) -> list[Tracklet]:
        """Others on screen that carry an identity which can't be in both places."""
        holders = self._of.get(global_id)
        if holders is None:
            return []
        return [
            other
            for other in holders
            if other is not tracklet and not other.lost and not self._topology.can_share(other.camera, tracklet.camera)
        ]

    def held(self) -> set[int]:
        """All identities that somebody carries."""
        return set(self._of)

    def crowded(self) -> Iterator[list[Tracklet]]:
        """The visible holders of identities that are in two places which share no view."""
        for holders in self._several.values():
            seen = [t for t in holders if not t.lost]
            pairs = combinations(seen, 2)
            if len(seen) > 1 and any(not self._topology.can_share(a.camera, b.camera) for a, b in pairs):
                yield seen
