"""Messages on their way to a Savant reader: a bounded queue, and the thread that sends them."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from typing import NamedTuple

from savant_reid.sinks.savant_socket import SavantSocket

log = logging.getLogger(__name__)

# Messages are taken together this often: a thread that wakes for each would take the interpreter from the pipeline.
_GATHER_SECONDS = 0.01
_IDLE_SECONDS = 0.1
_LAST_SECONDS = 0.5
# What is left when room is made: not for each frame anew.
_KEPT_SHARE = 15 / 16


class Outgoing(NamedTuple):
    """parts: source and message. events: JSON texts that the message carries. end: it is an end of stream."""

    parts: tuple[bytes, bytes]
    events: tuple[str, ...] = ()
    end: bool = False


class SavantQueue:
    """Never waits for a reader: what has no room costs the oldest frames that carry no events.

    counts: `frames`, `events` and `ends` handed to ZeroMQ; `dropped` frames; `events_dropped`.
    """

    def __init__(self, opened: SavantSocket, most_bytes: int, close_seconds: float) -> None:
        """opened: used by this queue's thread alone from now on. close_seconds: what the end gives a reader."""
        self.counts: Counter[str] = Counter()
        self._socket = opened
        self._most_bytes = most_bytes
        self._close_seconds = close_seconds
        self._waiting: deque[Outgoing] = deque()
        self._bytes = 0
        self._in_hand: Outgoing | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._give_up_at = float("inf")
        self._thread = threading.Thread(target=self._work, name="savant", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._waiting) + (self._in_hand is not None)

    def put(self, item: Outgoing) -> None:
        with self._lock:
            self._waiting.append(item)
            self._bytes += len(item.parts[1])
            if self._bytes > self._most_bytes:
                self._make_room()
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Gives readers `close_seconds`; what they have not taken by then is dropped."""
        if self._closing.is_set():
            return
        self._give_up_at = time.monotonic() + self._close_seconds
        self._closing.set()
        self._wake.set()
        self._thread.join()

    def _make_room(self) -> None:
        """The oldest frames go; those that carry events only where that is not enough. Ends are short, and stay."""
        if not self.counts["dropped"]:
            log.warning("Savant: %s has no reader that keeps up; frames are lost", self._socket.address)
        for events_too in (False, True):
            kept: deque[Outgoing] = deque()
            for item in self._waiting:
                if self._bytes <= self._most_bytes * _KEPT_SHARE or item.end or (item.events and not events_too):
                    kept.append(item)
                    continue
                self._bytes -= len(item.parts[1])
                self.counts["dropped"] += 1
                self.counts["events_dropped"] += len(item.events)
            self._waiting = kept
            if self._bytes <= self._most_bytes:
                return

    def _work(self) -> None:
        trouble = ""
        while not self._closing.is_set() or (len(self) and time.monotonic() < self._give_up_at):
            try:
                self._step()
            except Exception as error:  # this thread must live: nobody else would send what waits
                if str(error) != trouble:
                    trouble = str(error)
                    log.exception("Savant: goes on after an error")
                time.sleep(_IDLE_SECONDS)
        self._finish()

    def _step(self) -> None:
        if not len(self):
            self._wake.wait(_IDLE_SECONDS)
            self._wake.clear()
            self._closing.wait(_GATHER_SECONDS)
            self._socket.take_answers()
            return
        self._in_hand = self._in_hand or self._taken()
        item = self._in_hand
        if item is not None and self._socket.offer(item.parts, item.end, _IDLE_SECONDS):
            self._in_hand = None
            self.counts["ends" if item.end else "frames"] += 1
            self.counts["events"] += len(item.events)

    def _taken(self) -> Outgoing | None:
        with self._lock:
            if not self._waiting:
                return None
            item = self._waiting.popleft()
            self._bytes -= len(item.parts[1])
            return item

    def _finish(self) -> None:
        """What is left is lost; then the answers that are still to come."""
        left = [*([self._in_hand] if self._in_hand else []), *self._waiting]
        self._waiting.clear()
        self._in_hand = None
        self.counts["dropped"] += sum(not item.end for item in left)
        self.counts["events_dropped"] += sum(len(item.events) for item in left)
        while self._unconfirmed() and (seconds := self._give_up_at - time.monotonic()) > 0:
            self._socket.take_answers(seconds)
        more_seconds = max(0.0, self._give_up_at - time.monotonic())
        if self._socket.kind == "pub":
            # A subscriber loses what it has not read yet when we hang up, and does not say how far it is.
            time.sleep(min(_LAST_SECONDS, more_seconds))
        self._socket.close(0.0 if left else max(_LAST_SECONDS, more_seconds))

    def _unconfirmed(self) -> bool:
        return self._socket.kind == "dealer" and self._socket.counts["confirmed"] < self.counts["ends"]
