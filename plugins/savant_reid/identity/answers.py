"""What a verdict does: identities are founded, joined, left and merged, in the open (every change is an event)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from savant_reid.identity.by_hand import Hands
from savant_reid.identity.constraints import BY_HAND
from savant_reid.identity.decider import Verdict
from savant_reid.identity.enrolment import Entry
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.holders import Holders
from savant_reid.identity.keeper import Keeper
from savant_reid.identity.ledger import Ledger
from savant_reid.identity.live import LiveTracks
from savant_reid.identity.look_back import move_visit
from savant_reid.identity.policy import Tuning
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.types import EventKind, Reason
from savant_reid.identity.visits import Visit


class Answers:
    """Gives tracklets their identities.

    turned_away: times that a newcomer found the gallery full of people on screen.
    """

    def __init__(
        self,
        gallery: Gallery,
        holders: Holders,
        keeper: Keeper,
        ledger: Ledger,
        tuning: Tuning,
        first_id: int,
        entry: Entry,
        hands: Hands,
        live: LiveTracks,
    ) -> None:
        self._gallery, self._holders, self._keeper, self._ledger, self._live = gallery, holders, keeper, ledger, live
        self._tuning, self._entry, self._hands = tuning, entry, hands
        self._next_id = first_id
        self.turned_away = 0

    def apply(self, verdicts: Sequence[Verdict], now_ns: int) -> None:
        """Bring one round of verdicts into force: who leaves an identity goes before who takes it."""
        named = {verdict.answer.global_id for verdict in verdicts if verdict.answer}
        for verdict in sorted(verdicts, key=lambda v: v.answer is not None):
            self._apply(verdict, named, now_ns)

    def _apply(self, verdict: Verdict, named: Collection[int], now_ns: int) -> None:
        """named: the identities that this round of verdicts gives to somebody."""
        tracklet, answer = verdict.tracklet, verdict.answer
        self._live.change(tracklet)
        if answer is not None and self._gallery.row_of(answer.global_id) is None:
            tracklet.asked_crops = -1
            return  # merged away by a verdict before this one: it asks again
        tracklet.asked_ns, tracklet.asked_crops = now_ns, tracklet.crops
        tracklet.probability, tracklet.runner_up = verdict.probability, verdict.runner_up
        tracklet.considered = verdict.considered
        clear = verdict.probability >= self._tuning.confident
        tracklet.ambiguous = not clear
        old = tracklet.global_id
        if answer is not None and answer.global_id == old:
            return
        if not old and not self._may_answer(tracklet, answer is None, clear):
            return  # evidence before decision: a moment later it may be clear
        if answer is None:
            new = 0 if self._entry.closed else self._found(tracklet, named)
            self._move(tracklet, new, verdict)
            tracklet.founder, tracklet.arrival = new != 0, None
            tracklet.arrival_log = verdict.newcomer_log
        else:
            self._move(tracklet, answer.global_id, verdict)
            tracklet.founder, tracklet.arrival = False, answer.arrival
            tracklet.arrival_log = answer.arrival_log

    def _may_answer(self, tracklet: Tracklet, newcomer: bool, clear: bool) -> bool:
        waited = tracklet.asked_ns - tracklet.first_ns >= self._tuning.decide_after_s * 1e9
        if newcomer:
            return tracklet.crops > 0 and (waited or (clear and tracklet.crops >= self._tuning.min_crops))
        return clear or (tracklet.crops > 0 and (waited or tracklet.crops >= self._tuning.min_crops))

    def _found(self, tracklet: Tracklet, named: Collection[int]) -> int:
        """A new identity for a tracklet; 0 if there is no room for one."""
        if not self._keeper.make_room(spare=named):
            self.turned_away += 1
            return 0
        global_id = self._next_id
        self._next_id += 1
        self._gallery.create(global_id, tracklet.camera, tracklet.first_ns)
        self._ledger.note(EventKind.CREATED, global_id, tracklet, evidence={"probability": tracklet.probability})
        return global_id

    def _move(self, tracklet: Tracklet, new: int, verdict: Verdict) -> None:
        """Second thoughts are events: what was said before is taken back in the open."""
        old = tracklet.global_id
        founder = tracklet.founder
        self._holders.give(tracklet, new)
        full = Reason.NOT_ENROLLED if self._entry.closed else Reason.GALLERY_FULL
        tracklet.unmatched = Reason.TOO_LITTLE_EVIDENCE if new else full
        if new:
            self.tell_of_swap(tracklet)
        row = self._gallery.row_of(old) if old else None
        if row is None:
            return
        evidence = {"probability": verdict.probability}
        if verdict.answer is not None:
            evidence["nats"] = verdict.answer.nats
        alone = founder and not self._holders.of(old) and not self._hands.apart(old, new)
        if alone and new and verdict.answer is not None:
            self._merge(old, new)
            self._ledger.note(EventKind.MERGED, old, tracklet, new, "later evidence: one person", evidence)
            return
        tracklet.shared_crops = 0
        self._ledger.note(EventKind.SPLIT, old, tracklet, new or None, "later evidence: another person", evidence)

    def give_by_hand(self, tracklet: Tracklet, new: int, *, is_same: bool) -> None:
        """Somebody has decided who it is. is_same: the identity that it founded, if nobody else has it, is that one
        too; else only this track was."""
        old, founder = tracklet.global_id, tracklet.founder
        self._take_back(tracklet)
        self._holders.give(tracklet, new)
        tracklet.probability, tracklet.runner_up, tracklet.ambiguous, tracklet.considered = 1.0, None, False, None
        tracklet.founder, tracklet.arrival, tracklet.by_hand, tracklet.shared_crops = False, None, True, 0
        if old and old != new and self._gallery.row_of(old) is not None:
            whole = is_same and founder and not self._holders.of(old) and old not in self._entry.names
            if whole:
                self._merge(old, new)
            kind = EventKind.MERGED if whole else EventKind.SPLIT
            self._ledger.note(kind, old, tracklet, new, BY_HAND, {"probability": 1.0})
        self._speak_anew(tracklet)

    def leave_by_hand(self, tracklet: Tracklet) -> None:
        """It is not who it was said to be, and nobody has said who it is."""
        old = tracklet.global_id
        self._take_back(tracklet)
        self._holders.give(tracklet, 0)
        tracklet.founder, tracklet.by_hand, tracklet.asked_crops, tracklet.shared_crops = False, False, -1, 0
        if self._gallery.row_of(old) is not None:
            self._ledger.note(EventKind.SPLIT, old, tracklet, None, BY_HAND)
        self._speak_anew(tracklet)

    def _take_back(self, tracklet: Tracklet) -> None:
        """What it has said of itself is no part of its identity any more."""
        row = self._gallery.row_of(tracklet.global_id) if tracklet.global_id else None
        if row is not None:
            self._gallery.drop(row, tracklet.serial)
            self._gallery.forget_visit(row, tracklet.serial)
            self._gallery.show(row)

    def _speak_anew(self, tracklet: Tracklet) -> None:
        self._live.change(tracklet)
        if tracklet.lost:
            self.lose(tracklet)

    def found_by_hand(self, tracklet: Tracklet) -> int:
        """A new identity for a tracklet that carries another; 0 if there is no room for one."""
        return self._found(tracklet, ())

    def tell_of_swap(self, tracklet: Tracklet) -> None:
        """A part of the track was said to be somebody else; now it is known who it was."""
        before, tracklet.cut_from = tracklet.cut_from, 0
        if before and before != tracklet.global_id:
            reason = "the track went on with another person"
            now = tracklet.global_id
            self._ledger.note(EventKind.SPLIT, before, tracklet, now, reason, since_ns=tracklet.cut_ns)

    def merge(self, old: int, new: int, tracklet: Tracklet | None, reason: str, evidence: dict[str, float]) -> None:
        """Two identities were one person all the time: everything of `old` is that of `new` from now on."""
        for holder in self._holders.of(old):
            self._holders.give(holder, new)
            holder.founder = False
            self._live.change(holder)
        self._merge(old, new)
        self._ledger.note(EventKind.MERGED, old, tracklet, new, reason, evidence)

    def move(self, visit: Visit, old: int, new: int, evidence: dict[str, float]) -> None:
        """A visit that has ended was not one of `old`, but of `new`."""
        source, target = self._gallery.row_of(old), self._gallery.row_of(new)
        if source is not None and target is not None:
            went_over = move_visit(self._gallery, source, target, visit)
            since_ns = visit.first_ns if went_over else None
            self._ledger.note(EventKind.SPLIT, old, visit, new, "looked back: another person", evidence, since_ns)

    def _merge(self, old: int, new: int) -> None:
        gallery = self._gallery
        source, target = gallery.row_of(old), gallery.row_of(new)
        if source is None or target is None:
            return
        gallery.take_from(target, source)
        gallery.remove(source)
        moved = gallery.row_of(new)
        if moved is not None:
            gallery.show(moved)

    def share_crops(self, tracklets: Iterable[Tracklet]) -> None:
        """Their crops count for their identities until these are confirmed, which enough of them do."""
        gallery = self._gallery
        for tracklet in tracklets:
            row = gallery.row_of(tracklet.global_id)
            if row is None or gallery.confirmed[row] or tracklet.shared_crops == tracklet.crops:
                continue
            gallery.crops_seen[row] += tracklet.crops - tracklet.shared_crops
            tracklet.shared_crops = tracklet.crops
            if gallery.crops_seen[row] >= self._tuning.confirm_crops:
                gallery.confirmed[row] = True
                self._ledger.note(EventKind.CONFIRMED, tracklet.global_id, tracklet)
                for holder in self._holders.of(tracklet.global_id):
                    self._live.change(holder)

    def lose(self, tracklet: Tracklet) -> None:
        """It is out of view: its look goes to the gallery, where others may claim its identity."""
        row = self._gallery.row_of(tracklet.global_id) if tracklet.global_id else None
        if row is None:
            return
        gallery = self._gallery
        if tracklet.mean is not None:
            gallery.put(row, tracklet.serial, tracklet.camera, tracklet.mean, tracklet.crops * tracklet.probability)
        if tracklet.last_ns >= gallery.last_seen_ns[row]:
            gallery.last_seen_ns[row], gallery.last_camera[row] = tracklet.last_ns, tracklet.camera
        gallery.note_visit(
            row, tracklet.serial, tracklet.camera, tracklet.first_ns, tracklet.last_ns, tracklet.track_id
        )
        gallery.show(row)

    def regain(self, tracklet: Tracklet) -> None:
        """It is back in view: it speaks for itself again."""
        row = self._gallery.row_of(tracklet.global_id) if tracklet.global_id else None
        if row is not None:
            self._gallery.drop(row, tracklet.serial)
            self._gallery.show(row)
