"""What docs/metadata.md says of Kafka's costs, with room for slower machines."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import confluent_kafka
import pytest
from kafka_wire import Broker, broker_running
from sink_records import event, frame

from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.kafka import KafkaSink
from savant_reid.sinks.kafka_settings import KafkaSettings

pytestmark = pytest.mark.slow

SETTINGS = KafkaSettings(librdkafka={"reconnect.backoff.max.ms": 500})
CAMERAS = [f"camera-{n}" for n in range(4)]


def resident_mb() -> float:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


@pytest.mark.parametrize("away", [False, True], ids=["broker there", "broker away"])
def test_12000_sightings_a_second_on_a_part_of_one_core(tmp_path, away):
    seconds, frames_a_second = 3, 1200
    record = frame(0, dict.fromkeys(range(10), 5))
    with broker_running() as broker:
        if away:
            broker.tell("down")
        sink = KafkaSink(broker.address, FrameLines("s"), tmp_path, SETTINGS.model_copy(update={"close_seconds": 10}))
        begin, cpu_begin, count = time.perf_counter(), time.process_time(), 0
        while (elapsed := time.perf_counter() - begin) < seconds:
            while count < elapsed * frames_a_second:
                sink.write_frame(replace(record, frame=count))
                count += 1
            time.sleep(0.002)
        cpu = time.process_time() - cpu_begin
        broker.tell("up")
        sink.close()
    assert sink.metrics()["frames"] == {"delivered": count, "waiting": 0, "refused": 0, "dropped": 0}
    assert count * 10 >= 11_900 * seconds
    assert cpu / seconds < 0.5


def test_an_hour_without_a_broker_costs_no_message_and_no_memory(tmp_path):
    hour_frames = 36_000  # at 10 a second
    with broker_running() as broker:
        broker.tell("down")
        sink = KafkaSink(broker.address, FrameLines("s"), tmp_path, SETTINGS, "r")
        marks = write_an_hour(sink, hour_frames)
        assert marks[-1] - marks[len(marks) // 2] < 20
        broker.tell("up")
        last = last_numbers_in_order(broker, len(CAMERAS) * hour_frames + hour_frames // 10)
        sink.close()
    assert last == {**{f"r/frame/{camera}": hour_frames - 1 for camera in CAMERAS}, "r/identity": hour_frames // 10 - 1}
    told = sink.metrics()
    assert told["frames"] == {"delivered": len(CAMERAS) * hour_frames, "waiting": 0, "refused": 0, "dropped": 0}
    assert told["events"] == {"delivered": hour_frames // 10, "waiting": 0, "refused": 0, "dropped": 0}


def write_an_hour(sink: KafkaSink, frames: int) -> list[float]:
    """Returns what memory the process had, in MB, from time to time."""
    record, marks = frame(0, {7: 3, 8: 4}), []
    for number in range(frames):
        for camera in CAMERAS:
            sink.write_frame(replace(record, frame=number, sightings=replace(record.sightings, camera=camera)))
        if number % 10 == 0:
            sink.write_events([event("created", number)])
        if number % 100 == 0:
            while sink._handed:  # an hour's traffic comes in seconds here; the bound for that is another test's
                time.sleep(0.005)
        if number % (frames // 20) == 0:
            marks.append(resident_mb())
    return marks


def last_numbers_in_order(broker: Broker, messages: int) -> dict[str, int]:
    """Reads so many; asserts that each camera's, and the site's, come without a gap and in order."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.address, "group.id": "hour", "auto.offset.reset": "earliest", "log_level": 2}
    )
    topics = (SETTINGS.frames_topic, SETTINGS.events_topic)
    consumer.assign([confluent_kafka.TopicPartition(topic, n, 0) for topic in topics for n in range(4)])
    last: dict[str, int] = {}
    count, deadline = 0, time.monotonic() + 120
    while count < messages and time.monotonic() < deadline:
        for message in consumer.consume(2000, 0.1):
            if message.error() is None:
                key, _, number = dict(message.headers())["id"].decode().rpartition("/")
                assert int(number) == last.get(key, -1) + 1
                last[key] = int(number)
                count += 1
    consumer.close()
    return last
