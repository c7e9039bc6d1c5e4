"""Cameras in a process of their own, that can be killed, paused, or told to close all connections (SIGUSR1).

python -m tests.hosts.local.camera_process PORT CAMERAS FPS
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.local.rtsp_server import RtspServer
from tests.hosts.local.cameras import H264, serving

SIZE = 160, 96
_BITS = 16


def picture_of_now() -> NDArray[np.uint8]:
    """Sixteen vertical bars, black or white: the milliseconds of the machine's monotonic clock."""
    now_ms = time.monotonic_ns() // 1_000_000
    row = np.repeat(np.array([255 * ((now_ms >> bit) & 1) for bit in range(_BITS)], np.uint8), SIZE[0] // _BITS)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (SIZE[1], SIZE[0], 3)))


def age_seconds(image: NDArray[np.uint8]) -> float:
    """Since the picture was drawn."""
    bar = SIZE[0] // _BITS
    middle = image[SIZE[1] // 2, bar // 2 :: bar, 1]
    drawn_ms = sum(int(level > 127) << bit for bit, level in enumerate(middle))
    return ((time.monotonic_ns() // 1_000_000 - drawn_ms) % (1 << _BITS)) / 1000


class CameraProcess:
    """Serves `cameras` cameras: rtsp://127.0.0.1:PORT/0 and so on. timed: their pictures tell when they were drawn."""

    def __init__(self, port: int, cameras: int, fps: int, *, timed: bool = False) -> None:
        self._command = [sys.executable, "-m", __spec__.name, str(port), str(cameras), str(fps), *["timed"][:timed]]
        self._process: subprocess.Popen[str] | None = None
        self.addresses = [f"rtsp://127.0.0.1:{port}/{number}" for number in range(cameras)]
        self.start()

    def start(self) -> None:
        # Models and arithmetic of the parent are not what these need threads for.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def cut(self) -> None:
        self._tell(signal.SIGUSR1)

    def pause(self) -> None:
        self._tell(signal.SIGSTOP)

    def resume(self) -> None:
        self._tell(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def _tell(self, sign: int) -> None:
        assert self._process is not None
        self._process.send_signal(sign)


def _cut_connections() -> None:
    """As a network does it: nobody says good-bye."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                with socket.socket(fileno=os.dup(int(name))) as one:
                    if one.family == socket.AF_INET and one.type == socket.SOCK_STREAM:
                        one.getpeername()  # OSError: it listens
                        one.shutdown(socket.SHUT_RDWR)


def _serve(port: int, cameras: int, fps: int, timed: bool) -> None:
    cuts: list[int] = []
    signal.signal(signal.SIGUSR1, lambda *_: cuts.append(1))
    mounts = [str(number) for number in range(cameras)]
    with (_timed if timed else _plain)(port, mounts, fps) as push:
        print("ready", flush=True)
        due = time.monotonic()
        while os.getppid() != 1:
            if cuts:
                cuts.clear()
                _cut_connections()
            push()
            due += 1 / fps
            time.sleep(max(0.0, due - time.monotonic()))


@contextmanager
def _timed(port: int, mounts: list[str], fps: int) -> Iterator[Callable[[], None]]:
    server = RtspServer(port, mounts, fps=fps)
    yield lambda: [server.push(mount, picture_of_now()) for mount in mounts]  # type: ignore[func-returns-value]
    server.stop()


@contextmanager
def _plain(port: int, mounts: list[str], fps: int) -> Iterator[Callable[[], None]]:
    launch = H264.replace("framerate=15", f"framerate={fps}").replace("key-int-max=15", f"key-int-max={fps}")
    with serving(launch, port=port, mounts=mounts):
        yield lambda: None


if __name__ == "__main__":
    _serve(*(int(text) for text in sys.argv[1:4]), timed="timed" in sys.argv[4:])
