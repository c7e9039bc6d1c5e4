"""Pictures for an RTSP server of ours."""

from __future__ import annotations

import threading
import time

from savant_reid.hosts.local.rtsp_server import RtspServer
from tests.hosts.local.videos import picture

HOST = "127.0.0.1"


class Feed:
    """Pushes pictures to a server's mount, 30 a second, from a thread, until told to stop."""

    def __init__(self, server: RtspServer, camera: str = "door", size: tuple[int, int] = (160, 96)) -> None:
        self.server, self.camera, self.size = server, camera, size
        self.slowest_push_seconds = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._done.wait(1 / 30):
            started = time.perf_counter()
            self.server.push(self.camera, picture(number % 256, self.size))
            self.slowest_push_seconds = max(self.slowest_push_seconds, time.perf_counter() - started)
            number += 1

    def stop(self) -> None:
        self._done.set()
        self._thread.join(timeout=5)
