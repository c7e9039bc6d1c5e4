"""Cameras that come and go: the others do not notice, nothing stays behind, and an end is quick."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import repeat

import numpy as np
import pytest

from savant_reid.hosts.local.batcher import Batcher
from savant_reid.hosts.local.rtsp_source import RtspSource
from tests.hosts.local.camera_process import CameraProcess
from tests.hosts.local.flapping import FLAPPING_FPS, STEADY_FPS, cut, held, kill_and_restart, measure
from tests.ports import free_port
from tests.waiting import until

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def steady() -> Iterator[CameraProcess]:
    process = CameraProcess(free_port(), 2, STEADY_FPS, timed=True)
    yield process
    process.kill()


@pytest.fixture
def others() -> Iterator[CameraProcess]:
    process = CameraProcess(free_port(), 16, FLAPPING_FPS)
    yield process
    process.kill()


def test_sixteen_cameras_that_flap_beside_steady_ones(steady: CameraProcess, others: CameraProcess) -> None:
    """Servers are hung, killed and started again; nobody waits between attempts."""
    trouble = kill_and_restart(others, random.Random(1), quick=True)
    figures = measure(steady, others, 5.5, backoff=lambda: repeat(0.2), trouble=trouble)
    assert figures.reconnects >= 16, figures
    assert figures.broken >= 32, figures
    assert figures.drops < 0.1 * len(figures.ages_seconds), figures
    assert len(figures.ages_seconds) > 0.6 * 5.5 * 2 * STEADY_FPS, figures
    # 0.01 s where nothing else runs. Whoever waits for a camera that is away waits for seconds.
    assert np.percentile(figures.ages_seconds, 95) < 1.0, figures


def test_nothing_stays_behind_of_connections(steady: CameraProcess, others: CameraProcess) -> None:
    def flap(seconds: float) -> int:
        return measure(
            steady, others, seconds, backoff=lambda: repeat(0.02), trouble=lambda: cut(others, 0.4)
        ).reconnects

    flap(1.5)  # pools of threads, code, caches
    threads, files, mebibytes = held()
    connections = flap(4.0)
    assert connections >= 16
    after_threads, after_files, after_mebibytes = held()
    # Each connection has some ten threads, as many files, and pictures.
    assert after_threads <= threads + connections / 2
    assert after_files <= files + 4
    assert after_mebibytes <= mebibytes + connections


def test_the_end_is_quick_whatever_cameras_do(others: CameraProcess) -> None:
    with ExitStack() as stack:
        silent = stack.enter_context(closing(socket.create_server((HOST, 0))))
        full = stack.enter_context(closing(socket.create_server((HOST, 0), backlog=0)))
        for _ in range(2):  # from here on nobody is answered, as where a firewall drops all packets
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        places = [f"rtsp://{HOST}:{port}/1" for port in (silent.getsockname()[1], full.getsockname()[1], free_port())]
        places += ["rtsp://no-such-host.invalid/1"]
        addresses = [*others.addresses, *(place for place in places for _ in range(4))]
        sources = [RtspSource(str(number), uri) for number, uri in enumerate(addresses)]
        batcher = Batcher(sources)
        batcher.start()
        try:
            until(lambda: all(source.connected for source in sources[:16]), 20)
            others.pause()
            time.sleep(0.2)
        finally:
            began = time.monotonic()
            batcher.close()
            seconds = time.monotonic() - began
            others.resume()
    assert seconds < 8
    assert not [source.camera for source in sources if source.running]
