"""The consumer's history of real decisions is that of the run's own files."""

from __future__ import annotations

import csv
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from tests.sinks.kafka_wire import broker_running

from savant_reid.replay.replay import ReplayRequest, replay
from savant_reid.sinks.kafka_producer import KafkaProducer
from savant_reid.sinks.kafka_settings import KafkaSettings
from savant_reid.sinks.protobuf_messages import json_form, message_classes
from savant_reid.sinks.spool import Message

SAMPLE = Path(__file__).parents[2] / "samples" / "kafka_consumer"
COLUMNS = "camera, frame, track_id, global_id, left, top, width, height, confidence, time_ns"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Real decisions, with merges and splits."""
    folder = tmp_path_factory.mktemp("run")
    command = [sys.executable, "-m", "savant_reid.testing", "easy", "--seed", "7", "--seconds", "120"]
    subprocess.run([*command, "--out", str(folder / "recording")], check=True, stdout=subprocess.DEVNULL)
    site = folder / "recording" / "site.yml"
    replay(ReplayRequest(folder / "recording" / "sightings.parquet", folder / "out", site))
    return folder / "out"


def read(path: Path) -> list[tuple[str, dict]]:
    return [("r", json.loads(line)) for line in path.read_text().splitlines()]


def of_tracks(run: Path) -> dict[tuple[str, int, int], int]:
    with open(run / "tracks.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["camera"], int(row["frame"]), int(row["track_id"])): int(row["global_id"]) for row in rows}


def of_history(connection: sqlite3.Connection) -> dict[tuple[str, int, int], int]:
    rows = connection.execute("SELECT camera, frame, track_id, global_id FROM history")
    return {(camera, frame, track): who for camera, frame, track, who in rows}


def orders(run: Path):
    frames, events = read(run / "frames.jsonl"), read(run / "identities.jsonl")
    yield "as it happened", sorted(events + frames, key=lambda one: one[1]["time_ns"])
    yield "frames first", frames + events
    yield "events first", events + frames
    shuffled = frames + events
    random.Random(1).shuffle(shuffled)
    yield "shuffled, some twice", shuffled + shuffled[::7]


def test_the_history_is_that_of_the_runs_files_in_whatever_order_messages_come(run, history_of):
    kinds = [event["kind"] for _, event in read(run / "identities.jsonl")]
    assert kinds.count("merged") >= 2
    assert kinds.count("split") >= 5
    wanted = of_tracks(run)
    for order, messages in orders(run):
        history = history_of(":memory:")
        for first in range(0, len(messages), 500):
            history.add(messages[first : first + 500])
        assert of_history(history.connection) == wanted, order
        boxes = history.connection.execute(f"SELECT {COLUMNS} FROM history LIMIT 1").fetchone()
        assert len(boxes) == 10
        history.close()


def said(frame: int, people: dict[int, int], camera: str = "door") -> tuple[str, dict]:
    box = {"left": 0.0, "top": 0.0, "width": 1.0, "height": 1.0}
    objects = [
        {"track_id": track, "box": box, "confidence": 0.9, "reid": {"global_id": who}} for track, who in people.items()
    ]
    where = {"camera": camera, "frame": frame, "time_ns": frame * 10**9, "objects": objects}
    return "r", {"schema": "savant-reid/frame/1", **where}


def told(sequence: int, kind: str, second: int, global_id: int, **more) -> tuple[str, dict]:
    known = {"camera": None, "track_id": None, "other_id": None, "since_ns": None, "reason": "", **more}
    what = {"sequence": sequence, "kind": kind, "time_ns": second * 10**9, "global_id": global_id}
    return "r", {"schema": "savant-reid/identity/1", **what, **known}


def test_a_correction_stands_though_the_identity_it_took_away_is_merged_later(history_of):
    history = history_of(":memory:")
    history.add([said(0, {7: 1}), said(1, {7: 1}), said(2, {7: 2})])
    history.add([told(0, "split", 2, 1, camera="door", track_id=7, other_id=2, since_ns=10**9)])
    history.add([told(1, "merged", 3, 1, other_id=5)])
    assert list(of_history(history.connection).values()) == [5, 2, 2]


def test_two_who_change_places_twice_are_themselves_again(history_of):
    history = history_of(":memory:")
    history.add([said(n, {1: 12, 2: 9}) for n in range(3)] + [said(3, {1: 9, 2: 12})])
    changes = [(1, 9, 12), (2, 12, 9)]  # (track, was, is), long ago, and now the other way round
    history.add(
        told(n, "split", 0, was, camera="door", track_id=t, other_id=now, since_ns=-(10**9))
        for n, (t, was, now) in enumerate(changes)
    )
    history.add(
        told(2 + n, "split", 3, now, camera="door", track_id=t, other_id=was, since_ns=2 * 10**9)
        for n, (t, was, now) in enumerate(changes)
    )
    assert [of_history(history.connection)["door", n, 1] for n in range(4)] == [12, 12, 9, 9]


def test_who_was_erased_is_gone(history_of):
    history = history_of(":memory:")
    history.add(
        [
            said(0, {7: 1, 8: 2}),
            told(0, "created", 0, 1, camera="door", track_id=7),
            told(1, "merged", 1, 1, other_id=3),
        ]
    )
    history.add([told(2, "erased", 2, 3)])
    assert of_history(history.connection) == {("door", 0, 8): 2}


def test_visits_end_where_somebody_stays_away(history_of):
    history = history_of(":memory:")
    history.add(said(n, {7: 1}) for n in (0, 1, 2, 30, 31))
    rows = history.connection.execute(
        "SELECT global_id, camera, from_ns, until_ns, frames FROM visits ORDER BY from_ns"
    )
    assert rows.fetchall() == [(1, "door", 0, 2 * 10**9, 3), (1, "door", 30 * 10**9, 31 * 10**9, 2)]


def consume_until(address: str, database: Path, sightings: int, how: signal.Signals) -> str:
    """Runs the sample until it has so many; returns what it has logged."""
    # Killed consumers keep their group waiting for 45 s: each has its own here, and hears all from the beginning.
    command = [sys.executable, str(SAMPLE / "consume.py"), "--brokers", address, "--database", str(database)]
    command += ["--group", how.name]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as consuming:
        deadline = time.monotonic() + 30
        while count(database) < sightings and consuming.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        consuming.send_signal(how)
        log = consuming.communicate(timeout=10)[1]
        assert count(database) >= sightings, log
        return log


def test_a_broker_that_is_away_is_told_once(tmp_path):
    command = [sys.executable, str(SAMPLE / "consume.py"), "--brokers", "127.0.0.1:1", "--database"]
    with subprocess.Popen([*command, str(tmp_path / "h")], stderr=subprocess.PIPE, text=True) as consuming:
        assert consuming.stderr is not None
        while "Connection refused" not in (line := consuming.stderr.readline()):
            assert line, "it has ended"
        time.sleep(2.5)  # two more attempts
        consuming.terminate()
        assert "Connection refused" not in consuming.communicate(timeout=20)[1]
    refused = subprocess.run([*command, str(tmp_path / "no" / "h")], capture_output=True, text=True, check=False)
    assert (refused.returncode, "unable to open database file" in refused.stderr) == (2, True)


def count(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'visits'").fetchone()
        return connection.execute("SELECT count(*) FROM sightings").fetchone()[0] if known else 0


def as_protobuf(line: bytes) -> bytes:
    """By the names that protobuf's own JSON form has."""
    said = json.loads(line)
    for one in (reid := [one["reid"] for one in said.get("objects", ())]):
        one["state"] = f"STATE_{one['state'].upper()}"
        one["reason"] = one["reason"] and f"REASON_{one['reason'].upper()}"
    if "kind" in said:
        said["kind"] = f"KIND_{said['kind'].upper()}"
        said["evidence"] = {name: "NaN" if value is None else value for name, value in said["evidence"].items()}
    said = {name: value for name, value in said.items() if value is not None}
    for one in reid:
        for name in [name for name, value in one.items() if value is None]:
            del one[name]
    value = ParseDict(said, message_classes()["Identity" if "kind" in said else "Frame"]()).SerializeToString()
    assert json_form(value) == json.loads(line)
    return value


def test_over_the_wire_with_rubbish_between_and_a_restart(run, tmp_path):
    settings = KafkaSettings()
    database = tmp_path / "history.sqlite"
    lines = {name: (run / f"{name}.jsonl").read_bytes().splitlines() for name in ("frames", "identities")}
    with broker_running() as broker:
        producer = KafkaProducer(settings.properties(broker.address))
        left, log = [0], ""

        def send(topic: str, name: str, key: str, value: bytes) -> None:
            left[0] += 1
            producer.send(topic, Message(f"r/{name}", key, value), lambda _: left.__setitem__(0, left[0] - 1))

        send(settings.frames_topic, "rubbish", "s", b"\xff\xfe{")
        send(settings.events_topic, "other", "s", b'{"schema": "another/1"}')
        for half in (0, 1):
            for topic, name in ((settings.events_topic, "identities"), (settings.frames_topic, "frames")):
                for line in lines[name] if half else lines[name][::2]:  # half of them come twice
                    send(topic, name, json.loads(line).get("camera") or "s", as_protobuf(line) if half else line)
            while left[0]:
                producer.poll(0.1)
            if half == 0:
                log = consume_until(broker.address, database, 1, signal.SIGKILL)
        log += consume_until(broker.address, database, len(of_tracks(run)), signal.SIGTERM)
        producer.close()
    assert log.count("passed over") >= 2
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (len(lines["identities"]),)
        assert of_history(connection) == of_tracks(run)
