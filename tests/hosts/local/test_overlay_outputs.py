"""Where overlay pictures go."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.overlay_outputs import OverlayOutputs
from savant_reid.hosts.local.sources import CameraStats
from savant_reid.hosts.local.stopwatch import Stopwatch
from savant_reid.sinks.run_folder import MOSAIC
from tests.hosts.local.videos import SECOND_NS, probe


class Nothing:
    """An overlay that draws nothing."""

    def draw(self, *_: object) -> None: ...


def test_one_wrong_stamp_does_not_freeze_the_mosaic(tmp_path: Path) -> None:
    """A camera's clock that leaps a year ahead, once, as after a battery change."""
    outputs = OverlayOutputs(tmp_path, Nothing(), {"door": CameraStats(fps=10.0)}, Stopwatch())
    stamps = [index * SECOND_NS // 10 for index in range(10)]
    stamps[3] += 365 * 86_400 * SECOND_NS
    for index, time_ns in enumerate(stamps):
        outputs.write([Frame("door", index, time_ns, np.full((96, 160, 3), index, np.uint8))])
    outputs.close()
    assert int(probe(tmp_path / MOSAIC)["nb_read_frames"]) == 10


def test_the_mosaic_keeps_the_pace_that_a_live_camera_turns_out_to_have(tmp_path: Path) -> None:
    """A live camera's rate is not known when the run starts; two of 10 per second must not make a mosaic of 20."""
    stats = {"door": CameraStats(), "hall": CameraStats()}
    outputs = OverlayOutputs(tmp_path, Nothing(), stats, Stopwatch())
    for index in range(20):
        camera = ("door", "hall")[index % 2]
        stats[camera].note_fps(10.0, 0.0)
        outputs.write([Frame(camera, index // 2, index * SECOND_NS // 20, np.zeros((96, 160, 3), np.uint8))])
    outputs.close()
    assert int(probe(tmp_path / MOSAIC)["nb_read_frames"]) == 10
