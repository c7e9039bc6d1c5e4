"""A broker in another process, at an address that outlives it, and one who reads what came."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import confluent_kafka

SCRIPT = Path(__file__).with_name("kafka_broker.py")


class Relay:
    """A port on this host that leads to whatever port is its `target` now; to none while that is None."""

    def __init__(self) -> None:
        self.target: int | None = None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.target = None
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def welcome(self, client: socket.socket) -> socket.socket:
        """What is said to a client before anything is passed on."""
        return client

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                try:
                    if self.target is None:
                        raise ConnectionRefusedError
                    welcomed = self.welcome(client)
                    broker = socket.create_connection(("127.0.0.1", self.target))
                except (ConnectionError, ssl.SSLError):
                    client.close()
                    continue
                self._open += [welcomed, broker]
                for source, sink in ((welcomed, broker), (broker, welcomed)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(1 << 16):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_RDWR)


class Broker:
    """One that can be killed and started again under the same address; it then has forgotten all."""

    def __init__(self, relay: Relay | None = None) -> None:
        self._relay = relay or Relay()
        self.address = f"127.0.0.1:{self._relay.port}"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, str(SCRIPT), str(self._relay.port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self._relay.target = int(self.process.stdout.readline())

    def kill(self) -> None:
        self._relay.cut()
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        self.process = None

    def tell(self, command: str) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"

    def close(self) -> None:
        self.kill()
        self._relay.close()


class Reader:
    """Everything on the topics from their beginning, in the order of coming."""

    def __init__(self, address: str, *topics: str) -> None:
        self._consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": address,
                "group.id": "reader",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "log_level": 2,
                "reconnect.backoff.max.ms": 200,
            }
        )
        # Assigned, not subscribed: the mock cluster takes three seconds for a group.
        partitions = [confluent_kafka.TopicPartition(topic, n, 0) for topic in topics for n in range(4)]
        self._consumer.assign(partitions)
        self.heard: list[confluent_kafka.Message] = []

    def until(self, enough: Callable[[], bool], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not enough() and time.monotonic() < deadline:
            self.heard += [one for one in self._consumer.consume(500, 0.05) if one.error() is None]
        assert enough(), f"heard {len(self.heard)} messages"

    def ids(self, topic: str | None = None) -> list[str]:
        return [dict(one.headers())["id"].decode() for one in self.heard if topic in (None, one.topic())]

    def messages(self, topic: str) -> list[dict]:
        return [json.loads(one.value()) for one in self.heard if one.topic() == topic]

    def close(self) -> None:
        self._consumer.close()


@contextmanager
def broker_running() -> Iterator[Broker]:
    broker = Broker()
    broker.start()
    try:
        yield broker
    finally:
        broker.close()


def once(ids: list[str]) -> list[str]:
    """Repeats dropped, as a consumer does."""
    return list(dict.fromkeys(ids))
