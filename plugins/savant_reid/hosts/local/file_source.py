"""A video file as a camera: every frame, as fast as it is taken."""

from __future__ import annotations

import logging
from pathlib import Path

from savant_reid.errors import SourceError
from savant_reid.hosts.local.container import is_cut_short, lacks_index
from savant_reid.hosts.local.decoder import Decoder, Picture, StreamError
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.frame_rate import DEFAULT_FPS
from savant_reid.hosts.local.gst import SECOND_NS
from savant_reid.hosts.local.sources import CameraStats

log = logging.getLogger(__name__)

# Two attempts to get a file's first picture: now and then decodebin loses a demuxer's error message (it filters errors
# while it tries the element), and then waits for ever.
OPEN_TIMEOUTS_SECONDS = (3.0, 15.0)
# A container's duration counts its sound too, which often is some tenths of a second longer than the pictures.
_DURATION_SLACK_NS = SECOND_NS


class FileSource:
    """A file's frames: index from 0, time_ns = start_ns + time since the file's first frame, strictly rising.

    The epoch grows when the resolution changes. Raises SourceError in `start` when the file cannot be read; what is
    wrong further on ends this camera early, with a warning and a count.
    """

    live = False

    def __init__(self, camera: str, path: Path, *, start_ns: int = 0, realtime: bool = False) -> None:
        self.camera = camera
        self.stats = CameraStats()
        self._path = path
        self._start_ns = start_ns
        self._realtime = realtime
        self._decoder: Decoder | None = None
        self._head: Frame | None = None
        self._ended = False
        self._index = 0
        self._epoch = 0
        self._size = (0, 0)
        self._first_pts_ns: int | None = None
        self._last_ns = -1
        self._duration_ns: int | None = None

    @property
    def ended(self) -> bool:
        return self._ended and self._head is None

    @property
    def connected(self) -> bool:
        return not self.ended

    def start(self) -> None:
        """Decodes the first frame. Raises SourceError."""
        self._check_path()
        for timeout_seconds in OPEN_TIMEOUTS_SECONDS:
            picture = self._first_picture(timeout_seconds)
            if picture is not None:
                self._head = self._frame(picture)
                return
        self._ended = True
        raise self._refusal("holds no picture that can be decoded")

    def _first_picture(self, timeout_seconds: float) -> Picture | None:
        decoder = Decoder(self._path.absolute().as_uri(), realtime=self._realtime)
        self._decoder = decoder
        picture = None
        try:
            decoder.start()
            picture = decoder.pull(timeout_seconds)
            self._duration_ns = decoder.duration_ns()
        except StreamError as error:
            raise self._refusal(f"is not a video that can be decoded: {error}") from error
        finally:
            if picture is None:
                decoder.close()
        return picture

    def peek(self, timeout_seconds: float) -> Frame | None:
        if self._head is None and not self._ended:
            self._head = self._read(timeout_seconds)
        return self._head

    def take(self) -> Frame | None:
        frame = self.peek(0.0)
        self._head = None
        if frame is not None:
            self.stats.frames += 1
        return frame

    def stop_soon(self) -> None:
        """Nothing takes long here."""

    def stop(self) -> None:
        self._ended = True
        if self._decoder is not None:
            self._decoder.close()

    def _read(self, timeout_seconds: float) -> Frame | None:
        decoder = self._decoder
        if decoder is None:
            raise SourceError(f"camera {self.camera!r}: {self._path} was not started")
        try:
            picture = decoder.pull(timeout_seconds)
        except StreamError as error:
            decoder.decode_errors += 1
            log.warning("camera %r: %s broke after %d frames: %s", self.camera, self._path, self._index, error)
            picture = None
        self.stats.decode_errors = decoder.decode_errors
        if picture is not None:
            return self._frame(picture)
        if decoder.ended:
            self._finish()
        return None

    def _frame(self, picture: Picture) -> Frame:
        height, width = picture.image.shape[:2]
        if self._size not in ((0, 0), (width, height)):
            self._epoch += 1
        self._size = (width, height)
        time_ns = self._time_ns(picture.pts_ns)
        frame = Frame(self.camera, self._index, time_ns, picture.image, self._epoch)
        self._index += 1
        self._note_stats(width, height)
        return frame

    def _time_ns(self, pts_ns: int | None) -> int:
        """Since start_ns; a time stamp that is missing or does not rise is replaced by one frame after the last."""
        if self._first_pts_ns is None:
            self._first_pts_ns = pts_ns or 0
            self._last_ns = 0
            return self._start_ns
        elapsed_ns = -1 if pts_ns is None else pts_ns - self._first_pts_ns
        if elapsed_ns <= self._last_ns:
            elapsed_ns = self._last_ns + round(SECOND_NS / (self.stats.fps or DEFAULT_FPS))
        self._last_ns = elapsed_ns
        return self._start_ns + elapsed_ns

    def _note_stats(self, width: int, height: int) -> None:
        self.stats.width, self.stats.height = width, height
        nominal = self._decoder.fps if self._decoder is not None else 0.0
        self.stats.note_fps(nominal, (self._index - 1) * SECOND_NS / self._last_ns if self._last_ns > 0 else 0.0)

    def _finish(self) -> None:
        self._ended = True
        if self._decoder is not None:
            self._decoder.close()
        reached_ns = self._last_ns + round(2 * SECOND_NS / (self.stats.fps or DEFAULT_FPS))
        expected_ns = self._duration_ns or 0
        # Only Matroska: mp4 tells exactly by its boxes, and durations of raw streams and .ts are guessed by bit rate.
        short = self._path.suffix.lower() in (".mkv", ".webm") and reached_ns + _DURATION_SLACK_NS < expected_ns
        if short or self._is_cut_short():
            self.stats.drop("truncated")
            log.warning("camera %r: %s is cut short; read %d frames of it", self.camera, self._path, self._index)

    def _is_cut_short(self) -> bool:
        try:
            return is_cut_short(self._path)
        except OSError:  # the file was taken away meanwhile; its frames were read
            return False

    def _check_path(self) -> None:
        if not self._path.exists():
            raise self._refusal("does not exist")
        if not self._path.is_file():
            raise self._refusal("is not a file")
        try:
            empty, indexless = self._path.stat().st_size == 0, lacks_index(self._path)
        except OSError as error:
            raise self._refusal(f"cannot be read: {error.strerror}") from error
        if empty:
            raise self._refusal("is empty (0 bytes)")
        if indexless:
            raise self._refusal("is an mp4 without its index (moov box): the recording was cut off or goes on")

    def _refusal(self, what: str) -> SourceError:
        return SourceError(f"camera {self.camera!r}: {self._path} {what}")
