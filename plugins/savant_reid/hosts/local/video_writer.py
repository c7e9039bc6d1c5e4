"""Writes pictures as an H.264 MP4 that any player opens, even when the process is killed half-way."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from savant_reid.errors import OutputError
from savant_reid.hosts.local import gst

# Pictures on their way to the encoder: enough to smooth its bursts, few enough to bound memory.
QUEUE_FRAMES = 8
CLOSE_TIMEOUT_SECONDS = 60.0
# What is lost at the most when the process is killed: one fragment and what the encoder holds.
FRAGMENT_MS = 1000
# More than this between two pictures is a clock that jumps, or a camera that was away: no video needs that pause.
LEAP_NS = 10_000_000_000
_SLICE_SECONDS = 0.2


class VideoWriter:
    """appsrc, x264 (main profile, 4:2:0, constant quality), mp4mux; encoding runs in GStreamer's threads.

    The file begins with a moov box and grows by fragments of a second, so that a killed process leaves a video; at a
    clean close the muxer turns it into a plain, seekable mp4 (fragment-mode first-moov-then-finalise).
    wait_seconds: time that `write` was blocked because the encoder was behind. frames: pictures written.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: float, *, quantizer: int = 24) -> None:
        """size: (width, height) in pixels; odd ones are padded by one. fps: nominal. quantizer: x264's, 18 fine to 35
        coarse.

        Raises OutputError when the file cannot be written.
        """
        if min(size) < 2 or fps <= 0:
            raise ValueError(f"expected a size of at least 2x2 and fps above 0, found {size} and {fps}")
        self.path = path
        self.frames = 0
        self.wait_seconds = 0.0
        self._size = size
        self._fps = fps
        self._first_ns: int | None = None
        self._last_pts_ns = -1
        self._closed = False
        self._failure: str | None = None
        self._free = threading.Semaphore(QUEUE_FRAMES)
        self._gst = gst.bindings().Gst
        self._check_path()
        self._pipeline = self._gst.Pipeline.new(None)
        self._source = self._build(quantizer)
        self._pipeline.set_state(self._gst.State.PLAYING)
        self._raise_failure()

    def write(self, image: NDArray[np.uint8], time_ns: int) -> None:
        """image: (h, w, 3) uint8 BGR, letterboxed where it has another size. Raises OutputError when writing fails."""
        if self._closed:
            raise OutputError(f"{self.path}: written to after it was closed")
        self._wait_for_room()
        pts_ns = self._pts_ns(time_ns)
        buffer = gst.to_buffer(pad_to_even(letterbox(image, self._size)), pts_ns, round(gst.SECOND_NS / self._fps))
        self._source.push_buffer(buffer)
        self.frames += 1

    def _pts_ns(self, time_ns: int) -> int:
        """Time since the first picture, always rising, as mp4 wants it.

        A picture that comes late or twice is shown a millisecond after the one before. Where the clock steps back or
        leaps, the video goes on a frame later.
        """
        last = self._last_pts_ns
        if self._first_ns is None:
            self._first_ns = time_ns
        pts_ns = time_ns - self._first_ns
        if last >= 0 and not last - LEAP_NS < pts_ns < last + LEAP_NS:
            pts_ns = last + round(gst.SECOND_NS / self._fps)
            self._first_ns = time_ns - pts_ns
        self._last_pts_ns = max(pts_ns, last + 1_000_000 if last >= 0 else 0)
        return self._last_pts_ns

    def close(self) -> None:
        """Finishes the file; may be called twice. A file without a picture is removed. Raises OutputError."""
        if self._closed:
            return
        self._closed = True
        try:
            if self.frames and self._failure is None:
                self._source.end_of_stream()
                self._wait_for_end()
        finally:
            self._pipeline.set_state(self._gst.State.NULL)
            if not self.frames:
                self.path.unlink(missing_ok=True)

    def _build(self, quantizer: int) -> Any:
        width, height = (_even(side) for side in self._size)
        source = gst.make(
            "appsrc",
            format="time",
            caps=gst.bgr_caps(width, height, self._fps),
            max_bytes=0,
            max_buffers=0,
            block=False,
        )
        encoder = gst.make(
            "x264enc",
            speed_preset="superfast",
            threads=1,
            bframes=0,
            rc_lookahead=5,
            key_int_max=max(1, round(self._fps)),
            quantizer=quantizer,
            **{"pass": "qual"},
        )
        raw = gst.make("capsfilter", caps="video/x-raw,format=I420")
        main = gst.make("capsfilter", caps="video/x-h264,profile=main")
        muxer = gst.make("mp4mux", fragment_duration=FRAGMENT_MS, fragment_mode="first-moov-then-finalise")
        sink = gst.make("filesink", location=str(self.path), sync=False)
        convert = gst.make("videoconvert", n_threads=1)
        gst.chain(self._pipeline, source, convert, raw, encoder, main, gst.make("h264parse"), muxer, sink)
        # appsrc's own block=true would wait for ever after an error further down: so the room is counted here.
        free, go_on = self._free, self._gst.PadProbeReturn.OK

        def left_the_queue(_pad: Any, _info: Any) -> Any:
            # Holds the semaphore, not this object: Python's collector does not see cycles through GStreamer's elements.
            free.release()
            return go_on

        source.get_static_pad("src").add_probe(self._gst.PadProbeType.BUFFER, left_the_queue)
        return source

    def _wait_for_room(self) -> None:
        started = time.perf_counter()
        while not self._free.acquire(timeout=_SLICE_SECONDS):
            self._raise_failure()
        self.wait_seconds += time.perf_counter() - started
        self._raise_failure()

    def _wait_for_end(self) -> None:
        types = self._gst.MessageType
        timeout_ns = int(CLOSE_TIMEOUT_SECONDS * gst.SECOND_NS)
        message = self._pipeline.get_bus().timed_pop_filtered(timeout_ns, types.EOS | types.ERROR)
        if message is None:
            self._failure = f"the encoder did not finish in {CLOSE_TIMEOUT_SECONDS:g} s"
        elif message.type == types.ERROR:
            self._failure = gst.error_text(message)
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is None:
            message = self._pipeline.get_bus().pop_filtered(self._gst.MessageType.ERROR)
            if message is not None:
                self._failure = gst.error_text(message)
        if self._failure is not None:
            raise OutputError(f"video {self.path} cannot be written: {self._failure}")

    def _check_path(self) -> None:
        try:
            with self.path.open("wb"):
                pass
        except OSError as error:
            raise OutputError(f"video {self.path} cannot be written: {error.strerror}") from error


def letterbox(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The image in a picture of (width, height), whole, in the middle, on black; the same array where it fits."""
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner, interpolation=interpolation)
    return canvas


def pad_to_even(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """4:2:0 video has even sides: the last column or row is doubled where they are odd."""
    height, width = image.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return image
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _even(side_px: int) -> int:
    return side_px + side_px % 2
