from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from savant_reid.evaluation import COLUMNS
from savant_reid.evaluation.command import evaluate_command

DATA = Path(__file__).parent / "data"
FILES = ["--truth", str(DATA / "truth.csv"), "--result", str(DATA / "result.csv")]
NAMES = {"IDF1", "HOTA", "IDs", "precision", "recall", "IDP", "IDR", "DetA", "AssA", "MOTA"}


def test_json_is_one_object_with_all_that_was_promised() -> None:
    done = CliRunner().invoke(evaluate_command, [*FILES, "--json"])
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert set(answer) >= NAMES
    assert set(answer["single_camera_tracks"]) >= NAMES
    assert set(answer["cameras"]) == {"north", "south"}
    assert set(answer["cameras"]["north"]) >= NAMES
    assert answer["IDF1"] > answer["single_camera_tracks"]["IDF1"]


def test_json_stays_json_where_a_score_is_not_defined(tmp_path: Path) -> None:
    result = tmp_path / "R.csv"
    result.write_text((DATA / "result.csv").read_text().replace("south", "attic"))
    done = CliRunner().invoke(evaluate_command, [*FILES[:2], "--result", str(result), "--json"])
    answer = json.loads(done.stdout, parse_constant=lambda word: (_ for _ in ()).throw(ValueError(word)))
    assert answer["cameras"]["attic"]["recall"] is None
    assert answer["cameras_only_in_truth"] == ["south"]
    assert answer["cameras_only_in_result"] == ["attic"]


def test_the_table_is_readable() -> None:
    done = CliRunner().invoke(evaluate_command, FILES)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["IDF1", "HOTA", "IDs", "precision", "recall", "MOTA", "DetA", "AssA"]
    assert lines[1].split()[:5] == ["all", "cameras", "0.560", "0.471", "6"]
    assert len({len(line) for line in lines[:5]}) == 1
    assert lines[-1] == "identities: 4 in the truth, 41 in the result (a track without one counts as one)"


def test_an_error_is_one_line_without_a_traceback(tmp_path: Path) -> None:
    empty = tmp_path / "T.csv"
    empty.touch()
    done = CliRunner().invoke(evaluate_command, ["--truth", str(empty), *FILES[2:]])
    assert done.exit_code == 1
    assert done.stderr == f"Error: {empty}: expected the header {','.join(COLUMNS)}, found an empty file\n"


def test_the_command_line_can_start_without_the_heavy_libraries() -> None:
    code = (
        "import sys, savant_reid.evaluation.command;"
        "print([m for m in ('motmetrics', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
