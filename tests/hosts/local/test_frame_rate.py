"""Rates that no camera has."""

from __future__ import annotations

from pathlib import Path

import pytest

from savant_reid.hosts.local.decoder import Decoder
from savant_reid.hosts.local.frame_rate import DEFAULT_FPS, first_plausible
from savant_reid.hosts.local.sources import CameraStats, open_source
from savant_reid.hosts.local.tracker_settings import TrackerSettings
from savant_reid.hosts.local.video_writer import VideoWriter
from tests.hosts.local.videos import SECOND_NS, picture, read_all


@pytest.mark.parametrize("rate", [90_000.0, 241.0, 0.5, 0.0, -25.0, float("nan"), float("inf")])
def test_what_no_camera_has_is_unknown(rate: float) -> None:
    assert first_plausible(rate) == 0.0
    stats = CameraStats()
    stats.note_fps(rate, 0.0)
    assert stats.fps == 0.0
    stats.note_fps(rate, 12.5)
    assert stats.fps == 12.5
    stats.note_fps(rate, rate)
    assert stats.fps == 12.5
    stats.note_fps(30.0, 12.5)
    assert stats.fps == 30.0


def test_the_clocks_rate_in_a_file_is_not_taken_for_its_frame_rate(tmp_path: Path) -> None:
    path = tmp_path / "clock.mp4"
    writer = VideoWriter(path, (160, 96), 90_000)
    for number in range(20):
        writer.write(picture(number), number * SECOND_NS // 10)
    writer.close()
    decoder = Decoder(path.as_uri())
    decoder.start()
    assert decoder.pull(10.0) is not None
    assert decoder.fps == 90_000
    decoder.close()
    source = open_source("door", str(path))
    source.start()
    assert source.stats.fps == 0.0
    assert len(read_all(source)) == 20
    source.stop()
    assert source.stats.fps == pytest.approx(10.0)


def test_there_is_one_default() -> None:
    assert TrackerSettings().frame_rate == DEFAULT_FPS
