"""Carries out what people decide: on the tracks that they named beforehand, and on identities while the engine runs."""

from __future__ import annotations

from collections.abc import Callable

from savant_reid.identity.answers import Answers
from savant_reid.identity.by_hand import Hands
from savant_reid.identity.constraints import BY_HAND
from savant_reid.identity.enrolment import Entry
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.holders import Holders
from savant_reid.identity.ledger import Ledger
from savant_reid.identity.live import LiveTracks, Seen
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.types import EventKind, Reason

# Ends a tracklet and begins a new one in its place.
Renew = Callable[[Tracklet], Tracklet]


class HandWork:
    """One step per batch (`heed`), and one per decision. renew: see Renew."""

    def __init__(
        self,
        hands: Hands,
        answers: Answers,
        gallery: Gallery,
        holders: Holders,
        live: LiveTracks,
        ledger: Ledger,
        topology: Topology,
        entry: Entry,
        renew: Renew,
    ) -> None:
        self._hands, self._answers, self._gallery, self._holders = hands, answers, gallery, holders
        self._live, self._ledger, self._topology, self._entry = live, ledger, topology, entry
        self._renew = renew

    def heed(self, seen: Seen) -> None:
        """Tracks on screen get the identities that people have said, and lose those that people have denied them."""
        tracklets = (self._live.tracklets[slot] for slot in seen.slots[seen.slots >= 0].tolist())
        for tracklet in sorted({t for t in tracklets if t is not None}, key=lambda t: t.serial):
            said = self._hands.span_at(tracklet, int(self._live.last_ns[tracklet.slot]))
            tracklet.hand_group = said[1] if said else -1
            if said is not None:
                tracklet = self._heed_span(tracklet, said[0].first_ns, said[1])
            if tracklet.by_hand:
                self._clear_for(tracklet)

    def _heed_span(self, tracklet: Tracklet, since_ns: int, group: int) -> Tracklet:
        """One tracklet of a track that people have spoken of; returns the one that is there afterwards."""
        hands, is_group = self._hands, self._hands.is_linked(group)
        known = hands.identity_of(group)
        if known and self._gallery.row_of(known) is None:
            known = 0  # forgotten since
        own = tracklet.global_id
        free = not is_group or not known or hands.may_rename(group, tracklet)
        joins = bool(own != known and not free and not self._kept_out(tracklet, known))
        if own and (own in hands.forbidden(tracklet) or joins) and since_ns > tracklet.first_ns:
            tracklet = self._renew(tracklet)  # what was seen before that moment is somebody else
            tracklet.hand_group = group
            own = 0
        if joins:
            hands.join_group(group)
            self._answers.give_by_hand(tracklet, known, is_same=not hands.apart(own, known))
        elif own and own in hands.forbidden(tracklet):
            self._answers.leave_by_hand(tracklet)
        elif own and own != known and free:
            hands.name(group, tracklet)
        elif own and own == known and hands.is_joined(group):
            tracklet.by_hand = True
        return tracklet

    def _kept_out(self, tracklet: Tracklet, global_id: int) -> bool:
        """Somebody else is there whom people have called so too: nobody is in two places at once."""
        return any(rival.by_hand for rival in self._holders.rivals(tracklet, global_id))

    def _clear_for(self, tracklet: Tracklet) -> None:
        """Who is on screen with the same identity, and whom nobody has called so, is somebody else."""
        for rival in self._holders.rivals(tracklet, tracklet.global_id):
            if not rival.by_hand or rival.serial > tracklet.serial:
                self._answers.leave_by_hand(rival)

    def merge(self, old: int, new: int) -> int:
        """The two are one person; returns the identity that lives on."""
        old, new = self._present(old), self._present(new)
        if old == new:
            return new
        if old in self._entry.names and new not in self._entry.names:
            old, new = new, old  # the name lives on
        self._entry.names.pop(old, None)
        self._hands.join(old, new)
        self._answers.merge(old, new, None, BY_HAND, {"probability": 1.0})
        for holder in self._holders.of(new):
            holder.by_hand, holder.probability, holder.ambiguous = True, 1.0, False
            self._live.change(holder)
        for holder in self._holders.of(new):
            for rival in self._holders.rivals(holder, new):
                if rival.serial > holder.serial:
                    self._answers.leave_by_hand(rival)  # side by side they cannot both be that one
        return new

    def split(self, global_id: int, camera: str, track_id: int) -> int:
        """That track is somebody else; returns the new identity, 0 where nobody can be named."""
        known = self._present(global_id)
        index = self._topology.index.get(camera)
        holders = [t for t in self._holders.of(known) if (t.camera, t.track_id) == (index, track_id)]
        if not holders:
            raise KeyError(f"expected a track of identity {global_id} that goes on, found {camera!r}: {track_id}")
        self._hands.active = True
        tracklet = holders[0]
        new = 0 if self._entry.closed else self._answers.found_by_hand(tracklet)
        if not new:
            self._answers.leave_by_hand(tracklet)
            tracklet.by_hand = True  # and is not asked about again
            tracklet.unmatched = Reason.NOT_ENROLLED if self._entry.closed else Reason.GALLERY_FULL
            return 0
        self._answers.give_by_hand(tracklet, new, is_same=False)
        self._hands.part(known, new)
        return new

    def forget(self, global_id: int) -> None:
        """Nothing of that person stays; whoever carries the identity now is a stranger."""
        known = self._present(global_id)
        for holder in self._holders.of(known):
            self._holders.give(holder, 0)
            self._renew(holder)  # without its crops
        self._entry.names.pop(known, None)
        row = self._gallery.row_of(known)
        if row is not None:
            self._gallery.remove(row)
        self._ledger.note(EventKind.ERASED, known, reason=BY_HAND)

    def _present(self, global_id: int) -> int:
        present = self._ledger.aliases.present(global_id)
        if self._gallery.row_of(present) is None:
            raise KeyError(f"expected an identity that is held, found {global_id}")
        return present
