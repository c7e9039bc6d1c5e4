"""Decisions to Kafka from within Savant's host: a real wire, librdkafka's mock broker in another process."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka", reason="not in the environment of Savant's NumPy")
from savant_reid.errors import ConfigError, OutputError
from savant_reid.hosts.plugin import KafkaOutput
from savant_reid.identity.types import Decision, EventKind, IdentityEvent, State
from savant_reid.pyfuncs import shared
from savant_reid.pyfuncs.identify import Identify
from savant_reid.sinks.kafka_settings import KafkaSettings
from tests.hosts.deepstream.scene import Recorder, Scene, gather_host
from tests.identity.scenes import DIMENSION
from tests.sinks.kafka_wire import Reader, broker_running

FRAMES, EVENTS = KafkaSettings().frames_topic, KafkaSettings().events_topic
NOBODY = "127.0.0.1:1"


@pytest.fixture
def broker():
    with broker_running() as running:
        yield running


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "kafka.yml"
    path.write_text("close_seconds: 0.2\nlibrdkafka: {linger.ms: 1, reconnect.backoff.max.ms: 200}\n")
    return path


class Namer(Recorder):
    """Gives everybody the identity of their track, and tells of one event for each batch."""

    joint = True

    def __init__(self, kafka: KafkaOutput) -> None:
        super().__init__(self._name)
        self.kafka = kafka
        self.told = 0

    def _name(self, frame) -> None:
        tracks = frame.sightings().track_ids.tolist()
        frame.write_decisions([Decision(frame.camera, t, t % 1000, State.CONFIRMED, 0.9) for t in tracks])

    def process_batch(self, frames) -> None:
        super().process_batch(frames)
        self.events.append(IdentityEvent(EventKind.CREATED, self.told, self.told))
        self.told += 1


def opened(kafka: KafkaOutput):
    scene = Scene()
    return scene, scene.runner(Namer(kafka))


def step(scene, runner, *people) -> None:
    scene.next(*people)
    runner.process(None)


def heard(broker, events: int, frames: int = 0):
    reader = Reader(broker.address, FRAMES, EVENTS)
    reader.until(lambda: len(reader.messages(EVENTS)) >= events and len(reader.messages(FRAMES)) >= frames)
    reader.close()
    return reader


def test_real_decisions_arrive_with_their_events(broker, spool, config, tmp_path):
    site = tmp_path / "site.yml"
    site.write_text("site: shop\ncameras: {door: {}, hall: {}}\nidentity: {capacity: 100}\n")
    plugin = Identify(str(site), "person_reid", kafka=broker.address, kafka_spool=str(spool), kafka_config=str(config))
    scene = Scene()
    runner = scene.runner(plugin, gather=lambda arrays: gather_host(arrays, DIMENSION))
    for _ in range(5):
        step(scene, runner, [1, 2], [1])
    reader = heard(broker, 0, 10)
    runner.stop()
    shared.forget(site)
    assert {(m["site"], m["camera"], m["frame"], len(m["objects"])) for m in reader.messages(FRAMES)} == {
        ("shop", camera, frame, people) for camera, people in (("door", 2), ("hall", 1)) for frame in range(5)
    }
    assert not runner.troubles.counts
    shown = scene.metric("reid_sink_figure", runner)
    assert shown["kafka", "frames_delivered"] == 10
    assert shown["kafka", "frames_dropped"] == 0


def test_a_camera_that_begins_anew_has_new_frames_and_new_tracks(broker, spool, config):
    scene, runner = opened(KafkaOutput(broker.address, spool, config))
    step(scene, runner, [7], [1])
    runner.source_ended("door")
    scene.step = 0  # DeepStream counts the camera's frames anew, and its tracker its tracks
    step(scene, runner, [7], [1])
    reader = heard(broker, 2, 4)
    runner.stop()
    door = [m for m in reader.messages(FRAMES) if m["camera"] == "door"]
    assert [m["frame"] for m in door] == [0, 1]
    assert [m["objects"][0]["track_id"] for m in door] == [7, 7 + (1 << 40)]
    assert len(set(reader.ids())) == 6
    assert [m["sequence"] for m in reader.messages(EVENTS)] == [0, 1]


def test_a_pyfunc_made_anew_goes_on_with_the_run(broker, spool, config):
    """As Savant does in development mode; the old one is not told."""
    output = KafkaOutput(broker.address, spool, config)
    scene, first = opened(output)
    step(scene, first, [1], [1])
    again = scene.runner(Namer(output), "another")
    step(scene, again, [1], [1])
    reader = heard(broker, 2, 4)
    again.stop()
    assert [m["sequence"] for m in reader.messages(EVENTS)] == [0, 1]
    assert len({one.partition("/")[0] for one in reader.ids()}) == 1
    assert not spool.exists(), "nothing waits"


def test_a_disk_that_takes_no_event_for_a_while_costs_none(broker, spool, config, monkeypatch):
    scene, runner = opened(KafkaOutput(broker.address, spool, config))
    lane = runner._outlet.sink._events
    save, full = lane.save, [True, True, False, True]

    def failing(messages) -> None:
        if full and full.pop(0):
            raise sqlite3.OperationalError("database or disk is full")
        save(messages)

    monkeypatch.setattr(lane, "save", failing)
    for _ in range(6):
        step(scene, runner, [1], [1])
    reader = heard(broker, 6, 12)
    runner.stop()
    assert [(m["sequence"], m["time_ns"]) for m in reader.messages(EVENTS)] == [(n, n) for n in range(6)]
    assert runner.troubles.counts["kafka events", "-"] == 3


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.hosts.deepstream.test_outlet import NOBODY, opened, step
from savant_reid.hosts.plugin import KafkaOutput
scene, runner = opened(KafkaOutput(NOBODY, Path(sys.argv[2])))
for number in range(1_000_000):
    step(scene, runner, [1, 2], [1])
    print(number, flush=True)
"""


def test_kill_9_loses_no_event_of_a_batch_that_has_left(broker, spool, config):
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", WRITER, str(root), str(spool)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as writer:
        last = 0
        while last < 200:
            last = int(writer.stdout.readline())
        writer.kill()
        for line in writer.stdout.read().splitlines(keepends=True):
            last = int(line) if line.endswith("\n") else last
    _, runner = opened(KafkaOutput(broker.address, spool, config))
    reader = heard(broker, last + 1)
    runner.stop()
    found = [m["sequence"] for m in reader.messages(EVENTS)]
    assert found == list(range(len(found)))


def test_what_cannot_be_used_is_refused_at_the_start(spool, config):
    with pytest.raises(ConfigError, match="expected HOST:PORT"):
        opened(KafkaOutput("kafka", spool, config))
    _, runner = opened(KafkaOutput(NOBODY, spool, config))
    other = (
        "import sys; from tests.hosts.deepstream.test_outlet import *; opened(KafkaOutput(NOBODY, Path(sys.argv[1])))"
    )
    refused = subprocess.run(
        [sys.executable, "-c", other, str(spool)], cwd=Path(__file__).parents[3], capture_output=True, text=True
    )
    runner.stop()
    assert "expected a free one, found another run that uses it" in refused.stderr
    spool.write_text("")
    with pytest.raises(OutputError, match="cannot be used"):
        opened(KafkaOutput(NOBODY, spool / "below", config))


def test_the_messages_are_those_of_the_schemas(broker, spool, config):
    import jsonschema

    import savant_reid.sinks

    scene, runner = opened(KafkaOutput(broker.address, spool, config))
    step(scene, runner, [1, 2], [])
    reader = heard(broker, 1, 2)
    runner.stop()
    for name, topic in (("identity", EVENTS), ("frame", FRAMES)):
        schema = json.loads((Path(savant_reid.sinks.__file__).parent / "schemas" / f"{name}.json").read_text())
        for message in reader.messages(topic):
            jsonschema.validate(message, schema)
