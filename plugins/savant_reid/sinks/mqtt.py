"""Identity events, and if wished frames, to an MQTT broker in ONVIF's words. See onvif.py for what is said."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from savant_reid.identity.types import IdentityEvent
from savant_reid.records import FrameRecord
from savant_reid.sinks.mqtt_connection import MqttConnection
from savant_reid.sinks.mqtt_outbox import KINDS, Outbox, Waiting
from savant_reid.sinks.mqtt_settings import MqttSettings, parse_address, password_of
from savant_reid.sinks.onvif import OnvifMessages
from savant_reid.sinks.run_name import new_run_name
from savant_reid.sinks.text import utf8

log = logging.getLogger(__name__)

# Sent and not yet answered for. MQTT 3.1.1 has no bound; brokers begin to hold back at a few hundred.
_IN_FLIGHT = 100
_IDLE_SECONDS = 1.0
# Messages are taken together this often: a thread that wakes for each would take the interpreter from the pipeline.
_GATHER_SECONDS = 0.01
_COUNTED = ("delivered", "waiting", "refused", "dropped")
FIGURES = (
    *(f"{kind}_{what}" for kind in ("frames", "events") for what in _COUNTED),
    "connected",
    "connections",
)


class MqttSink:
    """Never waits for the broker: what it does not take waits in memory, within a bound (see Outbox).

    QoS 1: each message reaches the broker at least once; a repeat has the same `reid:Id`. Nothing but the status is
    retained.
    """

    name = "mqtt"

    def __init__(
        self,
        address: str,
        site: str,
        settings: MqttSettings | None = None,
        run: str | None = None,
    ) -> None:
        """address: mqtt[s]://[USER@]HOST[:PORT]/PREFIX. The password: see password_of. run: by default a new name.

        Raises ConfigError where these cannot be used, SavantReidError where paho-mqtt is missing.
        """
        self._settings = settings or MqttSettings()
        broker = parse_address(address)
        password = password_of(broker, self._settings, os.environ)
        run = run or new_run_name()
        self.address, self.run = broker.shown, run
        self._messages = OnvifMessages(broker.prefix, site, run)
        self._sequence = 0
        self._outbox = Outbox(self._settings.queue_megabytes << 20)
        self._in_flight: dict[int, str] = {}
        self._delivered: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._wake = threading.Event()
        self._closing = threading.Event()
        # Its last part alone: MQTT promises room for 23 letters and digits.
        client_id = self._settings.client_id or f"reid{run.rpartition('-')[2][:19]}"
        self._connection = MqttConnection(broker, self._settings, client_id, password, _IN_FLIGHT, self._wake.set)
        self._thread = threading.Thread(target=self._work, name="mqtt", daemon=True)
        self._thread.start()
        log.info("metadata to MQTT at %s, run %s", self.address, run)

    def write_frame(self, record: FrameRecord) -> None:
        if self._settings.frames:
            topic = self._messages.frame_topic(record.sightings.camera)
            self._hand_over("frames", topic, self._messages.frame(record))

    def write_events(self, events: Sequence[IdentityEvent]) -> None:
        for event in events:
            text = self._messages.event(event, self._sequence)
            self._sequence += 1
            self._hand_over("events", self._messages.event_topic(event), text)

    def metrics(self) -> dict[str, Any]:
        """What metrics.json says of this sink."""
        in_flight = Counter(list(self._in_flight.values()))
        found: dict[str, Any] = {"address": self.address, "run": self.run, "connections": self._connection.connections}
        for kind in KINDS:
            found[kind] = {
                "delivered": self._delivered[kind],
                "waiting": self._outbox.waiting(kind) + in_flight[kind],
                "refused": self._refused[kind],
                "dropped": self._outbox.dropped[kind],
            }
        return found

    def figures(self) -> dict[str, float]:
        """What is worth watching while it runs; from any thread. Those of FIGURES."""
        found = self.metrics()
        shown = {f"{kind}_{what}": float(found[kind][what]) for kind in KINDS for what in _COUNTED}
        return {**shown, "connected": float(self._connection.connected), "connections": float(found["connections"])}

    def close(self) -> None:
        """Gives the broker `close_seconds`; what it has not taken by then is lost, and counted as dropped."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake.set()
        self._thread.join()
        self._connection.close()
        self._outbox.give_up()
        self._outbox.dropped.update(self._in_flight.values())
        self._in_flight.clear()
        lost = self._outbox.dropped
        if lost.total():
            log.warning("MQTT: %d frames and %d events did not reach the broker", lost["frames"], lost["events"])

    def _hand_over(self, kind: str, topic: str, text: str) -> None:
        # By characters: they are no more than bytes, and a text of 2 GB need not be copied to be refused.
        if len(text) > self._settings.longest_message_bytes:
            if not self._refused[kind]:
                log.warning("MQTT: a message of %d characters is too long, and refused", len(text))
            self._refused[kind] += 1
            return
        self._outbox.put(Waiting(kind, topic, utf8(text)))
        if not self._wake.is_set():
            self._wake.set()

    def _work(self) -> None:
        """The sink's thread: all but the handing over."""
        give_up_at = None
        while give_up_at is None or ((len(self._outbox) or self._in_flight) and time.monotonic() < give_up_at):
            self._wake.wait(_GATHER_SECONDS if self._in_flight or give_up_at is not None else _IDLE_SECONDS)
            self._closing.wait(_GATHER_SECONDS)
            self._wake.clear()
            if give_up_at is None and self._closing.is_set():
                give_up_at = time.monotonic() + self._settings.close_seconds
            self._take_answers()
            while self._connection.connected and len(self._in_flight) < _IN_FLIGHT and self._send_one():
                self._take_answers()
        self._take_answers()

    def _take_answers(self) -> None:
        while self._connection.acknowledged:
            kind = self._in_flight.pop(self._connection.acknowledged.popleft(), None)
            if kind is not None:  # else it was the status
                self._delivered[kind] += 1

    def _send_one(self) -> bool:
        """False where nothing waits, or it cannot be sent now."""
        message = self._outbox.take()
        if message is None:
            return False
        try:
            number = self._connection.publish(message.topic, message.payload)
        except ValueError as error:  # does not happen: paho's own checks. This thread must live
            log.warning("MQTT: a message for %s is refused: %s", message.topic, error)
            self._refused[message.kind] += 1
            return True
        if number is None:
            self._outbox.put_back(message)
            return False
        self._in_flight[number] = message.kind
        return True
