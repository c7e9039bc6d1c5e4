"""One time for all cameras: steps back, leaps, silence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from savant_reid.identity.site_clock import SILENT_BATCHES, SiteClock

S = 1_000_000_000


def test_clocks_that_agree_are_taken_as_they_are():
    clock = SiteClock()
    for at_s in range(5):
        assert clock.read([(0, at_s * S), (1, at_s * S + 7)]) == [at_s * S, at_s * S + 7]
        assert clock.now_ns == at_s * S  # the lower median of two
    assert clock.jumps == 0


def test_a_camera_that_steps_back_goes_on_from_now():
    clock = SiteClock()
    clock.read([(0, 100 * S), (1, 100 * S), (2, 100 * S)])
    assert clock.read([(0, 101 * S), (1, 40 * S), (2, 101 * S)]) == [101 * S, 100 * S, 101 * S]
    assert clock.read([(0, 102 * S), (1, 41 * S), (2, 102 * S)]) == [102 * S, 101 * S, 102 * S]
    assert clock.jumps == 1


def test_a_camera_that_leaps_ahead_is_set_back_to_the_others():
    clock = SiteClock()
    clock.read([(0, 100 * S), (1, 100 * S)])
    assert clock.read([(0, 101 * S), (1, 5000 * S)]) == [101 * S, 100 * S]
    assert clock.read([(0, 102 * S), (1, 5001 * S)]) == [102 * S, 101 * S]
    assert (clock.jumps, clock.now_ns) == (1, 101 * S)


def test_when_everybody_leaps_time_has_really_passed():
    clock = SiteClock()
    clock.read([(0, 0), (1, 0)])
    assert clock.read([(0, 3600 * S), (1, 3600 * S)]) == [3600 * S, 3600 * S]
    assert (clock.jumps, clock.now_ns) == (0, 3600 * S)


def test_everybody_stepping_back_goes_on_from_now():
    clock = SiteClock()
    clock.read([(0, 100 * S), (1, 100 * S)])
    assert clock.read([(0, 0), (1, 0)]) == [100 * S, 100 * S]
    assert clock.read([(0, S), (1, S)]) == [101 * S, 101 * S]
    assert clock.jumps == 2


def test_a_small_lead_or_lag_is_buffering():
    clock = SiteClock()
    clock.read([(0, 100 * S)])
    assert clock.read([(0, 101 * S), (1, 95 * S), (2, 109 * S)]) == [101 * S, 95 * S, 109 * S]
    assert clock.jumps == 0


def test_a_camera_that_begins_far_behind_is_brought_to_now():
    clock = SiteClock()
    clock.read([(0, 1000 * S)])
    assert clock.read([(0, 1001 * S), (1, 0)]) == [1001 * S, 1000 * S]


def test_a_camera_left_alone_by_silent_ones_may_leap():
    """The others were heard last so long ago that they have no say any more."""
    clock = SiteClock()
    clock.read([(0, 0), (1, 0)])
    for step in range(SILENT_BATCHES + 1):
        clock.read([(0, step * S)])
    assert clock.read([(0, 9999 * S)]) == [9999 * S]
    assert (clock.now_ns, clock.jumps) == (9999 * S, 0)


def test_no_frames_no_time():
    clock = SiteClock()
    assert clock.read([]) == []
    assert clock.now_ns == 0


@settings(max_examples=60)
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(-(10**13), 10**13)), max_size=4), max_size=30))
def test_time_never_goes_back_for_the_site_nor_for_any_camera(batches):
    clock, last, now = SiteClock(), {}, 0
    for frames in batches:
        for (camera, _), at in zip(frames, clock.read(frames), strict=True):
            assert at >= last.get(camera, at)
            last[camera] = at
        assert clock.now_ns >= now
        now = clock.now_ns
    assert clock.last_ns == last


@pytest.mark.parametrize("lag_s", [0, 3])
def test_the_site_follows_the_middle_camera(lag_s):
    clock = SiteClock()
    for at_s in range(10, 20):
        clock.read([(0, at_s * S), (1, (at_s - lag_s) * S), (2, (at_s + 8) * S)])
        assert clock.now_ns == at_s * S
