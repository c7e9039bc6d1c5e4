"""The order of rows, gaps, batches, picture sizes: the small parts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import CAMERAS, by_camera, live_frames, table, write

from savant_reid.replay.batches import EmptyFrames, batched
from savant_reid.replay.columns import Rows
from savant_reid.replay.frame_size import SizeEstimate
from savant_reid.replay.frames import Frame, FrameGatherer, nobody
from savant_reid.replay.gaps import Gaps
from savant_reid.replay.recording import open_recording
from savant_reid.replay.scan import scan

MS = 1_000_000
SIZES = [(640, 480)] * 3


def frame(camera, index, time_ns):
    return Frame(camera, index, nobody(CAMERAS[camera], time_ns, SIZES[camera], 4))


def noted(*frames, known=None, in_step=True):
    """Gaps of frames (camera, index, time_ns) that come in this order."""
    gaps = Gaps()
    for camera, index, time_ns in frames:
        gaps.note(camera, np.array([index]), np.array([time_ns]), np.array([0]))
    times = [time_ns for _, _, time_ns in frames]
    gaps.close(known or {}, min(times, default=None), max(times, default=None), in_step)
    return gaps


def woven(*frames, **options):
    empty = EmptyFrames(noted(*frames, **options), CAMERAS, SIZES, 4)
    return [(f.camera, f.index, f.time_ns, f.is_recorded) for f in empty.woven(frame(*one) for one in frames)]


def test_frames_without_people_come_back_at_their_times():
    found = woven((0, 0, 0), (1, 2, 200 * MS), (0, 4, 400 * MS), known={1: {}})
    times = [(time_ns // MS, camera, index) for camera, index, time_ns, _ in found]
    # Camera 1 has one frame, so nobody knows its rate: nothing is put before or after it.
    assert times == [(0, 0, 0), (100, 0, 1), (200, 0, 2), (200, 1, 2), (300, 0, 3), (400, 0, 4)]
    assert [recorded for *_, recorded in found] == [True, False, False, True, False, True]


def test_a_recording_that_knows_its_streams_has_their_ends_too():
    ends = {"first_frame": 0, "first_ns": 0, "last_frame": 4, "last_ns": 400 * MS}
    found = woven((0, 2, 200 * MS), known={0: ends, 1: ends})
    assert [(camera, time_ns // MS) for camera, _, time_ns, _ in found] == [
        (camera, time_ms) for time_ms in (0, 100, 200, 300, 400) for camera in (0, 1)
    ]
    assert sum(recorded for *_, recorded in found) == 1


def test_without_that_a_camera_is_alive_while_anybody_is_seen():
    found = woven((0, 5, 500 * MS), (0, 6, 600 * MS), (1, 3, 600 * MS), (1, 4, 700 * MS), (1, 8, 1100 * MS))
    own = [(index, time_ns // MS, recorded) for camera, index, time_ns, recorded in found if camera == 0]
    assert own == [(n, 100 * n, n < 7) for n in range(5, 12)]
    assert [index for camera, index, _, _ in found if camera == 1] == list(range(2, 9))


@pytest.mark.parametrize(
    "later",
    [(0, 10**15, 400 * MS), (0, 9, -1), (0, 0, 400 * MS), (0, 3, 10**13)],
    ids=["no counter", "time back", "counter back", "too slow"],
)
def test_no_frames_are_made_up_where_numbers_do_not_count_frames(later):
    assert len(woven((0, 2, 200 * MS), later)) == 2


def test_no_frames_are_made_up_where_clocks_disagree(tmp_path):
    hour = 3_600_000_000_000
    found = table(live_frames(people=2, seconds=30))
    times = found["time_ns"].to_numpy() + np.where(np.array(found["camera"].to_pylist()) == "aisle", hour, 0)
    import pyarrow as pa

    for column, filled in ((found["time_ns"], True), (pa.array(times), False)):
        path = write(tmp_path / "r.parquet", found.set_column(2, "time_ns", column))
        gaps = scan(open_recording(path), CAMERAS, "site.yml").gaps
        assert bool(gaps.before or gaps._after) is filled


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), max_size=40), st.randoms(use_true_random=False))
def test_each_camera_counts_without_gaps_and_its_time_goes_on(steps, random):
    """Whatever is missing, what comes out has each camera's frames once, in order, evenly in time."""
    now, index, frames = 0, [random.randrange(3) for _ in range(3)], []
    for camera, step in steps:
        now += step * 50 * MS
        frames.append((camera, now // (50 * MS) + index[camera], now))
    found = woven(*frames)
    recorded = [(camera, n, time_ns) for camera, n, time_ns, is_recorded in found if is_recorded]
    assert recorded == frames
    for camera in range(3):
        own = [(n, time_ns) for where, n, time_ns, _ in found if where == camera]
        assert own == [(own[0][0] + i, own[0][1] + i * 50 * MS) for i in range(len(own))]
    assert [time_ns for _, _, time_ns, _ in found] == sorted(time_ns for _, _, time_ns, _ in found)


def test_batches_hold_each_camera_once_and_forty_milliseconds():
    frames = [frame(0, 0, 0), frame(1, 0, 40 * MS), frame(2, 0, 41 * MS), frame(0, 1, 50 * MS), frame(0, 2, 51 * MS)]
    found = [[(f.camera, f.index) for f in batch] for batch in batched(frames)]
    assert found == [[(0, 0), (1, 0)], [(2, 0), (0, 1)], [(0, 2)]]
    assert list(batched([])) == []


def rows_of(keys):
    """(camera, frame, time_ns, track) each; every second row has an embedding that holds its own number."""
    columns = np.array(keys, np.int64).reshape(-1, 4).T
    n = columns.shape[1]
    embedding_of = np.where(np.arange(n) % 2 == 0, np.arange(n) // 2, -1)
    embeddings = np.repeat(np.arange(0, n, 2, dtype=np.float32)[:, None], 4, axis=1)
    return Rows(*columns, np.zeros((n, 4), np.float32), np.ones(n, np.float32), embedding_of, embeddings)


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(24)), st.integers(1, 24))
def test_rows_find_their_frame_and_their_embedding(order, size):
    keys = [(camera, n, n * 100 * MS, track) for n in range(4) for camera in range(2) for track in range(3)]
    mixed = [keys[i] for i in order]
    whole = rows_of(mixed)
    number = {key: i for i, key in enumerate(mixed)}
    chunks = [rows_of([]), *(_slice(whole, start, start + size) for start in range(0, len(keys), size))]
    refused = Counter()
    frames = list(FrameGatherer(CAMERAS, SIZES, refused).gather(chunks))
    assert not refused
    seen = Counter((f.camera, f.index, f.time_ns, t) for f in frames for t in f.sightings.track_ids.tolist())
    assert seen == Counter(keys)
    for one in frames:
        for track, at in zip(one.sightings.track_ids.tolist(), one.sightings.embedding_of.tolist(), strict=True):
            row = number[one.camera, one.index, one.time_ns, track]
            assert (at >= 0) == (row % 2 == 0)
            assert at < 0 or one.sightings.embeddings[at].tolist() == [row] * 4


def _slice(rows, start, stop):
    at = rows.embedding_of[start:stop]
    own = at[at >= 0]
    embeddings = rows.embeddings[own[0] : own[-1] + 1] if len(own) else rows.embeddings[:0]
    local = np.where(at >= 0, at - (own[0] if len(own) else 0), -1)
    columns = (rows.camera, rows.frame, rows.time_ns, rows.track_id, rows.boxes, rows.confidences)
    return Rows(*(column[start:stop] for column in columns), local, embeddings)


def test_the_first_of_two_rows_of_a_track_stays():
    refused = Counter()
    found = list(FrameGatherer(CAMERAS, SIZES, refused).gather([rows_of([(0, 0, 0, 5), (0, 0, 0, 6), (0, 0, 0, 5)])]))
    assert found[0].sightings.track_ids.tolist() == [5, 6]
    assert found[0].sightings.embeddings.tolist() == [[0.0] * 4]
    assert refused == {"duplicate": 1}


def scanned(tmp_path, found, cameras=CAMERAS):
    return scan(open_recording(write(tmp_path / "r.parquet", found)), cameras, "site.yml")


def test_sorted_by_camera_is_told_from_recorded(tmp_path):
    found = table(live_frames(people=4, seconds=30))
    assert not scanned(tmp_path, found).is_sorted_by_camera
    assert scanned(tmp_path, by_camera(found)).is_sorted_by_camera
    alone = found.filter(np.array(found["camera"].to_pylist()) == "door")
    assert not scanned(tmp_path, alone).is_sorted_by_camera


def test_the_order_is_seen_across_the_borders_of_batches(tmp_path, monkeypatch):
    from savant_reid.replay import scan as module

    found = table(live_frames(people=4, seconds=30))
    expected = scanned(tmp_path, by_camera(found))
    monkeypatch.setattr(module, "SCAN_ROWS", 5)
    other = scanned(tmp_path, by_camera(found))
    assert other.is_sorted_by_camera
    assert other.blocks == expected.blocks == 3
    assert other.counts.tolist() == expected.counts.tolist()
    assert {c: one.noted for c, one in other.gaps._cameras.items()} == {
        c: one.noted for c, one in expected.gaps._cameras.items()
    }


def test_the_smallest_usual_picture_that_holds_the_boxes():
    estimate = SizeEstimate(4)
    boxes = np.array([[600, 100, 42, 380], [1000, 600, 60, 119], [9000, 0, 50, 50]], np.float32)
    estimate.add(np.array([0, 1, 2]), boxes)
    known = {3: {"width": 333, "height": 222}}
    assert estimate.sizes(known) == [(640, 480), (1280, 720), (9050, 50), (333, 222)]


def test_one_box_that_flew_away_does_not_widen_the_picture():
    estimate = SizeEstimate(1)
    boxes = np.tile(np.array([[10, 10, 50, 100]], np.float32), (2000, 1))
    boxes[7, 0] = 1e7
    estimate.add(np.zeros(2000, np.int64), boxes)
    assert estimate.sizes({}) == [(320, 240)]


def test_a_broken_time_at_the_end_does_not_mean_years_of_empty_frames():
    found = woven((0, 0, 0), (0, 1, 100 * MS), (1, 0, 0), (1, 1, 100 * MS), (1, 2, 2**62))
    assert len(found) == 5 + 6000
    ends = {"first_frame": 0, "first_ns": 0, "last_frame": 10**7, "last_ns": 10**7 * 100 * MS}
    found = woven((0, 50_000, 50_000 * 100 * MS), known={0: ends})
    assert [found[0][1], found[-1][1]] == [44_000, 56_000]


def test_a_counter_that_begins_anew_is_not_taken_for_late_rows():
    keys = [(0, n, n * 100 * MS, 1) for n in range(200)] + [(0, n, (300 + n) * 100 * MS, 1) for n in range(50)]
    refused = Counter()
    frames = list(FrameGatherer(CAMERAS, SIZES, refused).gather([rows_of(keys)]))
    assert [(one.index, one.time_ns) for one in frames] == [(n, time_ns) for _, n, time_ns, _ in keys]
    assert not refused


def test_rows_without_times_are_not_gathered_for_ever():
    keys = [(camera, n, 7, 1) for n in range(3000) for camera in (1, 0)]
    frames = FrameGatherer(CAMERAS, SIZES, Counter()).gather([rows_of(keys)])
    assert next(frames).camera == 0
    assert sum(1 for _ in frames) == 5999
