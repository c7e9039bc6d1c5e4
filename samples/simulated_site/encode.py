"""Raw frames to an H.264 MP4 file through GStreamer."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402  (the version must be required first)

_WAIT_SECONDS = 60
_LOOK_MILLISECONDS = 5


class VideoError(RuntimeError):
    """GStreamer could not write a video; the message says which and why."""


def _pipeline_text(width: int, height: int, fps: int) -> str:
    # One thread and a constant quantiser: the same frames give the same file. No B frames: every packet can be shown
    # at once.
    return (
        f"appsrc name=in format=time max-bytes={16 * width * height * 3} "
        f"caps=video/x-raw,format=BGR,width={width},height={height},framerate={fps}/1 "
        "! videoconvert ! video/x-raw,format=I420 "
        f"! x264enc pass=quant quantizer=23 speed-preset=superfast threads=1 bframes=0 key-int-max={2 * fps} "
        "! h264parse ! mp4mux ! filesink name=out"
    )


class VideoWriter:
    """Writes frames (h, w, 3) uint8 BGR to `path`; use it as a context manager.

    Leaving without an error finishes the file, leaving with one removes it. VideoError says what GStreamer said.
    """

    def __init__(self, path: Path, width: int, height: int, fps: int) -> None:
        Gst.init(None)
        self.path, self._fps, self._shape, self._count = path, fps, (height, width, 3), 0
        try:
            self._pipeline = Gst.parse_launch(_pipeline_text(width, height, fps))
        except Exception as error:  # GLib.Error: an element is missing
            raise VideoError(f"{path}: cannot build the encoder: {error}") from error
        self._pipeline.get_by_name("out").set_property("location", str(path))
        self._source = self._pipeline.get_by_name("in")

    def __enter__(self) -> VideoWriter:
        if self._pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
            problem = self._problem()
            self._pipeline.set_state(Gst.State.NULL)
            raise VideoError(f"{self.path}: {problem or 'the encoder does not start'}")
        return self

    def write(self, image: np.ndarray) -> None:
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(f"frame: expected {self._shape} uint8, got {image.shape} {image.dtype}")
        buffer = Gst.Buffer.new_wrapped(image.tobytes())
        buffer.pts = buffer.dts = self._count * Gst.SECOND // self._fps
        buffer.duration = Gst.SECOND // self._fps
        self._count += 1
        self._wait_for_room()
        if self._source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
            raise VideoError(f"{self.path}: {self._problem() or 'the encoder takes no more frames'}")

    def _wait_for_room(self) -> None:
        """appsrc's own block=true would wait for ever after an error further down, such as a full disk."""
        while self._source.get_property("current-level-bytes") >= self._source.get_property("max-bytes"):
            if problem := self._problem(_LOOK_MILLISECONDS):
                raise VideoError(f"{self.path}: {problem}")

    def _problem(self, wait_milliseconds: int = 0) -> str | None:
        """What went wrong; waits so long for it to happen."""
        wait_ns = wait_milliseconds * Gst.MSECOND
        message = self._pipeline.get_bus().timed_pop_filtered(wait_ns, Gst.MessageType.ERROR)
        return message.parse_error()[0].message if message else None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._pipeline.set_state(Gst.State.NULL)
            if kind is not None:
                self.path.unlink(missing_ok=True)

    def _finish(self) -> None:
        self._source.emit("end-of-stream")
        bus = self._pipeline.get_bus()
        message = bus.timed_pop_filtered(_WAIT_SECONDS * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        if message is None:
            raise VideoError(f"{self.path}: the encoder did not finish within {_WAIT_SECONDS} s")
        if message.type == Gst.MessageType.ERROR:
            raise VideoError(f"{self.path}: {message.parse_error()[0].message}")
