from __future__ import annotations

import csv
import json
from importlib.resources import files

import jsonschema
import pytest

from savant_reid.errors import DataError
from savant_reid.gallery.corrections import CORRECTIONS, load_corrections
from savant_reid.gallery.decisions import check_finished, forget, merge, split
from savant_reid.gallery.run import open_run
from savant_reid.report import write_report
from savant_reid.sinks.lines import read_json_lines
from savant_reid.sinks.sightings import embedding_model, read_sightings
from tests.gallery.fake_run import CAMERAS, MODEL, SECOND_NS, track_of, write_run


def rows(folder):
    with open(folder / "tracks.csv", newline="") as file:
        return list(csv.DictReader(file))


def ids_of(folder, camera, track):
    return {int(row["global_id"]) for row in rows(folder) if (row["camera"], row["track_id"]) == (camera, str(track))}


def events(folder):
    return list(read_json_lines(folder / "identities.jsonl"))


def check_schemas(folder):
    for name, lines in [("frame", "frames.jsonl"), ("identity", "identities.jsonl")]:
        schema = json.loads((files("savant_reid.sinks") / "schemas" / f"{name}.json").read_text())
        validator = jsonschema.Draft202012Validator(schema)
        for line in read_json_lines(folder / lines):
            validator.validate(line)


def test_a_merge_is_in_every_file_and_the_old_id_resolves(folder):
    before = len(events(folder))
    changed = merge(open_run(folder), 6, 7, folder / CORRECTIONS)
    assert changed == 17
    assert ids_of(folder, CAMERAS[1], track_of(5, 2)) == {6}
    run = open_run(folder)
    assert set(run.people) == {1, 2, 3, 4, 5, 6}
    assert run.person(7) is run.person(6)
    assert len(run.person(6).visits) == 3
    [event] = events(folder)[before:]
    assert (event["kind"], event["global_id"], event["other_id"], event["reason"]) == ("merged", 7, 6, "by hand")
    assert event["sequence"] == before
    [correction] = load_corrections(folder / CORRECTIONS).merges
    assert correction.ids == (6, 7)
    assert [[one.track_id for one in side] for side in correction.tracks] == [[5, 15], [25]]
    check_schemas(folder)


def test_a_merge_that_was_cut_short_is_finished_by_doing_it_again(folder):
    tracks = (folder / "tracks.csv").read_bytes()
    merge(open_run(folder), 6, 7, folder / CORRECTIONS)
    (folder / "tracks.csv").write_bytes(tracks)
    assert len(open_run(folder).person(6).visits) == 3
    count = len(events(folder))
    assert merge(open_run(folder), 6, 7, folder / CORRECTIONS) == 17
    assert len(events(folder)) == count
    assert ids_of(folder, CAMERAS[1], track_of(5, 2)) == {6}


def test_people_side_by_side_are_not_merged_unless_it_is_meant(folder):
    before = (folder / "tracks.csv").read_bytes()
    with pytest.raises(DataError, match=r"1 and 4 are side by side in 51 frames, first in frame 0 of door"):
        merge(open_run(folder), 1, 4, folder / CORRECTIONS)
    assert (folder / "tracks.csv").read_bytes() == before
    assert not (folder / CORRECTIONS).exists()
    merge(open_run(folder), 1, 4, folder / CORRECTIONS, force=True)
    frames = {}
    for row in rows(folder):
        frames.setdefault((row["camera"], row["frame"]), []).append(row["global_id"])
    assert all(len(set(known)) == len(known) for ids in frames.values() if (known := [i for i in ids if i != "-1"]))
    assert {row["global_id"] for row in rows(folder)} == {"-1", "1", "2", "3", "5", "6", "7"}


def test_who_was_elsewhere_at_the_time_is_merged_with_a_warning(folder, caplog):
    merge(open_run(folder), 1, 5, folder / CORRECTIONS)
    assert "for 8.0 s the one was before door, the other before hall, left" in caplog.text


def test_nobody_is_merged_with_oneself_or_with_nobody(folder):
    with pytest.raises(DataError, match="expected two IDs, found 3 twice"):
        merge(open_run(folder), 3, 3, folder / CORRECTIONS)
    with pytest.raises(DataError, match=r"somebody of this run \(1, 2, 3, 4, 5, 6, 7\), found 99"):
        merge(open_run(folder), 3, 99, folder / CORRECTIONS)


def test_a_split_gives_a_track_a_new_identity(folder):
    new = split(open_run(folder), 2, [(CAMERAS[2], track_of(1, 1))], None, folder / CORRECTIONS)
    assert new == 8
    assert ids_of(folder, CAMERAS[2], track_of(1, 1)) == {8}
    run = open_run(folder)
    assert ([len(run.people[one].visits) for one in (2, 8)], run.history.state(8)) == ([2, 1], "confirmed")
    [made] = load_corrections(folder / CORRECTIONS).splits
    assert (made.global_id, made.new_id, made.track.track_id, made.since_ns) == (2, 8, 11, None)
    assert [one.track_id for one in made.others] == [1, 21]
    check_schemas(folder)


def test_a_split_from_a_moment_on_leaves_what_came_before(folder):
    since_ns = 23 * SECOND_NS
    new = split(open_run(folder), 2, [(CAMERAS[2], 11)], since_ns, folder / CORRECTIONS)
    said = {int(row["global_id"]): [] for row in rows(folder)}
    for row in rows(folder):
        if (row["camera"], row["track_id"]) == (CAMERAS[2], "11"):
            said[int(row["global_id"])].append(int(row["time_ns"]))
    assert max(said[2]) < since_ns == min(said[new])
    assert [event["since_ns"] for event in events(folder) if event["kind"] == "split"] == [since_ns]


def test_a_split_of_everything_or_of_a_foreign_track_is_refused(folder):
    run = open_run(folder)
    with pytest.raises(DataError, match="a part of 7 that stays"):
        split(run, 7, [(CAMERAS[1], 25)], None, folder / CORRECTIONS)
    with pytest.raises(DataError, match=r"one of the tracks of 7 \(hall, left:25\), found hall, left:21"):
        split(run, 7, [(CAMERAS[1], 21)], None, folder / CORRECTIONS)
    with pytest.raises(DataError, match="at or after 99 s"):
        split(run, 7, [(CAMERAS[1], 25)], 99 * SECOND_NS, folder / CORRECTIONS)
    assert not (folder / CORRECTIONS).exists()


def test_what_was_split_can_be_merged_again(folder):
    new = split(open_run(folder), 2, [(CAMERAS[2], 11)], None, folder / CORRECTIONS)
    merge(open_run(folder), 2, new, folder / CORRECTIONS)
    assert len(open_run(folder).people[2].visits) == 3
    found = load_corrections(folder / CORRECTIONS)
    assert (len(found.merges), found.splits) == (1, ())


@pytest.mark.parametrize("close", [True, False])
def test_nothing_is_left_of_who_was_forgotten(tmp_path, close):
    folder = tmp_path / "run"
    write_run(folder, close=close)
    run = open_run(folder)
    seen = {(one.camera, one.track_id) for one in run.stretches if one.global_id == 3}
    others = sum(row["global_id"] != "3" for row in rows(folder))
    removed = forget(run, 3, folder / CORRECTIONS)
    assert removed["tracks.csv"] == sum(one.rows for one in run.stretches if one.global_id == 3)
    assert len(rows(folder)) == others
    assert 3 not in {int(row["global_id"]) for row in rows(folder)}
    for message in read_json_lines(folder / "frames.jsonl"):
        for one in message["objects"]:
            assert (message["camera"], one["track_id"]) not in seen
            assert 3 not in (one["reid"]["global_id"], (one["reid"]["runner_up"] or {}).get("global_id"))
    table = read_sightings(folder / "sightings.parquet")
    assert embedding_model(table) == MODEL
    assert not seen & set(zip(table["camera"].to_pylist(), table["track_id"].to_pylist(), strict=True))
    left = [event for event in events(folder) if 3 in (event["global_id"], event["other_id"])]
    assert [(event["kind"], event["camera"]) for event in left] == [("erased", None)]
    with pytest.raises(DataError, match=r"3: erased, and no row of tracks\.csv is left"):
        open_run(folder).person(3)
    assert load_corrections(folder / CORRECTIONS).forgotten == (3,)
    check_schemas(folder)


def test_whoever_was_merged_is_forgotten_with_all_ids(folder):
    merge(open_run(folder), 6, 7, folder / CORRECTIONS)
    forget(open_run(folder), 7, folder / CORRECTIONS)
    assert not {6, 7} & {event["global_id"] for event in events(folder) if event["kind"] != "erased"}
    found = load_corrections(folder / CORRECTIONS)
    assert (found.merges, set(found.forgotten)) == ((), {6, 7})


def test_somebody_else_who_was_taken_for_the_forgotten_one_stays_without_the_name(folder):
    """Live, track 11 was person 2; by hand it became somebody else, and then person 2 asked to be forgotten."""
    split(open_run(folder), 2, [(CAMERAS[2], 11)], None, folder / CORRECTIONS)
    forget(open_run(folder), 2, folder / CORRECTIONS)
    said = [
        one["reid"]
        for message in read_json_lines(folder / "frames.jsonl")
        for one in message["objects"]
        if (message["camera"], one["track_id"]) == (CAMERAS[2], 11)
    ]
    assert len(said) == 17
    assert {(one["global_id"], one["reason"]) for one in said} == {(-1, "too_little_evidence")}
    check_schemas(folder)


def test_a_run_that_may_still_be_written_to_is_left_alone(tmp_path):
    write_run(tmp_path / "run", close=False)
    run = open_run(tmp_path / "run")
    with pytest.raises(DataError, match=r"if it was killed .* say --unfinished"):
        check_finished(run, unfinished=False)
    check_finished(run, unfinished=True)


def test_the_report_of_a_corrected_run_can_be_made(folder):
    merge(open_run(folder), 6, 7, folder / CORRECTIONS)
    forget(open_run(folder), 1, folder / CORRECTIONS)
    assert write_report(folder).is_file()
