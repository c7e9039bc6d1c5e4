"""Who reappears near where somebody was lost: the density by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from savant_reid.identity.motion import ANYWHERE, HEIGHT_STD, SPREAD_HEIGHTS, SPREAD_HEIGHTS_PER_S, reappearance_nats

AREA = 640.0 * 360.0
BOX = (100.0, 50.0, 40.0, 100.0)


def nats(lost=BOX, found=BOX, gap_s: float = 0.0, velocity=(0.0, 0.0), area: float = AREA) -> float:
    columns = ([value] for value in (lost, velocity, found, gap_s, area))
    [only] = reappearance_nats(*map(np.array, columns))
    return float(only)


def expected(off_px: float, gap_s: float, stretch: float = 1.0) -> float:
    std = 100.0 * (SPREAD_HEIGHTS + SPREAD_HEIGHTS_PER_S * gap_s)
    height = math.log(stretch) / (HEIGHT_STD * (1 + gap_s))
    density = math.exp(-0.5 * ((off_px / std) ** 2 + 0.5 * height**2)) / (2 * math.pi * std**2)
    return math.log(ANYWHERE + (1 - ANYWHERE) * AREA * density)


def test_at_once_and_in_place():
    assert nats() == pytest.approx(expected(0, 0))
    assert math.exp(nats()) == pytest.approx(0.15 + 0.85 * AREA / (2 * math.pi * 625))


def test_a_step_aside_after_a_moment():
    assert nats(found=(160.0, 50.0, 40.0, 100.0), gap_s=0.5) == pytest.approx(expected(60, 0.5))


def test_somewhere_else_altogether_is_as_likely_as_anywhere():
    away = (600.0, 250.0, 40.0, 100.0)
    assert nats(found=away, gap_s=0.1) == pytest.approx(math.log(ANYWHERE), abs=1e-6)


@pytest.mark.parametrize(("gap_s", "ahead_px"), [(0.5, 50.0), (1.0, 100.0), (3.0, 100.0)])
def test_a_walk_goes_straight_on_for_a_second_at_most(gap_s, ahead_px):
    ahead = (100.0 + ahead_px, 50.0, 40.0, 100.0)
    assert nats(found=ahead, gap_s=gap_s, velocity=(100.0, 0.0)) == pytest.approx(expected(0, gap_s))


def test_another_height_speaks_against():
    """The feet stay, the head is 50 px lower: half as high."""
    child = (100.0, 100.0, 40.0, 50.0)
    assert nats(found=child) == pytest.approx(expected(0, 0, stretch=0.5))


def test_boxes_without_size_do_not_break_it():
    flat = (100.0, 50.0, 0.0, 0.0)
    assert math.isfinite(nats(flat, flat))
    assert math.isfinite(nats(found=flat, gap_s=1e6, area=0.0))


def test_everybody_for_themselves():
    boxes = np.array([BOX, (160.0, 50.0, 40.0, 100.0)])
    both = reappearance_nats(boxes, np.zeros((2, 2)), boxes[::-1], np.array([0.0, 0.5]), np.full(2, AREA))
    assert both.tolist() == [nats(BOX, boxes[1]), nats(boxes[1], BOX, 0.5)]
