"""An RTSP camera: its newest frames, and its return after every break."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from savant_reid.hosts.local import gst
from savant_reid.hosts.local.decoder import Decoder, Packet, Picture, StreamError
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.retries import PROVEN_SECONDS, Retries, Waits
from savant_reid.hosts.local.rtsp_address import parse_address
from savant_reid.hosts.local.rtsp_session import FirstVideo, OneLogin
from savant_reid.hosts.local.sources import CameraStats
from savant_reid.hosts.local.stream_time import StreamTime
from savant_reid.hosts.local.wall_clock import WallClock

log = logging.getLogger(__name__)

# Frames kept for a consumer that is busy; more would only be older.
QUEUE_FRAMES = 4
# What the jitter buffer waits for late packets; over TCP there are none, but cameras send in bursts.
LATENCY_MS = 100
STALL_SECONDS = 10.0
# While packets come, a picture may take so many times longer: some cameras send a keyframe every 16 s only.
PATIENCE = 3
_TEARDOWN_NS = 100_000_000
_PULL_SECONDS = 0.2
_ADVICE = {
    gst.Cause.REFUSED: "wrong user or password, none given, or a user who may not watch; "
    "tried rarely, as cameras lock accounts",
    gst.Cause.NOT_FOUND: "the camera has no such stream; is the path right?",
}


class RtspSource:
    """Frames of an RTSP camera, stamped on arrival; the oldest are dropped (`late`) when nobody takes them.

    A thread reads and reconnects. Times rise whatever the camera's own time stamps do. The epoch grows with every
    reconnect and change of resolution. Never raises after its construction. User and password appear in no message.
    """

    live = True

    def __init__(
        self,
        camera: str,
        uri: str,
        *,
        clock: Callable[[], int] | None = None,
        stall_seconds: float = STALL_SECONDS,
        backoff: Waits | None = None,
        refused_backoff: Waits | None = None,
        proven_seconds: float = PROVEN_SECONDS,
    ) -> None:
        """uri: see rtsp_address.parse_address. clock: site time in ns; cameras of one run share it. backoff,
        refused_backoff, proven_seconds: see retries.Retries. Raises SourceError for an address that cannot be read."""
        self.camera = camera
        self.stats = CameraStats()
        self._address = parse_address(camera, uri)
        self._clock = clock or WallClock()
        self._stall_seconds = stall_seconds
        self._retries = Retries(camera, backoff=backoff, refused_backoff=refused_backoff, proven_seconds=proven_seconds)
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
        self._good_seconds = 0.0  # of this connection: from its first frame to its latest
        self._stream_time = StreamTime()

    @property
    def ended(self) -> bool:
        return self._stopping.is_set()

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def running(self) -> bool:
        """Its thread has not ended."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        gst.rtsp_bindings()
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

    def stop_soon(self) -> None:
        self._stopping.set()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._good_seconds = 0.0
            reason, cause = self._read_stream()
            if self._stopping.is_set():
                return
            self.stats.connection_errors += 1
            wait_seconds = self._retries.after(self._good_seconds, refused=cause is gst.Cause.REFUSED)
            log.warning(
                "camera %r: %s: %s%s; next attempt in %.1f s",
                self.camera,
                self._address.shown,
                self._address.scrub(reason),
                self._advice(cause),
                wait_seconds,
            )
            self._stopping.wait(wait_seconds)

    def _advice(self, cause: gst.Cause) -> str:
        if cause in _ADVICE:
            return f": {_ADVICE[cause]}"
        if self._address.uri.startswith("rtsps:") and not self._good_seconds:
            return ": does this machine trust the camera's certificate?"  # GStreamer does not tell
        return ""

    def _read_stream(self) -> tuple[str, gst.Cause]:
        """Reads one connection until it breaks, and says why it did."""
        decoder: Decoder | None = None
        try:
            decoder = Decoder(self._address.uri, from_keyframe=True, on_source=self._set_up)
            decoder.start()
            return self._pump(decoder), gst.Cause.OTHER
        except StreamError as error:
            return str(error), error.cause
        except Exception as error:  # whatever happens to one camera stays with it: the others go on
            log.exception("camera %r: unexpected error", self.camera)
            return str(error), gst.Cause.OTHER
        finally:
            self._connected = False
            if decoder is not None:
                decoder.close()

    def _pump(self, decoder: Decoder) -> str:
        before_all = replace(self.stats, drops=dict(self.stats.drops))
        picture_at = packet_at = time.monotonic()
        packet: Packet | None = None
        self._stream_time.restart()
        while not self._stopping.is_set():
            picture = decoder.pull(_PULL_SECONDS)
            now = time.monotonic()
            self._count(before_all, decoder)
            packet, before = decoder.packet(), packet
            if packet is not None and packet != before:
                packet_at = now
                self._read_time(packet, now)
            if picture is not None:
                picture_at = now
                self._deliver(picture, decoder.fps)
            elif decoder.ended:
                return "the camera ended the stream"
            elif now - max(picture_at, packet_at) > self._stall_seconds:
                return f"nothing came for {self._stall_seconds:g} s"
            elif now - picture_at > PATIENCE * self._stall_seconds:
                return f"no picture could be decoded for {PATIENCE * self._stall_seconds:g} s, though packets came"
        return "stopped"

    def _count(self, before: CameraStats, decoder: Decoder) -> None:
        """What this connection has counted so far, added to what was counted before it."""
        self.stats.decode_errors = before.decode_errors + decoder.decode_errors
        self.stats.packets_lost = before.packets_lost + decoder.packets_lost()
        if decoder.left_out():
            self.stats.drops["no_keyframe"] = before.drops.get("no_keyframe", 0) + decoder.left_out()

    def _read_time(self, packet: Packet, now_seconds: float) -> None:
        if self._stream_time.read(packet.rtp_time, packet.clock_rate, now_seconds):
            self.stats.stream_jumps += 1
            if self._stream_time.jumps == 1:  # of this connection: some cameras do it all the time
                log.warning("camera %r: its time stamps leapt; its frames keep this machine's time", self.camera)

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
        self._good_seconds = max(0, elapsed_ns) * 1e-9
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
            log.warning("camera %r: %s is back", self.camera, self._address.shown)
        self._last_ns = max(self._clock(), self._last_ns + 1)
        return self._last_ns

    def _set_up(self, source: Any) -> None:
        """Configures rtspsrc. User and password go in here, so that no message of GStreamer can hold them."""
        for name, value in (
            ("latency", LATENCY_MS),
            ("tcp-timeout", int(self._stall_seconds * 1e6)),
            ("teardown-timeout", _TEARDOWN_NS),
            ("user-id", self._address.user),
            ("user-pw", self._address.password),
        ):
            if value is not None:
                source.set_property(name, value)
        gst.bindings().Gst.util_set_object_arg(source, "protocols", self._address.transport)
        source.connect("select-stream", FirstVideo().wants)
        if self._address.user is not None:
            source.connect("before-send", OneLogin(self._address.user).sending)
