"""What waits in memory for the MQTT broker: bounded, and what has no room is counted."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from typing import NamedTuple

log = logging.getLogger(__name__)

KINDS = ("events", "frames")
# What a message takes beside its text, roughly.
_OVERHEAD_BYTES = 200


class Waiting(NamedTuple):
    """kind: one of KINDS. topic: the whole of it, prefix included."""

    kind: str
    topic: str
    payload: bytes

    @property
    def size(self) -> int:
        return len(self.topic) + len(self.payload) + _OVERHEAD_BYTES


class Outbox:
    """Events leave before frames, each kind in order. What has no room makes the oldest frames go, then the oldest
    events: a watcher wants to know what is, and Kafka's sink is for those who must know all.

    From any thread. dropped: by kind. size_bytes: of what waits.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._queues: dict[str, deque[Waiting]] = {kind: deque() for kind in KINDS}
        self._lock = threading.Lock()
        self._full = False
        self.size_bytes = 0
        self.dropped: Counter[str] = Counter()

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def waiting(self, kind: str) -> int:
        return len(self._queues[kind])

    def put(self, message: Waiting) -> None:
        with self._lock:
            self._queues[message.kind].append(message)
            self.size_bytes += message.size
            overflows = self.size_bytes > self._most_bytes and not self._full
            self._full = self._full or overflows
            while self.size_bytes > self._most_bytes:
                self._drop_oldest()
        if overflows:
            log.warning("MQTT: no room for all that waits (%d MB); the oldest is lost", self._most_bytes >> 20)

    def put_back(self, message: Waiting) -> None:
        """What was taken and could not be sent; it is the next again."""
        with self._lock:
            self._queues[message.kind].appendleft(message)
            self.size_bytes += message.size

    def take(self) -> Waiting | None:
        with self._lock:
            for kind in KINDS:
                if self._queues[kind]:
                    message = self._queues[kind].popleft()
                    self.size_bytes -= message.size
                    # Half empty: the next overflow is another one, and told again.
                    self._full = self._full and self.size_bytes > self._most_bytes // 2
                    return message
        return None

    def give_up(self) -> None:
        """Drops all that waits."""
        with self._lock:
            while self.size_bytes:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        kind = "frames" if self._queues["frames"] else "events"
        self.size_bytes -= self._queues[kind].popleft().size
        self.dropped[kind] += 1
