"""RTSP both ways: our server, read by ffprobe and by our own camera source."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from itertools import repeat

import pytest

from savant_reid.errors import OutputError, SourceError
from savant_reid.hosts.local.batcher import Batcher
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.rtsp_server import RtspServer
from savant_reid.hosts.local.rtsp_source import QUEUE_FRAMES, RtspSource
from savant_reid.hosts.local.sources import open_sources
from tests.hosts.local.rtsp_feed import HOST, Feed
from tests.hosts.local.videos import make_video, number_of, probe
from tests.ports import free_port
from tests.waiting import until

QUICK_RETRY = lambda: repeat(0.05)  # noqa: E731 - the shape that RtspSource wants


@pytest.fixture
def server() -> Iterator[RtspServer]:
    server = RtspServer(0, ["door", "mosaic"], host=HOST, fps=30)
    feed = Feed(server)
    yield server
    feed.stop()
    server.stop()


@pytest.fixture
def opened() -> Iterator[list[RtspSource]]:
    sources: list[RtspSource] = []
    yield sources
    for source in sources:
        source.stop()


def camera(uri: str, opened: list[RtspSource], **options: object) -> RtspSource:
    options.setdefault("backoff", QUICK_RETRY)
    source = RtspSource("door", uri, **options)  # type: ignore[arg-type]
    opened.append(source)
    source.start()
    return source


def frames_of(source: RtspSource, count: int) -> list[Frame]:
    taken: list[Frame] = []

    def enough() -> bool:
        if source.peek(0.05) is not None:
            taken.append(source.take())  # type: ignore[arg-type]
        return len(taken) >= count

    until(enough, 15)
    return taken


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_ffprobe_reads_the_stream(server: RtspServer, transport: str) -> None:
    found = probe(server.url("door"), "-rtsp_transport", transport, "-read_intervals", "%+0.5")
    assert (found["codec_name"], found["width"], found["height"]) == ("h264", 160, 96)
    assert "Baseline" in found["profile"]
    assert int(found["nb_read_frames"]) >= 5


def test_a_camera_source_reads_the_stream(server: RtspServer, opened: list[RtspSource]) -> None:
    ticks = iter(range(1_000, 10**9, 7))
    source = camera(server.url("door"), opened, clock=lambda: next(ticks))
    frames = frames_of(source, 20)
    indices = [frame.index for frame in frames]
    assert indices == sorted(set(indices))
    assert all(frame.image.shape == (96, 160, 3) and frame.epoch == 0 for frame in frames)
    assert all((frame.time_ns - 1_000) % 7 == 0 for frame in frames)
    numbers = [number_of(frame.image) for frame in frames]
    assert numbers == sorted(set(numbers))
    assert source.connected
    assert (source.stats.width, source.stats.height, source.stats.connection_errors) == (160, 96, 0)


def test_encoding_only_while_somebody_watches(server: RtspServer, opened: list[RtspSource]) -> None:
    assert not server.watched("door")
    first = camera(server.url("door"), opened)
    second = camera(server.url("door"), opened)
    frames_of(first, 3)
    frames_of(second, 3)
    assert server.watched("door")
    assert not server.watched("mosaic")
    first.stop()
    frames_of(second, QUEUE_FRAMES + 3)
    assert server.watched("door")
    second.stop()
    until(lambda: not server.watched("door"))
    frames_of(camera(server.url("door"), opened), 3)


def test_a_client_that_is_killed_is_forgotten(server: RtspServer) -> None:
    command = ["ffmpeg", "-v", "quiet", "-rtsp_transport", "tcp", "-i", server.url("door"), "-f", "null", "-"]
    with subprocess.Popen(command) as process:
        until(lambda: server.watched("door"))
        process.kill()
    until(lambda: not server.watched("door"))


def test_a_client_before_the_first_picture_waits_and_holds_up_nobody(opened: list[RtspSource]) -> None:
    server = RtspServer(0, ["door", "hall"], host=HOST, fps=30)
    try:
        early = camera(server.url("door"), opened)
        until(lambda: server.watched("door"))
        hall = Feed(server, "hall")
        frames_of(camera(server.url("hall"), opened), 3)
        assert early.peek(0) is None
        door = Feed(server, "door")
        frames_of(early, 3)
        assert early.stats.connection_errors == 0
        hall.stop()
        door.stop()
    finally:
        server.stop()


def test_pushing_never_waits_for_a_client_that_does_not_read(server: RtspServer) -> None:
    feed = Feed(server, "mosaic", (1280, 720))
    with socket.create_connection((HOST, server.port)) as client:
        client.sendall(b"DESCRIBE " + server.url("mosaic").encode() + b" RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        until(lambda: server.watched("mosaic"))
        assert client.recv(100).startswith(b"RTSP/1.0 200")
    feed.stop()
    assert feed.slowest_push_seconds < 5


def test_a_taken_port_names_the_port(server: RtspServer) -> None:
    with pytest.raises(OutputError, match=rf"port {server.port} on 127.0.0.1 cannot be used.*choose another port"):
        RtspServer(server.port, ["door"], host=HOST)


def test_an_address_of_another_machine_is_no_matter_of_ports() -> None:
    with pytest.raises(OutputError, match=r"on 192\.0\.2\.1 cannot be used.*expected an address of this machine"):
        RtspServer(0, ["door"], host="192.0.2.1")


def test_stop_ends_clients_and_frees_the_port(opened: list[RtspSource]) -> None:
    server = RtspServer(0, ["door"], host=HOST, fps=30)
    feed = Feed(server)
    source = camera(server.url("door"), opened)
    frames_of(source, 3)
    feed.stop()
    server.stop()
    server.stop()
    assert not server.watched("door")
    until(lambda: source.stats.connection_errors > 0)
    again = RtspServer(server.port, ["door"], host=HOST)
    again.stop()


def test_a_camera_that_breaks_comes_back_in_a_new_epoch(
    opened: list[RtspSource], caplog: pytest.LogCaptureFixture
) -> None:
    server = RtspServer(0, ["door"], host=HOST, fps=30)
    feed = Feed(server)
    secret_uri = server.url("door").replace("rtsp://", "rtsp://admin:hunter2@")
    with caplog.at_level(logging.DEBUG):
        source = camera(secret_uri, opened)
        before = frames_of(source, 3)
        feed.stop()
        server.stop()
        until(lambda: source.stats.connection_errors >= 2 and not source.connected)
        server = RtspServer(server.port, ["door"], host=HOST, fps=30)
        feed = Feed(server, size=(96, 64))
        until(lambda: source.stats.reconnects == 1)
        after: list[Frame] = []
        until(lambda: after.extend(frames_of(source, 1)) or after[-1].image.shape[0] == 64)
        feed.stop()
        server.stop()
    assert after[-1].epoch > before[-1].epoch
    assert after[-1].index > before[-1].index
    assert after[-1].time_ns > before[-1].time_ns
    assert "next attempt" in caplog.text
    assert "is back" in caplog.text
    assert "hunter2" not in caplog.text
    assert "admin" not in caplog.text


def test_a_stream_that_falls_silent_is_connected_anew(opened: list[RtspSource]) -> None:
    server = RtspServer(0, ["door"], host=HOST, fps=30)
    feed = Feed(server)
    source = camera(server.url("door"), opened, stall_seconds=0.5)
    frames_of(source, 3)
    feed.stop()
    until(lambda: source.stats.connection_errors >= 1)
    feed = Feed(server)
    until(lambda: source.stats.reconnects >= 1)
    feed.stop()
    server.stop()


def test_change_of_resolution_in_a_running_stream(server: RtspServer, opened: list[RtspSource]) -> None:
    source = camera(server.url("mosaic"), opened)
    feed = Feed(server, "mosaic", (160, 96))
    before = frames_of(source, 3)
    feed.size = (320, 192)
    after: list[Frame] = []
    until(lambda: after.extend(frames_of(source, 1)) or after[-1].image.shape[0] == 192)
    assert after[-1].epoch == before[-1].epoch + 1
    assert source.stats.reconnects == 0
    feed.stop()


def test_a_slow_consumer_gets_the_newest(server: RtspServer, opened: list[RtspSource]) -> None:
    source = camera(server.url("door"), opened)
    until(lambda: source.stats.drops.get("late", 0) >= 5)
    frame = source.take()
    assert frame is not None
    assert frame.index >= 5
    assert source.stats.frames == 1


def test_a_dead_camera_does_not_hold_up_the_others(server: RtspServer, opened: list[RtspSource], tmp_path) -> None:
    live = RtspSource("door", server.url("door"), backoff=QUICK_RETRY)
    dead = RtspSource("dead", f"rtsp://{HOST}:{free_port()}/none", backoff=QUICK_RETRY)
    opened.extend([live, dead])
    file = open_sources([("file", str(make_video(tmp_path / "file.mp4", 5)))])[0]
    batcher = Batcher([live, dead, file])
    seen: dict[str, int] = {}
    for batch in batcher:
        for frame in batch:
            seen[frame.camera] = seen.get(frame.camera, 0) + 1
        if seen.get("door", 0) >= 10 and dead.stats.connection_errors >= 2:
            batcher.stop()
    assert seen["file"] == 5
    assert set(seen) == {"door", "file"}
    assert live.ended


def test_a_host_that_accepts_and_says_nothing(opened: list[RtspSource]) -> None:
    with socket.socket() as silent:
        silent.bind((HOST, 0))
        silent.listen()
        source = camera(f"rtsp://{HOST}:{silent.getsockname()[1]}/door", opened, stall_seconds=0.3)
        until(lambda: source.stats.connection_errors >= 2)
        started = time.monotonic()
        source.stop()
        assert time.monotonic() - started < 3


def test_retries_leave_no_file_descriptors_behind(opened: list[RtspSource]) -> None:
    source = camera(f"rtsp://{HOST}:{free_port()}/none", opened, backoff=lambda: repeat(0.001))
    until(lambda: source.stats.connection_errors >= 5)
    before = len(os.listdir("/proc/self/fd"))
    until(lambda: source.stats.connection_errors >= 20)
    assert len(os.listdir("/proc/self/fd")) <= before + 10


def test_a_uri_without_host() -> None:
    with pytest.raises(SourceError, match=r"expected rtsp://\[user:password@\]host"):
        RtspSource("door", "rtsp:///live")
