"""Real RTSP cameras for tests: any codec and tracks, a password, and a relay that spoils what a camera sends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from savant_reid.hosts.local import gst

HOST = "127.0.0.1"
PICTURES = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=96,framerate=15/1"
H264 = f"{PICTURES} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96"
H265 = (
    f"{PICTURES} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 option-string=pools=1 "
    "! rtph265pay name=pay0 pt=96"
)
MJPEG = f"{PICTURES},format=I420 ! jpegenc ! rtpjpegpay name=pay0 pt=26"


@contextmanager
def serving(
    launch: str,
    *,
    user: str = "",
    password: str = "",
    basic: bool = False,
    port: int = 0,
    mounts: Sequence[str] = ("door",),
) -> Iterator[str]:
    """host:port of a server each of whose mounts is this pipeline, for who knows user and password, if there are any.
    All readers of a mount get the same stream. basic: the password is asked for as it is, not as a digest."""
    library, glib = gst.rtsp_server_bindings(), gst.bindings().GLib
    context = glib.MainContext()
    loop = glib.MainLoop.new(context, False)
    server = library.RTSPServer()
    server.set_address(HOST)
    server.set_service(str(port))
    for mount in mounts:
        factory = library.RTSPMediaFactory()
        factory.set_launch(f"( {launch} )")
        factory.set_shared(True)
        if user:
            _guard(library, server, factory, user, password, basic)
        server.get_mount_points().add_factory(f"/{mount}", factory)
    listener = server.create_source(None)
    listener.attach(context)
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    try:
        yield f"{HOST}:{server.get_bound_port()}"
    finally:
        loop.quit()
        thread.join(timeout=5)
        listener.destroy()


def _guard(library: Any, server: Any, factory: Any, user: str, password: str, basic: bool) -> None:
    auth, token, permissions = library.RTSPAuth(), library.RTSPToken(), library.RTSPPermissions()
    token.set_string("media.factory.role", "user")
    if basic:
        auth.add_basic(library.RTSPAuth.make_basic(user, password), token)
    else:
        auth.set_supported_methods(gst.rtsp_bindings().RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions.add_role("user")
    for what in ("access", "construct"):
        permissions.add_permission_for_role("user", f"media.factory.{what}", True)
    factory.set_permissions(permissions)


@contextmanager
def answering(status: str) -> Iterator[str]:
    """host:port of somebody who answers all that is asked (but for what they can do) with this status."""

    def speak(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as asked:
            number, first = b"", asked.readline()
            while line := asked.readline():
                if line.lower().startswith(b"cseq:"):
                    number = line.strip()
                if line == b"\r\n":
                    answer = b"200 OK" if first.startswith(b"OPTIONS") else status.encode()
                    connection.sendall(b"RTSP/1.0 " + answer + b"\r\n" + number + b"\r\n\r\n")
                    first = asked.readline()

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(
                    target=_until_closed, args=(partial(speak, listener.accept()[0]),), daemon=True
                ).start()

    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"{HOST}:{listener.getsockname()[1]}"


class Relay:
    """Stands between a camera and its readers (RTP over TCP). What it is told to do to packets, it does from then on.

    shift: added to RTP time stamps, in their units. ntp_shift_seconds: to the camera's clock in its RTCP reports.
    begin_at: RTP time stamps begin here with each connection. silent: nothing is handed on, and nothing closed.
    hang_up: the connection is closed when the first packet should be handed on.
    authorized: requests that came with a password. tracks: that were asked for. connections: so far.
    """

    def __init__(self, place: str) -> None:
        self.shift = 0
        self.ntp_shift_seconds = 0
        self.begin_at: int | None = None
        self.silent = threading.Event()
        self.hang_up = threading.Event()
        self.authorized = 0
        self.tracks = 0
        self.connections = 0
        self._camera = place
        self._stopped = False
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((HOST, 0))
        self.place = f"{HOST}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self.silent.clear()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Breaks all connections."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets.clear()

    def _accept(self) -> None:
        while not self._stopped:
            try:
                reader, _ = self._listener.accept()
                host, port = self._camera.split(":")
                camera = socket.create_connection((host, int(port)), timeout=5)
            except OSError:
                continue
            camera.settimeout(None)
            self.connections += 1
            self._sockets += [reader, camera]
            for work in (lambda r=reader, c=camera: self._ask(r, c), lambda r=reader, c=camera: self._answer(c, r)):
                threading.Thread(target=_until_closed, args=(work, reader, camera), daemon=True).start()

    def _ask(self, reader: socket.socket, camera: socket.socket) -> None:
        while data := reader.recv(65536):
            self.authorized += data.count(b"\r\nAuthorization:")
            self.tracks += data.count(b"SETUP rtsp:")
            camera.sendall(data)

    def _answer(self, camera: socket.socket, reader: socket.socket) -> None:
        stream = camera.makefile("rb")
        first: int | None = None
        while head := stream.read(1):
            if head == b"$" and self.hang_up.is_set():
                return
            if head == b"$":
                channel, size = stream.read(1)[0], stream.read(2)
                packet = bytearray(stream.read(int.from_bytes(size, "big")))
                if channel == 0 and first is None:
                    first = int.from_bytes(packet[4:8], "big")
                self._spoil(channel, packet, first or 0)
                data = b"$" + bytes([channel]) + size + bytes(packet)
            else:
                data = head + stream.readline()
            while self.silent.is_set() and not self._stopped:
                threading.Event().wait(0.02)
            reader.sendall(data)

    def _spoil(self, channel: int, packet: bytearray, first: int) -> None:
        if channel == 0:
            begin = 0 if self.begin_at is None else self.begin_at - first
            shifted = (int.from_bytes(packet[4:8], "big") + self.shift + begin) % (1 << 32)
            packet[4:8] = shifted.to_bytes(4, "big")
        elif channel == 1 and packet[1] == 200:  # a sender report
            seconds = (int.from_bytes(packet[8:12], "big") + self.ntp_shift_seconds) % (1 << 32)
            packet[8:12] = seconds.to_bytes(4, "big")


def _until_closed(work: Callable[[], None], *sockets: socket.socket) -> None:
    with suppress(OSError, ValueError):
        work()
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
