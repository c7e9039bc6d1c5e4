from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from savant_reid.errors import OutputError
from savant_reid.evaluation.tracks import read_tracks
from savant_reid.sinks.sightings import embedding_model, read_sightings
from savant_reid.site import load_site
from savant_reid.testing import Recording, preset, write_recording
from savant_reid.testing.__main__ import main


@pytest.fixture(scope="module")
def recording():
    return Recording(preset("easy", seed=1, seconds=25.0, overlaps=1))


@pytest.fixture(scope="module")
def files(recording, tmp_path_factory):
    return write_recording(recording, tmp_path_factory.mktemp("recording") / "new")


def test_sightings_are_those_of_the_recording(recording, files):
    table = read_sightings(files.sightings)
    assert embedding_model(table) == "simulated/D256"
    assert pq.ParquetFile(files.sightings).num_row_groups > 1
    rows = table.to_pylist()
    at = 0
    for moment in recording.moments():
        for sightings in moment.sightings:
            for row in range(len(sightings)):
                found = rows[at]
                assert (found["camera"], found["frame"]) == (sightings.camera, moment.frame)
                assert (found["time_ns"], found["track_id"]) == (sightings.time_ns, sightings.track_ids[row])
                assert found["left"] == sightings.boxes[row, 0]
                place = int(sightings.embedding_of[row])
                assert found["embedding"] == (None if place < 0 else sightings.embeddings[place].tolist())
                at += 1
    assert at == len(rows) > 0


def test_truth_is_a_truth_file(recording, files):
    truth = read_tracks(files.truth)
    people = [person for moment in recording.moments() for frame in moment.truth for person in frame.persons.tolist()]
    assert truth.global_id.tolist() == people
    assert set(truth.track_id.tolist()) == {-1}
    assert set(truth.cameras) <= set(recording.cameras)


def test_the_site_loads_with_its_windows(recording, files):
    site = load_site(files.site)
    assert tuple(site.cameras) == recording.cameras
    assert all(camera.plan for camera in site.cameras.values())
    declared = {(t.from_, t.to): t.seconds for t in site.transitions}
    assert declared == {pair: seconds for pair, seconds in recording.windows.items() if pair[0] < pair[1]}
    assert set(site.overlaps) == set(recording.overlaps)


def test_the_same_seed_gives_the_same_bytes(recording, files, tmp_path):
    again = write_recording(Recording(recording.settings), tmp_path)
    for one, other in zip(files, again, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_recording_is_not_overwritten(recording, files):
    with pytest.raises(OutputError, match="expected a folder without a recording"):
        write_recording(recording, files.site.parent)


def test_the_command_writes_and_says_where(tmp_path):
    arguments = ["easy", "--seed", "2", "--seconds", "5", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.split() == [str(tmp_path / "out" / n) for n in ("sightings.parquet", "truth.csv", "site.yml")]
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 1
    assert "expected a folder without a recording" in again.output
