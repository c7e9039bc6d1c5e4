from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Test modules are imported by path (importlib mode), so that their helpers must be found by name.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site file of two simulated cameras, five seconds long."""
    from simulated_site.site import make_site
    from simulated_site.write import write_site

    folder = tmp_path_factory.mktemp("site")
    return write_site(folder, make_site(5, cameras=2, people=4, seconds=5), processes=1).site


@pytest.fixture
def rows_of():
    def read(folder):
        """{(camera, frame, track_id): global_id} of tracks.csv."""
        lines = (folder / "tracks.csv").read_text().splitlines()[1:]
        fields = [line.split(",") for line in lines]
        return {(camera, int(number), int(track)): int(who) for camera, number, track, who, *_ in fields}

    return read
