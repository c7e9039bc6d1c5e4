"""Real video files, made with our own writer, and waiting without sleeping for ever."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.local.sources import Source
from savant_reid.hosts.local.video_writer import VideoWriter

SECOND_NS = 1_000_000_000


def picture(number: int, size: tuple[int, int] = (160, 96)) -> NDArray[np.uint8]:
    """A picture that says its number: eight vertical bars, black or white, are its bits."""
    width, height = size
    bits = [(number >> bit) & 1 for bit in range(8)]
    row = np.repeat(np.array(bits, np.uint8) * 255, -(-width // 8))[:width]
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)))


def number_of(image: NDArray[np.uint8]) -> int:
    """The number that `picture` was given, read from the decoded picture."""
    width = image.shape[1]
    bar = -(-width // 8)
    middle = image[image.shape[0] // 2, :, 1]
    return sum(int(middle[min(bit * bar + bar // 2, width - 1)] > 127) << bit for bit in range(8))


def make_video(path: Path, frames: int, fps: float = 10.0, size: tuple[int, int] = (160, 96)) -> Path:
    writer = VideoWriter(path, size, fps)
    for number in range(frames):
        writer.write(picture(number, size), round(number * SECOND_NS / fps))
    writer.close()
    return path


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True, timeout=30)


def probe(path: Path | str, *more: str) -> dict[str, str]:
    """What ffprobe reads in the first stream, with its number of decodable frames."""
    entries = "stream=codec_name,profile,pix_fmt,width,height,nb_read_frames,duration,r_frame_rate"
    command = ["ffprobe", "-v", "error", "-count_frames", "-of", "json", "-show_entries", entries, *more, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return json.loads(result.stdout)["streams"][0]


def read_all(source: Source) -> list:
    """Every frame of a file source that was started."""
    frames = []
    while not source.ended:
        if source.peek(0.2) is not None:
            frames.append(source.take())
    return frames
