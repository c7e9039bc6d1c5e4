from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from savant_reid.cli import main
from savant_reid.errors import SourceError
from savant_reid.gallery.enrolment import load_enrolled
from savant_reid.gallery.photo import PhotoReader
from savant_reid.gallery.tables import clock
from simulated_site.render import render_frame
from simulated_site.site import make_site
from tests.gallery.fake_run import CAMERAS, Looks, write_run


def gallery(*arguments):
    return CliRunner().invoke(main, ["gallery", *map(str, arguments)])


def answer(*arguments):
    result = gallery(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(*arguments):
    result = gallery(*arguments)
    assert result.exit_code != 0, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.fixture(scope="module")
def reader():
    return PhotoReader()


@pytest.fixture(scope="module")
def photo(tmp_path_factory, reader):
    """A frame of a simulated camera with at least two people, whole and apart."""
    site = make_site(0, cameras=1, people=8, seconds=20)
    [camera] = site.cameras
    for frame in range(0, site.frames, 5):
        image, truth = render_frame(site, camera, frame)
        if len(truth) >= 2:
            path = tmp_path_factory.mktemp("photo") / "two people.png"
            cv2.imwrite(str(path), image)
            try:
                if reader.read(path).people >= 2:
                    return path
            except SourceError:  # the detector finds nobody in this one
                continue
    raise AssertionError("no frame with two people")


@pytest.fixture(scope="module")
def run_of_photo(tmp_path_factory, reader, photo):
    """A run by the module's own embedder, in which person 0 is the largest one of the photo, person 1 the second."""
    looks = Looks(dimension=len(reader.read(photo).embedding))
    looks.people[:2] = [reader.read(photo, person=number).embedding for number in (1, 2)]
    folder = tmp_path_factory.mktemp("runs") / "run"
    write_run(folder, looks, model=reader.model)
    return folder


def test_list(finished):
    lines = answer("list", "--run", finished).splitlines()
    assert lines[0].split() == ["ID", "state", "first", "seen", "last", "seen", "visits", "cameras"]
    assert lines[1].split() == ["1", "confirmed", "0:00:00.0", "0:00:48.0", "3", *["door,", "hall,", "left,", "yard"]]
    assert len(lines) == 8
    people = json.loads(answer("list", "--run", finished, "--json"))["people"]
    assert [one["global_id"] for one in people] == [1, 2, 3, 4, 5, 6, 7]
    assert people[0]["visits"][1] == {
        "camera": "hall, left",
        "first_ns": 20_000_000_000,
        "last_ns": 28_000_000_000,
        "seconds": 8.0,
        "tracks": [10],
    }


def test_show(finished):
    text = answer("show", 7, "--run", finished)
    assert "hall, left  0:00:40.0  0:00:48.0  8.0 s   hall, left:25" in text
    assert "created 7 (hall, left:25)" in text
    assert text.splitlines()[-5].split()[0] == "6"
    shown = json.loads(answer("show", 7, "--run", finished, "--json"))
    assert (shown["global_id"], shown["alike"][0]["global_id"]) == (7, 6)
    assert [event["kind"] for event in shown["events"]] == ["created", "confirmed"]


def test_show_tells_times_even_where_sightings_are_lost(folder):
    (folder / "sightings.parquet").unlink()
    result = gallery("show", 7, "--run", folder)
    assert result.exit_code == 0
    assert "hall, left:25" in result.stdout
    assert "sightings.parquet: expected the sightings of a run, found no such file" in result.stderr
    assert "found no such file" in refusal("search", "--identity", 7, "--run", folder)


def test_search_by_picture(run_of_photo, photo):
    result = gallery("search", photo, "--run", run_of_photo, "--json")
    assert result.exit_code == 0
    assert "people in the picture; number 1 by size is taken" in result.stderr
    found = json.loads(result.stdout)
    best = found["people"][0]
    assert (best["global_id"], best["cameras"]) == (1, list(CAMERAS))
    assert best["probability"] > 0.5 > found["nobody"]
    assert found["query"]["images"][0]["people"] >= 2
    other = json.loads(answer("search", photo, "--run", run_of_photo, "--json", "--person", 2, "--limit", 1))
    assert [one["global_id"] for one in other["people"]] == [2]


def test_search_by_crop_and_with_a_camera(run_of_photo, photo, tmp_path):
    found = json.loads(gallery("search", photo, "--run", run_of_photo, "--json").stdout)
    left, top, width, height = map(round, found["query"]["images"][0]["box"])
    crop = tmp_path / "crop.png"
    cv2.imwrite(str(crop), cv2.imread(str(photo))[top : top + height, left : left + width])
    lines = answer("search", crop, "--crop", "--camera", CAMERAS[0], "--run", run_of_photo).splitlines()
    assert lines[0].split()[:3] == ["ID", "probability", "similarity"]
    assert lines[1].startswith("1 ")
    assert "door 0:00:00.0 to 0:00:08.0; hall, left 0:00:20.0 to 0:00:28.0" in lines[1]
    assert lines[-1].startswith("nobody")


def test_search_by_identity(finished):
    found = json.loads(answer("search", "--identity", 7, "--run", finished, "--json", "--no-rerank"))
    assert (found["query"], found["people"][0]["global_id"], found["reranked"]) == ({"identity": 7}, 6, False)


def test_what_is_no_picture_is_refused(run_of_photo, tmp_path, photo):
    text, empty, blank = tmp_path / "a.jpg", tmp_path / "b.jpg", tmp_path / "c.png"
    text.write_text("no picture")
    empty.touch()
    cv2.imwrite(str(blank), np.full((200, 200, 3), 128, np.uint8))
    tiny = tmp_path / "d.png"
    cv2.imwrite(str(tiny), np.zeros((8, 8, 3), np.uint8))
    there = ("--run", run_of_photo)
    assert "none.jpg: expected a picture, found: No such file" in refusal("search", tmp_path / "none.jpg", *there)
    assert "expected a picture, found: Is a directory" in refusal("search", tmp_path, *there)
    assert "found 10 bytes that are none" in refusal("search", text, *there)
    assert "found 0 bytes that are none" in refusal("search", empty, *there)
    assert "expected a person in the picture, found none" in refusal("search", blank, *there)
    assert "found 8 x 8 pixels" in refusal("search", tiny, "--crop", *there)
    assert "expected at least 9 people in the picture" in refusal("search", photo, "--person", 9, *there)


def test_a_run_of_another_model_is_refused_by_name(finished, photo, reader):
    text = refusal("search", photo, "--run", finished)
    assert "made by the embedding model tiny sha256:0" in text
    assert reader.model in text


def test_what_makes_no_sense_is_refused(finished, tmp_path, photo):
    assert "expected either pictures or --identity" in refusal("search", "--run", finished)
    assert "expected either pictures or --identity" in refusal("search", photo, "--identity", 1, "--run", finished)
    assert "somebody of this run" in refusal("show", 99, "--run", finished)
    assert "expected one of the run's cameras" in refusal("search", photo, "--camera", "roof", "--run", finished)
    assert "expected a run folder with tracks.csv" in refusal("list", "--run", tmp_path)
    assert "found nothing of that name" in refusal("list", "--run", tmp_path / "none")
    assert "CAMERA:TRACK such as aisle:12, found 'aisle'" in refusal("split", 1, "--track", "aisle", "--run", finished)
    assert "m.yml" in refusal("search", photo, "--module", tmp_path / "m.yml", "--run", finished)


def test_merge_split_and_forget(folder, tmp_path):
    elsewhere = tmp_path / "site-corrections.jsonl"
    assert "7 lives on in 6; 17 rows" in answer("merge", 6, 7, "--run", folder, "--corrections", elsewhere)
    assert "(asked for as 7)" in answer("show", 7, "--run", folder)
    assert "hall, left:25 became 8" in answer(
        "split", 6, "--track", "hall, left:25", "--run", folder, "--corrections", elsewhere
    )
    assert gallery("forget", 8, "--run", folder).exit_code == 1  # nobody said yes
    result = gallery("forget", 8, "--run", folder, "--yes", "--corrections", elsewhere)
    assert "tracks.csv: 17 removed" in result.stdout
    assert "videos (they are not redacted)" in result.stderr
    assert "erased" in refusal("show", 8, "--run", folder)
    assert len(elsewhere.read_text().splitlines()) == 2
    assert not (folder / "corrections.jsonl").exists()


@pytest.mark.parametrize("since", ["nan", "inf", "-inf", "1e30"])
def test_a_time_that_is_none_splits_nothing(folder, since):
    before = (folder / "tracks.csv").read_bytes()
    said = refusal("split", 6, "--track", "hall, left:25", "--since", since, "--run", folder)
    assert "--since" in said
    assert "expected seconds on the run's clock, found" in said
    assert (folder / "tracks.csv").read_bytes() == before


def test_a_report_that_is_there_is_made_again(folder):
    (folder / "report.html").write_text("old")
    answer("merge", 6, 7, "--run", folder)
    assert (folder / "report.html").read_text() != "old"


def test_enrol_and_unenrol(run_of_photo, finished, photo, tmp_path, reader):
    out = tmp_path / "people.parquet"
    answer("enrol", " Anna ", "--image", photo, "--image", photo, "--person", 2, "--out", out)
    answer("enrol", "Bo", "--identity", 3, "--run", run_of_photo, "--out", out)
    before = out.read_bytes()
    assert "Bo with 3 embeddings (0 new)" in answer("enrol", "Bo", "--identity", 3, "--run", run_of_photo, "--out", out)
    assert "Anna with 2 embeddings (0 new)" in answer("enrol", "Anna", "--image", photo, "--person", 2, "--out", out)
    assert out.read_bytes() == before
    enrolled = load_enrolled(out)
    assert enrolled.model == reader.model
    assert [(one.name, len(one), one.global_id) for one in enrolled.people] == [("Anna", 2, None), ("Bo", 3, 3)]
    assert enrolled.people[0].sources == ("picture two people.png",) * 2
    assert enrolled.people[1].cameras == ("yard", "door", "hall, left")
    np.testing.assert_allclose(enrolled.people[0].embeddings[0], reader.read(photo, person=2).embedding, atol=1e-5)
    assert "tiny sha256:0" in refusal("enrol", "Cy", "--identity", 1, "--run", finished, "--out", out)
    assert "expected either --image" in refusal("enrol", "Cy", "--out", out)
    assert "expected a name" in refusal("enrol", " ", "--identity", 1, "--run", finished, "--out", out)
    answer("unenrol", "Anna", "--out", out)
    assert "names in it (Bo), found 'Anna'" in refusal("unenrol", "Anna", "--out", out)
    assert [one.name for one in load_enrolled(out).people] == ["Bo"]


def test_clocks():
    assert clock(83_450_000_000) == "0:01:23.4"
    assert clock(59_960_000_000) == "0:01:00.0"
    assert clock(-1_500_000_000) == "-0:00:01.5"
    assert clock(1_790_000_000_000_000_000) == "2026-09-21 14:13:20+00:00"
