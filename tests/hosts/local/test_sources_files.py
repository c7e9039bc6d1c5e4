"""Video files as cameras: all frames, right times, and what happens with broken files."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from savant_reid.errors import SourceError
from savant_reid.hosts.local.sources import open_source, open_sources, parse_source
from savant_reid.redaction import redact, redact_uri
from tests.hosts.local.videos import SECOND_NS, ffmpeg, make_video, number_of, picture, read_all


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("video") / "camera.mp4", 60)


def started(path: Path | str, **options):
    source = open_source("door", str(path), **options)
    source.start()
    return source


def test_every_frame_comes_once_with_its_time(video: Path) -> None:
    source = started(video, start_ns=5 * SECOND_NS)
    frames = read_all(source)
    assert [number_of(frame.image) for frame in frames] == list(range(60))
    assert [frame.index for frame in frames] == list(range(60))
    assert [frame.time_ns for frame in frames] == [5 * SECOND_NS + n * SECOND_NS // 10 for n in range(60)]
    assert {frame.epoch for frame in frames} == {0}
    assert source.stats.frames == 60
    assert (source.stats.width, source.stats.height, source.stats.fps) == (160, 96, 10.0)
    assert source.stats.drops == {}
    assert source.stats.decode_errors == 0


def test_images_stay_valid_after_the_source_is_gone(video: Path) -> None:
    source = started(video)
    frames = read_all(source)
    source.stop()
    del source
    for number, frame in enumerate(frames):
        assert frame.image.flags.owndata
        assert frame.image.flags.c_contiguous
        assert np.abs(frame.image.astype(int) - picture(number)).mean() < 6


@pytest.mark.parametrize("size", [(98, 66), (101, 77)], ids=["even", "odd"])
def test_strides_with_padding_are_taken_out(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "odd.mkv"
    # PNG-like lossless video keeps odd sizes, which H.264 in 4:2:0 cannot.
    ffmpeg("-f", "lavfi", "-i", f"testsrc=size={size[0]}x{size[1]}:rate=5:duration=1", "-c:v", "ffv1", str(path))
    ffmpeg("-i", str(path), "-frames:v", "1", "-pix_fmt", "bgr24", "-f", "rawvideo", str(tmp_path / "first.bgr"))
    expected = np.fromfile(tmp_path / "first.bgr", np.uint8).reshape(size[1], size[0], 3)
    frames = read_all(started(path))
    assert len(frames) == 5
    assert frames[0].image.shape == expected.shape
    assert np.abs(frames[0].image.astype(int) - expected).max() <= 4


@pytest.mark.parametrize("suffix", ["mkv", "ts", "h264", "avi"])
def test_any_container(video: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"camera.{suffix}"
    ffmpeg("-i", str(video), "-c", "copy", str(path))
    frames = read_all(started(path.as_uri()))
    assert [number_of(frame.image) for frame in frames] == list(range(60))
    assert (np.diff([frame.time_ns for frame in frames]) > 0).all()


def test_a_video_with_sound(video: Path, tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    ffmpeg("-i", str(video), "-f", "lavfi", "-i", "anullsrc", "-t", "9", "-c:v", "copy", "-c:a", "aac", str(path))
    source = started(path)
    assert len(read_all(source)) == 60
    assert source.stats.drops == {}


def test_change_of_resolution_starts_a_new_epoch(video: Path, tmp_path: Path) -> None:
    small = make_video(tmp_path / "small.mp4", 10, size=(96, 64))
    joined = tmp_path / "joined.h264"
    for part in (video, small):
        ffmpeg("-i", str(part), "-c", "copy", str(tmp_path / "part.h264"))
        with joined.open("ab") as stream:
            stream.write((tmp_path / "part.h264").read_bytes())
    source = started(joined)
    frames = read_all(source)
    assert [(frame.epoch, frame.image.shape[:2]) for frame in frames] == [(0, (96, 160))] * 60 + [(1, (64, 96))] * 10
    assert [frame.index for frame in frames] == list(range(70))
    assert (source.stats.width, source.stats.height) == (96, 64)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_file_cut_in_the_middle_gives_what_it_has(
    video: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    ffmpeg("-i", str(video), "-c", "copy", *(["-movflags", "+faststart"] if suffix == "mp4" else []), str(whole))
    content = whole.read_bytes()
    cut.write_bytes(content[: len(content) * 6 // 10 // 188 * 188 + 50])
    source = started(cut)
    with caplog.at_level(logging.WARNING):
        frames = read_all(source)
    assert 20 < len(frames) < 50
    assert [number_of(frame.image) for frame in frames[:-1]] == list(range(len(frames) - 1))
    assert source.stats.drops == {"truncated": 1}
    assert "door" in caplog.text
    assert "cut short" in caplog.text


def test_a_whole_file_is_not_called_cut_short(video: Path, tmp_path: Path) -> None:
    for suffix in ("mkv", "ts", "h264"):
        path = tmp_path / f"whole.{suffix}"
        ffmpeg("-i", str(video), "-c", "copy", str(path))
        source = started(path)
        read_all(source)
        assert source.stats.drops == {}, suffix


def test_damage_in_the_middle_ends_nothing(video: Path, tmp_path: Path) -> None:
    content = bytearray(video.read_bytes())
    for position in np.random.default_rng(3).integers(len(content) // 3, len(content) * 2 // 3, 60):
        content[position] ^= 0xFF
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    frames = read_all(started(path))
    assert len(frames) >= 30
    assert number_of(frames[0].image) == 0


def without_moov(path: Path) -> bytes:
    """As a recorder leaves it that writes its moov at the end and was cut off (ours writes one in front, too)."""
    return path.read_bytes()[:-100].replace(b"moov", b"free")


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("missing.mp4", None, "does not exist"),
        ("empty.mp4", b"", r"is empty \(0 bytes\)"),
        ("letter.mp4", b"Dear camera, " * 50, "text file"),
        ("noise.mp4", np.random.default_rng(1).bytes(50_000), "not a video"),
        ("headless.mp4", without_moov, "without its index"),
    ],
)
def test_refused_at_the_start_by_camera_and_path(
    video: Path, tmp_path: Path, name: str, content: object, found: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content(video) if callable(content) else content)
    with pytest.raises(SourceError, match=found) as caught:
        started(path)
    assert "'door'" in str(caught.value)
    assert str(path) in str(caught.value)


def test_sound_alone_and_folders_are_refused(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", str(tmp_path / "sound.wav"))
    with pytest.raises(SourceError, match="no video stream"):
        started(tmp_path / "sound.wav")
    with pytest.raises(SourceError, match="is not a file"):
        started(tmp_path)


def test_stop_in_the_middle_frees_a_blocked_decoder(video: Path) -> None:
    source = started(video)
    assert source.take() is not None
    source.stop()
    source.stop()
    assert source.take() is None
    assert source.ended


@pytest.mark.parametrize("text", ["camera.mp4", "=camera.mp4", "door=", "rtsp://u:secret@host/a=b"])
def test_source_arguments(text: str) -> None:
    with pytest.raises(SourceError, match="expected CAMERA=URI") as caught:
        parse_source(text)
    assert "secret" not in str(caught.value)


def test_source_argument_keeps_equal_signs_of_the_uri() -> None:
    assert parse_source("door=rtsp://host/live?channel=1") == ("door", "rtsp://host/live?channel=1")


def test_unknown_scheme_and_doubled_camera() -> None:
    with pytest.raises(SourceError, match="found 'ftp'"):
        open_source("door", "ftp://host/video.mp4")
    with pytest.raises(SourceError, match="'door' is given 2 times"):
        open_sources([("door", "a.mp4"), ("door", "b.mp4")])


@pytest.mark.parametrize(
    "uri",
    [
        "rtsp://admin:secret@host:554/live",
        "rtsp://admin:p@secret@host/live",
        "rtsp://admin:p/secret?x@host/live",
        "rtsp://host/live?user=a&password=secret",
        "rtsp://host/user=admin_password=secret_channel=1",
    ],
)
def test_secrets_are_redacted(uri: str) -> None:
    assert "secret" not in redact_uri(uri)
    assert "host" in redact_uri(uri)
    assert "secret" not in redact(f"cannot open {uri}: refused")
