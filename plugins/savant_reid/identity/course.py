"""The course of a tracklet: seen, lost, back, gone, over to somebody else; and what each step does elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from savant_reid.identity.answers import Answers
from savant_reid.identity.crops import Crops
from savant_reid.identity.holders import Holders
from savant_reid.identity.intake import Intake
from savant_reid.identity.lessons import Lessons
from savant_reid.identity.live import LiveTracks, Seen
from savant_reid.identity.policy import Tuning
from savant_reid.identity.swaps import Cut, Swap
from savant_reid.identity.tracklet import Floats, Tracklet

OnEnd = Callable[[Tracklet, Floats], None]


class Listeners(NamedTuple):
    """Who is told of a tracklet's course, once there are embeddings."""

    crops: Crops
    intake: Intake
    lessons: Lessons
    answers: Answers


class Course:
    """cuts: times that a track had swapped persons. on_end: told of each tracklet that ends, with its crops."""

    def __init__(self, live: LiveTracks, holders: Holders, tuning: Tuning, on_end: OnEnd | None) -> None:
        self._live, self._holders, self._tuning, self._on_end = live, holders, tuning, on_end
        self._listeners: Listeners | None = None
        self._lost: list[Tracklet] = []
        self.cuts = 0

    def tell(self, listeners: Listeners) -> None:
        """From now on."""
        self._listeners = listeners

    def welcome_back(self, seen: Seen) -> None:
        """Who was lost and is seen again."""
        live = self._live
        slots = seen.slots[seen.slots >= 0]
        for slot in slots[live.lost[slots]].tolist():
            tracklet = live.tracklets[slot]
            if tracklet is not None:
                live.find(tracklet)
                if self._listeners is not None:
                    self._listeners.answers.regain(tracklet)

    def part(self, seen: Seen) -> None:
        """Who is lost, and who is gone."""
        live = self._live
        slots = live.used_slots()
        unseen_s = live.unseen_s(slots)
        # Whoever is missing where somebody appears may be who appears.
        beginning = np.zeros(live.cameras, bool)
        beginning[[tracklet.camera for tracklet in seen.new]] = True
        missing = (unseen_s > self._tuning.visible_s) | (beginning[live.camera[slots]] & (unseen_s > 0.0))
        for slot in slots[missing & ~live.lost[slots]].tolist():
            tracklet = live.tracklets[slot]
            if tracklet is not None:
                self._lose(tracklet)
        for slot in slots[unseen_s > self._tuning.patience_s].tolist():
            tracklet = live.tracklets[slot]
            if tracklet is not None:
                live.end(tracklet)
                self._close(tracklet)

    def take_lost(self) -> list[Tracklet]:
        """Those lost since the last call."""
        lost, self._lost = self._lost, []
        return lost

    def exchange(self, swap: Swap) -> None:
        """Each of two people goes on on the other's track."""
        a, b = swap.a, swap.b
        if self._listeners is None or a.slot < 0 or b.slot < 0 or (a.lost and b.lost) or a.by_hand or b.by_hand:
            return
        crops, intake, _, answers = self._listeners
        self.cuts += 1
        self._live.exchange(a, b)
        crops.exchange_later(a.row, b.row, swap.since_ns)
        intake.look_again([t for t in (a, b) if crops.count[t.row]])
        if a.lost != b.lost:
            found, lost = (a, b) if a.lost else (b, a)
            self._live.find(found)
            answers.regain(found)
            self._lose(lost)
        for tracklet, said in ((a, b.global_id), (b, a.global_id)):
            tracklet.cut_from, tracklet.cut_ns = said, swap.since_ns
            tracklet.asked_crops, tracklet.strangers = -1, 0
            if tracklet.global_id:
                answers.tell_of_swap(tracklet)

    def cut(self, cut: Cut) -> None:
        """The track goes on with somebody else: a new tracklet in its place; the old one is over."""
        old = cut.tracklet
        if self._listeners is None or old.slot < 0 or old.by_hand:
            return
        crops, intake, _, _ = self._listeners
        self.cuts += 1
        self._live.lose(old)
        new = self._live.replace(old)
        old.last_ns = new.first_ns = cut.since_ns
        new.row = crops.take_row()
        crops.move_later(old.row, new.row, cut.since_ns)
        new.crops = int(crops.count[new.row])
        old.crops = max(1, old.crops - new.crops)
        intake.look_again([old, new])
        new.cut_from, new.cut_ns = old.global_id, cut.since_ns
        self._finish(old)

    def renew(self, old: Tracklet) -> Tracklet:
        """The track goes on as a new tracklet that knows nothing of the old one, which is over."""
        self._live.lose(old)
        new = self._live.replace(old)
        self._live.hungry_ns[new.slot] = 0
        self._finish(old)
        return new

    def _lose(self, tracklet: Tracklet) -> None:
        self._live.lose(tracklet)
        if self._listeners is not None:
            self._listeners.lessons.of(tracklet)
            self._listeners.answers.lose(tracklet)
            self._lost.append(tracklet)

    def _finish(self, old: Tracklet) -> None:
        """Its track goes on without it: what it was like is learned from and kept, and it is over."""
        if self._listeners is not None:
            self._listeners.lessons.of(old)
            self._listeners.answers.lose(old)
        self._close(old)

    def _close(self, tracklet: Tracklet) -> None:
        self._holders.drop(tracklet)
        if self._listeners is None:
            return
        self._listeners.lessons.departed(tracklet)
        if tracklet.row >= 0:
            crops = self._listeners.crops
            if self._on_end is not None:
                self._on_end(tracklet, crops.vectors[tracklet.row, : crops.count[tracklet.row]])
            crops.give_back(tracklet.row)
            tracklet.row = -1
