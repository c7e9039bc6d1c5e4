"""Frames and identity events over ZeroMQ in Savant's own protocol, for its adapters and its client SDK."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from savant_reid.identity.types import IdentityEvent
from savant_reid.records import FrameRecord
from savant_reid.sinks.identities import event_line
from savant_reid.sinks.savant_messages import SavantMessages
from savant_reid.sinks.savant_queue import Outgoing, SavantQueue
from savant_reid.sinks.savant_socket import SavantSocket
from savant_reid.sinks.text import utf8

log = logging.getLogger(__name__)

# Messages that wait for a reader. A frame of ten people has 2.1 kB: this is 13 seconds of 16 cameras at 75 frames/s.
QUEUE_BYTES = 32 << 20
CLOSE_SECONDS = 5.0
# A longer message is refused: not Savant's bound, but no frame has so many people.
LONGEST_MESSAGE_BYTES = 16 << 20
# Events leave with the next frame; so many characters with one, and so many events wait for one at the most.
_EVENTS_CHARACTERS = 1 << 20
MOST_EVENTS_WAITING = 10_000
FIGURES = ("frames", "events", "ends", "confirmed", "waiting", "dropped", "refused", "events_dropped", "overruns")


class SavantSink:
    """A VideoFrame message for each frame, an end of stream for each camera. Never waits for a reader.

    People are objects `person_detector.person` with the attributes that the module inside Savant writes, and events
    the attribute `reid.events` of the first frame after they happened, as there.
    """

    name = "savant"

    def __init__(
        self,
        address: str,
        site: str,
        protocol: str | None = None,
        frame_rate: Callable[[str], float] = lambda _: 25.0,
        queue_bytes: int = QUEUE_BYTES,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        """address: see SavantSocket. protocol: see SavantMessages. frame_rate: frames per second of a camera.

        Raises OutputError or ConfigError where these cannot be used, SavantReidError where a package is missing.
        """
        self._messages = SavantMessages(protocol)
        self._socket = SavantSocket(address)
        self._queue = SavantQueue(self._socket, queue_bytes, close_seconds)
        self._site = site
        self._frame_rate = frame_rate
        self._sequence = 0
        self._events: list[str] = []
        self._early: Counter[str] = Counter()
        self._open: dict[str, None] = {}  # cameras whose end has not been told
        self._closed = False
        log.info("Savant's protocol %s on %s", self._messages.protocol, self._socket.address)

    @property
    def address(self) -> str:
        """With the port that was found."""
        return self._socket.address

    def write_frame(self, record: FrameRecord) -> None:
        camera = record.sightings.camera
        events = self._next_events()
        message = self._messages.frame(record, self._frame_rate(camera), events)
        self._open[camera] = None
        if self._is_too_long(len(message)):
            self._keep(events)
        else:
            self._queue.put(Outgoing((utf8(camera), message), tuple(events)))

    def write_events(self, events: Sequence[IdentityEvent]) -> None:
        for event in events:
            text = event_line(event, self._site, self._sequence)
            self._sequence += 1
            if not self._is_too_long(len(text)):
                self._events.append(text)
        self._keep([])

    def end_source(self, camera: str) -> None:
        """No frame of this camera will come, or it begins anew."""
        if camera in self._open:
            del self._open[camera]
            self._queue.put(Outgoing((utf8(camera), self._messages.end(camera)), end=True))

    def metrics(self) -> dict[str, Any]:
        """What metrics.json says of this sink."""
        figures = {name: int(value) for name, value in self.figures().items()}
        return {"address": self.address, "protocol": self._messages.protocol, **figures}

    def figures(self) -> dict[str, float]:
        """What is worth watching while it runs; from any thread. Those of FIGURES."""
        sent, answered = self._queue.counts, self._socket.counts
        return {
            "frames": sent["frames"],
            "events": sent["events"],
            "ends": sent["ends"],
            "confirmed": answered["confirmed"],
            "waiting": len(self._queue),
            "dropped": sent["dropped"],
            "refused": self._early["refused"],
            "events_dropped": sent["events_dropped"] + self._early["events_dropped"],
            "overruns": answered["overruns"],
        }

    def close(self) -> None:
        """Ends the streams of all cameras, and gives the reader `close_seconds`."""
        if self._closed:
            return
        self._closed = True
        for camera in list(self._open):
            self.end_source(camera)
        self._queue.close()
        self._early["events_dropped"] += len(self._events)
        self._say_losses()

    def _say_losses(self) -> None:
        found = self.metrics()
        lost = ", ".join(
            f"{found[name]} {word}"
            for name, word in (
                ("dropped", "frames dropped"),
                ("refused", "messages refused"),
                ("events_dropped", "events dropped"),
                ("overruns", "overruns of subscribers"),
            )
            if found[name]
        )
        if lost:
            log.warning("Savant: %s", lost)
        if self._socket.kind != "pub" and found["confirmed"] < found["ends"]:
            log.warning("Savant: the reader has not answered for the end of every stream; the last frames may be lost")

    def _next_events(self) -> list[str]:
        """Those that leave with the next frame."""
        if not self._events:
            return []
        length = count = 0
        while count < len(self._events) and (not count or length + len(self._events[count]) <= _EVENTS_CHARACTERS):
            length += len(self._events[count])
            count += 1
        taken, self._events = self._events[:count], self._events[count:]
        return taken

    def _keep(self, events: list[str]) -> None:
        """events: they come before those that wait."""
        self._events[:0] = events
        more = len(self._events) - MOST_EVENTS_WAITING
        if more > 0:
            if not self._early["events_dropped"]:
                log.warning("Savant: no frame takes the events that wait; the oldest are lost")
            self._early["events_dropped"] += more
            del self._events[:more]

    def _is_too_long(self, length: int) -> bool:
        if length <= LONGEST_MESSAGE_BYTES:
            return False
        if not self._early["refused"]:
            log.warning("Savant: a message of %d bytes is too long, and refused", length)
        self._early["refused"] += 1
        return True
