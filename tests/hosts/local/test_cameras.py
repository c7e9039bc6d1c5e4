"""What cameras do: codecs and tracks, time stamps that leap, passwords, streams that fall silent."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, repeat

import numpy as np
import pytest

from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.rtsp_source import RtspSource
from tests.hosts.local.cameras import H264, H265, HOST, MJPEG, Relay, answering, serving
from tests.waiting import until

SOUND = "audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay1 pt=0"
SOUND_FIRST = SOUND.replace("pay1", "pay0")
METADATA = (
    "audiotestsrc is-live=true ! rtpgstpay "
    "! capssetter replace=true caps=application/x-rtp,media=(string)application,clock-rate=(int)90000,"
    "encoding-name=(string)VND.ONVIF.METADATA,payload=(int)107 name=pay1"
)
RTP_HOUR = 3600 * 90_000


@contextmanager
def camera(uri: str, **options: object) -> Iterator[RtspSource]:
    options.setdefault("backoff", lambda: repeat(0.05))
    source = RtspSource("door", uri, **options)  # type: ignore[arg-type]
    source.start()
    try:
        yield source
    finally:
        source.stop()


def take(source: RtspSource, frames: int, seconds: float = 15) -> list[Frame]:
    taken: list[Frame] = []

    def enough() -> bool:
        if source.peek(0.05) is not None:
            taken.append(source.take())  # type: ignore[arg-type]
        return len(taken) >= frames

    until(enough, seconds)
    return taken


@pytest.mark.filterwarnings("ignore:g_object_get_is_valid_property")  # of the metadata's stand-in for a payloader
@pytest.mark.parametrize(
    "launch",
    [
        H265,
        MJPEG,
        f"{H264} {SOUND}",
        f"{H264} {METADATA}",
        f"{H264.replace('pay0', 'pay1')} {SOUND_FIRST}",
        f"{H264} {MJPEG.replace('width=160', 'width=64').replace('pay0', 'pay1')}",
    ],
    ids=["h265", "mjpeg", "sound beside", "metadata beside", "sound first", "two videos"],
)
def test_codecs_and_tracks(launch: str) -> None:
    with serving(launch) as place, Relay(place) as relay, camera(f"rtsp://{relay.place}/door") as source:
        frames = take(source, 10)
        assert all(frame.image.shape == (96, 160, 3) for frame in frames)
        assert frames[-1].image.max() > 200
        assert (source.stats.connection_errors, relay.tracks) == (0, 1)


def test_a_camera_that_hangs_up_before_its_first_picture_is_not_waited_for() -> None:
    with serving(H264) as place, Relay(place) as relay:
        relay.hang_up.set()
        with camera(f"rtsp://{relay.place}/door", stall_seconds=60.0) as source:
            until(lambda: source.stats.connection_errors >= 2, 30)
            relay.hang_up.clear()
            assert len(take(source, 3)) == 3


def test_times_rise_whatever_the_clock_does() -> None:
    ticks = iter([1000, 1000, 400, 2000])
    with serving(H264) as place, camera(f"rtsp://{place}/door", clock=lambda: next(ticks, 0)) as source:
        times = [frame.time_ns for frame in take(source, 6)]
    assert times == sorted(set(times))
    assert 1000 <= times[0] < times[-1] < 3000


@pytest.mark.parametrize("shift", [RTP_HOUR, -3 * 90_000], ids=["+1 h", "-3 s"])
def test_time_stamps_that_leap_are_counted_and_frames_go_on(shift: int) -> None:
    with serving(H264) as place, Relay(place) as relay, camera(f"rtsp://{relay.place}/door") as source:
        before = take(source, 10)
        relay.shift = shift
        until(lambda: source.stats.stream_jumps == 1)
        began = time.monotonic()
        after = take(source, 20)
        assert time.monotonic() - began < 5  # 1.3 s of pictures
        times = [frame.time_ns for frame in before + after]
        assert times == sorted(set(times))
        assert times[-1] - times[0] < 20e9
        assert {frame.epoch for frame in before + after} == {0}
        assert source.stats.stream_jumps == 1
        assert source.stats.connection_errors == 0


def test_a_wrap_of_time_stamps_and_another_clock_in_reports_are_nothing() -> None:
    with serving(H264) as place, Relay(place) as relay:
        relay.begin_at = (1 << 32) - 90_000  # a second before the wrap
        with camera(f"rtsp://{relay.place}/door") as source:
            take(source, 5)
            relay.ntp_shift_seconds = 86_400
            frames = take(source, 30)
            assert frames[-1].time_ns - frames[0].time_ns > 1e9
            assert (source.stats.stream_jumps, source.stats.connection_errors, source.stats.packets_lost) == (0, 0, 0)


def test_time_stamps_begin_anew_with_each_connection() -> None:
    with serving(H264) as place, Relay(place) as relay, camera(f"rtsp://{relay.place}/door") as source:
        before = take(source, 5)
        relay.begin_at = 5  # a camera that was restarted
        relay.cut()
        until(lambda: source.stats.reconnects == 1)
        after = take(source, 8)
        assert after[-1].time_ns > before[-1].time_ns
        assert source.stats.stream_jumps == 0


def test_a_camera_that_falls_silent_without_a_word() -> None:
    with (
        serving(H264) as place,
        Relay(place) as relay,
        camera(f"rtsp://{relay.place}/door", stall_seconds=0.6) as source,
    ):
        take(source, 5)
        relay.silent.set()
        until(lambda: source.stats.connection_errors >= 1, 5)
        assert not source.connected
        relay.silent.clear()
        until(lambda: source.stats.reconnects == 1)


@pytest.mark.parametrize("launch", [H264, H265], ids=["h264", "h265"])
def test_a_keyframe_may_be_late_and_nothing_is_made_of_what_comes_before_it(launch: str) -> None:
    """The second reader comes in the midst of a group of pictures that takes longer than a stall may."""
    with (
        serving(launch.replace("key-int-max=15", "key-int-max=45")) as place,
        camera(f"rtsp://{place}/door") as first,
    ):
        [sharp] = take(first, 1)
        take(first, 5)
        with camera(f"rtsp://{place}/door", stall_seconds=1.2) as second:
            frames = take(second, 3)
            assert second.stats.connection_errors == 0
            assert second.stats.drops["no_keyframe"] >= 10
            assert second.stats.decode_errors == 0
    for frame in frames:  # ghosts of a moving ball lie on grey
        assert abs(float(np.median(frame.image)) - float(np.median(sharp.image))) < 8


def test_a_camera_comes_back_with_another_codec_and_size() -> None:
    with serving(H264) as place, camera(f"rtsp://{place}/door") as source:
        before = take(source, 3)
        port = int(place.rpartition(":")[2])
    large = H265.replace("width=160,height=96", "width=320,height=192")
    with camera(f"rtsp://{HOST}:{port}/door") as source:
        until(lambda: source.stats.connection_errors >= 1)
        with serving(large, port=port):
            after = take(source, 3)
    assert (before[0].image.shape, after[0].image.shape) == ((96, 160, 3), (192, 320, 3))


def test_a_wrong_password_is_tried_rarely_and_once_a_time(caplog: pytest.LogCaptureFixture) -> None:
    waits = count(1)
    refused = lambda: (next(waits) * 0.3 for _ in repeat(None))  # noqa: E731
    with serving(H264, user="guard", password="s3cret") as place, Relay(place) as relay:
        uri = f"rtsp://guard:wr0ng@{relay.place}/door"
        with camera(uri, backoff=lambda: repeat(60.0), refused_backoff=refused) as source:
            until(lambda: source.stats.connection_errors == 3)
        assert relay.authorized == 3
    assert "Unauthorized (401): wrong user or password" in caplog.text
    assert "wr0ng" not in caplog.text
    assert "guard" not in caplog.text


def test_a_user_who_may_not_watch_is_not_tried_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    with (
        answering("403 Forbidden") as place,
        camera(f"rtsp://guard:s3cret@{place}/door", refused_backoff=lambda: repeat(60.0)) as source,
    ):
        until(lambda: source.stats.connection_errors == 1)
    assert "Forbidden (403)): wrong user or password, none given, or a user who may not watch" in caplog.text
    assert "next attempt in 60.0 s" in caplog.text


def test_a_wrong_path_is_told_and_tried_as_any_other_outage(caplog: pytest.LogCaptureFixture) -> None:
    with serving(H264) as place, camera(f"rtsp://{place}/other", refused_backoff=lambda: repeat(60.0)) as source:
        until(lambda: source.stats.connection_errors == 2)
    assert "is the path right?" in caplog.text


def test_over_tls_the_certificate_is_asked_about(caplog: pytest.LogCaptureFixture) -> None:
    with serving(H264) as place, camera(f"rtsps://{place}/door") as source:  # which speaks no TLS at all
        until(lambda: source.stats.connection_errors >= 1)
    assert "trust the camera's certificate" in caplog.text


def test_udp() -> None:
    with serving(H264) as place, camera(f"rtspu://{place}/door") as source:
        take(source, 5)
    with serving(H264) as place, Relay(place) as relay, camera(f"rtspt://{relay.place}/door") as source:
        take(source, 5)


def test_a_password_from_the_environment(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("DOOR_USER", "guard")
    monkeypatch.setenv("DOOR_PASSWORD", "s3/c@r#t%41:")
    caplog.set_level(logging.DEBUG)
    address = "rtsp://${DOOR_USER}:${DOOR_PASSWORD}@"
    with (
        serving(H264, user="guard", password="s3/c@r#t%41:") as place,
        camera(f"{address}{place}/door") as source,
    ):
        take(source, 2)
        assert source.stats.connection_errors == 0
    assert "s3/c@r" not in caplog.text
