"""Real sockets against the server."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator

import pytest

from savant_reid.errors import OutputError
from savant_reid.monitoring.server import MOST_CONNECTIONS
from savant_reid.monitoring.watch import MetricsRequest, Watch

HOST = "127.0.0.1"


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch(MetricsRequest(0))
    yield watch
    watch.close()


def get(watch: Watch, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(HOST, watch.server.port, timeout=5)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers["Content-Type"], body


def test_each_page_answers(watch: Watch):
    status, kind, body = get(watch, "/metrics?name[]=x")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert b"reid_healthy 1.0" in body
    assert get(watch, "/healthz")[0] == 200
    status, kind, body = get(watch, "/readyz")
    assert (status, kind, json.loads(body)["cause"]) == (503, "application/json", "starting")
    assert get(watch, "/")[0] == 404
    assert get(watch, "/metrics", "POST")[0] == 501
    assert get(watch, "/healthz", "HEAD")[::2] == (200, b"")


def test_nothing_is_told_of_what_runs_it(watch: Watch):
    with socket.create_connection((HOST, watch.server.port), timeout=5) as client:
        client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        head = client.recv(65536)
    assert b"Server: savant-reid" in head
    assert b"Python" not in head


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x00\xff\xfe" * 100,
        b"GET " + b"a" * 100_000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n",
        b"GET /metrics HTTP/1.0\r\n" + b"x: y\r\n" * 200,
    ],
)
def test_rubbish_disturbs_nobody(watch: Watch, rubbish: bytes):
    with socket.create_connection((HOST, watch.server.port), timeout=5) as client:
        client.sendall(rubbish)
    assert get(watch, "/healthz")[0] == 200


def test_clients_that_say_nothing_shut_nobody_out(watch: Watch):
    idle = [socket.create_connection((HOST, watch.server.port), timeout=5) for _ in range(3 * MOST_CONNECTIONS)]
    try:
        begin = time.monotonic()
        assert get(watch, "/healthz")[0] == 200
        assert time.monotonic() - begin < 2.0
        idle[0].settimeout(5)
        assert idle[0].recv(1) == b""
    finally:
        for client in idle:
            client.close()


def test_a_client_that_goes_away_in_the_middle_disturbs_nobody(watch: Watch):
    for _ in range(20):
        client = socket.create_connection((HOST, watch.server.port), timeout=5)
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        client.close()
    assert get(watch, "/metrics")[0] == 200


def test_a_port_that_is_taken_is_named(watch: Watch):
    with pytest.raises(OutputError, match=rf"metrics at 127.0.0.1:{watch.server.port}: cannot be used: Address"):
        Watch(MetricsRequest(watch.server.port))


def test_a_host_that_is_none_is_named():
    with pytest.raises(OutputError, match=r"metrics at no\.such\.host\.invalid:0: cannot be used"):
        Watch(MetricsRequest(0, host="no.such.host.invalid"))


def test_the_port_is_free_again_after_the_end():
    first = Watch(MetricsRequest(0))
    get(first, "/metrics")
    first.close()
    first.close()
    second = Watch(MetricsRequest(first.server.port))
    assert get(second, "/healthz")[0] == 200
    second.close()
