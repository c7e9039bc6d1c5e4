"""A real mosquitto on a free port of this machine, a subscriber that keeps what it hears, a cable to be cut."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from tests.waiting import until

# Debian puts it where only root looks.
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed: scripts/setup.sh test")


class Broker:
    """lines: of mosquitto.conf, beside the listener's. A broker that is started again keeps its port."""

    def __init__(self, folder: Path, *lines: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._config = folder / f"mosquitto-{self.port}.conf"
        # Else it gives up root's rights where tests run as root, and cannot read their files.
        settings = lines or ("allow_anonymous true",)
        self._config.write_text("\n".join((f"listener {self.port} 127.0.0.1", "user root", *settings)) + "\n")
        self.log = folder / f"mosquitto-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([str(MOSQUITTO), "-v", "-c", str(self._config)], stdout=log, stderr=log)
        until(self._listens)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


@contextmanager
def broker_running(folder: Path, *lines: str) -> Iterator[Broker]:
    broker = Broker(folder, *lines)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


class Subscriber:
    """heard: (topic, payload, was retained) in order."""

    def __init__(
        self, port: int, topics: str = "#", login: tuple[str, str] | None = None, ca_file: Path | None = None
    ) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self._subscribed = False
        self._topics = topics
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        if login:
            self.client.username_pw_set(*login)
        if ca_file:
            self.client.tls_set(str(ca_file))
        self.client.on_connect = lambda client, *_: client.subscribe(self._topics, 1)
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = lambda _c, _u, one: self.heard.append((one.topic, one.payload, one.retain))
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        until(lambda: self._subscribed)

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed = True

    def messages(self, part: str = "") -> list[tuple[str, Any]]:
        """(topic, JSON) of those topics that hold `part`; never the status."""
        found = [(topic, payload) for topic, payload, _ in list(self.heard) if not topic.endswith("/status")]
        return [(topic, json.loads(payload)) for topic, payload in found if part in topic]

    def statuses(self) -> list[bytes]:
        return [payload for topic, payload, _ in list(self.heard) if topic.endswith("/status")]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Cable:
    """Between a sink and its broker. Cut, nobody gets through: what goes on at the broker goes on without the sink."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._listener.close()
        self._ends: list[socket.socket] = []

    def plug_in(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        for one in (self._listener, *self._ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._ends.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to_port))
                self._ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
