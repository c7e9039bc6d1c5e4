"""Batches: a merge by time of files, whatever is there of live cameras."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from savant_reid.errors import SourceError
from savant_reid.hosts.local.batcher import Batcher
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.sources import CameraStats, open_sources
from tests.hosts.local.videos import ffmpeg, make_video, number_of
from tests.waiting import until


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("batches") / "ten.mp4", 40)


def keys(batches: list[list[Frame]]) -> list[list[tuple[str, int]]]:
    return [[(frame.camera, frame.index) for frame in batch] for batch in batches]


@pytest.mark.parametrize("cameras", [1, 4, 16])
def test_equal_files_give_full_batches(video: Path, cameras: int) -> None:
    names = [f"camera-{number}" for number in range(cameras)]
    batches = list(Batcher(open_sources([(name, str(video)) for name in names])))
    assert keys(batches) == [[(name, index) for name in names] for index in range(40)]
    assert all(number_of(frame.image) == frame.index for batch in batches for frame in batch)


def test_different_rates_and_lengths_merge_by_time(video: Path, tmp_path: Path) -> None:
    fast = make_video(tmp_path / "fast.mp4", 50, fps=25)
    brief = make_video(tmp_path / "brief.mp4", 5, fps=10)

    def run() -> list[list[Frame]]:
        return list(Batcher(open_sources([("slow", str(video)), ("fast", str(fast)), ("brief", str(brief))])))

    batches = run()
    frames = [frame for batch in batches for frame in batch]
    assert sorted((frame.camera, frame.index) for frame in frames) == sorted(
        [("slow", index) for index in range(40)]
        + [("fast", index) for index in range(50)]
        + [("brief", index) for index in range(5)]
    )
    times = [frame.time_ns for frame in frames]
    assert times == sorted(times)
    assert all(len({frame.camera for frame in batch}) == len(batch) for batch in batches)
    # 10 and 25 fps meet every 200 ms, and a picture 20 ms away is not of the same moment.
    assert keys(batches)[:4] == [
        [("slow", 0), ("fast", 0), ("brief", 0)], [("fast", 1)], [("fast", 2)], [("slow", 1), ("brief", 1)]
    ]  # fmt: skip
    assert keys(run()) == keys(batches)


def test_a_small_batch_size_loses_nothing(video: Path) -> None:
    batches = list(Batcher(open_sources([(name, str(video)) for name in "abcde"]), batch_size=2))
    assert max(len(batch) for batch in batches) == 2
    assert sum(len(batch) for batch in batches) == 200
    times = [frame.time_ns for batch in batches for frame in batch]
    assert times == sorted(times)


def test_one_unreadable_camera_refuses_the_run_before_it_starts(video: Path, tmp_path: Path) -> None:
    batcher = Batcher(open_sources([("good", str(video)), ("bad", str(tmp_path / "missing.mp4"))]))
    with pytest.raises(SourceError, match="'bad'"):
        next(iter(batcher))


def test_a_truncated_camera_ends_alone(video: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    # A finished file of our writer has its moov at the end; ffmpeg puts it in front, where a cut file keeps it.
    ffmpeg("-i", str(video), "-c", "copy", "-movflags", "+faststart", str(cut))
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) * 6 // 10])
    sources = open_sources([("whole", str(video)), ("cut", str(cut))])
    frames = [frame for batch in Batcher(sources) for frame in batch]
    assert [frame.index for frame in frames if frame.camera == "whole"] == list(range(40))
    assert 5 < sum(frame.camera == "cut" for frame in frames) < 35
    assert sources[1].stats.drops == {"truncated": 1}


def test_stop_from_another_thread(video: Path) -> None:
    batcher = Batcher(open_sources([("door", str(video))]))
    taken = []
    for batch in batcher:
        taken.append(batch)
        if len(taken) == 3:
            thread = threading.Thread(target=batcher.stop)
            thread.start()
            thread.join()
    assert len(taken) == 3


def test_stop_from_a_signal_handler_while_waiting() -> None:
    batcher = Batcher([Scripted("silent", live=True)])
    previous = signal.signal(signal.SIGALRM, lambda *_: batcher.stop())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        started = time.monotonic()
        assert list(batcher) == []
        assert time.monotonic() - started < 2
    finally:
        signal.signal(signal.SIGALRM, previous)


class Scripted:
    """A live camera whose frames the test hands in."""

    def __init__(self, camera: str, *, live: bool, connected: bool = True) -> None:
        self.camera, self.live, self.connected = camera, live, connected
        self.stats = CameraStats()
        self.ended = self.stopped = False
        self.frames: list[Frame] = []

    def hand_in(self, time_ns: int) -> None:
        self.frames.append(Frame(self.camera, len(self.frames), time_ns, np.zeros((2, 2, 3), np.uint8)))

    def start(self) -> None: ...

    def peek(self, timeout_seconds: float) -> Frame | None:  # noqa: ARG002 - protocol
        return self.frames[0] if self.frames else None

    def take(self) -> Frame | None:
        return self.frames.pop(0) if self.frames else None

    def stop_soon(self) -> None:
        pass

    def stop(self) -> None:
        self.stopped = True


def test_live_batches_come_in_order_of_arrival_and_do_not_wait_for_the_dead() -> None:
    first, second, dead = (
        Scripted("a", live=True),
        Scripted("b", live=True),
        Scripted("dead", live=True, connected=False),
    )
    first.hand_in(200)
    first.hand_in(300)
    second.hand_in(100)
    batcher = Batcher([first, second, dead], batched_push_timeout_us=30_000_000)
    batches = iter(batcher)
    # Full with the two that live, far before the timeout of 30 s; one frame of each.
    assert [(frame.camera, frame.time_ns) for frame in next(batches)] == [("b", 100), ("a", 200)]
    batches.close()
    assert first.stopped
    assert dead.stopped


def test_live_batches_go_on_after_the_timeout() -> None:
    lively, silent = Scripted("a", live=True), Scripted("b", live=True)
    lively.hand_in(1)
    batcher = Batcher([lively, silent], batched_push_timeout_us=40_000)
    batches = iter(batcher)
    started = time.monotonic()
    assert [frame.camera for frame in next(batches)] == ["a"]
    assert 0.03 < time.monotonic() - started < 1.0
    assert batcher.decode_wait_seconds > 0.03
    batches.close()


def test_waiting_for_live_cameras_costs_little() -> None:
    """No busy loop: while nothing comes, the waiting thread is asleep nearly all the time."""
    batcher = Batcher([Scripted(f"camera-{number}", live=True) for number in range(16)])
    cost: list[float] = []

    def wait() -> None:
        before = time.thread_time()
        list(batcher)
        cost.append(time.thread_time() - before)

    thread = threading.Thread(target=wait)
    thread.start()
    deadline = time.monotonic() + 0.5
    until(lambda: time.monotonic() > deadline)
    batcher.stop()
    thread.join(timeout=5)
    assert cost[0] < 0.1
