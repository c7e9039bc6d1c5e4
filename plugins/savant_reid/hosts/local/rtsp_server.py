"""Serves pictures as RTSP streams; a stream is encoded only while somebody watches it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from savant_reid.errors import OutputError
from savant_reid.hosts.local import gst
from savant_reid.hosts.local.frame_rate import DEFAULT_FPS
from savant_reid.hosts.local.video_writer import pad_to_even

log = logging.getLogger(__name__)

# The newest pictures count: with a slow encoder older ones are thrown away.
_QUEUE_FRAMES = 2
# A client that vanished without a word is forgotten after this time, and its stream's encoder stops.
_SESSION_SECONDS = 20
_CLEANUP_SECONDS = 2
_LAUNCH = (
    "( appsrc name=pictures is-live=true do-timestamp=true format=time block=false leaky-type=downstream "
    "max-bytes=0 max-buffers={queue} ! videoconvert n-threads=1 ! video/x-raw,format=I420 "
    "! x264enc tune=zerolatency speed-preset=ultrafast threads=1 bframes=0 key-int-max={key_interval} "
    "pass=qual quantizer=25 ! video/x-h264,profile=baseline "
    "! rtph264pay name=pay0 pt=96 config-interval=-1 aggregate-mode=zero-latency )"
)


class _Mount:
    """One stream: the appsrc while somebody watches, else nothing. Used by the server's and the pipeline's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._source: Any = None
        self._size = (0, 0)

    def attach(self, source: Any) -> None:
        with self._lock:
            self._source, self._size = source, (0, 0)

    def detach(self, source: Any) -> None:
        with self._lock:
            if self._source is source:
                self._source = None

    @property
    def watched(self) -> bool:
        return self._source is not None

    def push(self, image: NDArray[np.uint8], fps: float) -> None:
        with self._lock:
            if self._source is None:
                return
            image = pad_to_even(image)
            height, width = image.shape[:2]
            if self._size != (width, height):
                self._source.set_property("caps", gst.bgr_caps(width, height, fps))
                self._size = (width, height)
            self._source.push_buffer(gst.to_buffer(image, None, None))


class RtspServer:
    """rtsp://HOST:PORT/MOUNT for each mount (cameras' names, mosaic). H.264 baseline, RTP over TCP and UDP.

    A GLib main loop runs in its own thread. `push` never waits. Clients that come before the first picture wait for it.
    """

    def __init__(self, port: int, mounts: Sequence[str], *, host: str = "0.0.0.0", fps: float = DEFAULT_FPS) -> None:
        """port: 0 takes a free one, see `port`. fps: nominal, says how far keyframes are apart (one second).

        Raises OutputError when the port cannot be used.
        """
        self._rtsp = gst.rtsp_server_bindings()
        self._glib = gst.bindings().GLib
        gst.make("x264enc")  # refuses here, not when the first client comes, where the plugin is missing
        self._fps = fps
        self._host = host
        self._mounts = {name: _Mount() for name in mounts}
        self._context = self._glib.MainContext.new()
        self._loop = self._glib.MainLoop.new(self._context, False)
        self._server = self._rtsp.RTSPServer.new()
        self._server.set_address(host)
        self._server.set_service(str(port))
        # A client that waits for the first picture occupies its thread: each gets its own.
        self._server.get_thread_pool().set_max_threads(-1)
        self._add_factories()
        self._listener = self._listen(port)
        self.port: int = self._server.get_bound_port()
        self._thread = threading.Thread(target=self._loop.run, name="rtsp-server", daemon=True)
        self._thread.start()
        self._stopped = False

    def push(self, camera: str, image: NDArray[np.uint8], time_ns: int = 0) -> None:  # noqa: ARG002 - part of the outputs' contract
        """image: (h, w, 3) uint8 BGR, copied. Does nothing while nobody watches; streams carry the time of the push."""
        self._mounts[camera].push(image, self._fps)

    def watched(self, camera: str) -> bool:
        """Somebody watches this stream, or has left it only just now: worth drawing for."""
        return self._mounts[camera].watched

    def url(self, camera: str) -> str:
        host = "127.0.0.1" if self._host == "0.0.0.0" else self._host
        return f"rtsp://{host}:{self.port}/{quote(camera)}"

    def stop(self) -> None:
        """Closes the port and all connections; may be called twice."""
        if self._stopped:
            return
        self._stopped = True
        # A quit from here would be lost on a loop that has not begun to run; a source of its own waits for it.
        quitting = self._glib.idle_source_new()
        quitting.set_callback(lambda *_: self._loop.quit())
        quitting.attach(self._context)
        self._thread.join(timeout=10)
        self._listener.destroy()
        self._listener = None  # the last reference closes the port
        remove = self._rtsp.RTSPFilterResult.REMOVE
        self._server.client_filter(lambda *_: remove)
        # Sessions outlive their clients, and hold the encoders.
        self._server.get_session_pool().filter(lambda *_: remove)

    def _listen(self, port: int) -> Any:
        try:
            listener = self._server.create_source(None)
        except self._glib.Error as error:
            raise OutputError(
                f"RTSP port {port} on {self._host} cannot be used: {error.message}; "
                "stop the other program or choose another port with --rtsp-port PORT"
            ) from error
        listener.attach(self._context)
        cleanup = self._glib.timeout_source_new_seconds(_CLEANUP_SECONDS)
        cleanup.set_callback(self._forget_lost_clients)
        cleanup.attach(self._context)
        return listener

    def _forget_lost_clients(self, *_: Any) -> bool:
        self._server.get_session_pool().cleanup()
        return True

    def _add_factories(self) -> None:
        mount_points = self._server.get_mount_points()
        for name, mount in self._mounts.items():
            factory = self._rtsp.RTSPMediaFactory.new()
            factory.set_launch(_LAUNCH.format(queue=_QUEUE_FRAMES, key_interval=max(1, round(self._fps))))
            factory.set_shared(True)
            factory.connect("media-configure", self._configure, mount)
            mount_points.add_factory(f"/{quote(name)}", factory)
        self._server.connect("client-connected", self._greet)

    def _configure(self, _factory: Any, media: Any, mount: _Mount) -> None:
        """A first client has come: its media's appsrc takes pictures until the last client is gone."""
        source = media.get_element().get_by_name_recurse_up("pictures")
        mount.attach(source)
        media.connect("unprepared", lambda _media: mount.detach(source))

    def _greet(self, _server: Any, client: Any) -> None:
        client.connect("new-session", lambda _client, session: session.set_timeout(_SESSION_SECONDS))
