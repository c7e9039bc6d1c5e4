"""One producer after another, and the messages that none of them has delivered yet."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from savant_reid.errors import OutputError, SavantReidError
from savant_reid.sinks.protobuf_messages import content_type
from savant_reid.sinks.spool import Message
from savant_reid.sinks.text import utf8

log = logging.getLogger(__name__)

_BACKOFF_SECONDS = (1.0, 30.0)
Done = Callable[[bool], None]
"""Told whether the broker has the message; if not, it will never take it."""


class KafkaProducer:
    """Keeps every message until the broker has answered for it, through lost connections and failed producers.

    For one thread. A producer that has met an error it cannot get over is replaced by a new one, which sends again, in
    order, what was not answered for: there may be repeats, which carry the same message id.

    replaced: how many producers failed so.
    """

    def __init__(self, properties: dict[str, Any]) -> None:
        """Does not wait for a connection. Raises OutputError when librdkafka refuses a property."""
        self._kafka = kafka_bindings()
        self._properties = {**properties, "error_cb": self._heard}
        self._generation = 0
        self._number = 0
        self._in_flight: dict[int, tuple[str, Message, Done]] = {}
        self._failed: str | None = None
        self._retry_at = 0.0
        self._backoff_seconds = _BACKOFF_SECONDS[0]
        self._away = False
        self._told: set[int] = set()
        self.replaced = 0
        try:
            self._producer = self._kafka.Producer(self._properties)
        except self._kafka.KafkaException as error:
            raise OutputError(f"Kafka: cannot be used: {error.args[0].str()}") from error

    def __len__(self) -> int:
        """Messages without an answer."""
        return len(self._in_flight)

    def send(self, topic: str, message: Message, done: Done) -> None:
        """Never waits. `done` is called from within `send` or a later `poll`."""
        number = self._number
        self._number += 1
        self._in_flight[number] = (topic, message, done)
        if self._failed is None:
            self._produce(number)

    def poll(self, wait_seconds: float = 0.0) -> None:
        """Takes the answers that have come."""
        self._producer.poll(wait_seconds)
        if self._failed is not None and time.monotonic() >= self._retry_at:
            self._replace()

    def close(self) -> None:
        """Forgets what was not answered for."""
        self._generation += 1
        self._in_flight.clear()
        self._producer.purge()
        self._producer.flush(1.0)

    def _produce(self, number: int) -> None:
        topic, message, _ = self._in_flight[number]
        headers = [("id", utf8(message.id)), ("content-type", content_type(message.value).encode())]
        answer = partial(self._answered, self._generation, number)
        try:
            self._producer.produce(topic, message.value, utf8(message.key), headers=headers, on_delivery=answer)
        except self._kafka.KafkaException as error:
            self._answered(self._generation, number, error.args[0], None)
        except BufferError as error:  # does not happen: the queue is larger than what the sink lets fly
            self._fail(str(error))

    def _answered(self, generation: int, number: int, error: Any, _: Any) -> None:
        if generation != self._generation or number not in self._in_flight:
            return
        if error is None:
            self._settle(number, True)
            self._backoff_seconds = _BACKOFF_SECONDS[0]
            if self._away:
                self._away = False
                self._told.clear()
                log.warning("Kafka: the broker answers again")
        elif error.code() in (self._kafka.KafkaError.MSG_SIZE_TOO_LARGE, self._kafka.KafkaError.INVALID_RECORD):
            log.warning("Kafka: message %s refused: %s", self._in_flight[number][1].id, error.str())
            self._settle(number, False)
        else:
            self._fail(error.str())

    def _settle(self, number: int, delivered: bool) -> None:
        _, _, done = self._in_flight.pop(number)
        done(delivered)

    def _fail(self, why: str) -> None:
        if self._failed is None:
            self._failed = why
            self._retry_at = time.monotonic() + self._backoff_seconds
            log.warning("Kafka: %s; all that was not answered for is sent again in %.0f s", why, self._backoff_seconds)
            self._backoff_seconds = min(2 * self._backoff_seconds, _BACKOFF_SECONDS[1])

    def _replace(self) -> None:
        self._generation += 1  # the old producer's last words are not for us
        self._producer.purge()
        self._producer.flush(1.0)
        self._producer = self._kafka.Producer(self._properties)
        self._failed = None
        self.replaced += 1
        for number in list(self._in_flight):
            if self._failed is None:
                self._produce(number)

    def _heard(self, error: Any) -> None:
        if error.code() == self._kafka.KafkaError._ALL_BROKERS_DOWN and not self._away:
            self._away = True
            hint = "" if self._told else "; they hang up without a word, as with a wrong security.protocol"
            servers = self._properties["bootstrap.servers"]
            log.warning("Kafka: no broker answers (%s); messages wait on disk%s", servers, hint)
        elif error.fatal():
            self._fail(error.str())
        elif error.code() not in self._told and error.code() != self._kafka.KafkaError._ALL_BROKERS_DOWN:
            # A name that is unknown, a certificate that is not trusted, a wrong password: once, not in every attempt.
            self._told.add(error.code())
            log.warning("Kafka: %s", error.str())


def kafka_bindings() -> Any:
    try:
        import confluent_kafka
    except ModuleNotFoundError as error:
        raise SavantReidError(
            "Kafka needs the package confluent-kafka, found none; install it with: pip install 'savant-reid[kafka]'"
        ) from error
    return confluent_kafka
