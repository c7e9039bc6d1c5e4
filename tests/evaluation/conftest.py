from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from savant_reid.evaluation import COLUMNS, Tracks, read_tracks

Row = tuple[str, int, int | None, int, float]
WriteCsv = Callable[[str, Iterable[Row]], Path]


@pytest.fixture
def write_csv(tmp_path: Path) -> WriteCsv:
    """Writes rows of (camera, frame, track_id or None, global_id, left) with boxes of 10 x 10 pixels."""

    def write(name: str, rows: Iterable[Row]) -> Path:
        lines = [",".join(COLUMNS)]
        for camera, frame, track_id, global_id, left in rows:
            track = "" if track_id is None else track_id
            lines.append(f"{camera},{frame},{track},{global_id},{left},0,10,10,1.0,{frame * 40_000_000}")
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def tracks(write_csv: WriteCsv) -> Callable[[Iterable[Row]], Tracks]:
    return lambda rows: read_tracks(write_csv("some.csv", rows))
