"""What cameras that come and go cost those that stay: latencies, threads, files, memory.

python -m tests.hosts.local.flapping [SECONDS]
"""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np

from savant_reid.hosts.local.batcher import Batcher
from savant_reid.hosts.local.retries import Waits
from savant_reid.hosts.local.rtsp_source import RtspSource
from tests.hosts.local.camera_process import CameraProcess, age_seconds
from tests.ports import free_port

STEADY = "steady"
STEADY_FPS, FLAPPING_FPS = 10, 5


@dataclass
class Figures:
    """ages_seconds: from drawing a picture to the batch that holds it, of steady cameras. reconnects, broken: of the
    others. drops: of steady cameras, for want of time."""

    ages_seconds: list[float] = field(default_factory=list)
    frames_of_others: int = 0
    reconnects: int = 0
    broken: int = 0
    drops: int = 0
    close_seconds: float = 0.0

    def __str__(self) -> str:
        p50, p99, most = np.percentile(self.ages_seconds, (50, 99, 100)) * 1000
        return (
            f"steady: {len(self.ages_seconds)} frames, {self.drops} dropped, ms p50 {p50:.0f} p99 {p99:.0f} "
            f"max {most:.0f}; others: {self.frames_of_others} frames, {self.broken} breaks and failed attempts, "
            f"{self.reconnects} reconnects; closed in {self.close_seconds:.1f} s"
        )


def measure(
    steady: CameraProcess,
    others: CameraProcess | None,
    seconds: float,
    *,
    backoff: Waits | None = None,
    trouble: Callable[[], None] = lambda: None,
) -> Figures:
    """Reads all cameras for so long; trouble: what is done to the others meanwhile, again and again."""
    sources = [RtspSource(f"{STEADY}-{i}", uri) for i, uri in enumerate(steady.addresses)]
    if others is not None:
        sources += [RtspSource(f"other-{i}", uri, backoff=backoff) for i, uri in enumerate(others.addresses)]
    batcher = Batcher(sources)
    batcher.start()
    figures = Figures()
    with _again_and_again(trouble):
        end = time.monotonic() + seconds
        batches = iter(batcher)  # held until the cameras are stopped below
        for batch in batches:
            for frame in batch:
                if frame.camera.startswith(STEADY):
                    figures.ages_seconds.append(age_seconds(frame.image))
                else:
                    figures.frames_of_others += 1
            if time.monotonic() > end:
                break
        # Now: the trouble below takes its time to end, and nobody reads meanwhile.
        figures.drops = sum(s.stats.drops.get("late", 0) for s in sources[: len(steady.addresses)])
    began = time.monotonic()
    batcher.close()
    figures.close_seconds = time.monotonic() - began
    rest = [source.stats for source in sources[len(steady.addresses) :]]
    figures.reconnects = sum(stats.reconnects for stats in rest)
    figures.broken = sum(stats.connection_errors for stats in rest)
    return figures


@contextmanager
def _again_and_again(trouble: Callable[[], None]) -> Iterator[None]:
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.05):
            trouble()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def kill_and_restart(others: CameraProcess, rng: random.Random, *, quick: bool = False) -> Callable[[], None]:
    """Killed, away for up to 2 s, back for up to 4 s; sometimes hung before. quick: all of it three times as fast."""
    second = 0.33 if quick else 1.0

    def trouble() -> None:
        time.sleep(rng.uniform(1, 4) * second)
        if rng.random() < 0.3:
            others.pause()
            time.sleep(rng.uniform(0.5, 2) * second)
        others.kill()
        time.sleep(rng.uniform(0, 2) * second)
        others.start()

    return trouble


def cut(others: CameraProcess, every_seconds: float) -> None:
    """The network goes and comes again."""
    others.cut()
    time.sleep(every_seconds)


def held() -> tuple[int, int, float]:
    """Threads, open files and memory (MiB) of this process."""
    gc.collect()
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), resident


def main(seconds: float) -> None:
    steady = CameraProcess(free_port(), 4, STEADY_FPS, timed=True)
    others = CameraProcess(free_port(), 16, FLAPPING_FPS)
    try:
        print("4 alone:            ", measure(steady, None, seconds))
        print("16 steady beside:   ", measure(steady, others, seconds))
        trouble = kill_and_restart(others, random.Random(0))
        print("16 flapping beside: ", measure(steady, others, seconds, trouble=trouble))
        print("  retried at once:  ", measure(steady, others, seconds, backoff=lambda: repeat(0.3), trouble=trouble))
        for _ in range(6):
            quick = measure(steady, others, seconds / 2, backoff=lambda: repeat(0.05), trouble=lambda: cut(others, 1.0))
            threads, files, mebibytes = held()
            print(f"cut: {quick.reconnects} reconnects; then {threads} threads, {files} files, {mebibytes:.1f} MiB")
    finally:
        others.kill()
        steady.kill()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0)
