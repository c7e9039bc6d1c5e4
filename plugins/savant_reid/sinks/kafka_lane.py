"""The way of one topic's messages: straight to the producer while it has room, else over the disk, in order."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial

from savant_reid.sinks.kafka_producer import KafkaProducer
from savant_reid.sinks.kafka_settings import IN_FLIGHT_BYTES, IN_FLIGHT_MESSAGES
from savant_reid.sinks.spool import Message, Numbered, Spool

log = logging.getLogger(__name__)

# A message that the broker has not answered for within this time is written to the disk too: SIGKILL costs no more.
_ANSWER_SECONDS = 1.0
_READ_MESSAGES = 500
# How often the log repeats that messages are lost.
_SAY_AGAIN_SECONDS = 60.0


class Lane:
    """Every message has a number, in order; the spool holds those that wait for room and those that wait for long.

    counts: messages `delivered`, `refused` (too large for the broker), `dropped` (no room on disk, the oldest first).
    """

    def __init__(self, topic: str, producer: KafkaProducer, spool: Spool, most_bytes: int | None = None) -> None:
        """most_bytes: the most that may wait on disk; None: whatever comes, for messages that must not be lost."""
        self.counts: Counter[str] = Counter()
        self.spool = spool
        self._topic = topic
        self._producer = producer
        self._most_bytes = most_bytes
        self._next = spool.last + 1
        self._sent = -1  # numbers up to here have been handed to the producer, or were dropped
        self._in_flight_bytes = 0
        self._in_flight = 0
        self._unsaved: dict[int, tuple[float, Message]] = {}  # in flight, and not on disk
        self._settled: list[Numbered] = []
        self._said_at = -_SAY_AGAIN_SECONDS

    @property
    def backlog(self) -> bool:
        """Something on disk has not been handed to the producer."""
        return self.spool.last > self._sent

    @property
    def waiting(self) -> int:
        """Messages that the broker has not answered for."""
        return self.spool.count + len(self._unsaved) - len(self._settled)

    def save(self, messages: Sequence[Message]) -> None:
        """Takes messages that must survive this process: they are on disk when this returns. Raises sqlite3.Error.

        From any one thread, another one than that of the other methods if need be; not beside `offer`.
        """
        self.spool.append(self._numbered(messages))

    def offer(self, messages: Sequence[Message]) -> None:
        """Takes messages that may be lost with this process, or where the disk has no room."""
        numbered = self._numbered(messages)
        straight = 0
        if not self.backlog:
            while straight < len(numbered) and self._has_room():
                number, message = numbered[straight]
                self._unsaved[number] = (time.monotonic(), message)
                self._send(number, message)
                straight += 1
        if numbered[straight:]:
            self._write(numbered[straight:])

    def step(self) -> None:
        """Hands on what the producer has room for, and removes what the broker has answered for.

        May raise sqlite3.Error where the disk is full; nothing is lost by it.
        """
        self._remove_settled()
        while self.backlog and self._has_room():
            messages = self.spool.read(self._sent, _READ_MESSAGES)
            if not messages:
                self._sent = self.spool.last
            for number, message in messages:
                if not self._has_room():
                    break
                self._send(number, message)
        if self._unsaved:
            oldest_at, _ = next(iter(self._unsaved.values()))
            if time.monotonic() - oldest_at > _ANSWER_SECONDS:
                self.write_unsaved()
                self._keep_bound()

    def write_unsaved(self) -> None:
        """To the disk, what only the producer has."""
        messages = [(number, message) for number, (_, message) in self._unsaved.items()]
        self.spool.append(messages)
        self._unsaved.clear()

    def finish(self) -> None:
        """At the end: what was not answered for stays on disk."""
        try:
            self._remove_settled()
            self.write_unsaved()
        except sqlite3.Error as error:
            self._drop(len(self._unsaved), f"{self.spool.path}: {error}")
            self._unsaved.clear()
        self.spool.close()

    def _numbered(self, messages: Sequence[Message]) -> list[Numbered]:
        first = self._next
        self._next += len(messages)
        return list(enumerate(messages, first))

    def _has_room(self) -> bool:
        return self._in_flight_bytes < IN_FLIGHT_BYTES and self._in_flight < IN_FLIGHT_MESSAGES

    def _send(self, number: int, message: Message) -> None:
        self._sent = number
        self._in_flight += 1
        self._in_flight_bytes += message.size_bytes
        self._producer.send(self._topic, message, partial(self._done, number, message))

    def _done(self, number: int, message: Message, delivered: bool) -> None:
        self._in_flight -= 1
        self._in_flight_bytes -= message.size_bytes
        self.counts["delivered" if delivered else "refused"] += 1
        if self._unsaved.pop(number, None) is None:
            self._settled.append((number, message))

    def _remove_settled(self) -> None:
        if self._settled:
            self.spool.remove(self._settled)
            self._settled = []

    def _write(self, messages: Sequence[Numbered]) -> None:
        try:
            self.spool.append(messages)
        except sqlite3.Error as error:
            self._drop(len(messages), f"{self.spool.path}: {error}")
            return
        self._keep_bound()

    def _keep_bound(self) -> None:
        """Drops the oldest. Those that are in flight stay: they are about to leave."""
        while self._most_bytes is not None and self.spool.size_bytes > self._most_bytes:
            oldest = self.spool.read(self._sent, _READ_MESSAGES)
            if not oldest:
                return
            self.spool.remove(oldest)
            self._sent = oldest[-1][0]
            self._drop(len(oldest), f"{self.spool.path}: full")

    def _drop(self, count: int, why: str) -> None:
        self.counts["dropped"] += count
        now = time.monotonic()
        if now - self._said_at >= _SAY_AGAIN_SECONDS:
            self._said_at = now
            log.warning("Kafka: %s; %d messages for %s lost so far", why, self.counts["dropped"], self._topic)
