"""Where overlay pictures go."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np

from savant_reid.camera_names import MOSAIC_MOUNT
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.overlay_outputs import OverlayOutputs
from savant_reid.hosts.local.rtsp_server import RtspServer
from savant_reid.hosts.local.rtsp_source import RtspSource
from savant_reid.hosts.local.sources import CameraStats
from savant_reid.hosts.local.stopwatch import Stopwatch
from savant_reid.sinks.run_folder import MOSAIC
from tests.hosts.local.videos import SECOND_NS, probe
from tests.waiting import until


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


class Counting:
    """An overlay that draws a white picture, and tells of which cameras."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def draw(self, frame: Frame, *_: object) -> None:
        self.drawn.append(frame.camera)
        frame.image[:] = 255


def test_without_videos_only_what_is_watched_is_drawn(tmp_path: Path) -> None:
    overlay = Counting()
    stats = {"door": CameraStats(fps=10.0), "hall": CameraStats(fps=10.0)}
    server = RtspServer(0, [*stats, MOSAIC_MOUNT])
    outputs = OverlayOutputs(tmp_path, overlay, stats, Stopwatch(), server, videos=False)
    times = count()

    def write() -> bool:
        """A batch; True when it was drawn."""
        overlay.drawn.clear()
        time_ns = next(times) * SECOND_NS // 10
        outputs.write([Frame(camera, 0, time_ns, np.zeros((96, 160, 3), np.uint8)) for camera in stats])
        return bool(overlay.drawn)

    def watch(mount: str) -> RtspSource:
        source = RtspSource("client", server.url(mount))
        source.start()
        until(lambda: write() and source.peek(0.02) is not None, 30)
        return source

    try:
        assert not any(write() for _ in range(5))
        source = watch("hall")
        assert overlay.drawn == ["hall"]
        source.stop()
        until(lambda: not server.watched("hall"))
        assert not write()
        source = watch(MOSAIC_MOUNT)
        assert overlay.drawn == ["door", "hall"]
        assert source.take().image[150, 300:900:300].min() > 200  # type: ignore[union-attr]
        source.stop()
        assert (server.streams["door"].encodings, server.streams["hall"].encodings) == (0, 1)
    finally:
        outputs.close()
        server.stop()
    assert not list(tmp_path.iterdir())
