"""What a camera is to the local host, and how CAMERA=URI becomes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from savant_reid.errors import SourceError
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.frame_rate import first_plausible
from savant_reid.hosts.local.rtsp_address import is_rtsp
from savant_reid.hosts.local.wall_clock import WallClock
from savant_reid.redaction import redact_uri


@dataclass
class CameraStats:
    """What happened to one camera so far.

    frames: taken by the consumer. drops: by reason; `late` is a live frame the consumer had no time for, `no_keyframe`
    one that came before a connection's first keyframe, `truncated` a file that ended before its end (counted once, its
    missing frames are not known). decode_errors: damaged pictures, and streams that broke in the middle. reconnects:
    streams that came back. connection_errors: attempts that failed and streams that broke. packets_lost: of RTP, that
    did not come in time. stream_jumps: times that the camera's own time stamps leapt or went back. width, height: in
    pixels. fps: as the stream says, else as measured; 0 while neither gives a rate that can be one.
    """

    frames: int = 0
    drops: dict[str, int] = field(default_factory=dict)
    decode_errors: int = 0
    reconnects: int = 0
    connection_errors: int = 0
    packets_lost: int = 0
    stream_jumps: int = 0
    width: int = 0
    height: int = 0
    fps: float = 0.0

    def note_fps(self, nominal: float, measured: float) -> None:
        """The better of what the stream says and what its time stamps show; else the rate stays."""
        self.fps = first_plausible(nominal, measured, self.fps)

    def drop(self, reason: str) -> None:
        self.drops[reason] = self.drops.get(reason, 0) + 1


class Source(Protocol):
    """A camera's frames, in their order. `start` raises SourceError; after it nothing does."""

    camera: str
    live: bool
    stats: CameraStats

    @property
    def ended(self) -> bool:
        """No frame will ever come again."""

    @property
    def connected(self) -> bool:
        """Frames can be expected soon; a camera that is being retried is not connected."""

    def start(self) -> None: ...

    def peek(self, timeout_seconds: float) -> Frame | None:
        """The next frame, which stays; None when there is none in that time."""

    def take(self) -> Frame | None:
        """The next frame, which is removed; never waits."""

    def stop_soon(self) -> None:
        """Begins to stop, and waits for nothing."""

    def stop(self) -> None:
        """Frees everything; may be called twice and from another thread."""


def parse_source(text: str) -> tuple[str, str]:
    """CAMERA=URI to (camera, uri). Raises SourceError when it is not of that form.

    An address alone may hold a "=" too, but a "/" before it. camera_names says what else a camera may not be called.
    """
    camera, separator, uri = text.partition("=")
    if not separator or not camera.strip() or not uri.strip() or "/" in camera:
        expected = "expected CAMERA=URI (a name without '/', then a video file or rtsp://...)"
        raise SourceError(f"{expected}, found {redact_uri(text)!r}")
    return camera.strip(), uri.strip()


def is_live(uri: str) -> bool:
    return is_rtsp(uri)


def open_source(
    camera: str,
    uri: str,
    *,
    start_ns: int = 0,
    realtime: bool = False,
    clock: Callable[[], int] | None = None,
) -> Source:
    """The source for a path, a file:// or an rtsp:// URI. Raises SourceError for any other scheme.

    start_ns: time of a file's first frame on the site's clock. realtime: play a file at its own pace, as beside live
    cameras. clock: gives a live frame's time on arrival, in ns; by default a WallClock.
    """
    from savant_reid.hosts.local.file_source import FileSource
    from savant_reid.hosts.local.rtsp_source import RtspSource

    if is_live(uri):
        return RtspSource(camera, uri, clock=clock)
    return FileSource(camera, file_path(camera, uri), start_ns=start_ns, realtime=realtime)


def open_sources(
    pairs: list[tuple[str, str]],
    *,
    start_ns: int = 0,
    realtime: bool = False,
    clock: Callable[[], int] | None = None,
) -> list[Source]:
    """Sources for (camera, uri) pairs. Beside a live camera, files play at their own pace and on the same clock.

    realtime: play files at their own pace in any case (somebody watches).
    """
    names = [camera for camera, _ in pairs]
    for camera in names:
        if names.count(camera) > 1:
            raise SourceError(f"camera {camera!r} is given {names.count(camera)} times; each camera has one source")
    clock = clock or WallClock()
    any_live = any(is_live(uri) for _, uri in pairs)
    if any_live:
        start_ns = clock()
    pace = realtime or any_live
    return [open_source(camera, uri, start_ns=start_ns, realtime=pace, clock=clock) for camera, uri in pairs]


def file_path(camera: str, uri: str) -> Path:
    """The file of a path or file:// URI. Raises SourceError for any other scheme."""
    if "://" not in uri:
        return Path(uri)
    parts = urlsplit(uri)
    if parts.scheme.lower() != "file":
        raise SourceError(
            f"camera {camera!r}: expected a path, file:// or rtsp://, found {parts.scheme!r} in {redact_uri(uri)}"
        )
    return Path(unquote(parts.path))
