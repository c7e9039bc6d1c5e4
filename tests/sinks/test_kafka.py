"""Metadata to Kafka over a real wire: librdkafka's own mock cluster in another process."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
from kafka_wire import Broker, Reader, broker_running, once
from sink_records import event, frame
from tests.waiting import until

import savant_reid.sinks
from savant_reid.sinks.folder_sink import open_run_sinks
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.kafka import KafkaSink
from savant_reid.sinks.kafka_settings import KafkaSettings
from savant_reid.sinks.protobuf_messages import json_form

SCHEMAS = Path(savant_reid.sinks.__file__).parent / "schemas"
FRAMES, EVENTS = KafkaSettings().frames_topic, KafkaSettings().events_topic
QUICK = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200, "linger.ms": 1}
OpenSink = Callable[..., KafkaSink]


@pytest.fixture
def broker() -> Iterator[Broker]:
    with broker_running() as running:
        yield running


@pytest.fixture
def open_sink(tmp_path) -> Iterator[OpenSink]:
    sinks = []

    def open_one(broker: Broker | str, site: str = "store-12", run: str | None = None, **settings) -> KafkaSink:
        address = broker if isinstance(broker, str) else broker.address
        settings.setdefault("librdkafka", QUICK)
        sinks.append(KafkaSink(address, FrameLines(site), tmp_path / "spool", KafkaSettings(**settings), run))
        return sinks[-1]

    yield open_one
    for sink in sinks:
        sink.close()


@pytest.fixture
def read() -> Iterator[Callable[[Broker], Reader]]:
    readers = []

    def start(broker: Broker) -> Reader:
        readers.append(Reader(broker.address, FRAMES, EVENTS))
        return readers[-1]

    yield start
    for reader in readers:
        reader.close()


def frame_ids(count: int, run: str = "r", camera: str = "door") -> list[str]:
    return [f"{run}/frame/{camera}/{number}" for number in range(count)]


def event_ids(count: int, run: str = "r") -> list[str]:
    return [f"{run}/identity/{number}" for number in range(count)]


def test_frames_and_events_keep_their_schemas(broker, open_sink, read):
    sink = open_sink(broker, run="r")
    sink.write_events([event("created", 3, camera="door", track_id=7), event("merged", 3, other_id=1)])
    sink.write_frame(frame(4, {7: 3, 9: None}))
    reader = read(broker)
    reader.until(lambda: len(reader.heard) >= 3)
    for name, topic in (("identity", EVENTS), ("frame", FRAMES)):
        schema = json.loads((SCHEMAS / f"{name}.json").read_text())
        for message in reader.messages(topic):
            jsonschema.validate(message, schema)
    assert [one["sequence"] for one in reader.messages(EVENTS)] == [0, 1]
    assert {(one.topic(), one.key()) for one in reader.heard} == {(EVENTS, b"store-12"), (FRAMES, b"store-12/door")}
    assert reader.ids(EVENTS) == event_ids(2)
    assert reader.ids(FRAMES) == ["r/frame/door/4"]
    sink.close()
    told = sink.metrics()
    assert told["frames"] == {"delivered": 1, "waiting": 0, "refused": 0, "dropped": 0}
    assert told["events"] == {"delivered": 2, "waiting": 0, "refused": 0, "dropped": 0}


def test_what_goes_out_is_what_the_files_hold(broker, read, tmp_path):
    lines = FrameLines("store-12")
    both = open_run_sinks(
        tmp_path, "store-12", "model", lines=lines, more=[KafkaSink(broker.address, lines, tmp_path / "spool")]
    )
    both.write_events([event("created", 3)])
    broken = frame(0, {7: 3, 8: 4})
    broken.sightings.boxes[1, 0] = float("nan")
    both.write_frame(broken)
    both.close()
    reader = read(broker)
    reader.until(lambda: len(reader.heard) >= 2)
    heard = {one.topic(): one.value().decode() + "\n" for one in reader.heard}
    assert heard == {
        EVENTS: (tmp_path / "identities.jsonl").read_text(),
        FRAMES: (tmp_path / "frames.jsonl").read_text(),
    }
    assert not (tmp_path / "spool").exists(), "nothing waits there"


def test_a_broker_that_goes_and_comes_back_has_all_in_order(broker, open_sink, read, caplog):
    sink = open_sink(broker, run="r")
    reader = read(broker)
    for number in range(100):
        sink.write_frame(frame(number, {7: 3}))
    reader.until(lambda: len(reader.heard) >= 100)
    broker.tell("down")
    slowest_s = 0.0
    for number in range(100, 3100):
        begin = time.perf_counter()
        sink.write_frame(frame(number, {7: 3}))
        sink.write_events([event("created", number)])
        slowest_s = max(slowest_s, time.perf_counter() - begin)
    until(lambda: sink._frames.spool.count == 3000)  # what was not answered for is on disk too
    broker.tell("up")
    reader.until(lambda: len(reader.heard) >= 6100)
    assert once(reader.ids(FRAMES)) == frame_ids(3100)
    assert once(reader.ids(EVENTS)) == event_ids(3000)
    until(lambda: sink._frames.waiting == sink._events.waiting == 0)
    assert slowest_s < 5  # nothing waits for the broker; a busy disk alone takes a second now and then
    assert "no broker answers" in caplog.text


def test_a_broker_killed_and_started_again_gets_what_the_dead_one_had_not_taken(broker, open_sink, read):
    sink = open_sink(broker, run="r")
    first = read(broker)
    for number in range(200):
        sink.write_frame(frame(number, {7: 3}))
        sink.write_events([event("created", number)])
    first.until(lambda: len(first.heard) >= 400)
    until(lambda: sink._frames.waiting == sink._events.waiting == 0)
    broker.kill()
    for number in range(200, 400):
        sink.write_frame(frame(number, {7: 3}))
        sink.write_events([event("created", number)])
    broker.start()
    second = read(broker)
    second.until(lambda: len(once(second.ids())) >= 400)
    for topic, ids in ((FRAMES, frame_ids(400)), (EVENTS, event_ids(400))):
        assert once(first.ids(topic) + second.ids(topic)) == ids


def test_without_a_broker_the_next_run_sends_what_the_first_could_not(broker, open_sink, read, caplog):
    sink = open_sink("127.0.0.1:1", run="a", close_seconds=0.2)
    for number in range(50):
        sink.write_frame(frame(number, {7: 3}))
        sink.write_events([event("created", number)])
    sink.close()
    assert sink.metrics()["frames"] == {"delivered": 0, "waiting": 50, "refused": 0, "dropped": 0}
    assert sink.metrics()["events"]["waiting"] == 50
    assert "50 frames and 50 events have not left; the next run with the spool" in caplog.text
    again = open_sink(broker, run="b")
    again.write_frame(frame(0, {}))
    again.write_events([event("created", 1)])
    reader = read(broker)
    reader.until(lambda: len(reader.heard) >= 102)
    assert reader.ids(FRAMES) == frame_ids(50, "a") + frame_ids(1, "b")
    assert reader.ids(EVENTS) == event_ids(50, "a") + event_ids(1, "b")


def test_frames_beyond_the_bound_are_dropped_oldest_first_and_events_never(
    broker, open_sink, read, monkeypatch, caplog
):
    monkeypatch.setattr("savant_reid.sinks.kafka_lane.IN_FLIGHT_MESSAGES", 10)
    broker.tell("down")
    sink = open_sink(broker, run="r", spool_megabytes=32)
    people = dict.fromkeys(range(500), 5)  # some 100 kB
    for number in range(600):
        sink.write_frame(frame(number, people))
        sink.write_events([event("created", number)])
        if number % 100 == 0:
            until(lambda: not sink._handed)
    until(lambda: not sink._handed and sink._frames.spool.size_bytes <= 32 << 20)
    dropped = sink.metrics()["frames"]["dropped"]
    assert dropped > 100
    assert sink.metrics()["events"]["dropped"] == 0
    broker.tell("up")
    reader = read(broker)
    reader.until(lambda: len(once(reader.ids())) >= 1200 - dropped, 30)
    numbers = [int(one.rpartition("/")[2]) for one in once(reader.ids(FRAMES))]
    assert numbers == [*range(10), *range(10 + dropped, 600)]
    assert once(reader.ids(EVENTS)) == event_ids(600)
    assert [one for one in caplog.messages if "frames.sqlite: full" in one], "a loss is logged"


def test_an_answer_that_cannot_be_got_over_costs_a_producer_and_no_message(broker, open_sink, read):
    sink = open_sink(broker, run="r")
    sink.write_frame(frame(0, {}))
    reader = read(broker)
    reader.until(lambda: len(reader.heard) >= 1)
    broker.tell("errors 0 29")  # TOPIC_AUTHORIZATION_FAILED
    for number in range(1, 20):
        sink.write_frame(frame(number, {}))
    reader.until(lambda: len(once(reader.ids())) >= 20)
    assert once(reader.ids()) == frame_ids(20)
    assert sink.metrics()["producers_replaced"] == 1


def test_a_message_that_the_broker_finds_too_large_is_refused_and_the_rest_goes_on(broker, open_sink, read, caplog):
    sink = open_sink(broker, run="r")
    sink.write_events([event("created", 0)])
    reader = read(broker)
    reader.until(lambda: len(reader.heard) >= 1)
    broker.tell("errors 0 10")  # MSG_SIZE_TOO_LARGE
    sink.write_events([event("created", 1)])
    until(lambda: sink.metrics()["events"]["refused"] == 1)
    sink.write_events([event("created", 2)])
    reader.until(lambda: len(reader.heard) >= 2)
    assert reader.ids() == ["r/identity/0", "r/identity/2"]
    assert "message r/identity/1 refused" in caplog.text
    sink.close()
    assert sink.metrics()["events"] == {"delivered": 2, "waiting": 0, "refused": 1, "dropped": 0}


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from sink_records import event, frame
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.kafka import KafkaSink
from savant_reid.sinks.kafka_settings import KafkaSettings
sink = KafkaSink(sys.argv[2], FrameLines("store-12"), Path(sys.argv[3]), KafkaSettings(spool_megabytes=32), "r")
people = dict.fromkeys(range(1000), 5)  # some 200 kB
for number in range(100_000):
    sink.write_frame(frame(number, people))
    sink.write_events([event("created", number)])
    print(number, sink.metrics()["frames"]["dropped"], flush=True)
"""


def test_kill_9_with_a_full_spool_loses_no_event(broker, open_sink, read, tmp_path):
    command = [sys.executable, "-c", WRITER, str(Path(__file__).parent), "127.0.0.1:1", str(tmp_path / "spool")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        number = dropped = 0
        while dropped == 0:
            number, dropped = map(int, writer.stdout.readline().split())
        writer.kill()
        for line in writer.stdout.read().splitlines(keepends=True):
            number = int(line.split()[0]) if line.endswith("\n") else number
    open_sink(broker, run="s")
    reader = read(broker)
    reader.until(lambda: len(reader.ids(EVENTS)) > number and len(reader.ids(FRAMES)) > 50)
    found = reader.ids(EVENTS)
    assert found == event_ids(len(found))
    frames = [int(one.rpartition("/")[2]) for one in reader.ids(FRAMES)]
    assert frames == sorted(set(frames))


class HugeLines(FrameLines):
    def line(self, record):
        return "x" * 2_000_000_000 if record.frame == 1 else super().line(record)


def test_a_message_of_2_gb_is_refused_and_not_even_copied(broker, read, tmp_path):
    sink = KafkaSink(broker.address, HugeLines("store-12"), tmp_path / "spool", run="r")
    for number in range(3):
        sink.write_frame(frame(number, {}))
    sink.write_events([event("created", 1, reason="x" * 1_100_000)])
    reader = read(broker)
    reader.until(lambda: len(reader.heard) >= 2)
    sink.close()
    assert reader.ids() == ["r/frame/door/0", "r/frame/door/2"]
    assert sink.metrics()["frames"]["refused"] == sink.metrics()["events"]["refused"] == 1


def test_a_broker_that_hangs_is_one_that_is_away(broker, open_sink, read):
    sink = open_sink(broker, run="r")
    sink.write_frame(frame(0, {}))
    reader = read(broker)
    reader.until(lambda: len(reader.heard) >= 1)
    broker.process.send_signal(signal.SIGSTOP)
    for number in range(1, 500):
        sink.write_frame(frame(number, {7: 3}))
        sink.write_events([event("created", number)])
    until(lambda: sink._frames.spool.count == 499)
    broker.process.send_signal(signal.SIGCONT)
    reader.until(lambda: len(once(reader.ids())) >= 999)
    assert once(reader.ids(FRAMES)) == frame_ids(500)
    assert once(reader.ids(EVENTS)) == event_ids(499)


def test_a_disk_that_hangs_holds_nobody_up_and_costs_the_oldest_frames(open_sink, monkeypatch, caplog):
    monkeypatch.setattr("savant_reid.sinks.kafka_lane.IN_FLIGHT_MESSAGES", 10)
    monkeypatch.setattr("savant_reid.sinks.kafka._HANDED_OVER_BYTES", 1 << 20)
    sink = open_sink("127.0.0.1:1", close_seconds=0)
    people, slowest_s = dict.fromkeys(range(100), 5), 0.0  # some 20 kB
    with sink._frames.spool._lock:
        for number in range(200):
            begin = time.perf_counter()
            sink.write_frame(frame(number, people))
            slowest_s = max(slowest_s, time.perf_counter() - begin)
    sink.close()
    assert slowest_s < 5
    told = sink.metrics()["frames"]
    assert told["dropped"] > 50
    assert told["dropped"] + told["waiting"] == 200
    assert "does not keep up; frames are lost" in caplog.text


def test_names_of_broken_utf8_arrive_mended(broker, open_sink, read):
    sink = open_sink(broker, site="caf\udce9", run="r")
    sink.write_frame(frame(0, {7: 3}, camera="t\udcfcr"))
    sink.write_frame(frame(0, {7: 3}, camera="Tür"))
    sink.write_events([event("enrolled", 3, reason="Jos\udce9")])
    reader = read(broker)
    reader.until(lambda: len(reader.heard) >= 3)
    assert {one.key() for one in reader.heard} == {b"caf?/t?r", "caf?/Tür".encode(), b"caf?"}
    assert {one["camera"] for one in reader.messages(FRAMES)} == {"t?r", "Tür"}
    assert reader.messages(EVENTS)[0]["reason"] == "Jos?"


def test_the_disk_being_full_costs_frames_and_is_said(open_sink, monkeypatch, caplog):
    monkeypatch.setattr("savant_reid.sinks.kafka_lane.IN_FLIGHT_MESSAGES", 10)
    sink = open_sink("127.0.0.1:1", close_seconds=0)
    pages = sink._frames.spool._connection.execute("PRAGMA max_page_count = 20").fetchone()
    assert pages == (20,)
    with caplog.at_level(logging.WARNING):
        for number in range(100):
            sink.write_frame(frame(number, dict.fromkeys(range(100), 5)))
        until(lambda: sink.metrics()["frames"]["dropped"] > 0)
    assert "database or disk is full" in caplog.text
    sink.close()
    told = sink.metrics()["frames"]
    assert told["dropped"] + told["waiting"] == 100


def test_protobuf_says_the_same_and_a_spool_keeps_what_an_earlier_run_wrote_in_json(broker, open_sink, read):
    broker.tell("down")
    sink = open_sink(broker, run="r", close_seconds=0)
    sink.write_frame(frame(0, {7: 3, 9: None}))
    sink.write_events([event("created", 3)])
    sink.close()
    broker.tell("up")
    sink = open_sink(broker, run="s", encoding="protobuf")
    sink.write_frame(frame(0, {7: 3, 9: None}))
    sink.write_events([event("created", 3)])
    reader = read(broker)
    reader.until(lambda: len(set(reader.ids())) == 4)
    heard = {dict(one.headers())["id"].decode(): one for one in reader.heard}
    assert set(heard) == {f"{run}/{what}" for run in "rs" for what in ("frame/door/0", "identity/0")}
    kinds = {name: dict(one.headers())["content-type"].decode() for name, one in heard.items()}
    for name, what in (("Frame", "frame/door/0"), ("Identity", "identity/0")):
        assert kinds[f"r/{what}"] == "application/json"
        assert kinds[f"s/{what}"] == f'application/x-protobuf; messageType="savant_reid.v1.{name}"'
        assert json_form(heard[f"s/{what}"].value()) == json.loads(heard[f"r/{what}"].value())
        assert heard[f"s/{what}"].key() == heard[f"r/{what}"].key()
