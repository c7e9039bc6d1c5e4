"""Frames and identity events as JSON on a ZeroMQ PUB socket, by topic.

This is plain JSON for whoever speaks ZeroMQ. Savant's own protocol (protobuf through savant-rs) is another sink.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import stat
from collections import Counter
from collections.abc import Sequence
from typing import Any

from savant_reid.errors import OutputError, SavantReidError
from savant_reid.identity.types import IdentityEvent
from savant_reid.records import FrameRecord
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.identities import event_line

log = logging.getLogger(__name__)

EVENTS_TOPIC = "identity/"
# Messages that wait for one subscriber; what comes after them is lost to it. A frame of ten people has 2.5 kB.
QUEUE_MESSAGES = 1000
# What a subscriber may send: subscriptions, which have some 250 bytes at most (see camera_names). ZeroMQ keeps them in
# a tree as deep as they are long, and walks it by recursion: one of 50 MB ended the process that held it.
_LONGEST_INCOMING_BYTES = 1024
# How long the end of a run waits for the last messages to leave.
_LINGER_MS = 1000
_ADDRESS = re.compile(
    r"(?:(?P<kind>[a-z]+)\+(?P<mode>bind|connect):)?(?P<endpoint>(?P<scheme>tcp|ipc)://(?P<place>.+))"
)


def frame_topic(camera: str) -> str:
    """Ends in a slash, which no camera's name holds: to subscribe to `aisle-1` is not to subscribe to `aisle-10`."""
    return f"frame/{camera}/"


class ZeroMqSink:
    """Messages of two parts: topic, JSON. Never waits: what a subscriber has no room for is lost to it alone.

    sent: messages handed to ZeroMQ, by `frames` and `events`. overruns: how often a subscriber's queue was full. From
    then until it has read half of its queue it loses everything; how much, ZeroMQ tells nobody: it sees the gaps in
    `frame` and `sequence`.
    """

    name = "zeromq"

    def __init__(self, address: str, lines: FrameLines, queue_messages: int = QUEUE_MESSAGES) -> None:
        """address: [pub+bind:|pub+connect:]tcp://HOST:PORT or ipc://PATH, as Savant writes them; bind is the default.

        lines: makes the text of frames, and names the site.

        Raises OutputError when it is not of that form or cannot be used, SavantReidError where pyzmq is missing.
        """
        self._zmq = _bindings()
        mode, endpoint = _parse(address)
        self.sent: Counter[str] = Counter()
        self.overruns = 0
        self._lines = lines
        self._sequence = 0
        self._context = self._zmq.Context(io_threads=1)
        self._socket = self._context.socket(self._zmq.PUB)
        try:
            self._open(mode, endpoint, queue_messages)
        except self._zmq.ZMQError as error:
            self.close()
            raise OutputError(f"ZeroMQ address {address}: cannot be used: {error.strerror}") from error
        bound = self._socket.getsockopt_string(self._zmq.LAST_ENDPOINT) if mode == "bind" else endpoint
        self.address = f"pub+{mode}:{bound}"
        log.info("metadata on %s", self.address)

    def write_frame(self, record: FrameRecord) -> None:
        self._send("frames", frame_topic(record.sightings.camera), self._lines.line(record))

    def write_events(self, events: Sequence[IdentityEvent]) -> None:
        for event in events:
            self._send("events", EVENTS_TOPIC, event_line(event, self._lines.site, self._sequence))
            self._sequence += 1

    def metrics(self) -> dict[str, Any]:
        """What metrics.json says of this sink."""
        return {
            "address": self.address,
            "frames": self.sent["frames"],
            "events": self.sent["events"],
            "overruns": self.overruns,
        }

    def figures(self) -> dict[str, float]:
        """What is worth watching while it runs; from any thread."""
        return {"frames": self.sent["frames"], "events": self.sent["events"], "overruns": self.overruns}

    def close(self) -> None:
        """Gives the last messages a second to leave."""
        if self._socket.closed:
            return
        self._socket.close(linger=_LINGER_MS)
        self._context.term()
        if self.overruns:
            log.warning("ZeroMQ: subscribers did not keep up %d times, and lost messages", self.overruns)

    def _open(self, mode: str, endpoint: str, queue_messages: int) -> None:
        zmq = self._zmq
        for option, value in (
            (zmq.SNDHWM, queue_messages),
            (zmq.MAXMSGSIZE, _LONGEST_INCOMING_BYTES),
            (zmq.XPUB_NODROP, 1),
            (zmq.IPV6, int("[" in endpoint)),  # else 127.0.0.1 would be bound, and shown, as an IPv6 address
        ):
            self._socket.setsockopt(option, value)
        if mode == "bind":
            _check_free(endpoint)
            self._socket.bind(endpoint)
        else:
            self._socket.connect(endpoint)

    def _send(self, kind: str, topic: str, text: str) -> None:
        zmq = self._zmq
        parts = (topic.encode(), text.encode())
        self.sent[kind] += 1
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            # Somebody's queue is full, and nobody has got the message. Plain PUB loses it for those alone who have no
            # room, but does not say so: XPUB_NODROP is how one learns of it.
            if not self.overruns:
                log.warning("ZeroMQ: a subscriber does not keep up; it loses messages")
            self.overruns += 1
            self._socket.setsockopt(zmq.XPUB_NODROP, 0)
            self._socket.send_multipart(parts, zmq.NOBLOCK)
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)


def _bindings() -> Any:
    try:
        import zmq
    except ModuleNotFoundError as error:
        raise SavantReidError(
            "ZeroMQ needs the package pyzmq, found none; install it with: pip install 'savant-reid[zmq]'"
        ) from error
    return zmq


def _parse(address: str) -> tuple[str, str]:
    """(bind or connect, endpoint)."""
    found = _ADDRESS.fullmatch(address)
    if not found or found["kind"] not in (None, "pub"):
        raise OutputError(
            f"ZeroMQ address: expected [pub+bind:|pub+connect:]tcp://HOST:PORT or ipc://PATH, found {address!r}"
        )
    return found["mode"] or "bind", found["endpoint"]


def _check_free(endpoint: str) -> None:
    """ZeroMQ removes whatever lies where it binds an ipc socket: a file of the user's, or a running server's socket."""
    scheme, _, path = endpoint.partition("://")
    if scheme != "ipc" or path.startswith("@") or not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise OutputError(f"ZeroMQ address {endpoint}: expected a free path or a socket, found another file")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return  # left behind by a program that is gone
    raise OutputError(f"ZeroMQ address {endpoint}: cannot be used: another program listens there")
