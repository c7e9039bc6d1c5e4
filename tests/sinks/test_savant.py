"""Savant's own protocol over real ZeroMQ sockets, read by savant-rs in another process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from sink_records import event, frame
from tests.waiting import until

from savant_reid.hosts.deepstream import attributes as deepstream
from savant_reid.hosts.deepstream import events as deepstream_events
from savant_reid.hosts.plugin import PEOPLE
from savant_reid.sinks import savant, savant_messages, savant_socket

# Python 3.13 and later have no wheel of it.
pytest.importorskip("savant_rs.utils.serialization")

READER = Path(__file__).with_name("savant_reader.py")
# Our side, the reader's side.
PAIRS = {
    "dealer": ("dealer+connect:", "router+bind:"),
    "dealer that binds": ("dealer+bind:", "router+connect:"),
    "req": ("req+connect:", "rep+bind:"),
    "pub": ("pub+bind:", "sub+connect:"),
    "pub that connects": ("pub+connect:", "sub+bind:"),
}


class Reader:
    """savant_reader.py in a process of its own."""

    def __init__(self, address: str, ends: int, out: Path) -> None:
        self._out = out
        with out.open("w") as stdout:
            self.process = subprocess.Popen([sys.executable, str(READER), address, str(ends)], stdout=stdout)
        until(lambda: self._lines())

    def _lines(self) -> list[str]:
        return [line for line in self._out.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def so_far(self) -> list[dict]:
        return [json.loads(line) for line in self._lines()[1:]]

    def all(self) -> list[dict]:
        """When it has heard its ends."""
        assert self.process.wait(60) == 0
        return self.so_far()


@contextmanager
def reading(address: str, out: Path, ends: int = 1) -> Iterator[Reader]:
    reader = Reader(address, ends, out)
    try:
        yield reader
    finally:
        reader.process.kill()
        reader.process.wait()


def frames_of(told: list[dict]) -> list[dict]:
    return [one for one in told if "pts" in one]


@pytest.mark.parametrize("pair", PAIRS)
def test_savant_rs_reads_frames_events_and_ends(pair, open_savant, tmp_path):
    ours, theirs = PAIRS[pair]
    endpoint = f"ipc://{tmp_path}/out.ipc"
    sink = open_savant(ours + endpoint, frame_rate=lambda camera: 10.0 if camera == "door" else 29.97)
    published = "pub" in pair
    with reading(theirs + endpoint, tmp_path / "heard", ends=3 if published else 2) as reader:
        if published:  # whom it does not know yet, it does not send to
            hello = frame(0, {}, camera="hello")
            until(lambda: sink.write_frame(hello) or time.sleep(0.05) or reader.so_far())
        sink.write_events([event("created", 3, camera="door", track_id=7), event("merged", 3, other_id=1)])
        for number in range(300):
            sink.write_frame(frame(number, {7: 3, 9: None}, camera="door" if number % 3 else "till"))
        sink.write_events([event("expired", 5)])
        sink.write_frame(frame(300, {}, camera="door"))
        sink.close()
        told = [one for one in reader.all() if one["topic"] != "hello"]
    assert all(one["in_order"] for one in told)
    heard = frames_of(told)
    assert [one["pts"] for one in heard] == [number * 100_000_000 for number in range(301)]
    assert [one["source_id"] for one in heard] == ["door" if number % 3 else "till" for number in range(300)] + ["door"]
    assert all(one["topic"] == one["source_id"] for one in heard)
    assert sorted(one["end"] for one in told if "end" in one) == ["door", "till"]
    assert [len(one["events"]) for one in heard] == [2] + [0] * 299 + [1]
    assert [(one["kind"], one["sequence"]) for one in heard[0]["events"]] == [("created", 0), ("merged", 1)]
    assert {(one["source_id"], one["framerate"]) for one in heard} == {("door", "10/1"), ("till", "2997/100")}
    assert (heard[0]["size"], heard[0]["time_base"], heard[0]["content"]) == ([640, 480], [1, 10**9], False)
    figures = sink.metrics()
    assert (figures["events"], figures["dropped"], figures["waiting"]) == (3, 0, 0)
    assert (figures["ends"], figures["confirmed"]) == ((3, 0) if published else (2, 2))


def test_people_are_objects_as_the_module_inside_savant_writes_them(open_savant, tmp_path):
    record = frame(4, {7: 3, 9: None})
    written: dict[int, dict] = {}
    deepstream.Attributes(written, lambda *of: of).write([1, 2], record.decisions)
    sink = open_savant(f"dealer+bind:ipc://{tmp_path}/out.ipc")
    with reading(f"router+connect:ipc://{tmp_path}/out.ipc", tmp_path / "heard") as reader:
        sink.write_frame(record)
        sink.close()
        found = reader.all()[0]["objects"]
    types = {int: "Integer", str: "String", float: "Float"}
    for one, uid in zip(found, (1, 2), strict=True):
        assert one["attributes"] == {
            f"{element}.{name}": [types[type(value)], pytest.approx(value), confidence, False]
            for [(element, name, value, confidence)] in written[uid].values()
        }
    assert f"{found[0]['namespace']}.{found[0]['label']}" == PEOPLE
    assert [one["track_id"] for one in found] == [7, 9]
    assert found[0]["box"] == [15, 40, 30, 40, 0]
    assert found[1]["box"] == pytest.approx([25.123, 40, 30, 40, 0], abs=1e-4)
    assert found[1]["track_box"] == found[1]["box"][:2]
    assert found[0]["confidence"] == pytest.approx(0.9)
    assert deepstream_events.ATTRIBUTE == savant_messages.EVENTS


def test_without_a_reader_the_oldest_frames_go_and_no_event(open_savant, tmp_path, caplog):
    endpoint = f"ipc://{tmp_path}/out.ipc"
    sink = open_savant(f"dealer+bind:{endpoint}", queue_bytes=50_000)
    slowest_s = 0.0
    for number in range(2000):
        begin = time.perf_counter()
        if number % 100 == 0:
            sink.write_events([event("created", number // 100)])
        sink.write_frame(frame(number, {7: 3, 9: None}))
        slowest_s = max(slowest_s, time.perf_counter() - begin)
    assert slowest_s < 5
    dropped = sink.metrics()["dropped"]
    assert 1500 < dropped < 2000
    with reading(f"router+connect:{endpoint}", tmp_path / "heard") as reader:
        sink.close()
        told = reader.all()
    numbers = [one["pts"] // 100_000_000 for one in frames_of(told)]
    assert numbers[-30:] == list(range(1970, 2000))
    assert len(numbers) == 2000 - dropped
    assert numbers == sorted(numbers)
    assert [one["sequence"] for heard in frames_of(told) for one in heard["events"]] == list(range(20))
    assert sink.metrics()["confirmed"] == 1
    assert "no reader that keeps up; frames are lost" in caplog.text


@pytest.mark.parametrize("pair", ["dealer", "req", "pub"])
def test_a_reader_that_never_reads_costs_frames_and_no_time(pair, open_savant, tmp_path, monkeypatch):
    monkeypatch.setitem(savant_socket._QUEUED, "pub", 50)
    ours, theirs = PAIRS[pair]
    endpoint = f"ipc://{tmp_path}/out.ipc"
    sink = open_savant(ours + endpoint, queue_bytes=1 << 20, close_seconds=0.5)
    with reading(theirs + endpoint, tmp_path / "heard") as reader:
        record = frame(0, dict.fromkeys(range(300), 5))  # some 60 kB
        written = []
        until(lambda: written.append(sink.write_frame(record)) or time.sleep(0.02) or reader.so_far())
        reader.process.send_signal(signal.SIGSTOP)
        slowest_s, count = 0.0, 0
        while sink.metrics()["dropped"] + sink.metrics()["overruns"] < (1 if pair == "pub" else 100):
            begin = time.perf_counter()
            sink.write_frame(record)
            slowest_s = max(slowest_s, time.perf_counter() - begin)
            count += 1
            time.sleep(0.001)
            assert count < 3000, "no buffer on the way holds that much"
        begin = time.perf_counter()
        sink.close()
        assert time.perf_counter() - begin < 5
    assert slowest_s < 5
    found = sink.metrics()
    assert found["frames"] + found["dropped"] == len(written) + count, "each is counted"
    assert found["waiting"] == 0


def test_a_reader_that_goes_before_it_answers_has_its_successor_asked_again(open_savant, tmp_path, monkeypatch):
    monkeypatch.setattr("savant_reid.sinks.savant_socket._ANSWER_SECONDS", 0.3)
    endpoint = f"ipc://{tmp_path}/out.ipc"
    sink = open_savant(f"req+connect:{endpoint}")
    with zmq.Context() as context:
        with context.socket(zmq.REP) as first:
            first.bind(endpoint)
            sink.write_frame(frame(0, {7: 3}))
            assert first.poll(10_000)
            first.recv_multipart()
        with reading(f"rep+bind:{endpoint}", tmp_path / "heard") as reader:
            sink.write_frame(frame(1, {7: 3}))
            sink.close()
            heard = frames_of(reader.all())
    assert [one["pts"] for one in heard] == [0, 100_000_000]
    assert sink._socket.counts["repeated"] >= 1
    assert sink.metrics()["confirmed"] == 1


@pytest.mark.parametrize("pair", ["dealer", "req"])
def test_the_successor_of_a_reader_that_was_killed_hears_on(pair, open_savant, tmp_path, monkeypatch):
    monkeypatch.setattr("savant_reid.sinks.savant_socket._ANSWER_SECONDS", 0.3)
    ours, theirs = PAIRS[pair]
    endpoint = f"ipc://{tmp_path}/out.ipc"
    sink = open_savant(ours + endpoint)
    with reading(theirs + endpoint, tmp_path / "first") as reader:
        for number in range(100):
            sink.write_frame(frame(number, {7: 3}))
        until(lambda: len(reader.so_far()) >= 20)
    first = reader.so_far()
    for number in range(100, 200):
        sink.write_frame(frame(number, {7: 3}))
    with reading(theirs + endpoint, tmp_path / "second") as reader:
        sink.close()
        second = frames_of(reader.all())
    numbers = [[one["pts"] // 100_000_000 for one in heard] for heard in (first, second)]
    assert numbers[1] == sorted(numbers[1])
    assert numbers[1][-100:] == list(range(100, 200))
    if pair == "req":  # the one it died over can be heard twice, or never where it had answered already
        assert len(set(range(200)) - {*numbers[0], *numbers[1]}) <= 1
        assert len(numbers[0]) + len(numbers[1]) <= 201
    assert sink.metrics()["confirmed"] == 1
    assert sink.metrics()["dropped"] == 0


def test_an_error_while_sending_is_said_once_and_got_over(open_savant, tmp_path, monkeypatch, caplog):
    endpoint = f"ipc://{tmp_path}/out.ipc"
    sink = open_savant(f"dealer+connect:{endpoint}")
    offer, errors = sink._socket.offer, iter([OSError("no memory")] * 3)

    def failing(*arguments):
        for error in errors:
            raise error
        return offer(*arguments)

    monkeypatch.setattr(sink._socket, "offer", failing)
    with reading(f"router+bind:{endpoint}", tmp_path / "heard") as reader:
        for number in range(5):
            sink.write_frame(frame(number, {7: 3}))
        sink.close()
        heard = frames_of(reader.all())
    assert [one["pts"] // 100_000_000 for one in heard] == list(range(5))
    assert caplog.text.count("goes on after an error") == 1


def test_an_end_is_told_once_and_a_camera_may_begin_anew(open_savant, tmp_path):
    endpoint = f"ipc://{tmp_path}/out.ipc"
    sink = open_savant(f"dealer+connect:{endpoint}")
    with reading(f"router+bind:{endpoint}", tmp_path / "heard", ends=3) as reader:
        sink.write_frame(frame(0, {}, camera="a"))
        sink.write_frame(frame(0, {}, camera="b"))
        for _ in range(2):
            sink.end_source("a")
        sink.end_source("never seen")
        sink.write_frame(frame(1, {}, camera="a"))
        sink.close()
        sink.close()
        told = reader.all()
    assert [one.get("end") or one["source_id"] for one in told] == ["a", "b", "a", "a", "b", "a"]
    assert all(one["in_order"] for one in told)


def test_names_of_broken_utf8_arrive_mended(open_savant, tmp_path):
    endpoint = f"ipc://{tmp_path}/out.ipc"
    sink = open_savant(f"dealer+connect:{endpoint}", site="caf\udce9")
    with reading(f"router+bind:{endpoint}", tmp_path / "heard", ends=2) as reader:
        sink.write_events([event("enrolled", 3, reason="Jos\udce9")])
        sink.write_frame(frame(0, {7: 3}, camera="t\udcfcr"))
        sink.write_frame(frame(0, {7: 3}, camera="Tür"))
        sink.close()
        told = reader.all()
    assert [one["topic"] for one in told] == ["t?r", "Tür", "t?r", "Tür"]
    assert told[0]["events"][0]["reason"] == "Jos?"
    assert told[0]["events"][0]["site"] == "caf?"


def test_a_message_of_2_gb_is_refused(open_savant, tmp_path, monkeypatch):
    endpoint = f"ipc://{tmp_path}/out.ipc"
    sink = open_savant(f"dealer+connect:{endpoint}")
    monkeypatch.setattr(savant, "event_line", lambda *_: "x" * 2_000_000_000)
    sink.write_events([event("enrolled", 3)])
    monkeypatch.undo()
    assert sink.metrics()["refused"] == 1
    monkeypatch.setattr(savant, "LONGEST_MESSAGE_BYTES", 10_000)
    sink.write_events([event("created", 4)])
    sink.write_frame(frame(0, dict.fromkeys(range(300), 5)))
    sink.write_frame(frame(1, {7: 3}))
    with reading(f"router+bind:{endpoint}", tmp_path / "heard") as reader:
        sink.close()
        [heard] = frames_of(reader.all())
    assert heard["pts"] == 100_000_000
    assert [one["sequence"] for one in heard["events"]] == [1], "they left with the next frame"
    assert sink.metrics()["refused"] == 2


def test_the_example_of_the_documents_hears(open_savant, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "metadata.md").read_text()
    [example] = [one for one in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "savant_rs" in one]
    address = f"ipc://{tmp_path}/out.ipc"
    sink = open_savant(f"pub+bind:{address}")
    example = example.replace("tcp://127.0.0.1:5558", address)
    with subprocess.Popen([sys.executable, "-c", example], stdout=subprocess.PIPE, text=True) as reader:
        while reader.poll() is None:
            sink.write_frame(frame(3, {7: 3}, camera="entrance"))
            time.sleep(0.02)
        assert reader.stdout is not None
        assert reader.stdout.read() == "entrance 300000000 7 3\n"
