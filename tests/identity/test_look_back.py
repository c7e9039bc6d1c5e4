"""Visits that turn out to have been somebody else's."""

from __future__ import annotations

import math

import numpy as np
import pytest

from savant_reid.identity.look_back import CLEAR_ODDS
from savant_reid.identity.policy import Tuning
from savant_reid.identity.types import EventKind
from tests.identity.engines import S, Site, unit

X, Y = (1, 0, 0, 0), (0, 1, 0, 0)


def visit(site: Site, row: int, source: int, camera: str, first_s: float, last_s: float, look, track_id: int = 5):
    """One more visit of the identity in that row."""
    index, gallery = site.topology.index[camera], site.gallery
    gallery.put(row, source, index, unit(look), 4.0)
    gallery.note_visit(row, source, index, int(first_s * S), int(last_s * S), track_id)
    gallery.last_seen_ns[row], gallery.last_camera[row] = int(last_s * S), index
    gallery.show(row)


def site_with_a_mistake(first_s: float = 20, last_s: float = 30, camera: str = "b", **how) -> Site:
    """1 looks like X and 2 like Y, but a visit in the middle that was given to 1 looks like Y."""
    site = Site(**how)
    row = site.known(1, "a", 0, 10, X)
    visit(site, row, 7, camera, first_s, last_s, Y)
    visit(site, row, 8, "a", 60, 70, X)
    row = site.known(2, "c", 0, 10, Y)
    visit(site, row, 9, "c", 62, 70, Y)
    return site


def moves(site: Site, at_s: float = 100.0):
    return list(site.engine.look_back.of([1, 2], int(at_s * S)))


def test_a_visit_that_looks_like_somebody_else_is_theirs():
    """The odds by hand: what the look says for the one and for the other, and both walks."""
    site = site_with_a_mistake()
    [move] = moves(site)
    assert (move.visit.source, move.visit.track_id, move.old, move.new) == (7, 5, 1, 2)
    scores, transits = site.engine.scores, site.core.transits
    nats = [float(scores.nats(np.array(alike), scores.bucket(4), 2)) for alike in (1.0, 0.0)]
    assert move.nats == pytest.approx(nats[0] - nats[1])
    rates = [float(transits.rates(np.array([start]), 1, np.array([10.0]))[0]) for start in (2, 0)]
    assert move.odds == pytest.approx(move.nats + math.log(rates[0]) - math.log(rates[1]))
    assert move.odds > CLEAR_ODDS


@pytest.mark.parametrize(("first_s", "last_s", "camera"), [(5, 15, "b"), (65, 68, "b"), (65, 68, "c")])
def test_not_if_they_were_somewhere_else_or_were_there_already(first_s, last_s, camera):
    assert not moves(site_with_a_mistake(first_s, last_s, camera))


def test_but_they_may_stand_before_cameras_that_overlap():
    assert moves(site_with_a_mistake(65, 68, "b", overlaps=[("b", "c")]))


def test_nor_while_the_track_may_go_on():
    site = site_with_a_mistake()
    site.holds(site.appears("b", 5, 90, None, crops=0), 1)
    assert not moves(site)


def test_of_visits_of_one_track_only_the_last_is_moved():
    """Rows are known by camera, track and time: what follows would be renamed as well."""
    site = site_with_a_mistake()
    visit(site, site.gallery.row_of(1), 10, "b", 32, 40, X)
    assert not moves(site)


def test_it_is_said_and_the_galleries_follow():
    site = site_with_a_mistake()
    site.core._base.clock.read([(0, 100 * S)])
    site.core._base.review._waiting[1] = None
    site.core._reconsider(site.engine)
    [split] = [event for event in site.core.take_events() if event.kind is EventKind.SPLIT]
    assert (split.global_id, split.other_id, split.camera, split.track_id, split.since_ns) == (1, 2, "b", 5, None)
    gallery = site.gallery
    rows = [gallery.row_of(1), gallery.row_of(2)]
    assert gallery.count[rows].tolist() == [2, 3]
    assert [sorted(set(gallery.visits[row, :, 0].tolist()) - {0}) for row in rows] == [[8, 1001], [7, 9, 1002]]
    assert gallery.centroids(np.array(rows))[1] == pytest.approx(unit(Y))
    assert gallery.last_seen_ns[rows].tolist() == [70 * S, 70 * S]
    assert not moves(site)


def test_the_later_part_of_a_track_is_told_with_its_beginning():
    site = site_with_a_mistake()
    visit(site, site.gallery.row_of(1), 11, "b", 12, 20, X)
    site.core._base.clock.read([(0, 100 * S)])
    site.core._base.review._waiting[1] = None
    site.core._reconsider(site.engine)
    [split] = [event for event in site.core.take_events() if event.kind is EventKind.SPLIT]
    assert split.since_ns == 20 * S


def test_a_first_visit_is_moved_too():
    """To somebody who was not known then: for both, it is judged as a newcomer's."""
    site = Site()
    row = site.known(1, "a", 0, 10, Y)
    visit(site, row, 8, "a", 60, 70, X)
    visit(site, row, 12, "a", 80, 85, X)
    row = site.known(2, "c", 20, 30, Y)
    [move] = moves(site)
    assert (move.visit.source, move.new, move.odds) == (1001, 2, pytest.approx(move.nats))
    site.engine.answers.move(move.visit, 1, 2, {})
    assert (site.gallery.created_ns[row], site.gallery.birth_camera[row]) == (0, 0)


def test_an_ablation_does_not_look_back():
    site = site_with_a_mistake(tuning=Tuning(second_thoughts=False))
    site.core._base.clock.read([(0, 100 * S)])
    site.core._base.review._waiting[1] = None
    site.core._reconsider(site.engine)
    assert not site.core.take_events()
