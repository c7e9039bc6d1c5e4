"""Where overlay pictures go: a video per camera, the mosaic, and RTSP for those who watch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from savant_reid.camera_names import MOSAIC_MOUNT
from savant_reid.hosts.local.canvas import ImageCanvas
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.frame_rate import DEFAULT_FPS
from savant_reid.hosts.local.mosaic import Mosaic
from savant_reid.hosts.local.rtsp_server import RtspServer
from savant_reid.hosts.local.sources import CameraStats
from savant_reid.hosts.local.stopwatch import Stopwatch
from savant_reid.hosts.local.video_writer import VideoWriter
from savant_reid.sinks.run_folder import MOSAIC, overlay_name


class OverlayOutputs:
    """Draws each frame once and hands the picture on; draws none that nobody wants.

    stats: by camera; a live camera's frame rate is not known before its first frames. rtsp: a running server, or None.
    videos: write them. Raises OutputError when a file cannot be written.
    """

    def __init__(
        self,
        out: Path,
        draw_func: Any,
        stats: Mapping[str, CameraStats],
        watch: Stopwatch,
        rtsp: RtspServer | None = None,
        *,
        videos: bool = True,
    ) -> None:
        self._out = out
        self._draw_func = draw_func
        self._stats = stats
        self._watch = watch
        self._rtsp = rtsp
        self._videos = videos
        self._mosaic = Mosaic(list(stats))
        self._mosaic_ns: int | None = None
        self._writers: dict[str, VideoWriter] = {}

    def write(self, frames: Sequence[Frame]) -> None:
        """One batch; pictures are drawn on in place."""
        mosaic = self._wanted(MOSAIC_MOUNT)
        wanted = [frame for frame in frames if mosaic or self._wanted(frame.camera)]
        with self._watch.measure("overlay"):
            for frame in wanted:
                self._draw_func.draw(frame, list(frame.decisions), ImageCanvas(frame.image))
                if mosaic:
                    self._mosaic.update(frame.camera, frame.image)
        for frame in wanted:
            self._put(frame.camera, overlay_name(frame.camera), frame.image, frame.time_ns, self._fps(frame.camera))
        time_ns = max(frame.time_ns for frame in frames)
        if mosaic and self._mosaic_is_due(time_ns):
            self._mosaic_ns = time_ns
            with self._watch.measure("overlay"):
                picture = self._mosaic.render()
            self._put(MOSAIC_MOUNT, MOSAIC, picture, time_ns, self._fps(*self._stats))

    def close(self) -> None:
        """Finish all files, even when one of them fails."""
        with self._watch.measure("encode"), ExitStack() as stack:
            for writer in self._writers.values():
                stack.callback(writer.close)

    def _wanted(self, mount: str) -> bool:
        return self._videos or (self._rtsp is not None and self._rtsp.watched(mount))

    def _mosaic_is_due(self, time_ns: int) -> bool:
        """Live frames come one by one: the mosaic keeps the pace of the fastest camera, not the sum of all.

        By the distance to the last one, whichever way: a clock that leaps ahead once must not stop the mosaic.
        """
        return self._mosaic_ns is None or abs(time_ns - self._mosaic_ns) >= 0.9e9 / self._fps(*self._stats)

    def _fps(self, *cameras: str) -> float:
        """Frame rate of the fastest of the cameras, as far as it is known by now."""
        return max(self._stats[camera].fps for camera in cameras) or DEFAULT_FPS

    def _put(self, mount: str, name: str, image: Any, time_ns: int, fps: float) -> None:
        with self._watch.measure("encode"):
            if self._videos:
                self._write(mount, name, image, time_ns, fps)
            if self._rtsp is not None:
                self._rtsp.push(mount, image, time_ns, fps)

    def _write(self, mount: str, name: str, image: Any, time_ns: int, fps: float) -> None:
        if mount not in self._writers:
            height, width = image.shape[:2]
            self._writers[mount] = VideoWriter(self._out / name, (width, height), fps)
        self._writers[mount].write(image, time_ns)
