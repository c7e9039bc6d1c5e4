"""Frames and identity events on two topics of Kafka, JSON or protobuf; what the broker does not take waits on disk."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from savant_reid.errors import OutputError
from savant_reid.identity.types import IdentityEvent
from savant_reid.records import FrameRecord
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.identities import event_line
from savant_reid.sinks.kafka_lane import Lane
from savant_reid.sinks.kafka_messages import MessageMaker
from savant_reid.sinks.kafka_producer import KafkaProducer
from savant_reid.sinks.kafka_settings import KafkaSettings, check_brokers
from savant_reid.sinks.protobuf_messages import ProtobufMessages
from savant_reid.sinks.run_name import new_run_name
from savant_reid.sinks.spool import Message, Spool

log = logging.getLogger(__name__)

SPOOL_FOLDER = "kafka-spool"
# Frames that the pipeline has given and the sink's thread has not taken: only while that thread waits for the disk.
_HANDED_OVER_BYTES = 32 << 20
# Frames are taken together this often: a thread that wakes for each would take the interpreter from the pipeline.
_GATHER_SECONDS = 0.01
_IDLE_SECONDS = 0.1
_SYNC_SECONDS = 1.0
_COUNTED = ("delivered", "waiting", "refused", "dropped")
FIGURES = (
    *(f"{lane}_{what}" for lane in ("frames", "events") for what in _COUNTED),
    "producers_replaced",
    "spool_bytes",
)


class KafkaSink:
    """Never waits for the broker, nor, but for events, for the disk.

    Events are on disk before `write_events` returns, and leave it when the broker has them. Frames go by memory, and
    over the disk while the broker is away. What is left at the end is sent first by the next run with the same spool.
    """

    name = "kafka"

    def __init__(
        self,
        brokers: str,
        lines: FrameLines,
        spool: Path,
        settings: KafkaSettings | None = None,
        run: str | None = None,
    ) -> None:
        """brokers: HOST:PORT[,HOST:PORT…]. lines: makes the text of frames, and names the site. spool: folder for what
        waits, where the settings name none. run: see MessageMaker; by default a new name.

        Raises ConfigError or OutputError where these cannot be used, SavantReidError where confluent-kafka is missing.
        """
        check_brokers(brokers)
        self._settings = settings or KafkaSettings()
        self._lines = lines
        self._protobuf = ProtobufMessages(lines.site) if self._settings.encoding == "protobuf" else None
        self._maker = MessageMaker(lines.site, run or new_run_name())
        self._sequence = 0
        self._handed: deque[tuple[str, int, str | bytes]] = deque()
        self._handed_bytes = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._early: Counter[str] = Counter()  # refused or dropped before a lane saw them
        self._trouble: str | None = None
        self.brokers = brokers
        self._producer = KafkaProducer(self._settings.properties(brokers))
        self._folder = self._settings.spool or spool
        self._open_lanes()
        self._thread = threading.Thread(target=self._work, name="kafka", daemon=True)
        self._thread.start()
        log.info("metadata to Kafka at %s, run %s", brokers, self._maker.run)

    def write_frame(self, record: FrameRecord) -> None:
        body = self._protobuf.frame(record) if self._protobuf else self._lines.line(record)
        if self._is_too_long(body, "frames"):
            return
        with self._lock:
            self._handed.append((record.sightings.camera, record.frame, body))
            self._handed_bytes += len(body)
            if self._handed_bytes > _HANDED_OVER_BYTES and not self._early["frames_dropped"]:
                log.warning("Kafka: the disk of %s does not keep up; frames are lost", self._folder)
            while self._handed_bytes > _HANDED_OVER_BYTES:
                self._handed_bytes -= len(self._handed.popleft()[2])
                self._early["frames_dropped"] += 1
        if not self._wake.is_set():
            self._wake.set()

    def write_events(self, events: Sequence[IdentityEvent]) -> None:
        """Raises OutputError when the disk does not take them; who gives them again then finds nothing changed."""
        messages, first = [], self._sequence
        for event in events:
            body = self._event_body(event)
            if not self._is_too_long(body, "events"):
                messages.append(self._maker.event(self._sequence, body))
            self._sequence += 1
        try:
            self._events.save(messages)
        except sqlite3.Error as error:
            self._sequence = first
            raise OutputError(f"{self._events.spool.path}: cannot be written: {error}") from error
        self._wake.set()

    def metrics(self) -> dict[str, Any]:
        """What metrics.json says of this sink; `waiting` is what the next run with this spool will send."""
        found: dict[str, Any] = {"brokers": self.brokers, "run": self._maker.run}
        for name, lane in (("frames", self._frames), ("events", self._events)):
            found[name] = {
                "delivered": lane.counts["delivered"],
                "waiting": lane.waiting,
                "refused": lane.counts["refused"] + self._early[f"{name}_refused"],
                "dropped": lane.counts["dropped"] + self._early[f"{name}_dropped"],
            }
        found["producers_replaced"] = self._producer.replaced
        return found

    def figures(self) -> dict[str, float]:
        """What is worth watching while it runs; from any thread. Those of FIGURES."""
        found = self.metrics()
        shown = {f"{lane}_{what}": float(found[lane][what]) for lane in ("frames", "events") for what in _COUNTED}
        bytes_on_disk = self._frames.spool.size_bytes + self._events.spool.size_bytes
        return {**shown, "producers_replaced": float(found["producers_replaced"]), "spool_bytes": float(bytes_on_disk)}

    def close(self) -> None:
        """Gives the broker `close_seconds`; what it has not taken by then stays on disk."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake.set()
        self._thread.join()
        waiting = {"frames": self._frames.waiting, "events": self._events.waiting}
        if any(waiting.values()):
            log.warning(
                "Kafka: %d frames and %d events have not left; the next run with the spool %s sends them",
                waiting["frames"],
                waiting["events"],
                self._folder,
            )

    def _open_lanes(self) -> None:
        settings = self._settings
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._held = open(self._folder / "lock", "w")  # noqa: SIM115 - held as long as the sink lives
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._held.fileno()).st_nlink == 0:
                raise BlockingIOError  # its owner was just about to leave
        except BlockingIOError:
            raise OutputError(
                f"Kafka spool {self._folder}: expected a free one, found another run that uses it"
            ) from None
        except OSError as error:
            raise OutputError(f"Kafka spool {self._folder}: cannot be used: {error.strerror or error}") from error
        frames, events = (Spool(self._folder / f"{name}.sqlite") for name in ("frames", "events"))
        if frames.count or events.count:
            log.info("Kafka: %d frames and %d events of earlier runs are sent first", frames.count, events.count)
        self._frames = Lane(settings.frames_topic, self._producer, frames, settings.spool_megabytes << 20)
        self._events = Lane(settings.events_topic, self._producer, events)

    def _event_body(self, event: IdentityEvent) -> str | bytes:
        if self._protobuf:
            return self._protobuf.event(event, self._sequence)
        return event_line(event, self._lines.site, self._sequence)

    def _is_too_long(self, body: str | bytes, kind: str) -> bool:
        """By characters: they are no more than bytes, and a text of 2 GB need not be copied to be refused."""
        if len(body) <= self._settings.longest_message_bytes:
            return False
        if not self._early[f"{kind}_refused"]:
            log.warning("Kafka: a message of %d characters is too long, and refused", len(body))
        self._early[f"{kind}_refused"] += 1
        return True

    def _work(self) -> None:
        """The sink's thread: all but the handing over."""
        give_up_at, sync_at = None, 0.0
        while give_up_at is None or (self._busy() and time.monotonic() < give_up_at):
            busy = self._busy()
            if not self._closing.is_set():
                if not busy:
                    self._wake.wait(_IDLE_SECONDS)
                self._wake.clear()
                self._closing.wait(_GATHER_SECONDS)
            elif give_up_at is None:
                give_up_at = time.monotonic() + self._settings.close_seconds
            now = time.monotonic()
            self._step(sync=now >= sync_at)
            sync_at = now + _SYNC_SECONDS if now >= sync_at else sync_at
        self._finish()

    def _step(self, sync: bool) -> None:
        try:
            self._producer.poll(_GATHER_SECONDS if self._closing.is_set() else 0.0)
            self._frames.offer(self._taken())
            for lane in (self._frames, self._events):
                lane.step()
            # Events at once: a power cut takes what came while the disk was writing. Here, and not where they are
            # written: a disk takes 3 ms for it, now and then 80, and the pipeline would stand still as long.
            for lane, now in ((self._events, sync or self._events.spool.has_new), (self._frames, sync)):
                if now:
                    lane.spool.sync()
            self._trouble = None
        except Exception as error:  # this thread must live: nobody else would send what waits
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.exception("Kafka: goes on after an error")
            time.sleep(_IDLE_SECONDS)

    def _taken(self) -> list[Message]:
        with self._lock:
            handed, self._handed = self._handed, deque()
            self._handed_bytes = 0
        return [self._maker.frame(*one) for one in handed]

    def _busy(self) -> bool:
        return bool(self._handed or len(self._producer) or self._frames.backlog or self._events.backlog)

    def _finish(self) -> None:
        self._producer.close()
        for lane in (self._frames, self._events):
            try:
                lane.finish()
            except (sqlite3.Error, OSError):
                log.exception("Kafka: %s", lane.spool.path)
        with suppress(OSError):
            if not (self._frames.spool.count or self._events.spool.count):
                os.unlink(self._held.name)
                self._folder.rmdir()
        self._held.close()
