from __future__ import annotations

import numpy as np
import pytest

from savant_reid.errors import DataError
from savant_reid.gallery.history import History
from savant_reid.gallery.people import people_of
from savant_reid.gallery.run import open_run
from savant_reid.gallery.stretches import Stretch, read_stretches
from tests.gallery.fake_run import CAMERAS, SECOND_NS, Looks, write_run

HEADER = "camera,frame,track_id,global_id,left,top,width,height,confidence,time_ns\n"


def test_a_run_has_its_people_with_their_visits(finished):
    run = open_run(finished)
    assert list(run.people) == [1, 2, 3, 4, 5, 6, 7]
    first = run.people[1]
    assert [(visit.camera, visit.first_ns, visit.last_ns) for visit in first.visits] == [
        (CAMERAS[slot], 20 * slot * SECOND_NS, (20 * slot + 8) * SECOND_NS) for slot in range(3)
    ]
    assert (first.first_ns, first.last_ns, first.cameras) == (0, 48 * SECOND_NS, list(CAMERAS))
    assert len(run.people[6].visits) == 2
    assert run.site == "fake"
    assert run.overlaps == frozenset()


def test_a_track_that_changes_its_identity_is_cut_into_stretches(tmp_path):
    rows = ["a,0,1,5", "a,1,1,5", "b,1,1,9", "a,2,1,6", "a,3,1,-1", "a,3,2,5", "a,4,1,6"]
    text = "".join(f"{row},0,0,1,1,1,{int(row.split(',')[1]) * 10}\n" for row in rows)
    (tmp_path / "tracks.csv").write_text(HEADER + text)
    found = [(s.camera, s.track_id, s.global_id, s.first_ns, s.last_ns, s.rows) for s in _read(tmp_path)]
    assert found == [
        ("a", 1, 5, 0, 10, 2),
        ("a", 1, 6, 20, 20, 1),
        ("a", 1, -1, 30, 30, 1),
        ("a", 1, 6, 40, 40, 1),
        ("a", 2, 5, 30, 30, 1),
        ("b", 1, 9, 10, 10, 1),
    ]


def test_pieces_of_a_large_file_make_the_same_stretches(finished, monkeypatch):
    whole = _read(finished)
    monkeypatch.setattr("savant_reid.gallery.stretches._BLOCK_BYTES", 300)
    assert _read(finished) == whole


def test_a_gap_of_seconds_is_no_new_visit():
    def stretch(camera, track, first_s, last_s):
        return Stretch(camera, track, 1, first_s * SECOND_NS, last_s * SECOND_NS, 9)

    [person] = people_of(
        [stretch("a", 1, 0, 5), stretch("a", 2, 9, 12), stretch("b", 1, 20, 21), stretch("a", 3, 30, 31)]
    ).values()
    assert [(v.camera, [s.track_id for s in v.stretches]) for v in person.visits] == [
        ("a", [1, 2]),
        ("b", [1]),
        ("a", [3]),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "found no such file"),
        ("", "expected a file with the header"),
        ("who,where\n1,2\n", "expected a file with the header"),
        (HEADER + "a,0,x,5,0,0,1,1,1,0\na,1,1,5,0,0,1,1,1,10\n", "whole numbers"),
    ],
)
def test_what_is_no_tracks_file_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "tracks.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        _read(tmp_path)


@pytest.mark.parametrize("torn", ["door,119,2", "door,119,21,2,0,0,1,1,0.9,"])
def test_a_line_that_was_cut_off_is_passed_over(folder, torn):
    whole = _read(folder)
    with open(folder / "tracks.csv", "a") as file:
        file.write(torn)
    assert _read(folder) == whole


def test_a_killed_run_is_read_as_far_as_it_got(tmp_path, caplog):
    write_run(tmp_path / "run", close=False)
    run = open_run(tmp_path / "run")
    assert "did not come to its end" in caplog.text
    assert set(run.people) >= {1, 2, 3}
    assert len(run.looks.visits) > 0


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    for path, message in [
        (tmp_path / "none", "found nothing of that name"),
        (tmp_path, "with tracks.csv, found none"),
        (tmp_path / "file", "found a file"),
    ]:
        (tmp_path / "file").touch()
        with pytest.raises(DataError, match=message):
            open_run(path)


def test_a_run_in_which_nobody_was_seen_is_empty(tmp_path):
    (tmp_path / "tracks.csv").write_text(HEADER)
    run = open_run(tmp_path)
    assert run.people == {}
    with pytest.raises(DataError, match="it has none"):
        run.person(1)


def test_looks_lose_what_the_camera_adds(finished):
    looks = open_run(finished).looks
    assert looks.model == "tiny sha256:0"
    owners = np.array([visit.global_id for visit in looks.visits])
    cameras = np.array([visit.camera for visit in looks.visits])
    same_person, same_camera = owners[:, None] == owners, cameras[:, None] == cameras
    alike, raw = looks.means @ looks.means.T, looks.raw @ looks.raw.T
    strangers = same_camera & ~same_person
    assert raw[strangers].mean() > 0.3
    assert alike[strangers].mean() < 0.1
    elsewhere = same_person & ~same_camera
    assert alike[elsewhere].mean() > raw[elsewhere].mean() + 0.1


def test_side_by_side_is_remembered_but_not_where_boxes_touch(finished):
    looks = open_run(finished).looks
    pairs = {frozenset((looks.visits[a].global_id, looks.visits[b].global_id)) for a, b in looks.apart}
    assert pairs == {frozenset(pair) for pair in [(1, 4), (2, 5), (3, 6), (3, 7)]}


def test_broken_embeddings_do_not_spoil_a_mean(tmp_path):
    class Broken(Looks):
        def picture(self, person, camera):
            row = super().picture(person, camera)
            return row * [1.0, np.nan, 0.0, np.inf, 1.0, 1.0][self.random.integers(0, 6)]

    write_run(tmp_path / "run", Broken())
    looks = open_run(tmp_path / "run").looks
    assert len(looks.visits) == 18
    np.testing.assert_allclose(np.linalg.norm(looks.means, axis=1), 1.0, atol=1e-5)


def test_missing_and_strange_sightings_are_refused(folder):
    (folder / "sightings.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="expected sightings in Parquet"):
        _ = open_run(folder).looks
    (folder / "sightings.parquet").unlink()
    with pytest.raises(DataError, match="found no such file"):
        _ = open_run(folder).looks


def event(kind, gone, other=None, time_ns=0):
    return {"kind": kind, "global_id": gone, "other_id": other, "time_ns": time_ns}


def test_an_old_id_always_resolves():
    history = History([event("created", 1), event("merged", 8, 3), event("merged", 3, 2), event("merged", 9, 8)])
    assert [history.present(one) for one in (1, 2, 3, 8, 9)] == [1, 2, 2, 2, 2]
    assert history.older_ids(2) == [3, 8, 9]
    assert len(history.of(2)) == 3


def test_of_a_circle_of_merges_the_last_word_counts():
    history = History([event("merged", 8, 3), event("merged", 3, 8)])
    assert history.present(3) == history.present(8) == 8


def test_states():
    history = History(
        [event("created", 1), event("confirmed", 1), event("created", 2), event("expired", 1), event("erased", 3)]
    )
    assert [history.state(one) for one in (1, 2, 3)] == ["expired", "provisional", "erased"]


def _read(folder):
    return read_stretches(folder / "tracks.csv")
