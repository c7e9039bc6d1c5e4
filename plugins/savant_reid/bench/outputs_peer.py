"""The other processes of `savant-reid bench outputs`: a mock broker, and those who listen.

python -m savant_reid.bench.outputs_peer broker | kafka BROKERS TOPIC | zmq ADDRESS

Each says one line when it is ready, and ends when its standard input does. Listeners then write, as JSON, when each
message came: a list of [camera, frame, nanoseconds of the clock that all processes of a machine share].
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

# How long a listener goes on after it was told to stop, for what is on its way.
_LAST_SECONDS = 1.0
_PARTITIONS = 4


def main() -> None:
    told = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        told.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    mode, *arguments = sys.argv[1:]
    modes: dict[str, Callable[..., None]] = {"broker": _broker, "kafka": _kafka, "zmq": _zmq}
    modes[mode](told, *arguments)


def _broker(told: threading.Event) -> None:
    """librdkafka's own cluster of one broker: a real socket, a real protocol, nothing on disk."""
    from confluent_kafka import Producer

    producer = Producer({"test.mock.num.brokers": 1, "log_level": 2})
    brokers = producer.list_topics(timeout=10).brokers.values()
    print(",".join(f"{one.host}:{one.port}" for one in brokers), flush=True)
    told.wait()


def _kafka(told: threading.Event, brokers: str, topic: str) -> None:
    from confluent_kafka import Consumer, TopicPartition

    settings = {"bootstrap.servers": brokers, "group.id": "bench", "auto.offset.reset": "earliest", "log_level": 2}
    # The mock broker does not answer a request that found nothing when something comes, but when its time is over.
    consumer = Consumer({**settings, "enable.auto.commit": False, "fetch.wait.max.ms": 5})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(_PARTITIONS)])

    def next_one() -> bytes | None:
        message = consumer.poll(0.1)
        return None if message is None or message.error() is not None else message.value()

    _listen(told, next_one)
    consumer.close()


def _zmq(told: threading.Event, address: str) -> None:
    import zmq

    subscriber: Any = zmq.Context.instance().socket(zmq.SUB)
    subscriber.setsockopt(zmq.RCVHWM, 0)
    subscriber.connect(address)
    subscriber.subscribe("frame/")

    def next_one() -> bytes | None:
        return subscriber.recv_multipart()[1] if subscriber.poll(100) else None

    _listen(told, next_one)
    subscriber.close(linger=0)


def _listen(told: threading.Event, next_one: Callable[[], bytes | None]) -> None:
    """Says `ready` with the first message."""
    came: list[tuple[int, bytes]] = []
    until = None
    while until is None or time.monotonic() < until:
        value = next_one()
        if value is not None:
            came.append((time.monotonic_ns(), value))
            if len(came) == 1:
                print("ready", flush=True)
        if until is None and told.is_set():
            until = time.monotonic() + _LAST_SECONDS
    # Read afterwards: while messages come, this process does nothing but take them.
    read = ((at, json.loads(value)) for at, value in came)
    print(json.dumps([[message["camera"], message["frame"], at] for at, message in read]), flush=True)


if __name__ == "__main__":
    main()
