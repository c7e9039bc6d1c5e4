"""Keeps the gallery bounded: room for newcomers, retention, and the pruning of what nobody came back to."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from savant_reid.identity.gallery import Gallery
from savant_reid.identity.holders import Holders
from savant_reid.identity.ledger import Ledger
from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.types import EventKind


class Keeper:
    """Removes identities from a gallery, never one that somebody on screen carries, nor one of those enrolled."""

    def __init__(
        self,
        gallery: Gallery,
        holders: Holders,
        ledger: Ledger,
        policy: Policy,
        tuning: Tuning,
        enrolled: Collection[int] = (),
    ) -> None:
        self._gallery, self._holders, self._ledger = gallery, holders, ledger
        self._policy, self._tuning, self._enrolled = policy, tuning, enrolled
        self._swept_ns = ledger.clock.now_ns

    def make_room(self, spare: Collection[int]) -> bool:
        """True if a row is free, after removing the least worth keeping: unconfirmed first, then longest unseen.

        spare: identities that are about to be given to somebody.
        """
        gallery = self._gallery
        n = gallery.size
        if n < gallery.capacity:
            return True
        held = self._holders.held().union(spare, self._enrolled)
        for row in np.lexsort((gallery.last_seen_ns[:n], gallery.confirmed[:n])).tolist():
            global_id = int(gallery.global_ids[row])
            if global_id not in held:
                self._expire(global_id, "capacity")
                return True
        return False

    def sweep(self) -> None:
        """Forget by retention; does something every minute of stream time at most."""
        now_ns = self._ledger.clock.now_ns
        if now_ns - self._swept_ns < min(60.0, self._policy.retention_s / 4) * 1e9:
            return
        self._swept_ns = now_ns
        gallery, n = self._gallery, self._gallery.size
        age_s = (now_ns - gallery.last_seen_ns[:n]) * 1e-9
        old = age_s > self._policy.retention_s
        unsure = ~gallery.confirmed[:n] & (age_s > self._tuning.provisional_retention_s) & ~old
        ids = gallery.global_ids[:n].copy()
        held = self._holders.held().union(self._enrolled)
        for reason, mask in (("retention", old), ("never confirmed", unsure)):
            for global_id in ids[mask].tolist():
                if global_id not in held:
                    self._expire(global_id, reason)

    def _expire(self, global_id: int, reason: str) -> None:
        row = self._gallery.row_of(global_id)
        if row is not None:
            self._gallery.remove(row)
            self._ledger.note(EventKind.EXPIRED, global_id, reason=reason)
