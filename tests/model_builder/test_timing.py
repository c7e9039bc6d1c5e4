"""The table of what each network costs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxslim")

from click.testing import CliRunner
from model_builder import timing
from model_builder.cards import MODELS, load_card
from model_builder.commands import list_models
from model_builder.timing import time_command

pytestmark = pytest.mark.builder


def test_costs_are_told_and_kept_in_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 0.05)
    for name in ("person-reid-demo", "osnet-x0-25", "person-reidentification-retail-0287"):
        shutil.copytree(MODELS / name, tmp_path / name)
    # An older figure gives way.
    card = tmp_path / "osnet-x0-25" / "card.yml"
    before = card.read_text()
    for _ in range(2):
        result = CliRunner().invoke(time_command, ["--models", str(tmp_path), "--save"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "retail-0287: left out" in result.output
    rows = {line.split("|")[1].strip(" `"): line for line in result.output.splitlines() if line.startswith("| `")}
    assert set(rows) == {"person-reid-demo", "osnet-x0-25"}
    speed = load_card("osnet-x0-25", tmp_path).speed
    assert speed is not None
    assert speed.batch == 8
    assert 0.1 < speed.milliseconds < 1000
    assert f"| {speed.milliseconds:.1f} |" in rows["osnet-x0-25"]
    assert card.read_text().split("speed:")[0].strip() == before.split("speed:")[0].strip()
    assert card.read_text().count("speed:") == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("person-reid-demo", "expected NAME=FILE, found 'person-reid-demo'"),
        ("osnet={file}", "osnet/card.yml: no such card"),
        ("person-reid-demo={file}", "expected an ONNX model, found"),
        ("person-reid-demo={file}.absent", "expected an ONNX model, found"),
    ],
)
def test_a_wrong_file_is_told_before_anything_is_measured(tmp_path: Path, given: str, message: str) -> None:
    file = tmp_path / "rubbish.onnx"
    file.write_bytes(b"rubbish")
    result = CliRunner().invoke(time_command, ["--onnx", given.format(file=file)])
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.output.split())
    assert "left out" not in result.output


def test_a_folder_without_cards_is_no_list(tmp_path: Path) -> None:
    result = CliRunner().invoke(list_models, ["--models", str(tmp_path)])
    assert result.exit_code == 1
    assert "expected folders with a card.yml each, found none" in result.output
