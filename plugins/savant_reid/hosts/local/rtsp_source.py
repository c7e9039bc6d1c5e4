"""An RTSP camera: its newest frames, and its return after every break."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

from savant_reid.errors import SourceError
from savant_reid.hosts.local import gst
from savant_reid.hosts.local.decoder import Decoder, Picture, StreamError
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.sources import CameraStats
from savant_reid.redaction import redact, redact_uri

log = logging.getLogger(__name__)

# Frames kept for a consumer that is busy; more would only be older.
QUEUE_FRAMES = 4
# What the jitter buffer waits for late packets; over TCP there are none, but cameras send in bursts.
LATENCY_MS = 100
STALL_SECONDS = 10.0
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 30.0
# A clock that steps back by less is held still, so that times rise; by more it starts a new epoch.
_CLOCK_SLACK_NS = gst.SECOND_NS
_TEARDOWN_NS = 100_000_000
_PULL_SECONDS = 0.2


def backoff_seconds(
    rng: random.Random, first_seconds: float = FIRST_RETRY_SECONDS, longest_seconds: float = LONGEST_RETRY_SECONDS
) -> Iterator[float]:
    """Waiting times before retries: doubling up to the longest, each shortened by up to a half at random.

    The jitter keeps many cameras behind one broken switch from all coming back in the same moment.
    """
    ceiling = first_seconds
    while True:
        yield ceiling * rng.uniform(0.5, 1.0)
        ceiling = min(ceiling * 2, longest_seconds)


class RtspSource:
    """Frames of an RTSP camera, stamped on arrival; the oldest are dropped (`late`) when nobody takes them.

    A thread reads and reconnects. The epoch grows with every reconnect, change of resolution and step back of
    the clock.
    Never raises after its construction. User and password appear in no message.
    """

    live = True

    def __init__(
        self,
        camera: str,
        uri: str,
        *,
        clock: Callable[[], int] = time.time_ns,
        transport: str = "tcp",
        stall_seconds: float = STALL_SECONDS,
        backoff: Callable[[], Iterator[float]] | None = None,
    ) -> None:
        """clock: wall time in ns. transport: tcp, or udp. backoff: makes the waiting times of one outage."""
        self.camera = camera
        self.stats = CameraStats()
        self._shown_uri = redact_uri(uri)
        self._uri, self._user, self._password = _split_credentials(camera, uri)
        self._clock = clock
        self._transport = transport
        self._stall_seconds = stall_seconds
        # Seeded by the camera's name: cameras differ from each other, runs do not.
        rng = random.Random(camera)
        self._backoff = backoff or (lambda: backoff_seconds(rng))
        self._frames: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._connected = False
        self._index = 0
        self._epoch = 0
        self._size = (0, 0)
        self._last_ns = -1
        self._began = 0, 0  # this connection's first frame: index, time in ns

    @property
    def ended(self) -> bool:
        return self._stopping.is_set()

    @property
    def connected(self) -> bool:
        return self._connected

    def start(self) -> None:
        gst.bindings()
        self._thread = threading.Thread(target=self._run, name=f"rtsp-{self.camera}", daemon=True)
        self._thread.start()

    def peek(self, timeout_seconds: float) -> Frame | None:
        with self._changed:
            if not self._frames and timeout_seconds > 0:
                self._changed.wait(timeout_seconds)
            return self._frames[0] if self._frames else None

    def take(self) -> Frame | None:
        with self._changed:
            if not self._frames:
                return None
            self.stats.frames += 1
            return self._frames.popleft()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        waits = self._backoff()
        while not self._stopping.is_set():
            before = self._index
            reason = self._read_stream()
            if self._index > before:
                waits = self._backoff()
            if self._stopping.is_set():
                return
            self.stats.connection_errors += 1
            wait_seconds = next(waits)
            log.warning("camera %r: %s: %s; next attempt in %.1f s", self.camera, self._shown_uri, reason, wait_seconds)
            self._stopping.wait(wait_seconds)

    def _read_stream(self) -> str:
        """Reads one connection until it breaks, and says why it did."""
        decoder: Decoder | None = None
        try:
            decoder = Decoder(self._uri, on_source=self._set_up)
            decoder.start()
            return self._pump(decoder)
        except Exception as error:  # whatever happens to one camera stays with it: the others go on
            if not isinstance(error, StreamError):
                log.exception("camera %r: unexpected error", self.camera)
            return redact(str(error))
        finally:
            self._connected = False
            if decoder is not None:
                decoder.close()

    def _pump(self, decoder: Decoder) -> str:
        errors_before = self.stats.decode_errors
        silent_since = time.monotonic()
        while not self._stopping.is_set():
            picture = decoder.pull(_PULL_SECONDS)
            self.stats.decode_errors = errors_before + decoder.decode_errors
            if picture is not None:
                silent_since = time.monotonic()
                self._deliver(picture, decoder.fps)
            elif decoder.ended:
                return "the camera ended the stream"
            elif time.monotonic() - silent_since > self._stall_seconds:
                return f"no frame for {self._stall_seconds:g} s"
        return "stopped"

    def _deliver(self, picture: Picture, nominal_fps: float) -> None:
        time_ns = self._stamp(reconnected=not self._connected and self._index > 0)
        height, width = picture.image.shape[:2]
        if self._size not in ((0, 0), (width, height)):
            self._epoch += 1
        self._size = (width, height)
        self.stats.width, self.stats.height = width, height
        if not self._connected:
            self._began = self._index, time_ns
        index, began_ns = self._began
        elapsed_ns = time_ns - began_ns
        self.stats.note_fps(nominal_fps, (self._index - index) * gst.SECOND_NS / elapsed_ns if elapsed_ns > 0 else 0.0)
        frame = Frame(self.camera, self._index, time_ns, picture.image, self._epoch)
        self._index += 1
        self._connected = True
        with self._changed:
            self._frames.append(frame)
            if len(self._frames) > QUEUE_FRAMES:
                self._frames.popleft()
                self.stats.drop("late")
            self._changed.notify_all()

    def _stamp(self, *, reconnected: bool) -> int:
        if reconnected:
            self._epoch += 1
            self.stats.reconnects += 1
            log.warning("camera %r: %s is back", self.camera, self._shown_uri)
        now_ns = self._clock()
        if self._last_ns - _CLOCK_SLACK_NS < now_ns <= self._last_ns:
            now_ns = self._last_ns + 1
        elif now_ns <= self._last_ns:
            self._epoch += 1
        self._last_ns = now_ns
        return now_ns

    def _set_up(self, source: Any) -> None:
        """Configures rtspsrc. User and password go in here, so that no message of GStreamer can hold them."""
        for name, value in (
            ("latency", LATENCY_MS),
            ("tcp-timeout", int(self._stall_seconds * 1e6)),
            ("teardown-timeout", _TEARDOWN_NS),
            ("user-id", self._user),
            ("user-pw", self._password),
        ):
            if value is not None:
                source.set_property(name, value)
        gst.bindings().Gst.util_set_object_arg(source, "protocols", self._transport)
        source.connect("select-stream", lambda _source, _number, caps: caps.get_structure(0)["media"] == "video")


def _split_credentials(camera: str, uri: str) -> tuple[str, str | None, str | None]:
    """(URI without user and password, user, password)."""
    # By hand: urlsplit ends at a "?" or "#" of a password that should have been percent-encoded, and raises at a "[".
    scheme, _, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    user_info, at, place = authority.rpartition("@")
    if not place:
        raise SourceError(f"camera {camera!r}: expected rtsp://host[:port]/path, found {redact_uri(uri)!r}")
    if not at:
        return uri, None, None
    user, _, password = user_info.partition(":")
    return f"{scheme}://{place}{slash}{path}", unquote(user), unquote(password)
