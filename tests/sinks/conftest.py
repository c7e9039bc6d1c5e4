from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Test modules are imported by path (importlib mode), so that their helpers must be found by name.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def rows_of():
    def read(folder):
        """{(camera, frame, track_id): global_id} of tracks.csv."""
        lines = (folder / "tracks.csv").read_text().splitlines()[1:]
        fields = [line.split(",") for line in lines]
        return {(camera, int(number), int(track)): int(who) for camera, number, track, who, *_ in fields}

    return read
