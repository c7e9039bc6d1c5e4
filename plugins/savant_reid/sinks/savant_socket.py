"""The sending side of Savant's ZeroMQ sockets, without ever waiting for long: PUB, DEALER and REQ."""

from __future__ import annotations

import time
from collections import Counter

from savant_reid.errors import OutputError
from savant_reid.sinks.zeromq import LONGEST_INCOMING_BYTES
from savant_reid.sinks.zeromq_address import open_socket, parse_address, publish, zeromq_bindings

# Messages that wait in ZeroMQ itself: for each subscriber as in zeromq.py, else as many as Savant's own writers keep.
_QUEUED = {"pub": 1000, "dealer": 50, "req": 50}
# After so long without an answer a REQ socket asks again, as its reader is gone.
_ANSWER_SECONDS = 5.0


class SavantSocket:
    """Takes messages of two parts: source, message.

    counts: `confirmed`, ends of streams that the reader has answered for (PUB has no answers); `overruns`, times that
    a subscriber's queue was full (PUB); `repeated`, messages sent again as nobody had answered (REQ).
    """

    def __init__(self, address: str) -> None:
        """address: as Savant writes it, [KIND+bind:|KIND+connect:]tcp://HOST:PORT or ipc://PATH; KIND is pub, which is
        the default, dealer or req. To be used from one thread at a time.

        Raises OutputError when it is not of that form or cannot be used, SavantReidError where pyzmq is missing.
        """
        self._zmq = zmq = zeromq_bindings("savant")
        place = parse_address(address, ["pub", "dealer", "req"])
        self.counts: Counter[str] = Counter()
        self.kind = place.kind
        self._asked_at: float | None = None  # REQ: when what is being offered was sent
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket({"pub": zmq.PUB, "dealer": zmq.DEALER, "req": zmq.REQ}[place.kind])
        self._socket.setsockopt(zmq.SNDHWM, _QUEUED[place.kind])
        self._socket.setsockopt(zmq.MAXMSGSIZE, LONGEST_INCOMING_BYTES)
        if place.kind == "pub":
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)
        elif place.kind == "req":
            # So that one can ask again, and an answer to the first question is not taken for that to the second.
            self._socket.setsockopt(zmq.REQ_RELAXED, 1)
            self._socket.setsockopt(zmq.REQ_CORRELATE, 1)
        try:
            self.address = str(open_socket(zmq, self._socket, place))
        except OutputError:
            self.close(0.0)
            raise

    def offer(self, parts: tuple[bytes, bytes], end: bool, seconds: float) -> bool:
        """False: it was not taken in that time, and must be offered again before any other.

        end: an end of stream, which readers answer on DEALER too.
        """
        if self.kind == "pub":
            self.counts["overruns"] += not publish(self._zmq, self._socket, parts)
            return True
        if self.kind == "dealer":
            self.take_answers()
            return self._send(parts, seconds)
        return self._ask(parts, end, seconds)

    def take_answers(self, seconds: float = 0.0) -> None:
        """DEALER: counts what readers have answered. Waits for the first so long."""
        if self.kind != "dealer":
            return
        while self._socket.poll(int(seconds * 1000)):
            self._socket.recv_multipart()
            self.counts["confirmed"] += 1
            seconds = 0.0

    def close(self, seconds: float) -> None:
        """Gives the last messages so long to leave."""
        if not self._socket.closed:
            self._socket.close(linger=int(seconds * 1000))
            self._context.term()

    def _send(self, parts: tuple[bytes, bytes], seconds: float) -> bool:
        if not self._socket.poll(int(seconds * 1000), self._zmq.POLLOUT):
            return False
        try:
            self._socket.send_multipart(parts, self._zmq.NOBLOCK)
        except self._zmq.Again:
            return False
        return True

    def _ask(self, parts: tuple[bytes, bytes], end: bool, seconds: float) -> bool:
        now = time.monotonic()
        if self._asked_at is None or now - self._asked_at >= _ANSWER_SECONDS:
            again = self._asked_at is not None
            if not self._send(parts, seconds):
                return False
            self._asked_at = now
            self.counts["repeated"] += again
        if not self._socket.poll(int(seconds * 1000)):
            return False
        self._socket.recv_multipart()
        self._asked_at = None
        self.counts["confirmed"] += end
        return True
