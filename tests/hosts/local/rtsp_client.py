"""An RTSP client on a bare socket: says exactly what a test wants said, and reads no more than it is told to."""

from __future__ import annotations

import base64
import re
import socket
import struct
import subprocess
from collections.abc import Iterator
from types import TracebackType

from savant_reid.hosts.local.rtsp_server import RtspServer

SPS, PPS, KEY, PLAIN = 7, 8, 5, 1
AGGREGATE, FRAGMENT = 24, 28


class RawClient:
    """TCP, media over the same connection. headers: sent with every request, such as Authorization."""

    def __init__(self, url: str, headers: str = "", receive_bytes: int | None = None) -> None:
        """receive_bytes: of the socket's buffer; small ones fill soon when nobody reads."""
        host, port = re.fullmatch(r"rtsp://([^/:]+):(\d+)/.*", url).groups()  # type: ignore[union-attr]
        self.url, self.session, self._headers, self._sequence, self._kept = url, "", headers, 0, b""
        self.socket = socket.socket()
        self.socket.settimeout(15)
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect((host, int(port)))

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()

    def ask(self, method: str, url: str | None = None, headers: str = "") -> str:
        """The answer: status line, headers and body, media between them passed over."""
        self._sequence += 1
        session = f"Session: {self.session}\r\n" if self.session else ""
        text = f"{method} {url or self.url} RTSP/1.0\r\nCSeq: {self._sequence}\r\n{session}{self._headers}{headers}\r\n"
        self.socket.sendall(text.encode())
        while True:
            if self._take(1) == b"$":
                self._take(struct.unpack(">xH", self._take(3))[0])
                continue
            self._kept = b"R" + self._kept
            while b"\r\n\r\n" not in self._kept:
                self._kept += self._receive()
            head, _, self._kept = self._kept.partition(b"\r\n\r\n")
            answer = head.decode()
            length = re.search(r"(?i)^content-length: *(\d+)", answer, re.MULTILINE)
            return answer + "\n\n" + (self._take(int(length[1])).decode() if length else "")

    def describe(self) -> str:
        """The SDP."""
        answer = self.ask("DESCRIBE", headers="Accept: application/sdp\r\n")
        assert answer.startswith("RTSP/1.0 200"), answer
        return answer

    def play(self) -> RawClient:
        """DESCRIBE, SETUP, PLAY."""
        self.describe()
        transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        answer = self.ask("SETUP", f"{self.url}/stream=0", transport)
        assert answer.startswith("RTSP/1.0 200"), answer
        self.session = re.search(r"Session: *([^;\s]+)", answer)[1]  # type: ignore[index]
        assert self.ask("PLAY").startswith("RTSP/1.0 200")
        return self

    def packets(self) -> Iterator[bytes]:
        """RTP packets as they come."""
        while True:
            mark = self._take(1)
            assert mark == b"$", mark
            channel, length = struct.unpack(">BH", self._take(3))
            packet = self._take(length)
            if channel == 0:
                yield packet

    def units(self) -> Iterator[tuple[int, int]]:
        """(RTP time stamp, type) of each NAL unit's beginning."""
        for packet in self.packets():
            stamp, payload = struct.unpack(">I", packet[4:8])[0], packet[12:]
            kind = payload[0] & 31
            if kind == AGGREGATE:
                at = 1
                while at < len(payload):
                    yield stamp, payload[at + 2] & 31
                    at += 2 + struct.unpack(">H", payload[at : at + 2])[0]
            elif kind == FRAGMENT:
                if payload[1] & 0x80:
                    yield stamp, payload[1] & 31
            else:
                yield stamp, kind

    def _take(self, count: int) -> bytes:
        while len(self._kept) < count:
            self._kept += self._receive()
        taken, self._kept = self._kept[:count], self._kept[count:]
        return taken

    def _receive(self) -> bytes:
        more = self.socket.recv(65536)
        if not more:
            raise ConnectionError("the server has closed the connection")
        return more


def figures(server: RtspServer, mount: str = "door") -> dict[str, float]:
    return dict(server.streams[mount].figures())


def read_by_ffmpeg(url: str, transport: str) -> subprocess.Popen[bytes]:
    command = ["ffmpeg", "-v", "quiet", "-rtsp_transport", transport, "-i", url, "-f", "null", "-"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def basic(login: str) -> str:
    return f"Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n"
