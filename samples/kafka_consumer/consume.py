"""Keeps an SQLite database of who was where, from Kafka: python consume.py --brokers HOST:PORT --database FILE."""

from __future__ import annotations

import argparse
import json
import logging
import signal
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


def consume(consumer: Consumer, history: History, running: list[bool]) -> None:
    """Until `running` is empty. Offsets are stored after what they stand for: what comes twice changes nothing."""
    while running:
        messages = consumer.consume(1000, 0.2)
        if messages:
            history.add(decoded(messages))
            if any(message.error() is None for message in messages):
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
    history = History(arguments.database)
    consumer = Consumer(
        {
            "bootstrap.servers": arguments.brokers,
            "group.id": arguments.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe(arguments.topics.split(","))
    try:
        consume(consumer, history, running)
    finally:
        consumer.close()
        history.close()


if __name__ == "__main__":
    main()
