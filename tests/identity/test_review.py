"""Whose turn it is to be looked at once more."""

from __future__ import annotations

import numpy as np

from savant_reid.identity.review import EVERY_NS, MOST_REVIEWED, MOST_WAITING, Review
from savant_reid.identity.site_clock import SiteClock
from savant_reid.identity.tracklet import Tracklet


def lost(*global_ids: int) -> list[Tracklet]:
    return [Tracklet(i, -1, 0, i, -1, 0, np.zeros(4, np.float32), global_id=i) for i in global_ids]


def at(clock: SiteClock, time_ns: int) -> None:
    clock.read([(0, time_ns)])


def test_who_has_left_is_due_once_and_not_between_two_reviews():
    clock = SiteClock()
    review = Review(clock)
    at(clock, EVERY_NS)
    review.note(lost(3, 0, 2, 3))
    assert review.due() == [3, 2]
    review.note(lost(5))
    at(clock, 2 * EVERY_NS - 1)
    assert review.due() == []
    at(clock, 2 * EVERY_NS)
    assert review.due() == [5]
    assert review.due() == []


def test_so_many_at_once_and_so_many_waiting():
    clock = SiteClock()
    review = Review(clock)
    review.note(lost(*range(1, MOST_WAITING + 100)))
    seen = []
    for step in range(1, MOST_WAITING // MOST_REVIEWED + 3):
        at(clock, step * EVERY_NS)
        due = review.due()
        assert len(due) <= MOST_REVIEWED
        seen += due
    assert seen == list(range(1, MOST_WAITING + 1))
