"""Tracks in slots: who is on screen, where, and for how long not seen."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.identity.holders import Holders
from savant_reid.identity.live import FIRST_SLOTS, UNSAID, VELOCITY_STEPS, LiveTracks, Seen
from savant_reid.identity.site_clock import SiteClock
from savant_reid.identity.topology import Topology
from savant_reid.identity.types import Sightings

S = 1_000_000_000
CAMERAS = ["a", "b"]


class Site:
    """Live tracks fed with frames of (camera, seconds, {track id: (left, top)})."""

    def __init__(self) -> None:
        self.clock = SiteClock()
        self.live = LiveTracks(len(CAMERAS), self.clock)

    def see(self, *frames: tuple[int, float, list[tuple[int, float, float]]]) -> Seen:
        batch = [frame(camera, at_s, rows) for camera, at_s, rows in frames]
        cameras = [camera for camera, _, _ in frames]
        times = self.clock.read([(camera, int(at_s * S)) for camera, at_s, _ in frames])
        return self.live.observe(batch, cameras, times)


def frame(camera: int, at_s: float, rows: list[tuple[int, float, float]]) -> Sightings:
    n = len(rows)
    boxes = [[left, top, 40, 100] for _, left, top in rows]
    return Sightings(
        CAMERAS[camera],
        int(at_s * S),
        np.array([track_id for track_id, _, _ in rows], np.int64),
        np.array(boxes, np.float32).reshape(n, 4),
        np.ones(n, np.float32),
        np.full(n, -1, np.int64),
        np.zeros((0, 0), np.float32),
        (640, 360),
    )


def test_a_track_keeps_its_slot_and_track_ids_belong_to_their_cameras():
    site = Site()
    first = site.see((0, 0.0, [(7, 0, 0), (8, 50, 0)]), (1, 0.0, [(7, 0, 0)]))
    assert len(set(first.slots.tolist())) == 3
    assert [(t.camera, t.track_id, t.serial) for t in first.new] == [(0, 7, 1), (0, 8, 2), (1, 7, 3)]
    again = site.see((1, 0.1, [(7, 0, 0)]), (0, 0.1, [(8, 0, 0), (7, 0, 0)]))
    assert again.new == []
    assert again.slots.tolist() == first.slots[[2, 1, 0]].tolist()
    assert (again.cameras.tolist(), again.frame_of.tolist(), again.starts) == ([1, 0, 0], [0, 1, 1], [0, 1, 3])


def test_a_row_that_repeats_a_track_has_no_slot():
    site = Site()
    seen = site.see((0, 0.0, [(7, 10, 0), (8, 50, 0), (7, 90, 0)]))
    assert seen.slots.tolist() == [seen.slots[0], seen.slots[1], -1]
    assert site.live.box[seen.slots[0], 0] == 10
    assert len(list(site.live)) == 2


def test_velocity_follows_the_middle_of_the_feet():
    site, expected = Site(), np.zeros(2)
    places = np.array([(0, 0), (10, 5), (30, 5), (30, 25)], float)
    for step, place in enumerate(places):
        seen = site.see((0, 0.5 * step, [(1, *place)]))
        if step:
            expected += ((place - places[step - 1]) / 0.5 - expected) / VELOCITY_STEPS
    np.testing.assert_allclose(site.live.velocity[seen.slots[0]], expected)
    site.see((0, 1.5, [(1, 500, 500)]))  # no time has passed: no speed
    np.testing.assert_allclose(site.live.velocity[seen.slots[0]], expected)


def test_a_box_that_grows_downwards_moves_its_feet():
    site = Site()
    slot = site.see((0, 0.0, [(1, 0, 0)])).slots[0]
    taller = frame(0, 1.0, [(1, 0, 0)])
    taller.boxes[0, 2:] = (60, 140)
    site.live.observe([taller], [0], site.clock.read([(0, S)]))
    np.testing.assert_allclose(site.live.velocity[slot], [10 / VELOCITY_STEPS, 40 / VELOCITY_STEPS])


def test_unseen_by_its_own_cameras_time():
    site = Site()
    a = site.see((0, 0.0, [(1, 0, 0)]), (1, 0.0, [])).slots
    site.see((0, 3.0, []), (1, 1.5, []))
    assert site.live.unseen_s(a).tolist() == [3.0]
    lagging = site.see((0, 3.1, []), (1, 1.6, [(5, 0, 0)])).slots
    assert site.live.unseen_s(lagging).tolist() == [0.0]


def test_tracks_of_a_silent_camera_age_by_the_sites_time():
    site = Site()
    slots = site.see((0, 0.0, []), (1, 0.0, [(1, 0, 0)])).slots
    for at_s in range(1, 80):
        site.see((0, at_s, []))
    # The site's time is the middle camera's; one that has long been silent has no say in it.
    assert site.clock.now_ns == 79 * S
    assert site.live.unseen_s(slots).tolist() == [79.0]


def test_a_slot_is_free_again_when_its_track_has_ended():
    site = Site()
    for step in range(5 * FIRST_SLOTS):
        seen = site.see((0, 0.1 * step, [(step, 0, 0)]))
        [tracklet] = seen.new
        assert site.live.of_camera(0).tolist() == [tracklet.slot]
        site.live.end(tracklet)
        assert tracklet.slot == -1
    assert len(site.live.used) == FIRST_SLOTS
    assert not site.live.used_slots().size


def test_a_crowd_makes_the_table_grow_and_nobody_is_mixed_up():
    site = Site()
    n = 3 * FIRST_SLOTS
    first = site.see((0, 0.0, [(i, i, i) for i in range(n)]))
    assert sorted(first.slots.tolist()) == list(range(n))
    again = site.see((0, 0.1, [(i, i, i) for i in reversed(range(n))]))
    assert again.slots.tolist() == first.slots[::-1].tolist()
    assert site.live.box[first.slots, 0].tolist() == list(range(n))
    assert [site.live.tracklets[slot].track_id for slot in first.slots.tolist()] == list(range(n))


def test_persons_that_were_swapped_exchange_tracks_and_boxes_stay():
    site = Site()
    slots = site.see((0, 0.0, [(1, 10, 0), (2, 90, 0)])).slots.tolist()
    a, b = site.live.tracklets[slots[0]], site.live.tracklets[slots[1]]
    site.live.exchange(a, b)
    assert (a.slot, a.track_id, b.slot, b.track_id) == (slots[1], 2, slots[0], 1)
    assert site.live.tracklets[slots[0]] is b
    again = site.see((0, 0.1, [(1, 11, 0), (2, 91, 0)]))
    assert again.slots.tolist() == slots
    assert not again.new
    site.live.end(a)
    assert site.see((0, 0.2, [(1, 11, 0)])).slots.tolist() == [slots[0]]


def test_somebody_else_goes_on_on_a_track():
    site = Site()
    [slot] = site.see((0, 1.0, [(1, 10, 0)])).slots.tolist()
    old = site.live.tracklets[slot]
    site.live.lose(old)
    new = site.live.replace(old)
    assert (old.slot, new.slot, new.track_id, new.camera) == (-1, slot, 1, 0)
    assert new.serial > old.serial
    assert old.last_ns == S
    assert list(site.live) == [new]


def test_what_was_said_holds_until_somebody_else_is_on_the_track():
    site = Site()
    slots = site.see((0, 0.0, [(1, 10, 0), (2, 90, 0), (3, 200, 0)])).slots
    live = site.live
    assert live.unasked[slots].all()
    assert (live.state[slots] == UNSAID).all()
    a, b, c = (live.tracklets[slot] for slot in slots.tolist())
    for change, changed in [
        (lambda: live.exchange(a, b), [True, True, False]),
        (lambda: live.change(c), [False, False, True]),
        (lambda: live.replace(c), [False, False, True]),
        (lambda: live.change(c), [False, False, False]),  # on no track any more
    ]:
        live.unasked[slots], live.state[slots] = False, 0
        change()
        assert live.unasked[slots].tolist() == changed
        assert (live.state[slots] == UNSAID).tolist() == changed


def test_nobody_at_all():
    site = Site()
    assert site.live.observe([], [], []).slots.shape == (0,)
    assert site.see((0, 0.0, []), (1, 0.0, [])).starts == [0, 0, 0]


@pytest.fixture
def holders():
    return Holders(Topology(["a", "b", "c"], overlaps=[("a", "b")]))


def test_who_holds_what(holders):
    site = Site()
    seen = site.see((0, 0.0, [(1, 0, 0), (2, 50, 0)]), (1, 0.0, [(1, 0, 0)]))
    x, y, z = seen.new
    for tracklet in (x, y, z):
        holders.give(tracklet, 5)
    assert holders.held() == {5}
    # Cameras a and b share a view: z may be x or y, but x and y are two people.
    assert holders.rivals(x, 5) == [y]
    assert holders.rivals(z, 5) == []
    assert list(holders.crowded()) == [[x, y, z]]
    y.lost = True
    assert not holders.rivals(x, 5)
    assert not list(holders.crowded())
    holders.give(x, 0)
    assert holders.of(5) == [y, z]
    for tracklet in (y, z, z):
        holders.drop(tracklet)
    assert holders.held() == set()
    assert z.global_id == 5
