"""One person detected twice is one identity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from savant_reid.identity.crossings import close_together
from savant_reid.identity.live import LiveTracks
from savant_reid.identity.metric import Metric
from savant_reid.identity.overlaps import find_overlaps
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.site_clock import SiteClock
from savant_reid.identity.twins import AFTERWARDS_NS, Twins
from tests.identity.scenes import sightings, visits

S = 1_000_000_000
D = 8


class Door:
    """One camera, fed with left edges by track id; boxes are 60 x 180."""

    def __init__(self) -> None:
        self.clock = SiteClock()
        self.live = LiveTracks(1, self.clock)
        self.twins = Twins(self.live)
        self.metric = Metric(1, D)
        self.scores = ScoreModel(self.metric)

    def see(self, at_ns: int, **lefts: float) -> None:
        seen = sightings("door", at_ns, visits(*[(0, "door", 0, 9)] * len(lefts)), None)
        boxes = np.array([[left, 60, 60, 180] for left in lefts.values()], np.float32)
        batch = [replace(seen, boxes=boxes, track_ids=np.array([ord(name) for name in lefts], np.int64))]
        rows = self.live.observe(batch, [0], self.clock.read([(0, at_ns)]))
        self.twins.observe(close_together(self.live, rows, find_overlaps(rows.boxes, rows.frame_of)))

    def track(self, name: str, person: int, global_id: int = 0):
        tracklet = next(t for t in self.live if t.track_id == ord(name))
        tracklet.mean, tracklet.global_id = np.eye(D, dtype=np.float32)[person], global_id
        return tracklet

    def hides(self, tracklet) -> bool:
        return tracklet in self.twins.hidden([tracklet], self.metric, self.scores)


def test_who_lies_over_somebody_and_looks_like_them_waits():
    door = Door()
    door.see(0, a=100, b=110)
    door.track("a", 0, global_id=7)
    b = door.track("b", 0)
    assert door.hides(b)
    door.see(S // 2, a=100, b=300)  # a moment later it still counts
    assert door.hides(b)
    door.see(AFTERWARDS_NS + 1, a=100, b=300)
    assert not door.hides(b)


def test_who_looks_otherwise_or_stands_apart_or_has_a_name_does_not_wait():
    door = Door()
    door.see(0, a=100, b=110, c=400)
    door.track("a", 0, global_id=7)
    assert not door.hides(door.track("b", 1))
    assert not door.hides(door.track("c", 0))
    assert not door.hides(door.track("b", 0, global_id=8))


def test_of_two_without_a_name_the_later_one_waits():
    door = Door()
    door.see(0, a=100, b=110)
    a, b = door.track("a", 0), door.track("b", 0)
    assert (door.hides(a), door.hides(b)) == (False, True)


def test_nothing_is_kept_of_who_has_parted_or_been_named():
    door = Door()
    door.see(0, a=100, b=110)
    door.track("a", 0, global_id=1)
    door.twins.sweep()
    assert len(door.twins._beside) == 1
    door.see(2 * S, a=100, b=300)
    door.twins.sweep()
    assert not door.twins._beside
