"""Serves pictures as RTSP streams; a stream is encoded only while somebody watches it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from savant_reid.errors import OutputError
from savant_reid.hosts.local import gst
from savant_reid.hosts.local.frame_rate import DEFAULT_FPS
from savant_reid.hosts.local.rtsp_clients import STALL_SECONDS, RtspClients
from savant_reid.hosts.local.rtsp_login import Login, make_auth, viewers
from savant_reid.hosts.local.rtsp_stream import ELEMENTS, LAUNCH, RtspStream

log = logging.getLogger(__name__)

# RFC 2326's own: a client that vanished without a word is forgotten after this time, and its stream's encoder stops.
SESSION_SECONDS = 60
_CHECK_SECONDS = 1
_STOP_SECONDS = 2.0
# A VMS comes back with all its streams at once; with GStreamer's 5 some of them would wait for a second.
_BACKLOG = 128
_LOOPBACK = ("127.", "::1", "localhost")


@dataclass(frozen=True)
class RtspRequest:
    """Where to serve, and whom. logins: none lets everybody in."""

    port: int
    host: str = "127.0.0.1"
    logins: tuple[Login, ...] = ()


class RtspServer:
    """rtsp://HOST:PORT/MOUNT for each mount (cameras' names, mosaic). H.264 baseline, RTP over TCP and UDP.

    A GLib main loop runs in its own thread. `push` never waits. Clients that come before the first picture wait for it.
    """

    def __init__(
        self,
        port: int,
        mounts: Sequence[str],
        *,
        host: str = "127.0.0.1",
        fps: float = DEFAULT_FPS,
        logins: Sequence[Login] = (),
        session_seconds: int = SESSION_SECONDS,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        """port: 0 takes a free one, see `port`. fps: nominal, where `push` does not say. stall_seconds: how long a
        client may take nothing of its stream.

        Raises OutputError when the port cannot be used, SavantReidError where a part of GStreamer is missing.
        """
        self._rtsp = gst.rtsp_server_bindings()
        self._glib = gst.bindings().GLib
        gst.require(*ELEMENTS)  # refuses here, not when the first client comes
        self._host = host
        self._session_seconds = session_seconds
        self.clients = RtspClients(self._stream_of, self._stream_at, stall_seconds)
        self.streams = {name: RtspStream(name, fps, self.clients.watching) for name in mounts}
        self._context = self._glib.MainContext.new()
        self._loop = self._glib.MainLoop.new(self._context, False)
        self._server = self._rtsp.RTSPServer.new()
        self._server.set_address(host)
        self._server.set_service(str(port))
        self._server.set_backlog(_BACKLOG)
        self._server.set_auth(make_auth(logins, self.clients.denied))
        # A client that waits for the first picture occupies its thread: each gets its own.
        self._server.get_thread_pool().set_max_threads(-1)
        self._add_factories()
        self._listener = self._listen(port)
        self.port: int = self._server.get_bound_port()
        self._thread = threading.Thread(target=self._loop.run, name="rtsp-server", daemon=True)
        self._thread.start()
        self._stopped = False
        if not logins and not host.startswith(_LOOPBACK):
            log.warning("rtsp: whoever reaches %s:%d can watch: no password is asked (--rtsp-login)", host, self.port)

    @property
    def sinks(self) -> Sequence[Any]:
        """All that have figures, for a Monitor."""
        return [self.clients, *self.streams.values()]

    def metrics(self) -> dict[str, Any]:
        return {**self.clients.figures(), "streams": {name: dict(s.figures()) for name, s in self.streams.items()}}

    def push(
        self,
        camera: str,
        image: NDArray[np.uint8],
        time_ns: int = 0,  # noqa: ARG002 - part of the outputs' contract
        fps: float | None = None,
    ) -> None:
        """image: (h, w, 3) uint8 BGR, copied. Does nothing while nobody watches; streams carry the time of the push."""
        self.streams[camera].push(image, fps)

    def watched(self, camera: str) -> bool:
        """Somebody watches this stream, or has left it only just now: worth drawing for."""
        return self.streams[camera].watched

    def url(self, camera: str) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        return f"rtsp://{f'[{host}]' if ':' in host else host}:{self.port}/{quote(camera)}"

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
        # Clients end in their own threads, as their connections do. To remove one from here while its thread reads
        # takes the stream from under it, and it reads for ever.
        self.clients.close()
        deadline = time.monotonic() + _STOP_SECONDS
        while self._server.client_filter(None) and time.monotonic() < deadline:
            time.sleep(0.005)
        # Sessions outlive their clients, and hold the encoders.
        remove = self._rtsp.RTSPFilterResult.REMOVE
        self._server.get_session_pool().filter(lambda *_: remove)
        while any(map(self.watched, self.streams)) and time.monotonic() < deadline:
            time.sleep(0.005)

    def _listen(self, port: int) -> Any:
        try:
            listener = self._server.create_source(None)
        except self._glib.Error as error:
            advice = (
                "stop the other program or choose another port"
                if "in use" in error.message
                else "expected an address of this machine, or 0.0.0.0, and a port that this user may take"
            )
            raise OutputError(f"RTSP port {port} on {self._host} cannot be used: {error.message}; {advice}") from error
        listener.attach(self._context)
        check = self._glib.timeout_source_new_seconds(_CHECK_SECONDS)
        check.set_callback(self._check)
        check.attach(self._context)
        return listener

    def _check(self, *_: Any) -> bool:
        self._server.get_session_pool().cleanup()
        self.clients.check(self._server)
        return True

    def _add_factories(self) -> None:
        transports = gst.rtsp_bindings().RTSPLowerTrans
        mount_points = self._server.get_mount_points()
        for name, stream in self.streams.items():
            factory = self._rtsp.RTSPMediaFactory.new()
            factory.set_launch(LAUNCH)
            factory.set_shared(True)
            factory.set_permissions(viewers())
            factory.set_protocols(transports.UDP | transports.TCP)
            factory.connect("media-configure", self._configure, stream)
            mount_points.add_factory(f"/{quote(name)}", factory)
        self._server.connect("client-connected", self._greet)
        pool = self._server.get_session_pool()
        pool.connect("session-removed", lambda _pool, session: self.clients.session_removed(session.get_sessionid()))

    def _configure(self, _factory: Any, media: Any, stream: RtspStream) -> None:
        stream.attach(media)

    def _greet(self, _server: Any, client: Any) -> None:
        client.connect("new-session", lambda _client, session: session.set_timeout(self._session_seconds))
        self.clients.add(client)

    def _stream_of(self, media: Any) -> RtspStream | None:
        return next((stream for stream in self.streams.values() if media is not None and stream.media is media), None)

    def _stream_at(self, path: str) -> RtspStream | None:
        return next((stream for name, stream in self.streams.items() if path == f"/{quote(name)}"), None)
