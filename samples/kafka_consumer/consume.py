"""Keeps an SQLite database of who was where, from Kafka: python consume.py --brokers HOST:PORT --database FILE."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message
from history import History

log = logging.getLogger("consume")

SCHEMAS = ("savant-reid/frame/1", "savant-reid/identity/1")


def decoded(messages: Iterable[Message]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(run, message) of those that can be read; the others are told and passed over."""
    for message in messages:
        if message.error() is not None:
            if message.error().code() != KafkaError._PARTITION_EOF:
                log.warning("%s", message.error().str())
            continue
        place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
        try:
            run = dict(message.headers() or [])["id"].decode().partition("/")[0]
            value = value_of(message)
            if value["schema"] not in SCHEMAS:
                raise ValueError(f"expected one of {SCHEMAS}, found {value['schema']!r}")
        except (KeyError, TypeError, ValueError) as error:  # broken UTF-8 is a ValueError too
            log.warning("%s: passed over: %s", place, error)
            continue
        yield run, value


def value_of(message: Message) -> dict[str, Any]:
    """JSON, or protobuf as the same dictionary. Raises ValueError for what is neither."""
    kind = dict(message.headers() or []).get("content-type", b"application/json")
    if kind.startswith(b"application/x-protobuf"):
        # Or compile plugins/savant_reid/sinks/schemas/messages.proto with protoc, for a consumer without savant-reid.
        from savant_reid.sinks.protobuf_messages import json_form

        return json_form(message.value())
    return json.loads(message.value())


class Troubles:
    """Tells what is wrong with the connection once, not at each attempt: there are many in a second."""

    def __init__(self) -> None:
        self._told: set[int] = set()

    def __call__(self, error: KafkaError) -> None:
        if error.code() not in self._told:
            self._told.add(error.code())
            log.warning("%s; it is tried again and again", error.str())

    def are_over(self) -> None:
        self._told.clear()


def consume(consumer: Consumer, history: History, running: list[bool], troubles: Troubles) -> None:
    """Until `running` is empty. Offsets are stored after what they stand for: what comes twice changes nothing."""
    while running:
        messages = consumer.consume(1000, 0.2)
        if messages:
            history.add(decoded(messages))
            if any(message.error() is None for message in messages):
                troubles.are_over()
                consumer.commit(asynchronous=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", required=True, metavar="HOST:PORT")
    parser.add_argument("--database", required=True, metavar="FILE")
    parser.add_argument("--group", default="savant-reid-history", help="of Kafka's consumers")
    parser.add_argument("--topics", default="savant-reid.frames,savant-reid.identities")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    running = [True]
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: running.clear())
    try:
        history = History(arguments.database)
    except sqlite3.Error as error:
        parser.error(f"--database {arguments.database}: expected a database or a place for one, found: {error}")
    troubles = Troubles()
    consumer = Consumer(
        {
            "bootstrap.servers": arguments.brokers,
            "group.id": arguments.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            # What matters of the connection comes to error_cb.
            "log_level": 2,
            "error_cb": troubles,
            "reconnect.backoff.ms": 1000,
        }
    )
    consumer.subscribe(arguments.topics.split(","))
    log.info("%s from %s into %s, until Ctrl-C", arguments.topics, arguments.brokers, arguments.database)
    try:
        consume(consumer, history, running, troubles)
    finally:
        consumer.close()
        history.close()


if __name__ == "__main__":
    main()
