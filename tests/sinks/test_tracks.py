from __future__ import annotations

import csv
import io
import random

import numpy as np
import pytest
from sink_records import SECOND_NS, event, frame

from savant_reid.sinks import repairs as repairs_module
from savant_reid.sinks import tracks as tracks_module
from savant_reid.sinks.tracks import HEADER, TracksSink


def write(folder, steps, **options):
    """steps: records and lists of events, in order."""
    sink = TracksSink(folder, **options)
    for step in steps:
        sink.write_events(step) if isinstance(step, list) else sink.write_frame(step)
    return sink


def test_the_contract_header_and_row(tmp_path):
    write(tmp_path, [frame(3, {5: 9})]).close()
    assert (tmp_path / "tracks.csv").read_text() == (
        "camera,frame,track_id,global_id,left,top,width,height,confidence,time_ns\n"
        "door,3,5,9,0.00,20.00,30.00,40.00,0.9000,300000000\n"
    )


def test_rows_wait_for_the_first_decision(tmp_path, rows_of):
    sink = write(tmp_path, [frame(n, {1: None}) for n in range(8)])
    assert (tmp_path / "tracks.csv").read_text().splitlines() == [HEADER]
    sink.write_frame(frame(8, {1: 42}))
    sink.write_frame(frame(20, {1: 42}))
    sink.close()
    assert set(rows_of(tmp_path).values()) == {42}


def test_who_is_never_named_stays_unknown_and_holds_nobody_up_for_ever(tmp_path, rows_of):
    sink = write(tmp_path, [frame(n, {1: None, 2: 7}) for n in range(80)])
    on_disk = (tmp_path / "tracks.csv").read_text().splitlines()
    assert len(on_disk) > 2 * (80 - 50 - 11)
    sink.close()
    rows = rows_of(tmp_path)
    assert len(rows) == 160
    assert all(who == {1: -1, 2: 7}[track] for (_, _, track), who in rows.items())


def test_a_track_named_after_its_rows_had_left_is_repaired_at_the_close(tmp_path, rows_of):
    sink = write(tmp_path, [frame(n, {1: None}) for n in range(100)], hold_seconds=1)
    assert ",-1," in (tmp_path / "tracks.csv").read_text()
    sink.write_frame(frame(100, {1: 4}))
    sink.close()
    assert rows_of(tmp_path) == {("door", n, 1): 4 for n in range(101)}
    assert [path.name for path in tmp_path.iterdir()] == ["tracks.csv"]


def test_a_track_may_change_its_identity_and_lose_it(tmp_path, rows_of):
    said = [None, None, 4, 4, 5, None, 5]
    write(tmp_path, [frame(n, {1: who}) for n, who in enumerate(said)], hold_seconds=0.1).close()
    # Before its first decision the row takes that decision; later rows keep what was said.
    assert [who for _, who in sorted(rows_of(tmp_path).items())] == [4, 4, 4, 4, 5, -1, 5]


def test_merges_reach_rows_that_had_left(tmp_path, rows_of):
    steps = [frame(n, {1: 10} if n < 25 else {2: 20}) for n in range(50)]
    steps += [[event("merged", 20, other_id=10)], [event("merged", 10, other_id=3)]]
    sink = write(tmp_path, [*steps, frame(50, {2: 3})])
    assert ",20," in (tmp_path / "tracks.csv").read_text()
    sink.close()
    assert set(rows_of(tmp_path).values()) == {3}


def test_a_circle_of_merges_ends(tmp_path, rows_of):
    circle = [event("merged", 1, other_id=2), event("merged", 2, other_id=1), event("merged", 3, other_id=3)]
    write(tmp_path, [frame(0, {1: 1, 3: 3}), frame(1, {2: 2}), circle]).close()
    rows = rows_of(tmp_path)
    assert rows["door", 0, 1] == rows["door", 1, 2] == 1
    assert rows["door", 0, 3] == 3


def test_a_split_takes_back_what_was_said_of_that_track_alone(tmp_path, rows_of):
    steps = [frame(n, {1: 7} if n < 30 else {2: 7}) for n in range(60)]
    sink = write(tmp_path, [*steps, [event("split", 7, camera="door", track_id=2, other_id=8)], frame(60, {2: 8})])
    sink.close()
    rows = rows_of(tmp_path)
    assert {rows["door", n, 1] for n in range(30)} == {7}
    assert {rows["door", n, 2] for n in range(30, 61)} == {8}


def test_a_track_split_off_and_given_back_ends_with_the_last_word(tmp_path, rows_of):
    there = [event("split", 7, camera="door", track_id=1, other_id=8)]
    back = [event("split", 8, camera="door", track_id=1, other_id=7)]
    write(tmp_path, [frame(0, {1: 7}), there, frame(1, {1: 8}), back, frame(2, {1: 7})]).close()
    assert set(rows_of(tmp_path).values()) == {7}


def test_a_swap_in_the_middle_of_a_track_is_told_afterwards(tmp_path, rows_of):
    """Person 7 until frame 20, said to be 7 until 30, sought until 40, known as 8 from then on."""
    said = [7] * 30 + [None] * 10 + [8] * 20
    steps = [frame(n, {1: who}) for n, who in enumerate(said)]
    swap = event(
        "split", 7, time_ns=40 * SECOND_NS // 10, camera="door", track_id=1, other_id=8, since_ns=20 * SECOND_NS // 10
    )
    write(tmp_path, [*steps[:40], [swap], *steps[40:]], hold_seconds=0.5).close()
    rows = rows_of(tmp_path)
    assert [rows["door", n, 1] for n in range(60)] == [7] * 20 + [8] * 40


@pytest.mark.parametrize("hold_seconds", [0.1, 5])
def test_a_name_given_afterwards_never_stands_twice_in_a_frame(tmp_path, rows_of, hold_seconds):
    """Track 2 turns out to be 7 at frame 30, while track 1 was 7 until frame 20 (lost, and found under a new track)."""
    steps = [frame(n, {1: 7, 2: None} if n < 20 else {2: None if n < 30 else 7}) for n in range(40)]
    write(tmp_path, steps, hold_seconds=hold_seconds).close()
    rows = rows_of(tmp_path)
    assert {rows["door", n, 1] for n in range(20)} == {7}
    assert {rows["door", n, 2] for n in range(20)} == {-1}
    assert {rows["door", n, 2] for n in range(20, 40)} == {7}


def test_a_created_event_names_the_held_rows(tmp_path, rows_of):
    steps = [frame(0, {1: None}), frame(1, {1: None}), [event("created", 6, camera="door", track_id=1)]]
    write(tmp_path, steps).close()
    assert set(rows_of(tmp_path).values()) == {6}


def test_the_same_track_id_on_two_cameras_is_two_tracks(tmp_path, rows_of):
    steps = [frame(0, {1: None}, camera="a"), frame(0, {1: None}, camera="b"), frame(1, {1: 5}, camera="a")]
    write(tmp_path, steps).close()
    assert rows_of(tmp_path) == {("a", 0, 1): 5, ("b", 0, 1): -1, ("a", 1, 1): 5}


def test_camera_names_are_quoted_where_they_must_be(tmp_path):
    steps = [frame(0, {1: 1}, camera='hall, "west"'), [event("merged", 1, other_id=2)]]
    write(tmp_path, steps).close()
    rows = list(csv.DictReader(io.StringIO((tmp_path / "tracks.csv").read_text())))
    assert rows[0]["camera"] == 'hall, "west"'
    assert rows[0]["global_id"] == "2"


def test_a_clock_that_jumps_neither_stops_nor_spoils_the_file(tmp_path, rows_of):
    far = frame(2, {1: None})
    object.__setattr__(far.sightings, "time_ns", -3600 * SECOND_NS)
    write(tmp_path, [frame(0, {1: None}), frame(1, {1: None}), far, frame(3, {1: 8})]).close()
    assert set(rows_of(tmp_path).values()) == {8}


def test_boxes_that_are_no_numbers_are_refused_and_counted(tmp_path, rows_of):
    record = frame(0, {1: 1, 2: 2})
    record.sightings.boxes[0, 0] = np.inf
    sink = write(tmp_path, [record])
    sink.close()
    assert rows_of(tmp_path) == {("door", 0, 2): 2}
    assert sink.refused_rows == 1


def test_memory_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(tracks_module, "MAX_HELD_ROWS", 50)
    monkeypatch.setattr(repairs_module, "MAX_REPAIRS", 20)
    sink = TracksSink(tmp_path, hold_seconds=1e6)
    for n in range(3000):
        sink.write_frame(frame(n, {n: None, n + 1: n if n % 2 else None}))
        sink.write_events([event("merged", 100_000 + n, other_id=1)])
    assert len(sink._held) <= 51
    assert len(sink._tracks) <= 2 * 600 + 2  # two minutes of one new track per frame
    assert sink._repairs.dropped > 0
    sink.close()


@pytest.mark.parametrize("seed", range(20))
def test_against_a_plain_rewrite_of_everything(tmp_path, rows_of, seed):
    """Oracle: keep all decisions and merges in memory, and resolve every row at the end."""
    dice = random.Random(seed)
    sink = TracksSink(tmp_path, hold_seconds=dice.choice([0, 0.5, 2, 100]))
    rows, first, into = [], {}, {}
    for n in range(150):
        people = {}
        for track in range(n // 20, n // 20 + 4):
            known = first.get(track)
            people[track] = dice.choice([None, track * 10, track * 10 + 1]) if known or dice.random() < 0.05 else None
            if people[track] is not None:
                first.setdefault(track, people[track])
            rows.append((("door", n, track), people[track], track in first))
        sink.write_frame(frame(n, people))
        if dice.random() < 0.05:
            gone, kept = dice.sample(range(100), 2)
            if gone not in into and kept < gone:
                into[gone] = kept
                sink.write_events([event("merged", gone, other_id=kept)])
    sink.close()

    def final(key, who, decided):
        who = who if who is not None else (-1 if decided else first.get(key[2], -1))
        while who in into:
            who = into[who]
        return who

    assert rows_of(tmp_path) == {key: final(key, who, decided) for key, who, decided in rows}
    assert list(rows_of(tmp_path)) == [key for key, _, _ in rows]
