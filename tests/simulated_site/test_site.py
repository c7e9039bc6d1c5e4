"""The description of a site: who is where."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import yaml

from simulated_site.paths import clearance
from simulated_site.routes import NOWHERE
from simulated_site.site import make_site
from simulated_site.site_file import site_document


@pytest.fixture(scope="module")
def site():
    return make_site(11, cameras=4, people=12, seconds=60)


def test_same_seed_same_site(site):
    again = make_site(11, cameras=4, people=12, seconds=60)
    np.testing.assert_array_equal(site.diary.poses, again.diary.poses)
    np.testing.assert_array_equal(site.diary.rooms, again.diary.rooms)
    assert [p.look for p in site.people] == [p.look for p in again.people]


def test_another_seed_another_site(site):
    other = make_site(12, cameras=4, people=12, seconds=60)
    assert site.people[0].look != other.people[0].look
    assert site.camera("entrance") != other.camera("entrance")


@pytest.mark.parametrize("cameras", [1, 2, 3, 6, 12])
def test_any_number_of_cameras(cameras):
    site = make_site(0, cameras=cameras, people=2 * cameras, seconds=10)
    assert len(site.cameras) == cameras
    assert yaml.safe_load(site_document(site))["cameras"].keys() == site.cameras.keys()


@pytest.mark.parametrize(
    ("name", "value"), [("cameras", 0), ("cameras", 13), ("people", -1), ("seconds", 0), ("fps", 0)]
)
def test_bad_arguments_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        make_site(0, **{name: value})


def test_two_cameras_never_see_the_same_floor(site):
    # Compared on a grid of 10 cm: the floor points that each camera's pixels show.
    floors = []
    for name in site.cameras:
        xy = site.stage(name).floor_xy.reshape(-1, 2)
        floors.append({tuple(cell) for cell in np.unique(np.round(xy[xy[:, 0] < 1e8] * 10).astype(int), axis=0)})
    assert min(len(floor) for floor in floors) > 1000
    for a, b in itertools.combinations(floors, 2):
        assert not a & b


def test_people_keep_off_furniture_and_walls(site):
    for index, room in enumerate(site.plan.rooms):
        xy = site.diary.poses[site.diary.rooms == index][:, :2]
        inside = (xy[:, 0] > room.x) & (xy[:, 0] < room.x + room.width)
        inside &= (xy[:, 1] > room.y) & (xy[:, 1] < room.y + room.depth)
        free = clearance(room, *xy[inside].T)
        at_door = np.zeros(inside.sum(), bool)  # a doorway is a gap in the wall, which clearance does not know
        for door in room.doors:
            at_door |= np.hypot(*(xy[inside] - room.door_point(door)).T) < 1.2
        assert len(free)
        assert free[~at_door].min() > 0.12


def test_people_walk_at_walking_pace_and_do_not_jump(site):
    poses, rooms = site.diary.poses, site.diary.rooms
    step = np.hypot(*np.moveaxis(np.diff(poses[..., :2], axis=1), 2, 0))
    same_room = (rooms[:, 1:] == rooms[:, :-1]) & (rooms[:, 1:] != NOWHERE)
    # 1.6 m/s at most; of two side by side the outer one is faster in a turn.
    assert step[same_room].max() < 0.30


def test_people_appear_and_vanish_out_of_sight(site):
    """Whoever enters or leaves a room does so where its camera sees nothing of the floor around."""
    for person, rooms in enumerate(site.diary.rooms):
        changes = np.flatnonzero(np.diff(rooms)) + 1
        for frame in changes:
            for room, at in ((rooms[frame - 1], frame - 1), (rooms[frame], frame)):
                if room == NOWHERE:
                    continue
                name = list(site.cameras)[room]
                _, seen = site.stage(name).draw([site.people[person].figure], site.diary.poses[person, at][None], 0)
                assert all(s.visibility == 0 for s in seen)


def test_some_people_look_alike(site):
    pairs = [(p, site.people[p.alike - 1]) for p in site.people if p.alike]
    assert pairs
    for a, b in pairs:
        assert a.look.top == b.look.top
        assert a.look.trousers == b.look.trousers
        assert a.look != b.look


def test_many_are_visible_and_return(site):
    present = (site.diary.rooms != NOWHERE).mean()
    assert 0.4 < present < 0.9
    came_back = 0
    for rooms in site.diary.rooms:
        visits = [room for room, _ in itertools.groupby(rooms[rooms != NOWHERE])]
        came_back += len(visits) > len(set(visits))
    assert came_back >= 2
