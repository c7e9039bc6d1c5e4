from __future__ import annotations

from pathlib import Path

import pytest
from savant_reid.errors import OutputError
from savant_reid.sinks.run_folder import overlay_name, prepare_run_folder


def test_makes_the_folder_and_its_parents(tmp_path):
    prepare_run_folder(tmp_path / "runs" / "demo")
    assert (tmp_path / "runs" / "demo").is_dir()
    assert list((tmp_path / "runs" / "demo").iterdir()) == []


def test_takes_a_folder_that_holds_other_things(tmp_path):
    (tmp_path / "site.yml").write_text("site: mine")
    (tmp_path / "holiday.mp4").write_bytes(b"")
    prepare_run_folder(tmp_path)
    assert (tmp_path / "site.yml").exists()


def test_refuses_a_folder_that_holds_a_run(tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    (tmp_path / overlay_name("door")).write_bytes(b"")
    with pytest.raises(OutputError, match=r"metrics\.json, overlay-door\.mp4.*--force"):
        prepare_run_folder(tmp_path)
    assert (tmp_path / "metrics.json").exists()


def test_force_removes_what_a_run_wrote_and_nothing_else(tmp_path):
    for name in ("frames.jsonl", "tracks.csv.tmp", "report.html", "mosaic.mp4", "overlay-door.mp4"):
        (tmp_path / name).write_text("old")
    for name in ("site.yml", "truth.csv", "notes.txt", "door.mp4", "frames.jsonl.bak"):
        (tmp_path / name).write_text("mine")
    parts = tmp_path / "sightings.parquet"
    parts.mkdir()
    (parts / "part-00001.parquet").write_bytes(b"")
    (parts / ".part-00002.tmp").write_bytes(b"")
    prepare_run_folder(tmp_path, force=True)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["door.mp4", "frames.jsonl.bak", "notes.txt", "site.yml", "truth.csv"]


def test_force_keeps_a_folder_with_something_of_the_users_in_it(tmp_path):
    parts = tmp_path / "sightings.parquet"
    parts.mkdir()
    (parts / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"sightings\.parquet"):
        prepare_run_folder(tmp_path, force=True)
    assert (parts / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("below", ["", "deeper"])
def test_refuses_a_file_in_place_of_the_folder(tmp_path, below):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="expected a folder, found a file"):
        prepare_run_folder(tmp_path / "out" / below, force=True)


# /proc refuses new files even to root, which permission bits would not.
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs procfs")
@pytest.mark.parametrize("out", ["/proc", "/proc/new"])
def test_refuses_what_cannot_be_written(out):
    with pytest.raises(OutputError, match=f"--out {out}: "):
        prepare_run_folder(Path(out))


@pytest.mark.parametrize(
    ("camera", "name"),
    [("door", "overlay-door.mp4"), ("../a\\b\n", "overlay-.._a_b_.mp4"), ("hall 2", "overlay-hall 2.mp4")],
)
def test_overlay_names_stay_in_the_folder(camera, name):
    assert overlay_name(camera) == name
