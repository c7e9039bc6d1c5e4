"""Frames and identity events as JSON on a ZeroMQ PUB socket, by topic.

This is plain JSON for whoever speaks ZeroMQ. Savant's own protocol is another sink (savant.py).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from savant_reid.errors import OutputError
from savant_reid.identity.types import IdentityEvent
from savant_reid.records import FrameRecord
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.identities import event_line
from savant_reid.sinks.text import utf8
from savant_reid.sinks.zeromq_address import open_socket, parse_address, publish, zeromq_bindings

log = logging.getLogger(__name__)

EVENTS_TOPIC = "identity/"
# Messages that wait for one subscriber; what comes after them is lost to it. A frame of ten people has 2.5 kB.
QUEUE_MESSAGES = 1000
# Characters; a frame of ten people has 2500. ZeroMQ keeps what a subscriber has not taken, once for all of them.
LONGEST_MESSAGE = 16 << 20
# What a subscriber may send: subscriptions, which have some 250 bytes at most (see camera_names). ZeroMQ keeps them in
# a tree as deep as they are long, and walks it by recursion: one of 50 MB ended the process that held it.
LONGEST_INCOMING_BYTES = 1024
# How long the end of a run waits for the last messages to leave.
_LINGER_MS = 1000


def frame_topic(camera: str) -> str:
    """Ends in a slash, which no camera's name holds: to subscribe to `aisle-1` is not to subscribe to `aisle-10`."""
    return f"frame/{camera}/"


class ZeroMqSink:
    """Messages of two parts: topic, JSON. Never waits: what a subscriber has no room for is lost to it alone.

    sent: messages handed to ZeroMQ, by `frames` and `events`. refused: too long ones. overruns: how often a
    subscriber's queue was full. From then until it has read half of its queue it loses everything; how much, ZeroMQ
    tells nobody: it sees the gaps in `frame` and `sequence`.
    """

    name = "zeromq"

    def __init__(self, address: str, lines: FrameLines, queue_messages: int = QUEUE_MESSAGES) -> None:
        """address: [pub+bind:|pub+connect:]tcp://HOST:PORT or ipc://PATH, as Savant writes them; bind is the default.

        lines: makes the text of frames, and names the site.

        Raises OutputError when it is not of that form or cannot be used, SavantReidError where pyzmq is missing.
        """
        self._zmq = zmq = zeromq_bindings("zmq")
        place = parse_address(address, ["pub"])
        self.sent: Counter[str] = Counter()
        self.overruns = 0
        self.refused = 0
        self._lines = lines
        self._sequence = 0
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.SNDHWM, queue_messages)
        self._socket.setsockopt(zmq.MAXMSGSIZE, LONGEST_INCOMING_BYTES)
        self._socket.setsockopt(zmq.XPUB_NODROP, 1)
        try:
            self.address = str(open_socket(zmq, self._socket, place))
        except OutputError:
            self.close()
            raise
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
            "refused": self.refused,
            "overruns": self.overruns,
        }

    def figures(self) -> dict[str, float]:
        """What is worth watching while it runs; from any thread."""
        return {name: value for name, value in self.metrics().items() if name != "address"}

    def close(self) -> None:
        """Gives the last messages a second to leave."""
        if self._socket.closed:
            return
        self._socket.close(linger=_LINGER_MS)
        self._context.term()
        if self.overruns:
            log.warning("ZeroMQ: subscribers did not keep up %d times, and lost messages", self.overruns)

    def _send(self, kind: str, topic: str, text: str) -> None:
        if len(text) > LONGEST_MESSAGE:
            if not self.refused:
                log.warning("ZeroMQ: a message of %d characters is too long, and refused", len(text))
            self.refused += 1
            return
        parts = (utf8(topic), utf8(text))
        self.sent[kind] += 1
        if not publish(self._zmq, self._socket, parts):
            if not self.overruns:
                log.warning("ZeroMQ: a subscriber does not keep up; it loses messages")
            self.overruns += 1
