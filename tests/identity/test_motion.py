"""Who reappears near where somebody was lost: the density by hand."""

from __future__ import annotations

import math

import pytest

from savant_reid.identity.motion import ANYWHERE, HEIGHT_STD, SPREAD_HEIGHTS, SPREAD_HEIGHTS_PER_S, reappearance_nats
from savant_reid.identity.tracklet import Tracklet

AREA = 640.0 * 360.0
S = 1_000_000_000
BOX = (100.0, 50.0, 40.0, 100.0)


def lost(box=BOX, velocity=(0.0, 0.0)) -> Tracklet:
    tracklet = Tracklet(1, 0, 0, 1, -1, 0, box)
    tracklet.last_ns, tracklet.last_box, tracklet.velocity = 10 * S, box, velocity
    return tracklet


def found(box=BOX, after_s: float = 0.0) -> Tracklet:
    return Tracklet(2, 1, 0, 2, -1, 10 * S + int(after_s * S), box)


def expected(off_px: float, gap_s: float, stretch: float = 1.0) -> float:
    std = 100.0 * (SPREAD_HEIGHTS + SPREAD_HEIGHTS_PER_S * gap_s)
    height = math.log(stretch) / (HEIGHT_STD * (1 + gap_s))
    density = math.exp(-0.5 * ((off_px / std) ** 2 + 0.5 * height**2)) / (2 * math.pi * std**2)
    return math.log(ANYWHERE + (1 - ANYWHERE) * AREA * density)


def test_at_once_and_in_place():
    assert reappearance_nats(lost(), found(), AREA) == pytest.approx(expected(0, 0))
    assert math.exp(reappearance_nats(lost(), found(), AREA)) == pytest.approx(0.15 + 0.85 * AREA / (2 * math.pi * 625))


def test_a_step_aside_after_a_moment():
    moved = found((160.0, 50.0, 40.0, 100.0), after_s=0.5)
    assert reappearance_nats(lost(), moved, AREA) == pytest.approx(expected(60, 0.5))


def test_somewhere_else_altogether_is_as_likely_as_anywhere():
    away = found((600.0, 250.0, 40.0, 100.0), after_s=0.1)
    assert reappearance_nats(lost(), away, AREA) == pytest.approx(math.log(ANYWHERE), abs=1e-6)


@pytest.mark.parametrize(("gap_s", "ahead_px"), [(0.5, 50.0), (1.0, 100.0), (3.0, 100.0)])
def test_a_walk_goes_straight_on_for_a_second_at_most(gap_s, ahead_px):
    walking = lost(velocity=(100.0, 0.0))
    ahead = found((100.0 + ahead_px, 50.0, 40.0, 100.0), gap_s)
    assert reappearance_nats(walking, ahead, AREA) == pytest.approx(expected(0, gap_s))


def test_another_height_speaks_against():
    """The feet stay, the head is 50 px lower: half as high."""
    child = found((100.0, 100.0, 40.0, 50.0))
    assert reappearance_nats(lost(), child, AREA) == pytest.approx(expected(0, 0, stretch=0.5))


def test_found_before_lost_counts_as_at_once():
    assert reappearance_nats(lost(), found(after_s=-1.0), AREA) == reappearance_nats(lost(), found(), AREA)


def test_without_a_place_there_is_nothing_to_say():
    fresh = Tracklet(1, 0, 0, 1, -1, 0, BOX)
    assert reappearance_nats(fresh, found(), AREA) == 0.0


def test_boxes_without_size_do_not_break_it():
    flat = (100.0, 50.0, 0.0, 0.0)
    assert math.isfinite(reappearance_nats(lost(flat), found(flat), AREA))
    assert math.isfinite(reappearance_nats(lost(), found(flat, 1e6), 0.0))
