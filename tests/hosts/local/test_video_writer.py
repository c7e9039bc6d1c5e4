"""MP4 files: right for players, right after a kill, errors that name the file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from savant_reid.errors import OutputError
from savant_reid.hosts.local.sources import open_source
from savant_reid.hosts.local.video_writer import VideoWriter, letterbox, pad_to_even
from tests.hosts.local.videos import SECOND_NS, make_video, number_of, picture, probe, read_all

ENDLESS_WRITER = """
import sys
from pathlib import Path
from savant_reid.hosts.local.video_writer import VideoWriter
from tests.hosts.local.videos import picture

writer = VideoWriter(Path(sys.argv[1]), (160, 96), 10)
number = 0
while True:
    writer.write(picture(number % 256), number * 100_000_000)
    number += 1
    if number == 300:
        print("written", flush=True)
"""


def test_a_closed_file_is_what_players_want(tmp_path: Path) -> None:
    found = probe(make_video(tmp_path / "video.mp4", 45))
    assert (found["codec_name"], found["profile"], found["pix_fmt"]) == ("h264", "Main", "yuv420p")
    assert (found["width"], found["height"], found["nb_read_frames"]) == (160, 96, "45")
    assert float(found["duration"]) == pytest.approx(4.5)
    assert found["r_frame_rate"] == "10/1"


def test_a_closed_file_can_be_sought(tmp_path: Path) -> None:
    path = make_video(tmp_path / "video.mp4", 100)
    still = tmp_path / "still.png"
    subprocess.run(["ffmpeg", "-v", "error", "-ss", "7.3", "-i", path, "-frames:v", "1", still], check=True, timeout=30)
    assert number_of(cv2.imread(str(still))) == 73


def test_a_killed_process_leaves_a_readable_file(tmp_path: Path) -> None:
    path = tmp_path / "killed.mp4"
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS_WRITER, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'plugins'}"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    # 300 pictures were handed over; two fragments of 10 and what was in the queues may be lost.
    assert int(probe(path)["nb_read_frames"]) >= 260
    source = open_source("killed", str(path))
    source.start()
    assert [number_of(frame.image) for frame in read_all(source)[:250]] == list(range(250))


def test_times_of_the_frames_are_kept(tmp_path: Path) -> None:
    times = [0, 100, 200, 900, 1000, 1033, 5000]
    writer = VideoWriter(tmp_path / "video.mp4", (160, 96), 10)
    for number, time_ms in enumerate(times):
        writer.write(picture(number), 7 * SECOND_NS + time_ms * 1_000_000)
    writer.close()
    source = open_source("door", str(tmp_path / "video.mp4"))
    source.start()
    assert [round(frame.time_ns / 1e6) for frame in read_all(source)] == times


def test_times_that_do_not_rise_lose_no_frame(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "video.mp4", (160, 96), 10)
    for number, time_ms in enumerate([500, 500, 300, 600]):
        writer.write(picture(number), time_ms * 1_000_000)
    writer.close()
    assert probe(tmp_path / "video.mp4")["nb_read_frames"] == "4"


@pytest.mark.parametrize("jump_s", [-3600, 3600])
def test_a_clock_that_jumps_costs_no_more_than_a_frame(tmp_path: Path, jump_s: int) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", (64, 48), 10.0)
    for n in range(20):
        shift_ns = jump_s * SECOND_NS if n >= 10 else 0
        writer.write(picture(n, (64, 48)), 7200 * SECOND_NS + n * SECOND_NS // 10 + shift_ns)
    writer.close()
    source = open_source("door", str(tmp_path / "a.mp4"))
    source.start()
    frames = read_all(source)
    assert [round((f.time_ns - frames[0].time_ns) / SECOND_NS, 2) for f in frames] == [n / 10 for n in range(20)]


def test_odd_and_changing_sizes(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "video.mp4", (161, 97), 10)
    for size in [(161, 97), (64, 64), (640, 200), (161, 97)]:
        writer.write(np.full((size[1], size[0], 3), 200, np.uint8), writer.frames * SECOND_NS // 10)
    writer.close()
    found = probe(tmp_path / "video.mp4")
    assert (found["width"], found["height"], found["nb_read_frames"]) == (162, 98, "4")


def test_colours_survive(tmp_path: Path) -> None:
    colours = np.zeros((96, 160, 3), np.uint8)
    for column, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (40, 120, 200)]):
        colours[:, column * 40 : column * 40 + 40] = colour
    writer = VideoWriter(tmp_path / "video.mp4", (160, 96), 10)
    writer.write(colours, 0)
    writer.close()
    source = open_source("door", str(tmp_path / "video.mp4"))
    source.start()
    image = read_all(source)[0].image
    for column in (20, 60, 100, 140):
        assert np.abs(image[48, column].astype(int) - colours[48, column]).max() <= 10


def test_letterbox_keeps_the_whole_picture() -> None:
    boxed = letterbox(np.full((50, 100, 3), 255, np.uint8), (100, 100))
    assert boxed.shape == (100, 100, 3)
    assert (boxed[25:75] == 255).all()
    assert (boxed[:25] == 0).all()
    assert (boxed[75:] == 0).all()
    assert letterbox(boxed, (100, 100)) is boxed
    assert pad_to_even(np.zeros((3, 5, 3), np.uint8)).shape == (4, 6, 3)


def test_close_twice_write_after_close_and_no_picture(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "video.mp4", (160, 96), 10)
    writer.write(picture(1), 0)
    writer.close()
    writer.close()
    assert probe(tmp_path / "video.mp4")["nb_read_frames"] == "1"
    with pytest.raises(OutputError, match="after it was closed"):
        writer.write(picture(1), 0)
    VideoWriter(tmp_path / "none.mp4", (160, 96), 10).close()
    assert not (tmp_path / "none.mp4").exists()


def test_a_folder_that_is_missing_or_a_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"missing/video.mp4 cannot be written: No such file"):
        VideoWriter(tmp_path / "missing" / "video.mp4", (160, 96), 10)
    with pytest.raises(OutputError, match="Is a directory"):
        VideoWriter(tmp_path, (160, 96), 10)


def test_a_full_disk_is_an_error_and_no_hang(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.symlink_to("/dev/full")
    writer = VideoWriter(path, (160, 96), 10)
    noise = np.random.default_rng(0)

    def write_much() -> None:
        for number in range(400):
            writer.write(noise.integers(0, 255, (96, 160, 3), np.uint8), number * SECOND_NS // 10)
        writer.close()

    with pytest.raises(OutputError, match=r"video.mp4 cannot be written: .*"):
        write_much()
    writer.close()


def test_writing_never_holds_more_than_its_queue(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "video.mp4", (1280, 720), 10)
    image = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)
    for number in range(30):
        writer.write(image, number * SECOND_NS // 10)
    assert writer.wait_seconds > 0
    writer.close()
    assert probe(tmp_path / "video.mp4")["nb_read_frames"] == "30"


def test_readers_and_writers_leave_no_file_descriptors_behind(tmp_path: Path) -> None:
    """Handlers that held their owner made cycles through GStreamer, which kept every pipeline: 3 descriptors each."""

    def descriptors_after(rounds: int) -> int:
        for _ in range(rounds):
            source = open_source("door", str(make_video(tmp_path / "video.mp4", 3)))
            source.start()
            source.take()
            source.stop()
        return len(os.listdir("/proc/self/fd"))

    before = descriptors_after(3)
    assert descriptors_after(10) <= before + 5
