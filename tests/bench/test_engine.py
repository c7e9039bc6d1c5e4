from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from savant_reid.bench import report
from savant_reid.bench.answers import Answers
from savant_reid.bench.command import bench_command
from savant_reid.bench.engine import ENGINE, run_engine
from savant_reid.bench.folder import FolderSource
from savant_reid.bench.gatherer import RowGatherer, gather
from savant_reid.bench.presets import PresetSource
from savant_reid.bench.repaired import repaired
from savant_reid.bench.scores import score
from savant_reid.identity.types import EventKind, IdentityEvent
from savant_reid.testing import Recording, preset, write_recording
from tests.bench.scenes import SECOND_NS, HandMade, make_rows, walks


def test_the_engine_is_scored_as_it_speaks() -> None:
    source = HandMade()
    gatherer = RowGatherer(source.cameras)
    run = run_engine(source, gatherer=gatherer)
    rows = gatherer.rows()
    assert run.sightings == len(rows) == len(run.answers.global_id)
    found = score(rows, run.answers)
    assert found.shared_ids == 0
    assert 0.5 < found.idf1 <= 1.0
    assert run.seconds > 0


def test_a_recording_in_files_is_the_recording(tmp_path: Path) -> None:
    """The truth of the files is found by overlap: nearly everybody is who they are in memory."""
    settings = preset("easy", 3, seconds=40.0, people=12, cameras=2)
    write_recording(Recording(settings), tmp_path / "recording")
    files = gather(FolderSource(tmp_path / "recording"))
    memory = gather(PresetSource("easy", 3, settings))
    assert len(files) == len(memory) > 200
    assert files.truth_size.sum() == memory.truth_size.sum()
    assert files.tracks == memory.tracks
    same = np.sort(np.bincount(files.person + 1)) - np.sort(np.bincount(memory.person + 1))
    assert np.abs(same).sum() < 0.03 * len(memory)


def test_all_side_by_side() -> None:
    rows, lines = report.compare(HandMade())
    assert [line.name for line in lines] == [ENGINE, *report.BASELINES]
    figures = json.loads(report.as_json(HandMade(), rows, lines))
    assert figures["recording"]["people"] == 3
    assert figures["results"]["oracle_tracks"]["IDF1"] == 1.0
    assert figures["results"][ENGINE]["us_per_sighting"] > 0


def test_only_what_is_asked_for() -> None:
    _, lines = report.compare(HandMade(), only=["oracle_tracks"])
    assert [line.name for line in lines] == ["oracle_tracks"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["identity", "--recording", "nowhere"], "easy, real, hard, huge, or a folder, found 'nowhere'"),
        (["identity", "--only", "nothing"], "expected one of engine"),
    ],
)
def test_mistakes_are_named(arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(bench_command, arguments)
    assert result.exit_code != 0
    assert expected in result.output


def test_command_on_a_folder(tmp_path: Path) -> None:
    write_recording(Recording(preset("easy", 1, seconds=20.0, people=6, cameras=2)), tmp_path / "r")
    result = CliRunner().invoke(
        bench_command, ["identity", "--recording", str(tmp_path / "r"), "--json", "--only", "strong"]
    )
    assert result.exit_code == 0, result.output
    assert 0 < json.loads(result.output)["results"]["strong"]["IDF1"] <= 1


def test_what_was_learnt_later_repairs_earlier_rows() -> None:
    """Track 0 is named late; 7 is merged into 1; track 2 was said to be 1 and is 3 from second 22 on."""
    rows = make_rows(walks((0, 0, 1, 0, 5), (0, 1, 1, 10, 15), (2, 0, 3, 20, 25)))
    said = np.where(rows.track == 1, 7, 1)
    said[:2] = -1
    history = [
        IdentityEvent(EventKind.MERGED, 16 * SECOND_NS, 7, other_id=1),
        IdentityEvent(EventKind.SPLIT, 24 * SECOND_NS, 1, "camera-0", 3, 3, since_ns=22 * SECOND_NS),
    ]
    ids = repaired(rows, Answers(said, said >= 0), history).global_id
    assert ids.tolist() == [1] * 10 + [1, 1, 3, 3, 3]


def test_repairs_never_share_an_id_in_a_frame() -> None:
    rows = make_rows(walks((0, 0, 1, 0, 5), (1, 0, 2, 0, 5)))
    said = rows.person + 5
    history = [IdentityEvent(EventKind.MERGED, 6 * SECOND_NS, 5, other_id=6)]
    found = repaired(rows, Answers(said, said >= 0), history)
    assert score(rows, found).shared_ids == 0
    assert sorted(set(found.global_id.tolist())) == [-1, 6]
