"""The MQTT sink and a real broker: mosquitto, killed, frozen, guarded and with TLS."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mqtt_broker import Broker, Cable, Subscriber, broker_running, needs_mosquitto
from sink_records import event, frame
from tests.waiting import until

from savant_reid.errors import ConfigError, SavantReidError
from savant_reid.sinks.mqtt import FIGURES, MqttSink
from savant_reid.sinks.mqtt_outbox import Outbox, Waiting
from savant_reid.sinks.mqtt_settings import PASSWORD_VARIABLE, MqttSettings

SITE = "store-12"
SECRET = "hunter2-in-the-clear"
FRAMES = MqttSettings(frames=True)
Open = Callable[..., MqttSink]
Hear = Callable[..., Subscriber]


@pytest.fixture
def open_sink() -> Iterator[Open]:
    sinks = []

    def open_one(broker: Broker | int, settings: MqttSettings | None = None, user: str = "", **more) -> MqttSink:
        port = broker if isinstance(broker, int) else broker.port
        sinks.append(MqttSink(f"mqtt://{user}127.0.0.1:{port}/shop", SITE, settings, **more))
        return sinks[-1]

    yield open_one
    for sink in sinks:
        sink.close()


@pytest.fixture
def hear() -> Iterator[Hear]:
    subscribers = []

    def one(broker: Broker, *topics: str, **more) -> Subscriber:
        subscribers.append(Subscriber(broker.port, *topics, **more))
        return subscribers[-1]

    yield one
    for subscriber in subscribers:
        subscriber.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with broker_running(tmp_path) as running:
        yield running


def connected(sink: MqttSink, times: int = 1) -> None:
    until(lambda: sink.figures()["connections"] >= times)


def sequences(subscriber: Subscriber) -> list[int]:
    return [message["Data"]["reid:Sequence"] for _, message in subscriber.messages("onvif-ej")]


def numbers(subscriber: Subscriber) -> list[int]:
    return [int(message["Frame"][0]["@reid:Id"].rpartition("/")[2]) for _, message in subscriber.messages("onvif-mj")]


@needs_mosquitto
def test_events_and_frames_arrive_and_nothing_but_the_status_is_kept(broker, open_sink, hear):
    subscriber = hear(broker)
    sink = open_sink(broker, FRAMES, run="20261123T152619Z-3b22c813")
    sink.write_events([event("created", 3, camera="door", track_id=7), event("merged", 3, other_id=1)])
    sink.write_frame(frame(4, {7: 3, 9: None}))
    until(lambda: len(subscriber.messages()) == 3)
    topics = [topic for topic, _ in subscriber.messages()]
    assert topics == [
        "shop/onvif-ej/VideoAnalytics/reid:Identity/Created/&door/store-12/savant-reid",
        "shop/onvif-ej/VideoAnalytics/reid:Identity/Merged/&store-12/savant-reid",
        "shop/onvif-mj/VideoAnalytics/door/savant-reid",
    ]
    assert subscriber.messages()[2][1]["Frame"][0]["@reid:Id"] == "20261123T152619Z-3b22c813/frame/door/4"
    until(lambda: sink.figures()["events_delivered"] == 2 and sink.figures()["frames_delivered"] == 1)
    late = hear(broker)
    until(lambda: bool(late.heard))
    assert late.heard == [("shop/status", b"online", True)]
    sink.close()
    until(lambda: late.statuses() == [b"online", b"offline"])
    until(lambda: "Client reid3b22c813 disconnected." in broker.log.read_text())
    assert sink.metrics() == {
        "address": f"mqtt://127.0.0.1:{broker.port}/shop",
        "run": "20261123T152619Z-3b22c813",
        "connections": 1,
        "events": {"delivered": 2, "waiting": 0, "refused": 0, "dropped": 0},
        "frames": {"delivered": 1, "waiting": 0, "refused": 0, "dropped": 0},
    }
    assert set(sink.figures()) == set(FIGURES)


@needs_mosquitto
def test_frames_are_for_those_who_ask(broker, open_sink, hear):
    subscriber = hear(broker)
    sink = open_sink(broker)
    sink.write_frame(frame(4, {7: 3}))
    sink.write_events([event("created", 3)])
    until(lambda: bool(subscriber.messages()))
    assert [topic.split("/")[1] for topic, _ in subscriber.messages()] == ["onvif-ej"]
    assert sink.metrics()["frames"]["delivered"] == sink.metrics()["frames"]["waiting"] == 0


@needs_mosquitto
def test_a_broker_that_is_killed_and_comes_back_gets_what_waited(broker, open_sink, caplog):
    sink = open_sink(broker, FRAMES)
    sink.write_events([event("created", 0)])
    until(lambda: sink.figures()["events_delivered"] == 1)
    broker.kill()
    until(lambda: not sink.figures()["connected"])
    for number in range(300):
        sink.write_frame(frame(number, {7: 3}))
    sink.write_events([event("created", number) for number in range(149)])
    assert (sink.figures()["events_waiting"], sink.figures()["frames_waiting"]) == (149, 300)
    broker.start()
    until(lambda: sink.figures()["events_delivered"] == 150 and sink.figures()["frames_delivered"] == 300)
    told = sink.metrics()
    assert told["connections"] == 2
    assert [told[kind]["dropped"] for kind in ("events", "frames")] == [0, 0]
    assert sum("is gone" in message for message in caplog.messages) == 1


@needs_mosquitto
def test_what_waited_arrives_in_order_and_events_first(broker, open_sink, hear):
    subscriber = hear(broker)
    cable = Cable(broker.port)
    sink = open_sink(cable.port, FRAMES)
    for number in range(500):
        sink.write_frame(frame(number, {7: 3}))
    sink.write_events([event("created", number) for number in range(500)])
    assert sink.figures()["events_waiting"] == 500
    cable.plug_in()
    until(lambda: len(numbers(subscriber)) == 500)
    cable.cut()
    until(lambda: not sink.figures()["connected"])
    until(lambda: subscriber.statuses() == [b"online", b"offline"])
    sink.write_events([event("created", number) for number in range(500)])
    cable.plug_in()
    until(lambda: len(set(sequences(subscriber))) == 1000)
    # Those that the broker's answer did not reach any more come a second time.
    assert [*dict.fromkeys(sequences(subscriber))] == list(range(1000))
    assert [*dict.fromkeys(numbers(subscriber))] == list(range(500))
    assert all("onvif-ej" in topic for topic, _ in subscriber.messages()[:500])
    sink.close()
    cable.cut()


@needs_mosquitto
def test_what_was_on_its_way_when_the_cable_was_cut_is_sent_again(broker, open_sink, hear):
    """Again and again, amid the messages: none is lost, and repeats carry the id of the first."""
    subscriber = hear(broker)
    cable = Cable(broker.port)
    cable.plug_in()
    sink = open_sink(cable.port)
    for spell in range(3):
        connected(sink, spell + 1)
        sink.write_events([event("created", number) for number in range(1000)])
        until(lambda least=1000 * spell + 100: sink.figures()["events_delivered"] >= least)
        cable.cut()
        until(lambda: not sink.figures()["connected"])
        cable.plug_in()
    until(lambda: sink.figures()["events_delivered"] == 3000)
    until(lambda: len(set(sequences(subscriber))) == 3000)
    ids = {message["Data"]["reid:Id"] for _, message in subscriber.messages()}
    assert len(ids) == 3000
    assert sink.metrics()["events"] == {"delivered": 3000, "waiting": 0, "refused": 0, "dropped": 0}
    sink.close()
    cable.cut()


@needs_mosquitto
def test_a_broker_that_hangs_holds_nobody_up(broker, open_sink):
    sink = open_sink(broker, MqttSettings(frames=True, queue_megabytes=1, keepalive_seconds=1, close_seconds=0.2))
    connected(sink)
    broker.freeze()
    record = frame(0, dict.fromkeys(range(100), 5))  # some 30 kB
    slowest_s = 0.0
    for _ in range(300):  # 9 MB: more than the queue and the kernel's buffers hold
        begin = time.perf_counter()
        sink.write_frame(record)
        slowest_s = max(slowest_s, time.perf_counter() - begin)
    sink.write_events([event("created", 1)])
    assert slowest_s < 5
    until(lambda: not sink.figures()["connected"])
    told = sink.metrics()
    assert told["frames"]["dropped"] > 0
    assert told["events"] == {"delivered": 0, "waiting": 1, "refused": 0, "dropped": 0}, "events outlast frames"
    begin = time.perf_counter()
    sink.close()
    assert time.perf_counter() - begin < 15
    broker.thaw()
    told = sink.metrics()
    assert told["frames"]["delivered"] + told["frames"]["dropped"] == 300
    assert told["events"]["dropped"] == 1


@needs_mosquitto
def test_a_broker_that_wakes_up_hears_what_was_not_answered_for(broker, open_sink, hear):
    subscriber = hear(broker)
    sink = open_sink(broker, MqttSettings(keepalive_seconds=1))
    connected(sink)
    broker.freeze()
    sink.write_events([event("created", number) for number in range(250)])
    until(lambda: not sink.figures()["connected"])
    broker.thaw()
    until(lambda: sink.figures()["events_delivered"] == 250)
    until(lambda: len(set(sequences(subscriber))) == 250)
    ids = [message["Data"]["reid:Id"] for _, message in subscriber.messages()]
    assert [int(one.rpartition("/")[2]) for one in dict.fromkeys(ids)] == list(range(250)), "repeats dropped by id"


@needs_mosquitto
def test_a_subscriber_that_never_reads_is_the_brokers_affair(tmp_path, open_sink, hear):
    with broker_running(
        tmp_path, "allow_anonymous true", "max_queued_messages 50", "max_inflight_messages 5"
    ) as broker:
        reader = hear(broker)
        asleep = hear(broker)
        asleep.client.loop_stop()
        sink = open_sink(broker, FRAMES)
        record = frame(0, dict.fromkeys(range(100), 5))
        for _ in range(200):
            sink.write_frame(record)
        until(lambda: sink.figures()["frames_delivered"] == 200)
        until(lambda: bool(reader.messages()))
        assert sink.metrics()["frames"] == {"delivered": 200, "waiting": 0, "refused": 0, "dropped": 0}


@needs_mosquitto
def test_the_broker_says_offline_for_a_process_that_was_killed(broker, hear):
    subscriber = hear(broker)
    code = f"""
import time
from savant_reid.sinks.mqtt import MqttSink
sink = MqttSink("mqtt://127.0.0.1:{broker.port}/shop", "store-12")
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            until(lambda: subscriber.statuses() == [b"online"])
        finally:
            process.kill()
    until(lambda: subscriber.statuses() == [b"online", b"offline"])
    late = hear(broker)
    until(lambda: late.heard == [("shop/status", b"offline", True)])


@needs_mosquitto
def test_a_password_opens_the_broker_and_is_written_nowhere(tmp_path, open_sink, hear, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    passwords = tmp_path / "passwords"
    passwords.touch()
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed")
    subprocess.run([tool, "-b", str(passwords), "reid", SECRET], check=True, stderr=subprocess.DEVNULL)
    with broker_running(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker:
        nobody = open_sink(broker, MqttSettings(close_seconds=0))
        until(lambda: any("refuses us: Not authorized" in message for message in caplog.messages))
        assert not nobody.figures()["connected"]
        monkeypatch.setenv(PASSWORD_VARIABLE, "wrong-" + SECRET)
        wrong = open_sink(broker, MqttSettings(close_seconds=0), user="reid@")
        until(lambda: sum("refuses us" in message for message in caplog.messages) == 2)
        assert not wrong.figures()["connected"]
        monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
        sink = open_sink(broker, user="reid@")
        connected(sink)
        subscriber = hear(broker, login=("reid", SECRET))
        sink.write_events([event("created", 1)])
        until(lambda: sequences(subscriber) == [0])
        assert SECRET not in caplog.text + str(sink.metrics()) + repr(vars(sink))
        assert "reid@" not in caplog.text


@needs_mosquitto
def test_the_broker_must_prove_who_it_is(tmp_path, hear, caplog):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*make.split(), "-keyout", str(key), "-out", str(certificate)], check=True, stderr=subprocess.DEVNULL
    )
    tls = ("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    with broker_running(tmp_path, *tls) as broker:
        subscriber = hear(broker, ca_file=certificate)
        address = f"mqtts://127.0.0.1:{broker.port}/shop"
        stranger = MqttSink(address, SITE, MqttSettings(close_seconds=0))
        until(lambda: any("CERTIFICATE_VERIFY_FAILED" in message for message in caplog.messages))
        stranger.close()
        sink = MqttSink(address, SITE, MqttSettings(ca_file=certificate))
        sink.write_events([event("created", 1)])
        until(lambda: sequences(subscriber) == [0])
        sink.close()
    with pytest.raises(ConfigError, match="expected certificates that can be used"):
        MqttSink(address, SITE, MqttSettings(ca_file=tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match="expected mqtts:// with ca_file"):
        MqttSink(address.replace("mqtts", "mqtt"), SITE, MqttSettings(ca_file=certificate))


@needs_mosquitto
def test_names_that_are_no_plain_text_do_not_make_the_broker_hang_up(broker, hear):
    subscriber = hear(broker)
    site = "half \ud800 a/pair+#\x00\x07\x85\ufdd0\ufffe" + "é" * 100_000
    sink = MqttSink(f"mqtt://127.0.0.1:{broker.port}/shop", site, FRAMES)
    for number, camera in enumerate(("plain", "Süd 北", "a+b#c", "\u200b", "\ue000", "\U0001f600", "\u2028")):
        sink.write_frame(frame(number, {}, camera=camera))
    sink.write_events([event("created", 1, camera="plain")])
    until(lambda: len(subscriber.messages()) == 8)
    assert numbers(subscriber) == list(range(7))
    assert sink.metrics()["connections"] == 1
    sink.close()


@needs_mosquitto
def test_a_message_that_is_too_long_is_refused_and_counted(broker, open_sink, hear):
    subscriber = hear(broker)
    sink = open_sink(broker, MqttSettings(frames=True, longest_message_bytes=2000))
    sink.write_frame(frame(0, dict.fromkeys(range(100), 5)))
    sink.write_frame(frame(1, {7: 3}))
    until(lambda: numbers(subscriber) == [1])
    until(lambda: sink.figures()["frames_delivered"] == 1)
    assert sink.metrics()["frames"] == {"delivered": 1, "waiting": 0, "refused": 1, "dropped": 0}


def test_nobody_there_at_all(open_sink, caplog):
    sink = open_sink(1, MqttSettings(close_seconds=0))
    sink.write_events([event("created", 1)])
    until(lambda: any("cannot be reached: [Errno 111] Connection refused" in message for message in caplog.messages))
    sink.close()
    sink.close()
    assert sink.metrics()["events"] == {"delivered": 0, "waiting": 0, "refused": 0, "dropped": 1}
    assert "MQTT: 0 frames and 1 events did not reach the broker" in caplog.messages


def test_what_has_no_room_goes_oldest_first_and_frames_before_events(caplog):
    def message(kind: str, number: int) -> Waiting:
        return Waiting(kind, str(number), bytes(100_000))

    outbox = Outbox(1 << 20)
    for number in range(8):
        outbox.put(message("events", number))
    for number in range(8):
        outbox.put(message("frames", number))
    assert (outbox.waiting("events"), outbox.waiting("frames")) == (8, 2)
    assert outbox.size_bytes <= 1 << 20
    for number in range(8, 14):
        outbox.put(message("events", number))
    assert (outbox.dropped["events"], outbox.dropped["frames"]) == (4, 8)
    assert len(caplog.messages) == 1, "told once while it stays full"
    assert [taken.topic for taken in iter(outbox.take, None)] == [str(number) for number in range(4, 14)]
    assert outbox.size_bytes == 0
    for number in range(12):
        outbox.put(message("frames", number))
    assert len(caplog.messages) == 2
    outbox.give_up()
    assert (len(outbox), outbox.dropped["frames"]) == (0, 20)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    expected = r"paho-mqtt, found none; install it with: pip install 'savant-reid\[mqtt\]'"
    with pytest.raises(SavantReidError, match=expected):
        MqttSink("mqtt://127.0.0.1:1/x", SITE)


def test_a_program_that_is_no_broker_is_told(caplog):
    with socket.create_server(("127.0.0.1", 0)) as other:
        sink = MqttSink(f"mqtt://127.0.0.1:{other.getsockname()[1]}/shop", SITE, MqttSettings(close_seconds=0))
        other.accept()[0].close()
        until(lambda: any("gives no answer" in message and "mqtts://" in message for message in caplog.messages))
        sink.close()
