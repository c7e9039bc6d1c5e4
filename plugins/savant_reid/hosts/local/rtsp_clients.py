"""The connections to our RTSP server: how many there may be, who watches what, and who has stopped reading."""

from __future__ import annotations

import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from savant_reid.hosts.local import gst
from savant_reid.hosts.local.rtsp_stream import RtspStream

log = logging.getLogger(__name__)

MOST_CLIENTS = 64
# Pictures were sent and not a byte of them was acknowledged: whoever sits there reads no more.
STALL_SECONDS = 10.0
# The first answer to a client is a 401 always, even to one that knows the password.
_MOST_DENIALS = 8
# Bounds what a slow reader gets late, and what it costs: about a second of a 1080p stream.
_SEND_BUFFER_BYTES = 512 * 1024
# tcpi_bytes_acked in Linux's struct tcp_info (include/uapi/linux/tcp.h, since 4.1).
_ACKED_OFFSET, _TCP_INFO_BYTES = 120, 128
_ESTABLISHED = 1  # tcpi_state, its first byte


@dataclass
class _Client:
    """socket: a second handle on the connection. sessions: by id, what is played in each, and whether over TCP.
    acked, encoded, since: as they were when it last took something.
    """

    client: Any
    socket: socket.socket
    who: str
    sessions: dict[str, dict[RtspStream, bool]] = field(default_factory=dict)
    acked: int = 0
    encoded: int = 0
    since: float = 0.0
    denied: int = 0
    warned: bool = False


class RtspClients:
    """Keeps its own book of who plays what, by GStreamer's signals, for whoever asks at any time: PyGObject loses some
    memory each time that its lists of sessions are asked for (170 bytes by a callback, 36 for an empty list).

    stream_of: the stream that a media belongs to; stream_at: that of a path; or None.
    """

    name = "rtsp"

    def __init__(
        self,
        stream_of: Callable[[Any], RtspStream | None],
        stream_at: Callable[[str], RtspStream | None],
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self.closed = 0
        self.logins_failed = 0
        self._stream_of, self._stream_at = stream_of, stream_at
        self.stall_seconds = stall_seconds
        self._lock = threading.Lock()
        self._clients: dict[Any, _Client] = {}

    def figures(self) -> dict[str, float]:
        with self._lock:
            return {
                "connections": len(self._clients),
                "connections_closed": self.closed,
                "logins_failed": self.logins_failed,
            }

    def add(self, client: Any) -> None:
        """Just connected."""
        connection = client.get_connection()
        try:
            handle = socket.socket(fileno=os.dup(connection.get_write_socket().get_fd()))
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        except OSError:  # gone already
            return
        one = _Client(client, handle, connection.get_ip() or "?", since=time.monotonic())
        for signal, handler in (
            ("closed", self._forget),
            ("pre-describe-request", self._describe),
            ("setup-request", self._setup),
            ("play-request", self._play),
            ("pause-request", self._pause),
            ("teardown-request", self._pause),
        ):
            client.connect(signal, handler)
        with self._lock:
            others = list(self._clients.values())
            self._clients[client] = one
        if len(others) >= MOST_CLIENTS:
            idle = (other for other in others if not other.sessions)
            self._refuse(next(idle, one))

    def watching(self, stream: RtspStream) -> int:
        """Clients to which this stream goes."""
        with self._lock:
            return sum(stream in played for one in self._clients.values() for played in one.sessions.values())

    def session_removed(self, session_id: str) -> None:
        """It was torn down, or its time is over."""
        with self._lock:
            for one in self._clients.values():
                one.sessions.pop(session_id, None)

    def check(self, server: Any) -> None:
        """Every second or so, from the server's thread: sends those away who take nothing of what they asked for."""
        now = time.monotonic()
        with self._lock:
            clients = list(self._clients.values())
            played = [[s for session in one.sessions.values() for s, tcp in session.items() if tcp] for one in clients]
        # Who went while it was being added was never heard to close.
        connected = server.client_filter(None) if clients else []
        for one, streams in zip(clients, played, strict=True):
            if one.client not in connected:
                self._forget(one.client)
                continue
            encoded = sum(stream.frames_encoded for stream in streams)
            acked = _acked_bytes(one.socket)
            if acked is None or not streams or acked != one.acked or encoded == one.encoded:
                one.acked, one.encoded, one.since = acked or 0, encoded, now
            elif now - one.since >= self.stall_seconds:
                for stream in streams:
                    stream.clients_closed += 1
                log.warning(
                    "rtsp: %s has read nothing of %s for %.0f s: its connection is closed",
                    one.who,
                    " and ".join(stream.mount for stream in streams),
                    now - one.since,
                )
                self._close(one)

    def close(self) -> None:
        with self._lock:
            clients = list(self._clients.values())
        for one in clients:
            self._close(one)

    def _describe(self, _client: Any, context: Any) -> Any:
        """In the client's own thread, before its media is looked up."""
        stream = self._stream_at(context.uri.abspath)
        if stream is not None:
            stream.wait_for_ending(lambda: self._lasts(stream))
        return gst.rtsp_bindings().RTSPStatusCode.OK

    def _lasts(self, stream: RtspStream) -> bool:
        """Somebody watches it whose connection is not just being closed."""
        with self._lock:
            clients = [one for one in self._clients.values() if any(stream in p for p in one.sessions.values())]
        return any(_is_open(one.socket) for one in clients)

    def _setup(self, client: Any, context: Any) -> None:
        with self._lock:
            if client in self._clients:
                self._clients[client].sessions.setdefault(context.session.get_sessionid(), {})

    def _play(self, client: Any, context: Any) -> None:
        stream = self._stream_of(context.sessmedia.get_media())
        if stream is None:
            return
        stream.ask_for_key()
        with self._lock:
            one = self._clients.get(client)
            if one is not None:
                played = one.sessions.setdefault(context.session.get_sessionid(), {})
                played[stream] = _is_over_tcp(context.sessmedia)
        if one is not None:
            log.debug("rtsp: %s watches %s", one.who, stream.mount)

    def _pause(self, client: Any, context: Any) -> None:
        stream = self._stream_of(context.sessmedia.get_media())
        with self._lock:
            if client in self._clients and stream is not None:
                self._clients[client].sessions.get(context.session.get_sessionid(), {}).pop(stream, None)

    def _refuse(self, one: _Client) -> None:
        self.closed += 1
        if self.closed == 1:
            log.warning("rtsp: %d connections are open, the oldest idle ones are closed", MOST_CLIENTS)
        self._close(one)

    def _close(self, one: _Client) -> None:
        # Not client.close(), which belongs to the client's own thread: that one sees the end of its connection.
        with suppress(OSError):
            one.socket.shutdown(socket.SHUT_RDWR)

    def denied(self, client: Any, had_login: bool) -> None:
        """A request was answered 401. GStreamer keeps a nonce for each as long as the connection lasts."""
        with self._lock:
            one = self._clients.get(client)
        if had_login:
            self.logins_failed += 1
        if one is None:
            return
        one.denied += 1
        if had_login and not one.warned:
            log.warning("rtsp: %s gave a wrong user or password", one.who)
        one.warned |= had_login
        if one.denied > _MOST_DENIALS:
            self._close(one)

    def _forget(self, client: Any) -> None:
        with self._lock:
            one = self._clients.pop(client, None)
        if one is not None:
            one.socket.close()


def _is_over_tcp(session_media: Any) -> bool:
    transport = session_media.get_transport(0)
    return transport is not None and transport.get_transport().lower_transport == gst.rtsp_bindings().RTSPLowerTrans.TCP


def _is_open(connection: socket.socket) -> bool:
    """False from the moment that the other side's goodbye has arrived, before anybody has read it."""
    try:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)[0] == _ESTABLISHED
    except OSError:
        return False
    except AttributeError:  # a system that does not tell
        return True


def _acked_bytes(connection: socket.socket) -> int | None:
    """What the other side has confirmed so far; None where the system does not say, or the connection is closed."""
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except (OSError, AttributeError):
        return None
    return struct.unpack_from("=Q", info, _ACKED_OFFSET)[0] if len(info) >= _TCP_INFO_BYTES else None
