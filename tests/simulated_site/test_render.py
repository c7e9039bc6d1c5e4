"""Frames and their truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulated_site.camera import Camera
from simulated_site.looks import random_look
from simulated_site.parts import POSE
from simulated_site.render import MIN_HEIGHT_PX, MIN_SHOWN, MIN_WIDTH_PX, render_frame
from simulated_site.rooms import Room, box
from simulated_site.site import make_site
from simulated_site.stage import Stage
from simulated_site.wardrobe import compile_look

SENSOR = {
    "light": (0.3, 0.2, 1.0),
    "strengths": (0.6, 0.5, 0.2, 0.1),
    "gains": (1.0, 1.0, 1.0),
    "gamma": 2.2,
    "vignette": 0.1,
    "noise": 0.0,
    "blur_px": 0.01,
    "noise_seed": 1,
}


def _stage(*boxes: np.ndarray) -> Stage:
    room = Room(0.0, 0.0, 10.0, 8.0, (), 0)
    room.floor = box(0, 0, 1, 1, 0, 0, 0, ((0.3, 0.3, 0.3),))
    room.boxes = [box(20.0, 4.0, 0.1, 30.0, 0, 9, 0, ((0.5, 0.5, 0.5),)), *boxes]
    return Stage(room, Camera(0.0, 4.0, 2.6, 0.0, math.radians(14), math.radians(75), **SENSOR))


def _poses(*places: tuple[float, float]) -> np.ndarray:
    poses = np.zeros((len(places), len(POSE)))
    poses[:, :2] = np.reshape(places, (-1, 2))
    poses[:, 4] = 1.0
    return poses


@pytest.fixture(scope="module")
def figures():
    rng = np.random.default_rng(5)
    return [compile_look(random_look(rng)) for _ in range(3)]


def test_boxes_enclose_the_visible_pixels(figures):
    stage = _stage()
    empty, nothing = stage.draw([], _poses(), 0)
    assert nothing == []
    image, (seen,) = stage.draw(figures[:1], _poses((6.0, 4.0)), 0)
    changed = np.abs(image.astype(int) - empty).max(axis=2) > 12
    left, top, right, bottom = seen.inside
    # The blur spreads a figure's edge by a pixel. Shadows lie below the ankles only: look at the rest.
    ankles = int(bottom - 0.12 * (bottom - top))
    assert not changed[: top - 1].any()
    assert not changed[:ankles, : left - 1].any()
    assert not changed[:ankles, right + 1 :].any()
    columns = np.flatnonzero(changed[top:ankles].any(axis=0))
    assert columns[0] <= left + 3
    assert columns[-1] >= right - 4
    assert seen.visibility == 1.0
    assert seen.whole[0] <= left + 1
    assert seen.whole[3] >= bottom - 2


def test_a_box_hides_the_legs(figures):
    counter = box(4.0, 4.0, 0.2, 1.0, 0, 1.3, 0, ((0.1, 0.2, 0.5),))
    _, (free,) = _stage().draw(figures[:1], _poses((6.0, 4.0)), 0)
    _, (hidden,) = _stage(counter).draw(figures[:1], _poses((6.0, 4.0)), 0)
    assert free.inside == hidden.inside  # boxes are amodal
    assert 0.1 < hidden.visibility < 0.8
    wall = box(4.0, 4.0, 0.2, 3.0, 0, 3.5, 0, ((0.1, 0.2, 0.5),))
    _, (gone,) = _stage(wall).draw(figures[:1], _poses((6.0, 4.0)), 0)
    assert gone.visibility == 0.0


def test_the_nearer_person_hides_the_farther_one(figures):
    _, seen = _stage().draw(figures[:2], _poses((7.0, 4.0), (5.0, 4.02)), 0)
    far, near = seen
    assert near.visibility == 1.0
    assert far.visibility < 0.75


def test_a_cut_figure_keeps_its_whole_box(figures):
    _, (seen,) = _stage().draw(figures[:1], _poses((4.0, 7.0)), 0)
    assert seen.inside[0] == 0
    assert seen.whole[0] < 0


def test_frames_are_deterministic_and_rows_keep_the_rules():
    first, second = (make_site(4, cameras=2, people=8, seconds=12) for _ in range(2))
    rows = []
    for name in first.cameras:
        for frame in range(0, first.frames, 10):
            image, truth = render_frame(first, name, frame)
            again, same = render_frame(second, name, frame)
            np.testing.assert_array_equal(image, again)
            assert truth == same
            rows += truth
    assert len(rows) > 10
    for row in rows:
        assert row.track_id == ""
        assert 1 <= row.global_id <= 8
        assert row.time_ns == row.frame * 100_000_000
        assert round(MIN_SHOWN, 3) <= row.confidence <= 1.0
        assert row.width >= MIN_WIDTH_PX
        assert row.height >= MIN_HEIGHT_PX
        assert row.left >= 0
        assert row.top >= 0
        assert row.left + row.width <= 640
        assert row.top + row.height <= 360


def test_frames_do_not_depend_on_the_order_they_are_drawn_in():
    site = make_site(4, cameras=1, people=4, seconds=6)
    later, _ = render_frame(site, "entrance", 40)
    render_frame(site, "entrance", 3)
    again, _ = render_frame(site, "entrance", 40)
    np.testing.assert_array_equal(later, again)


def test_a_frame_outside_the_site_is_refused():
    site = make_site(4, cameras=1, people=1, seconds=1)
    with pytest.raises(IndexError, match="expected 0 to 9, got 10"):
        render_frame(site, "entrance", 10)
