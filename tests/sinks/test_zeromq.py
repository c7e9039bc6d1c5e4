"""Metadata over real ZeroMQ sockets."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
import zmq
from sink_records import event, frame

import savant_reid.sinks
from savant_reid.errors import OutputError, SavantReidError
from savant_reid.sinks.folder_sink import open_run_sinks
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.zeromq import EVENTS_TOPIC, ZeroMqSink, frame_topic

SCHEMAS = Path(savant_reid.sinks.__file__).parent / "schemas"
ANY_PORT = "tcp://127.0.0.1:*"
Subscribe = Callable[..., zmq.Socket]


@pytest.fixture
def open_sink() -> Iterator[Callable[..., ZeroMqSink]]:
    sinks = []

    def open_one(address: str = ANY_PORT, **options) -> ZeroMqSink:
        sinks.append(ZeroMqSink(address, FrameLines("store-12"), **options))
        return sinks[-1]

    yield open_one
    for sink in sinks:
        sink.close()


@pytest.fixture
def subscribe() -> Iterator[Subscribe]:
    context = zmq.Context()
    sockets = []

    def to(sink: ZeroMqSink, *topics: str, queue: int = 1000) -> zmq.Socket:
        """A subscriber that has been heard: the sink has answered it."""
        subscriber = context.socket(zmq.SUB)
        sockets.append(subscriber)
        subscriber.setsockopt(zmq.RCVHWM, queue)
        subscriber.setsockopt(zmq.RCVTIMEO, 5000)
        subscriber.connect(sink.address.partition("+bind:")[2])
        for topic in ("hello/", *topics):
            subscriber.subscribe(topic)
        while not subscriber.poll(20):
            sink._socket.send_multipart([b"hello/", b""])
        while subscriber.poll(100):
            subscriber.recv_multipart()
        subscriber.unsubscribe("hello/")
        return subscriber

    yield to
    for subscriber in sockets:
        subscriber.close(linger=0)
    context.term()


def received(subscriber: zmq.Socket) -> tuple[str, dict]:
    topic, text = subscriber.recv_multipart()
    return topic.decode(), json.loads(text)


def all_received(subscriber: zmq.Socket, patience_ms: int = 300) -> list[tuple[str, dict]]:
    messages = []
    while subscriber.poll(patience_ms):
        messages.append(received(subscriber))
    return messages


def check(name: str, message: dict) -> None:
    jsonschema.validate(message, json.loads((SCHEMAS / f"{name}.json").read_text()))


def test_frames_and_events_keep_their_schemas(open_sink, subscribe):
    sink = open_sink()
    subscriber = subscribe(sink, frame_topic("door"), EVENTS_TOPIC)
    sink.write_events([event("created", 3, camera="door", track_id=7), event("merged", 3, other_id=1)])
    sink.write_frame(frame(4, {7: 3, 9: None}))
    messages = [received(subscriber) for _ in range(3)]
    assert [topic for topic, _ in messages] == [EVENTS_TOPIC, EVENTS_TOPIC, "frame/door/"]
    for name, (_, message) in zip(("identity", "identity", "frame"), messages, strict=True):
        check(name, message)
    assert [message["sequence"] for _, message in messages[:2]] == [0, 1]
    assert messages[2][1]["objects"][0]["reid"]["global_id"] == 3
    assert sink.metrics() == {"address": sink.address, "frames": 1, "events": 2, "refused": 0, "overruns": 0}


def test_a_camera_is_heard_alone_though_anothers_name_begins_like_it(open_sink, subscribe):
    sink = open_sink()
    one = subscribe(sink, frame_topic("aisle-1"))
    both = subscribe(sink, "frame/")
    for camera in ("aisle-1", "aisle-10", "identity"):
        sink.write_frame(frame(0, {}, camera=camera))
    sink.write_events([event("created", 1)])
    assert [topic for topic, _ in all_received(one)] == ["frame/aisle-1/"]
    assert [m["camera"] for _, m in all_received(both)] == ["aisle-1", "aisle-10", "identity"]


def test_what_goes_out_is_what_the_files_hold(subscribe, tmp_path):
    lines = FrameLines("store-12")
    sink = ZeroMqSink(ANY_PORT, lines)
    subscriber = subscribe(sink, "")
    both = open_run_sinks(tmp_path, "store-12", "model", lines=lines, more=[sink])
    both.write_events([event("created", 3)])
    broken = frame(0, {7: 3, 8: 4})
    broken.sightings.boxes[1, 0] = float("nan")
    both.write_frame(broken)
    texts = [subscriber.recv_multipart()[1].decode() for _ in range(2)]
    both.close()
    assert texts == [(tmp_path / name).read_text().rstrip("\n") for name in ("identities.jsonl", "frames.jsonl")]
    assert lines.refused_objects == 1


def test_a_subscriber_that_never_reads_costs_no_time_and_others_nothing(open_sink, subscribe):
    sink = open_sink(queue_messages=50)
    reader = subscribe(sink, "frame/", queue=1_000_000)
    asleep = subscribe(sink, "frame/", queue=1)
    record = frame(0, dict.fromkeys(range(300), 5))  # some 60 kB
    slowest_s, count, heard, after = 0.0, 0, 0, 0
    while after < 100:
        begin = time.perf_counter()
        sink.write_frame(record)
        slowest_s = max(slowest_s, time.perf_counter() - begin)
        count += 1
        after += sink.overruns > 0
        if count % 10 == 0:
            heard += len(all_received(reader, 20))
        assert count < 2000, "the kernel's buffers cannot hold that much"
    heard += len(all_received(reader))
    assert heard == count, "the one who reads lost messages too"
    assert slowest_s < 5
    assert sink.metrics() == {"address": sink.address, "frames": count, "events": 0, "refused": 0, "overruns": 1}
    begin = time.perf_counter()
    sink.close()
    assert time.perf_counter() - begin < 3
    assert 0 < len(all_received(asleep)) <= count - 100


def test_one_who_falls_behind_and_comes_back_hears_again(open_sink, subscribe):
    sink = open_sink(queue_messages=10)
    slow = subscribe(sink, "frame/", queue=1)
    people = dict.fromkeys(range(300), 5)
    for spell in (1, 2):
        number = 0
        while sink.overruns < spell:
            sink.write_frame(frame(number, people))
            number += 1
            assert number < 2000
        assert all_received(slow)
        sink.write_frame(frame(5555, {}))
        assert all_received(slow)[-1][1]["frame"] == 5555
    assert sink.overruns == 2


def test_a_sink_can_connect_to_whoever_gathers(open_sink):
    context = zmq.Context()
    gatherer = context.socket(zmq.SUB)
    gatherer.subscribe("identity/")
    gatherer.setsockopt(zmq.RCVTIMEO, 5000)
    port = gatherer.bind_to_random_port("tcp://127.0.0.1")
    sink = open_sink(f"pub+connect:tcp://127.0.0.1:{port}")
    while not gatherer.poll(20):
        sink.write_events([event("created", 1)])
    assert received(gatherer)[1]["kind"] == "created"
    gatherer.close(linger=0)
    context.term()


def test_the_example_of_the_documents_hears(open_sink):
    page = Path(__file__).parents[2] / "docs" / "metadata.md"
    [example] = [one for one in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL) if "SUB)" in one]
    sink = open_sink()
    example = example.replace("tcp://127.0.0.1:5557", sink.address.partition("+bind:")[2])
    with subprocess.Popen([sys.executable, "-c", example], stdout=subprocess.PIPE, text=True) as reader:
        while reader.poll() is None:
            sink.write_frame(frame(0, {7: 3}, camera="entrance"))
            time.sleep(0.02)
        assert reader.stdout is not None
        assert reader.stdout.read().startswith("frame/entrance/ {'schema': 'savant-reid/frame/1'")


def test_ipc_and_a_socket_left_behind(open_sink, subscribe, tmp_path):
    address = f"ipc://{tmp_path}/metadata.ipc"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "metadata.ipc"))
    sink = open_sink(f"pub+bind:{address}")
    subscriber = subscribe(sink, "frame/")
    sink.write_frame(frame(0, {}))
    assert received(subscriber)[1]["camera"] == "door"
    with pytest.raises(OutputError, match="another program listens there"):
        open_sink(address)


def test_a_file_of_the_users_own_is_not_taken_for_a_socket(open_sink, tmp_path):
    mine = tmp_path / "notes.txt"
    mine.write_text("mine")
    with pytest.raises(OutputError, match="expected a free path or a socket, found another file"):
        open_sink(f"ipc://{mine}")
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "5555",
        "udp://127.0.0.1:5555",
        "router+bind:tcp://127.0.0.1:5555",
        "pub+listen:tcp://127.0.0.1:5555",
        "tcp://",
    ],
)
def test_other_addresses_are_refused(open_sink, address):
    with pytest.raises(OutputError, match=r"expected \[pub\+bind:\|pub\+connect:\]tcp://HOST:PORT or ipc://PATH"):
        open_sink(address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:port", "tcp://127.0.0.1:99999", "tcp://127.0.0.1", "tcp://[::1]"])
def test_ports_that_are_none_are_refused(open_sink, address):
    with pytest.raises(OutputError, match="expected a port up to 65535 at the end"):
        open_sink(address)


@pytest.mark.parametrize("address", ["ipc:///no/such/folder/a.ipc", "tcp://198.51.100.7:5555"])
def test_addresses_that_cannot_be_used_are_named(open_sink, address):
    with pytest.raises(OutputError, match="cannot be used") as error:
        open_sink(address)
    assert address in str(error.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_the_port_that_was_found_is_told(open_sink, host):
    sink = open_sink(f"tcp://{host}:*")
    assert re.fullmatch(rf"pub\+bind:tcp://{re.escape(host)}:\d+", sink.address)


def test_a_port_that_is_taken(open_sink):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OutputError, match="in use"):
        open_sink(f"tcp://127.0.0.1:{taken.getsockname()[1]}")


def test_a_peer_that_sends_rubbish_disturbs_nobody(open_sink, subscribe):
    sink = open_sink()
    host, port = sink.address.rpartition("//")[2].split(":")
    subscriber = subscribe(sink, "frame/")
    with zmq.Context() as context, context.socket(zmq.XSUB) as pushy:
        pushy.setsockopt(zmq.LINGER, 0)
        pushy.connect(f"tcp://{host}:{port}")
        pushy.send(b"\x01" + b"frame/" + bytes(20_000))  # no camera's name is that long
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n" * 1000)
            for number in range(20):
                sink.write_frame(frame(number, {}))
                time.sleep(0.01)
    assert [message["frame"] for _, message in all_received(subscriber)] == list(range(20))


def test_names_of_broken_utf8_arrive_mended(subscribe):
    sink = ZeroMqSink(ANY_PORT, FrameLines("caf\udce9"))
    subscriber = subscribe(sink, "")
    sink.write_frame(frame(0, {7: 3}, camera="t\udcfcr"))
    sink.write_frame(frame(0, {7: 3}, camera="Tür"))
    sink.write_events([event("enrolled", 3, reason="Jos\udce9")])
    heard = all_received(subscriber)
    sink.close()
    assert [topic for topic, _ in heard] == ["frame/t?r/", "frame/Tür/", "identity/"]
    assert (heard[0][1]["camera"], heard[2][1]["reason"], heard[2][1]["site"]) == ("t?r", "Jos?", "caf?")


def test_a_message_of_2_gb_is_refused_and_the_next_one_arrives(subscribe, caplog):
    class Lines(FrameLines):
        def line(self, record):
            return "x" * 2_000_000_000 if record.frame == 1 else super().line(record)

    sink = ZeroMqSink(ANY_PORT, Lines("s"))
    subscriber = subscribe(sink, "frame/")
    for number in range(3):
        sink.write_frame(frame(number, {7: 3}))
    assert [message["frame"] for _, message in all_received(subscriber)] == [0, 2]
    assert (sink.metrics()["frames"], sink.metrics()["refused"]) == (2, 1)
    assert "a message of 2000000000 characters is too long" in caplog.text
    sink.close()


def test_without_the_package_it_says_what_to_install(open_sink, monkeypatch):
    monkeypatch.setitem(sys.modules, "zmq", None)
    with pytest.raises(SavantReidError, match=r"pyzmq, found none; install it with: pip install 'savant-reid\[zmq\]'"):
        open_sink()
