"""Two identities that were one person all the time, and two that cannot have been."""

from __future__ import annotations

import math

import numpy as np
import pytest

from savant_reid.identity.finder import HERE_RATE
from savant_reid.identity.policy import Tuning
from savant_reid.identity.second_thoughts import CLEAR_ODDS, TOGETHER_NATS, SecondThoughts
from savant_reid.identity.types import EventKind
from tests.identity.engines import S, Site

X, Y, BETWEEN = (1, 0, 0, 0), (0, 1, 0, 0), (1, 1, 0, 0)


def just_lost(site: Site, global_id: int, camera: str, at_s: float):
    """A tracklet of that identity that has just left."""
    tracklet = site.holds(site.appears(camera, 900 + global_id, at_s, None, crops=0), global_id)
    tracklet.lost = True
    site.time(at_s + 1)
    return tracklet


def about(site: Site, global_id: int, camera: str = "b", at_s: float = 40.0):
    lost = just_lost(site, global_id, camera, at_s)
    return next(iter(site.engine.second_thoughts.about([lost], int((at_s + 1) * S))), None)


def test_who_looks_the_same_and_came_after_is_the_same():
    """The odds by hand: the look, and the rate of that walk against that of a newcomer."""
    site = Site()
    site.known(1, "a", 0, 10, X)
    site.known(2, "b", 20, 30, X)
    merge = about(site, 2)
    assert (merge.old, merge.new) == (2, 1)
    assert merge.nats == pytest.approx(float(site.engine.scores.nats(np.array(1.0), 2)))
    rate = float(site.core.transits.rates(np.array([0]), 1, np.array([10.0]))[0])
    assert merge.odds == pytest.approx(merge.nats + math.log(rate) - math.log(site.core.transits.newcomer_rate(1)))
    assert merge.odds > CLEAR_ODDS


def test_the_earlier_one_lives_on_whoever_asks():
    site = Site()
    site.known(5, "a", 0, 10, X)
    site.known(3, "b", 20, 30, X)
    assert [about(site, asked).new for asked in (5, 3)] == [5, 5]


def test_who_looks_otherwise_is_somebody_else():
    site = Site()
    site.known(1, "a", 0, 10, X)
    site.known(2, "b", 20, 30, Y)
    assert about(site, 2) is None


@pytest.mark.parametrize(
    ("overlaps", "camera", "first_s", "merged"),
    [
        ((), "b", 9.8, True),  # within what clocks differ by
        ((), "b", 8.0, False),  # in two places at once
        ((("a", "b"),), "b", 8.0, True),  # but that is one place
        ((), "a", 10.0, True),  # one camera has one clock: not at once
        ((), "a", 9.8, True),  # but the moment at which a track went over to somebody else is not known so well
        ((), "a", 8.5, False),  # two people
    ],
)
def test_nobody_is_in_two_places_at_once(overlaps, camera, first_s, merged):
    site = Site(overlaps=overlaps)
    site.known(1, "a", 0, 10, X)
    site.known(2, camera, first_s, 30, X)
    assert (about(site, 2) is not None) == merged


@pytest.mark.parametrize("still_there", [False, True])
def test_who_was_born_while_the_other_stood_before_an_overlapping_camera_is_judged_by_that(still_there):
    site = Site(overlaps=[("a", "b")])
    site.known(1, "a", 0, 5 if still_there else 21, X)
    site.known(2, "b", 20, 30, X)
    if still_there:
        site.holds(site.appears("a", 7, 15, None, crops=0), 1)
    merge = about(site, 2)
    expected = math.log(HERE_RATE / site.core.transits.newcomer_rate(1))
    assert merge.odds - merge.nats == pytest.approx(expected)


def test_nor_now():
    """Both are known from visits that fit; one of them is on screen while the other one was there."""
    site = Site()
    site.known(1, "a", 0, 10, X)
    site.known(2, "b", 20, 30, X)
    site.holds(site.appears("c", 7, 25, None, crops=0), 1)
    assert about(site, 2) is None


def test_several_visits_are_looked_at():
    """The walk that led to the second one's birth began at the first one's last visit before it."""
    site = Site()
    row = site.known(1, "a", 0, 10, X)
    site.gallery.note_visit(row, 77, 2, 12 * S, 18 * S)
    site.gallery.note_visit(row, 78, 0, 50 * S, 60 * S)
    site.known(2, "b", 20, 30, X)
    merge = about(site, 2, at_s=70)
    rate = float(site.core.transits.rates(np.array([2]), 1, np.array([2.0]))[0])
    assert merge.odds - merge.nats == pytest.approx(math.log(rate / site.core.transits.newcomer_rate(1)))


def test_born_before_anybody_saw_the_other_one():
    """The earlier one has no visit that had ended by then (it was forgotten): that speaks against."""
    site = Site()
    row = site.known(1, "a", 0, 10, X)
    site.gallery.visits[row] = 0
    site.gallery.note_visit(row, 77, 0, 35 * S, 38 * S)
    site.known(2, "b", 20, 30, X)
    assert about(site, 2) is None


def test_it_is_thought_over_at_the_first_second_fourth_and_eighth_visit():
    thought_over = []
    for visits in range(1, 9):
        site = Site()
        site.known(1, "a", 0, 10, X)
        row = site.known(2, "b", 20, 21, X)
        for source in range(1, visits):
            site.gallery.put(row, 2000 + source, 1, np.array(X, np.float32), 1.0)
        if about(site, 2) is not None:
            thought_over.append(visits)
    assert thought_over == [1, 2, 4, 8]


def test_of_several_the_likeliest():
    site = Site()
    site.known(1, "a", 0, 10, (1, 0.9, 0, 0))
    site.known(2, "c", 0, 10, X)
    site.known(3, "b", 20, 30, (1, 0.1, 0, 0))
    assert about(site, 3).new == 2


def test_nobody_and_somebody_who_is_gone_are_not_thought_about():
    site = Site()
    assert not list(site.engine.second_thoughts.about([site.appears("a", 1, 1, X)], S))
    assert about(site, 99) is None


def test_a_merge_is_told_and_everybody_follows():
    """Holders on screen carry the older identity from then on, and its looks are those of both."""
    site = Site()
    site.known(1, "a", 0, 10, X)
    site.known(2, "b", 20, 30, X)
    site.gallery.crops_seen[:2] = (3, 4)
    leaving = site.holds(site.appears("c", 7, 40, X), 2)
    site.core._base.course._lose(leaving)
    site.core._reconsider(site.engine)
    [merged] = [e for e in site.core.take_events() if e.kind is EventKind.MERGED]
    assert (merged.global_id, merged.other_id) == (2, 1)
    assert merged.evidence["log_odds"] > CLEAR_ODDS
    assert leaving.global_id == 1
    assert site.gallery.row_of(2) is None
    row = site.gallery.row_of(1)
    assert site.gallery.count[row] == 3
    assert site.gallery.crops_seen[row] == 7


def test_an_ablation_thinks_once():
    site = Site(tuning=Tuning(second_thoughts=False))
    site.known(1, "a", 0, 10, X)
    site.known(2, "b", 20, 30, X)
    site.core._base.course._lose(site.holds(site.appears("c", 7, 40, X), 2))
    site.core._reconsider(site.engine)
    assert site.gallery.size == 2


def test_two_who_were_here_together_do_not_both_become_a_third():
    """Both look like 1, who was here before, and are lost in one moment: after the first merge the second is unfit."""
    site = Site()
    site.known(1, "a", 0, 10, X)
    site.known(2, "b", 20, 30, X)
    site.known(3, "b", 21, 31, X)
    for track_id, global_id in ((7, 2), (8, 3)):
        site.core._base.course._lose(site.holds(site.appears("c", track_id, 40 + global_id, X), global_id))
    site.core._reconsider(site.engine)
    assert sorted(site.gallery.global_ids[: site.gallery.size].tolist()) in ([1, 2], [1, 3])


def test_one_person_detected_twice_is_one():
    """Two tracks of one camera at once, which lay over one another nearly all the time."""
    site = Site()
    site.known(1, "a", 0, 10, X)
    site.known(2, "a", 4, 8, X)
    assert next(site.engine.second_thoughts.of([2], 40 * S), None) is None
    site.core._base.crossings._past[1001, 1002] = 8 * S, 3 * S
    merge = next(site.engine.second_thoughts.of([2], 40 * S), None)
    assert (merge.old, merge.new) == (2, 1)
    assert merge.odds == pytest.approx(
        merge.nats + math.log(HERE_RATE) - math.log(site.core.transits.newcomer_rate(0)) - TOGETHER_NATS
    )


def test_they_are_had_twice_a_second_about_all_who_were_lost_since(monkeypatch):
    site, asked = Site(), []
    monkeypatch.setattr(SecondThoughts, "about", lambda _, lost, now_ns: iter(asked.append((now_ns, len(lost))) or ()))
    site.core._base.course._lost = [site.appears("a", 1, 0.0, X)]
    for tenth in range(1, 12):
        if tenth == 7:
            site.core._base.course._lost.append(site.appears("a", 2, 0.65, X))
        site.core._base.clock.read([(0, tenth * S // 10)])
        site.core._reconsider(site.engine)
    assert asked == [(S // 2, 1), (S, 1)]
