from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from savant_reid.sinks.savant import SavantSink

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


@pytest.fixture
def open_savant(tmp_path: Path) -> Iterator[Callable[..., SavantSink]]:
    """Sinks in Savant's protocol; closed after the test, whatever still waits in them."""
    from savant_reid.sinks.savant import SavantSink

    sinks = []

    def open_one(address: str = f"dealer+connect:ipc://{tmp_path}/none.ipc", **options: object) -> SavantSink:
        sinks.append(SavantSink(address, **{"site": "store-12", "close_seconds": 10, **options}))
        return sinks[-1]

    yield open_one
    for sink in sinks:
        sink._queue._give_up_at = 0.0
        sink._queue._close_seconds = 0.0
        sink.close()
