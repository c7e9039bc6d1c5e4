from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from savant_reid.hosts.local.bytetrack import LIFECYCLE, ByteTrack, Event, Life
from savant_reid.hosts.local.tracking import assign, iou


def at(*lefts: float, top: float = 100) -> np.ndarray:
    """Boxes of one size at these places."""
    return np.array([[left, top, 40, 120] for left in lefts], np.float32).reshape(-1, 4)


def sure(n: int, confidence: float = 0.9) -> np.ndarray:
    return np.full(n, confidence, np.float32)


def ids_of(tracker: ByteTrack, *lefts: float, confidence: float = 0.9, time_ns: int | None = None) -> list[int]:
    return tracker.update(at(*lefts), sure(len(lefts), confidence), time_ns).track_ids.tolist()


def test_the_first_frame_is_believed_later_ones_need_a_second_hit() -> None:
    tracker = ByteTrack(30)
    assert ids_of(tracker, 100) == [1]
    assert ids_of(tracker, 102, 600) == [1]
    assert ids_of(tracker, 104, 602) == [1, 2]


def test_a_single_false_alarm_never_gets_an_id() -> None:
    tracker = ByteTrack(30)
    ids_of(tracker)
    assert ids_of(tracker, 300) == []
    assert ids_of(tracker) == []
    assert ids_of(tracker, 300) == []
    assert ids_of(tracker, 300) == [1]


def test_output_is_the_detection_not_the_prediction() -> None:
    tracker = ByteTrack(30)
    for left in (100.0, 107.0, 111.0):
        output = tracker.update(at(left), sure(1, 0.8))
        np.testing.assert_array_equal(output.boxes, at(left))
        np.testing.assert_array_equal(output.confidences, sure(1, 0.8))
    assert output.boxes.dtype == np.float32
    assert output.track_ids.dtype == np.int64


def test_an_occlusion_is_bridged_by_the_motion() -> None:
    tracker = ByteTrack(30)
    for frame in range(20):
        assert ids_of(tracker, 100 + 4 * frame) == [1]
    for _ in range(20):
        assert ids_of(tracker) == []
    assert ids_of(tracker, 100 + 4 * 40) == [1]  # 84 px on: without a velocity nothing would overlap


@pytest.mark.parametrize(("gap", "expected"), [(31, [1]), (32, [])])
def test_a_lost_track_waits_for_lost_seconds_and_one_frame(gap: int, expected: list[int]) -> None:
    tracker = ByteTrack(30, lost_seconds=1.0)
    ids_of(tracker, 100)
    for _ in range(gap - 1):
        ids_of(tracker)
    assert ids_of(tracker, 100) == expected


def test_people_who_cross_keep_their_ids() -> None:
    tracker = ByteTrack(30)
    for frame in range(60):
        right, left = 100 + 6 * frame, 460 - 6 * frame
        boxes = np.array([[right, 100, 40, 120], [left, 108, 44, 130]], np.float32)
        assert tracker.update(boxes, sure(2)).track_ids.tolist() == [1, 2]


RED, BLUE = np.float32([1, 0]), np.float32([0, 1])


def ids_of_two_who_meet_and_turn_back(tracker: ByteTrack) -> list[int]:
    """Red comes from the left, blue from the right; as they meet neither is found."""
    looks = np.stack([RED, BLUE])
    for frame in range(24):
        tracker.update(at(100 + 3 * frame, 256 - 3 * frame), sure(2), looks=looks)
    for _ in range(4):
        tracker.update(at(), sure(0), looks=np.zeros((0, 2), np.float32))
    for frame in range(24):
        found = tracker.update(at(172 - 3 * frame, 184 + 3 * frame), sure(2), looks=looks)
    return found.track_ids.tolist()


def test_looks_tell_who_turned_back_in_a_crossing() -> None:
    assert ids_of_two_who_meet_and_turn_back(ByteTrack(30)) == [2, 1]  # boxes alone: they walked on
    assert ids_of_two_who_meet_and_turn_back(ByteTrack(30, look_weight=1.0)) == [1, 2]


def test_looks_have_no_say_where_nobody_else_is_near() -> None:
    tracker = ByteTrack(30, look_weight=10.0)
    for look in (RED, BLUE, RED):
        found = tracker.update(at(100, 600), sure(2), looks=np.stack([look, RED]))
        assert found.track_ids.tolist() == [1, 2]


def test_one_look_per_box() -> None:
    with pytest.raises(ValueError, match=r"expected 2 looks, one per box, found 1"):
        ByteTrack(30, look_weight=1.0).update(at(1, 2), sure(2), looks=RED[None])


def test_a_very_sure_detection_is_shown_at_once() -> None:
    tracker = ByteTrack(30, sure_confidence=0.8)
    ids_of(tracker)
    assert ids_of(tracker, 100, confidence=0.8) == []
    assert ids_of(tracker, 100, 600, confidence=0.81) == [1, 2]


def test_low_confidence_keeps_a_track_but_starts_none() -> None:
    tracker = ByteTrack(30)
    ids_of(tracker, 100)
    for frame in range(1, 10):
        assert ids_of(tracker, 100 + frame, 500, confidence=0.2) == [1]
    assert ids_of(tracker, 110, 500, confidence=0.05) == []  # below low_confidence nobody is seen


def test_a_lost_track_is_not_taken_up_by_a_low_confidence() -> None:
    tracker = ByteTrack(30)
    ids_of(tracker, 100)
    ids_of(tracker)
    assert ids_of(tracker, 100, confidence=0.4) == []
    assert ids_of(tracker, 100) == [1]


def test_dropped_frames_move_the_prediction_on() -> None:
    frame_ns = 1_000_000_000 // 30
    with_time, without_time = ByteTrack(30), ByteTrack(30)
    for frame in range(15):
        ids_of(with_time, 100 + 8 * frame, time_ns=frame * frame_ns)
        ids_of(without_time, 100 + 8 * frame)
    assert ids_of(with_time, 100 + 8 * 24, time_ns=24 * frame_ns) == [1]
    assert ids_of(without_time, 100 + 8 * 24) == []


def test_lost_seconds_are_seconds_also_when_frames_are_dropped() -> None:
    tracker = ByteTrack(30, lost_seconds=1.0)
    ids_of(tracker, 100, time_ns=0)
    ids_of(tracker, time_ns=500_000_000)
    assert ids_of(tracker, 100, time_ns=2_000_000_000) == []
    assert ids_of(tracker, 100, time_ns=2_033_000_000) == [2]


@pytest.mark.parametrize("jump_ns", [-(10**18), 0, 10**18])
def test_a_jump_of_time_is_survived(jump_ns: int) -> None:
    tracker = ByteTrack(30)
    ids_of(tracker, 100, time_ns=10**15)
    ids_of(tracker, 100, time_ns=10**15 + jump_ns)
    assert ids_of(tracker, 100, time_ns=10**15 + jump_ns + 33_000_000) in ([1], [2])


def test_what_is_no_box_is_refused_and_counted() -> None:
    tracker = ByteTrack(30)
    boxes = np.concatenate([at(100), at(np.nan), at(np.inf), np.float32([[5, 5, 0, 9], [5, 5, 9, -1]]), at(300)])
    output = tracker.update(boxes, np.float32([0.9, 0.9, 0.9, 0.9, 0.9, np.nan]))
    assert output.track_ids.tolist() == [1]
    assert tracker.refused == 5


def test_shapes_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"expected boxes \(n, 4\) and confidences \(n,\), found \(2, 4\) and \(3,\)"):
        ByteTrack(30).update(at(1, 2), sure(3))


def test_of_two_tracks_in_one_place_the_older_stays() -> None:
    tracker = ByteTrack(30)
    for _ in range(5):
        ids_of(tracker, 100)
    ids_of(tracker)
    assert tracker.update(at(100, 101), sure(2)).track_ids.tolist() == [1]
    ids_of(tracker, 100)  # the double of one frame was tentative: missed, removed
    assert ids_of(tracker, 100) == [1]


def test_a_new_track_in_the_place_of_a_lost_one_goes() -> None:
    tracker = ByteTrack(30, match_threshold=0.1)  # so strict that the lost track may not take its own person back
    assert ids_of(tracker, 100) == [1]
    ids_of(tracker)
    for _ in range(4):
        assert ids_of(tracker, 100, confidence=0.7) == []


def test_every_state_has_an_answer_to_every_event_and_removed_is_the_end() -> None:
    assert LIFECYCLE.shape == (len(Life), len(Event))
    assert (LIFECYCLE[:, Event.EXPIRED] == Life.REMOVED).all()
    assert (LIFECYCLE[Life.REMOVED] == Life.REMOVED).all()


def test_assign_leaves_a_pair_alone_where_that_is_cheaper() -> None:
    rows, columns = assign(np.array([[0.1, 0.4], [0.3, 0.95]]), limit=0.9)
    # Both pairs of the diagonal would cost 0.1 + 0.95 with one above the limit; 0.4 + 0.3 keeps two.
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]
    rows, columns = assign(np.array([[0.1, 0.85], [0.85, 2.0]]), limit=0.9)
    # 0.1 and one pair left alone (0.9) is cheaper than 0.85 + 0.85.
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 0)]


def test_iou_by_hand() -> None:
    a = np.array([[0, 0, 10, 10]])
    b = np.array([[5, 0, 10, 10], [0, 0, 10, 10], [20, 20, 5, 5]])
    # 5 * 10 shared, 100 + 100 - 50 in all.
    np.testing.assert_allclose(iou(a, b), [[50 / 150, 1, 0]])


boxes_of_a_frame = st.lists(
    st.tuples(
        st.integers(0, 12).map(lambda n: n * 25.0),
        st.integers(0, 4).map(lambda n: n * 30.0),
        st.sampled_from([0.05, 0.2, 0.45, 0.55, 0.7, 0.95]),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(frames=st.lists(boxes_of_a_frame, max_size=40), lost_seconds=st.sampled_from([0.0, 0.1, 0.2]))
def test_invariants(frames: list[list[tuple[float, float, float]]], lost_seconds: float) -> None:
    tracker = ByteTrack(30, lost_seconds=lost_seconds)
    last_seen: dict[int, int] = {}
    for frame, rows in enumerate(frames):
        boxes = np.array([[left, top, 40, 120] for left, top, _ in rows], np.float32).reshape(-1, 4)
        confidences = np.array([confidence for *_, confidence in rows], np.float32)
        output = tracker.update(boxes, confidences)
        ids = output.track_ids.tolist()
        assert len(set(ids)) == len(ids), "an id twice in a frame"
        given_rows = [(*box, confidence) for box, confidence in zip(boxes.tolist(), confidences.tolist(), strict=True)]
        shown = [
            (*box, confidence)
            for box, confidence in zip(output.boxes.tolist(), output.confidences.tolist(), strict=True)
        ]
        for row in shown:
            given_rows.remove(row)  # each output is a detection of this frame, used once
        for track_id in ids:
            gap = frame - last_seen.get(track_id, frame)
            assert gap <= round(lost_seconds * 30) + 1, "an id used again after its track had gone"
            last_seen[track_id] = frame
