"""Clients of our RTSP server that misbehave: they stop reading, vanish, come in crowds."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from savant_reid.hosts.local import rtsp_clients
from savant_reid.hosts.local.rtsp_server import RtspServer
from savant_reid.process_memory import peak_mib
from tests.hosts.local.rtsp_client import RawClient, figures, read_by_ffmpeg
from tests.hosts.local.rtsp_feed import HOST
from tests.waiting import until

# Clients that misbehave.


def test_a_client_that_stops_reading_is_closed_and_nobody_notices(
    server: RtspServer, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (360, 640, 3), dtype=np.uint8) for _ in range(8)]
    slowest, done = [0.0], threading.Event()

    def push() -> None:
        while not done.wait(0.03):
            for mount in ("door", "hall"):
                begin = time.monotonic()
                server.push(mount, images[rng.integers(8)])
                slowest[0] = max(slowest[0], time.monotonic() - begin)

    feed = threading.Thread(target=push)
    feed.start()
    try:
        with (
            RawClient(server.url("door"), receive_bytes=4096) as stalled,
            RawClient(server.url("door")) as reader,
            RawClient(server.url("hall")) as other,
        ):
            stalled.play()
            units, elsewhere = reader.play().units(), other.play().units()
            before = peak_mib()
            until(lambda: next(units) and next(elsewhere) and figures(server)["clients_closed"], 60)
            until(lambda: next(units) and next(elsewhere) and figures(server)["clients"] == 1)
            assert peak_mib() - before < 64
            list(islice(units, 100))
            list(islice(elsewhere, 100))
        assert figures(server)["clients_closed"] == 1
        assert figures(server, "hall")["clients_closed"] == 0
        assert figures(server)["encodings"] == 1
    finally:
        done.set()
        feed.join()
    assert slowest[0] < 5
    assert "has read nothing of door" in caplog.text


@pytest.mark.usefixtures("feed")
def test_a_client_that_pauses_is_kept(server: RtspServer) -> None:
    """Nothing is sent to it, so nothing is missed, while others go on."""
    checks = []
    check = server.clients.check
    server.clients.check = lambda server: checks.append(check(server))  # type: ignore[method-assign]
    other = read_by_ffmpeg(server.url("door"), "tcp")
    try:
        with RawClient(server.url("door")) as client:
            client.play()
            assert client.ask("PAUSE").startswith("RTSP/1.0 200")
            until(lambda: figures(server)["clients"] == 1)
            before = len(checks)
            until(lambda: len(checks) > before + 2 * server.clients.stall_seconds, 30)
            assert client.ask("PLAY").startswith("RTSP/1.0 200")
            list(islice(client.units(), 30))
    finally:
        other.kill()
        other.wait()
    assert figures(server)["clients_closed"] == 0


@pytest.mark.usefixtures("feed")
def test_a_client_that_loses_its_power_is_forgotten(server: RtspServer) -> None:
    """Over UDP, its connection open but silent: only the session's time ends it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media, RawClient(server.url("door")) as client:
        media.bind((HOST, 0))
        setup_udp(client, media.getsockname()[1])
        assert client.ask("PLAY").startswith("RTSP/1.0 200")
        until(lambda: figures(server)["clients"] == 1)
        until(lambda: not server.watched("door"), 30)
        assert figures(server)["clients"] == 0


def setup_udp(client: RawClient, port: int, more: str = "") -> None:
    client.describe()
    transport = f"Transport: RTP/AVP;unicast{more};client_port={port}-{port + 1}\r\n"
    answer = client.ask("SETUP", f"{client.url}/stream=0", transport)
    assert answer.startswith("RTSP/1.0 200"), answer
    client.session = re.search(r"Session: *([^;\s]+)", answer)[1]  # type: ignore[index]


@pytest.mark.usefixtures("feed")
def test_nobody_can_have_packets_sent_to_somebody_else(server: RtspServer) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim,
        RawClient(server.url("door")) as client,
    ):
        own.bind((HOST, 0))
        own.settimeout(10)
        port = own.getsockname()[1]
        victim.bind(("127.0.0.2", port))
        setup_udp(client, port, ";destination=127.0.0.2")
        assert client.ask("PLAY").startswith("RTSP/1.0 200")
        assert own.recv(2000)
        victim.setblocking(False)
        with pytest.raises(BlockingIOError):
            victim.recv(2000)


@pytest.mark.usefixtures("feed")
def test_idle_connections_shut_nobody_out(
    server: RtspServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rtsp_clients, "MOST_CLIENTS", 3)
    with (
        RawClient(server.url("door")) as watching,
        RawClient(server.url("door")) as idle,
        RawClient(server.url("door")) as other,
    ):
        units = watching.play().units()
        idle.ask("OPTIONS")
        other.ask("OPTIONS")
        with RawClient(server.url("door")) as late:
            late.play()
            assert idle.socket.recv(1) == b""
            list(islice(units, 50))
            assert figures(server)["clients"] == 2
            until(lambda: server.clients.figures()["connections"] == 3)
    assert server.clients.figures()["connections_closed"] == 1
    assert "3 connections are open" in caplog.text


def test_those_who_come_and_go_at_once_leave_nothing_behind(server: RtspServer) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        RawClient(server.url("door")).socket.close()
    until(lambda: server.clients.figures()["connections"] == 0)
    until(lambda: len(os.listdir("/proc/self/fd")) <= before + 5)


@pytest.mark.usefixtures("feed")
def test_asking_who_watches_costs_no_memory(server: RtspServer) -> None:
    """It is asked each second and at each reading of the metrics, for months. PyGObject's lists cost 7 MB here."""
    reader = read_by_ffmpeg(server.url("door"), "tcp")
    try:
        until(lambda: figures(server)["clients"] == 1)

        def ask(times: int) -> int:
            for _ in range(times):
                server.clients.check(server._server)
                assert server.metrics()["streams"]["door"]["clients"] == 1
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

        before = ask(2_000)
        assert ask(20_000) - before < 3_000_000
    finally:
        reader.kill()
        reader.wait()
