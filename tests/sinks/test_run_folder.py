from __future__ import annotations

from pathlib import Path

import pytest

from savant_reid.errors import OutputError
from savant_reid.sinks.run_folder import Copy, check_inputs, overlay_name, prepare_run_folder


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
    for name in ("frames.jsonl", ".tracks.csv.tmp", "report.html", "mosaic.mp4", "overlay-door.mp4"):
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


def site_copy(original: Path | None = None, text: bytes = b"site: run") -> Copy:
    return Copy("site.yml", lambda: text, original)


def test_copies_are_written(tmp_path):
    prepare_run_folder(tmp_path, copies=[site_copy()])
    assert [path.name for path in tmp_path.iterdir()] == ["site.yml"]
    assert (tmp_path / "site.yml").read_text() == "site: run"


@pytest.mark.parametrize("force", [False, True])
def test_a_file_of_the_users_own_is_not_overwritten_by_a_copy(tmp_path, force):
    (tmp_path / "site.yml").write_text("site: mine")
    with pytest.raises(OutputError, match=r"site\.yml: would be overwritten"):
        prepare_run_folder(tmp_path, force, [site_copy()])
    assert (tmp_path / "site.yml").read_text() == "site: mine"


def test_an_earlier_runs_copy_is_replaced_with_force(tmp_path):
    (tmp_path / "site.yml").write_text("site: earlier")
    (tmp_path / "frames.jsonl").write_text("")
    with pytest.raises(OutputError, match="holds a run"):
        prepare_run_folder(tmp_path, copies=[site_copy()])
    prepare_run_folder(tmp_path, force=True, copies=[site_copy()])
    assert (tmp_path / "site.yml").read_text() == "site: run"


@pytest.mark.parametrize("run_there", [False, True])
def test_the_file_that_the_run_was_given_stays_as_it_is(tmp_path, run_there):
    mine = tmp_path / "site.yml"
    mine.write_text("site: run # my note")
    if run_there:
        (tmp_path / "frames.jsonl").write_text("")
    prepare_run_folder(tmp_path, run_there, copies=[site_copy(mine)])
    assert mine.read_text() == "site: run # my note"


def test_a_copy_does_not_write_through_a_link(tmp_path):
    (tmp_path / "mine.yml").write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / "site.yml").symlink_to(tmp_path / "mine.yml")
    (out / "frames.jsonl").write_text("")
    prepare_run_folder(out, True, [site_copy()])
    assert (tmp_path / "mine.yml").read_text() == "mine"
    assert (out / "site.yml").read_text() == "site: run"


@pytest.mark.parametrize("name", ["overlay-door.mp4", "overlay-gone.mp4", "tracks.csv", "site.yml"])
@pytest.mark.parametrize("linked", [False, True])
def test_a_run_does_not_destroy_its_own_input(tmp_path, name, linked):
    """The overlay of an earlier run as a source of the next, for one."""
    (tmp_path / "overlay-gone.mp4").write_text("of an earlier run")
    file = tmp_path / name
    file.write_text("an input")
    if linked:
        (tmp_path / "link").symlink_to(file)
        file = tmp_path / "link"
    with pytest.raises(OutputError, match=f"would write over {file}, which is one of its inputs"):
        check_inputs(tmp_path, ["door"], [tmp_path / "other.mp4", file], [site_copy()])


def test_inputs_beside_the_runs_files_are_fine(tmp_path):
    mine = tmp_path / "site.yml"
    mine.write_text("mine")
    check_inputs(tmp_path, ["door"], [tmp_path / "door.mp4", mine], [site_copy(mine)])
