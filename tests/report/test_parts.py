"""The parts of the report that compute something."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.report.axis import Axis, clock, duration
from savant_reid.report.lanes import draw_lanes
from savant_reid.report.palette import camera_colours
from savant_reid.report.plan import draw_plan
from savant_reid.report.presences import find_presences
from savant_reid.report.rows import Rows, read_rows
from savant_reid.report.run_data import read_run
from savant_reid.report.transitions import declared_windows, find_transitions
from savant_reid.report.truth import main_persons, segments, true_persons

S = 1_000_000_000


def rows_of(entries, cameras=("a", "b")):
    """entries: (camera, frame, global_id, left, seconds)."""
    columns = [np.array(column) for column in zip(*entries, strict=True)]
    boxes = np.array([[left, 0.0, 10.0, 20.0] for left in columns[3]])
    camera = np.array([cameras.index(name) for name in columns[0]])
    return Rows(cameras, camera, columns[1], columns[2], boxes, (columns[4] * S).astype(np.int64))


def stay(camera, global_id, first, last, left=0.0):
    return [(camera, n, global_id, left, float(n)) for n in range(first, last + 1)]


def test_presences_break_at_gaps_cameras_and_identities():
    rows = rows_of(
        [*stay("a", 1, 0, 4), *stay("a", 1, 8, 9), *stay("b", 1, 12, 15), *stay("a", 2, 0, 9), *stay("a", -1, 0, 5)]
    )
    found = [(one.global_id, one.camera, one.start_ns // S, one.end_ns // S) for one in find_presences(rows)]
    assert found == [(1, "a", 0, 4), (2, "a", 0, 9), (1, "a", 8, 9), (1, "b", 12, 15)]


def test_transitions_against_their_windows():
    site = {
        "transitions": [
            {"from": "a", "to": "b", "seconds": [2, 5], "both_ways": True},
            {"from": "b", "to": "c", "seconds": [1, 2]},
            {"from": "broken"},
        ]
    }
    assert declared_windows(site) == {("a", "b"): (2, 5), ("b", "a"): (2, 5), ("b", "c"): (1, 2)}
    walks = [*stay("a", 1, 0, 4), *stay("b", 1, 7, 9), *stay("a", 1, 19, 20), *stay("a", 2, 0, 9), *stay("b", 2, 5, 9)]
    seen = {(one.source, one.target): one for one in find_transitions(find_presences(rows_of(walks)), site)}
    assert seen["a", "b"].seconds == [3, -4]
    assert seen["a", "b"].outside == 1  # in two places at once
    assert seen["b", "a"].outside == 1
    assert seen["b", "a"].median_seconds == 10
    assert seen["b", "c"].count == 0
    shared = find_transitions(find_presences(rows_of(walks)), {**site, "overlaps": [["b", "a"]]})
    assert {(one.source, one.target): one.seconds for one in shared}["a", "b"] == [3]


def test_truth_names_the_rows_and_finds_the_faults():
    truth = rows_of([*stay("a", 70, 0, 19), *stay("a", 80, 0, 19, left=100), *stay("b", 70, 30, 39)])
    said = [*stay("a", 1, 0, 19, left=1), *stay("a", 2, 0, 9, left=101), *stay("a", 1, 10, 19, left=101)]
    rows = rows_of([*said, *stay("b", 3, 30, 39)])
    persons = true_persons(rows, truth)
    assert sorted(set(persons.tolist())) == [70, 80]
    person_of, identity_of = main_persons(rows, persons)
    assert person_of == {1: 70, 2: 80, 3: 70}
    assert identity_of == {70: 1, 80: 2}
    faults = {
        (one.global_id, one.camera, segment.person): segment.fault
        for one in find_presences(rows)
        for segment in segments(one, rows, persons, person_of, identity_of)
    }
    assert faults[2, "a", 80] == ""
    assert faults[3, "b", 70] == "split: person 70 is identity 1 elsewhere"


def test_people_without_a_lane_are_named():
    truth = rows_of([*stay("a", 70, 0, 9), *stay("a", 80, 0, 9, left=100)])
    rows = rows_of(stay("a", 1, 0, 9))
    chart = draw_lanes(rows, find_presences(rows), [], truth, camera_colours(["a", "b"]))
    assert chart.people == 2
    assert chart.unfound == [80]
    assert chart.lanes[0].person == 70


def test_bars_are_provisional_until_the_confirmation_and_merges_move_marks():
    rows = rows_of([*stay("a", 1, 0, 10), *stay("a", 2, 0, 10, left=50)])
    events = [
        {"kind": "created", "time_ns": 0, "global_id": 9},
        {"kind": "merged", "time_ns": 4 * S, "global_id": 9, "other_id": 1},
        {"kind": "confirmed", "time_ns": 5 * S, "global_id": 1},
        {"kind": "created", "time_ns": S, "global_id": 2},
    ]
    first, second = draw_lanes(rows, find_presences(rows), events, None, camera_colours(["a", "b"])).lanes
    assert [mark.kind for mark in first.marks] == ["created", "merged", "confirmed"]
    assert (first.bars[0].x, first.bars[0].sure_x, first.bars[0].width) == (0, 50, 100)
    assert second.bars[0].sure_x == 100


def test_boxes_match_one_to_one_by_the_best_overlap():
    truth = rows_of([("a", 0, 5, 0.0, 0.0), ("a", 0, 6, 6.0, 0.0)])
    rows = rows_of([("a", 0, 1, 2.0, 0.0), ("a", 0, 2, 1.0, 0.0), ("a", 0, 3, 50.0, 0.0), ("b", 0, 4, 0.0, 0.0)])
    assert true_persons(rows, truth).tolist() == [-1, 5, -1, -1]


@pytest.mark.parametrize("seconds", [0, 0.5, 3, 59, 61, 600, 3601, 90_000, 10_000_000])
@pytest.mark.parametrize("start_ns", [0, 17 * S, 1_790_000_000 * S])
def test_ticks_are_few_inside_and_in_order(seconds, start_ns):
    ticks = Axis(start_ns, start_ns + int(seconds * S)).ticks()
    assert len(ticks) <= 10
    places = [place for place, _ in ticks]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    assert seconds < 0.5 or len(ticks) >= 2


def test_times_as_people_write_them():
    assert [clock(one) for one in (0, 0.5, 5, 65, 7265)] == ["0:00", "0:00.5", "0:05", "1:05", "2:01:05"]
    assert [duration(one) for one in (4.25, 45, 60, 200, 7500)] == ["4.2 s", "45 s", "1 min", "3 min 20 s", "2 h 5 min"]


def test_colours_and_codes_for_any_number_of_cameras():
    colours = camera_colours([f"c{i}" for i in range(60)])
    assert len({one.code for one in colours.values()}) == 60
    assert len({one.fill for one in list(colours.values())[:16]}) == 16


@pytest.mark.parametrize(
    "site",
    [
        {},
        {"cameras": {"a": {"plan": [0, 0]}, "b": {"plan": [12, 3]}}, "rooms": {"hall": [-1, -1, 20, 6]}},
        {"cameras": {"a": {"plan": [4, 4]}}},
        {"cameras": {"a": {"plan": [4, 4]}, "b": {"plan": [4, 4]}}},
        {"cameras": {"a": {"plan": "here"}, "b": None}, "rooms": {"hall": [1, 2]}},
    ],
)
def test_every_camera_stands_inside_the_picture(site):
    plan = draw_plan(site, camera_colours(["a", "b"]), find_transitions([], site))
    assert len(plan.spots) == 2
    assert all(0 <= spot.x <= 760 and 0 <= spot.y <= plan.height for spot in plan.spots)
    assert all(room.x >= 0 and room.x + room.width <= 760 for room in plan.rooms)


def test_north_is_up():
    site = {"cameras": {"a": {"plan": [0, 0]}, "b": {"plan": [0, 9]}}}
    low, high = draw_plan(site, camera_colours(["a", "b"]), []).spots
    assert low.y > high.y


def test_half_a_line_is_passed_over(tmp_path):
    path = tmp_path / "tracks.csv"
    header = "camera,frame,track_id,global_id,left,top,width,height,confidence,time_ns\n"
    path.write_text(header + "a,0,1,2,1,2,3,4,0.5,100\na,1,1,2,1,2,3,4,0.5,20")
    rows = read_rows(path)
    assert rows.time_ns.tolist() == [100]
    path.write_text(header)
    assert len(read_rows(path)) == 0


def test_cameras_of_the_site_that_did_not_run_are_left_out(tmp_path):
    (tmp_path / "site.yml").write_text("site: s\ncameras: {a: {}, b: {}, c: {}}")
    (tmp_path / "metrics.json").write_text('{"cameras": {"c": {}, "a": {}}}')
    assert read_run(tmp_path).cameras == ["a", "c"]
