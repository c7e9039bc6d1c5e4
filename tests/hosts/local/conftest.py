"""An RTSP server with two streams, and pictures for one of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from savant_reid.hosts.local.rtsp_server import RtspServer
from tests.hosts.local.rtsp_feed import HOST, Feed


@pytest.fixture
def server() -> Iterator[RtspServer]:
    server = RtspServer(0, ["door", "hall"], host=HOST, fps=30, session_seconds=2, stall_seconds=2)
    yield server
    server.stop()


@pytest.fixture
def feed(server: RtspServer) -> Iterator[Feed]:
    feed = Feed(server, "door", (161, 97))
    yield feed
    feed.stop()
