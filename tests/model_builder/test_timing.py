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
