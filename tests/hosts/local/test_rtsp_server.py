"""Our RTSP server, asked by real clients: ffprobe, ffmpeg, GStreamer's rtspsrc, bare sockets."""

from __future__ import annotations

import base64
import re
import threading
import time
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest

from savant_reid.hosts.local import gst, rtsp_stream
from savant_reid.hosts.local.rtsp_server import RtspServer
from savant_reid.hosts.local.rtsp_source import RtspSource
from tests.hosts.local.rtsp_client import KEY, PLAIN, PPS, SPS, RawClient, figures, read_by_ffmpeg
from tests.hosts.local.rtsp_feed import HOST, Feed
from tests.hosts.local.videos import picture, probe
from tests.waiting import until

BRIEFLY = ("-rtsp_transport", "tcp", "-read_intervals", "%+0.5")


# What is sent.


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_constrained_baseline_with_even_sides(server: RtspServer, transport: str) -> None:
    found = probe(server.url("door"), "-rtsp_transport", transport, "-read_intervals", "%+0.5")
    assert (found["profile"], found["pix_fmt"]) == ("Constrained Baseline", "yuv420p")
    assert (found["width"], found["height"]) == (162, 98)


@pytest.mark.usefixtures("feed")
def test_the_sdp_says_so_too(server: RtspServer) -> None:
    with RawClient(server.url("door")) as client:
        sdp = client.describe()
    assert re.search(r"a=rtpmap:\d+ H264/90000", sdp)
    assert "packetization-mode=1" in sdp
    assert re.search(r"profile-level-id=42[cC]0", sdp)
    sets = [base64.b64decode(one) for one in re.search(r"sprop-parameter-sets=([^;\s]+)", sdp)[1].split(",")]  # type: ignore[index]
    assert [one[0] & 31 for one in sets] == [SPS, PPS]
    assert sets[0][1] == 66
    assert sets[0][2] & 0x40  # constraint_set1: what makes baseline constrained


@pytest.mark.usefixtures("feed")
def test_key_frames_come_by_the_clock_each_with_its_parameter_sets(server: RtspServer) -> None:
    """Also where the rate is not what the caps say: pictures come 30 a second, 240 are announced."""
    server.streams["door"]._fps = 240
    before: set[int] = set()
    keys: list[int] = []
    stamps: list[int] = []
    with RawClient(server.url("door")) as client:
        for stamp, kind in client.play().units():
            if not stamps or stamp != stamps[-1]:
                stamps.append(stamp)
                before = set()
            before.add(kind)
            if kind == KEY:
                assert {SPS, PPS} <= before
                keys.append(stamp)
            if len(keys) == 4:
                break
    assert stamps[0] == keys[0]
    # The first two are the one that told what the stream is like, and that of the play request.
    assert all(0 < later - earlier < 3 * 90_000 for earlier, later in pairwise(keys))
    assert keys[3] - keys[2] > 0.5 * 90_000


@pytest.mark.usefixtures("feed")
def test_time_stamps_rise_by_the_time_that_passes(server: RtspServer) -> None:
    with RawClient(server.url("door")) as client:
        units = client.play().units()
        begin, (first, _) = time.monotonic(), next(units)
        stamps = [stamp for stamp, kind in islice(units, 200) if kind in (KEY, PLAIN)]
        passed = time.monotonic() - begin
    assert all(earlier < later for earlier, later in pairwise(stamps))
    assert abs((stamps[-1] - first) / 90_000 - passed) < 2


@pytest.mark.parametrize("name", ["hall 1", "größe?", "a#b&c=d%20", "door-2"])
def test_any_name_of_a_camera_is_an_address(name: str) -> None:
    server = RtspServer(0, ["door", name], host=HOST)
    feed = Feed(server, name)
    try:
        assert probe(server.url(name), *BRIEFLY)["width"] == 160
        assert figures(server)["encodings"] == 0
    finally:
        feed.stop()
        server.stop()


def test_a_change_of_resolution_reaches_those_who_watch_and_those_who_come(server: RtspServer, feed: Feed) -> None:
    with RawClient(server.url("door")) as client:
        units = client.play().units()
        list(islice(units, 10))
        feed.size = (320, 192)
        sets = figures(server)["key_frames"]
        until(lambda: next(units) and figures(server)["key_frames"] > sets)
        assert probe(server.url("door"), *BRIEFLY)["width"] == 320
    assert figures(server)["encodings"] == 1


# When it is encoded.


def test_nothing_is_encoded_for_nobody(server: RtspServer) -> None:
    def push(count: int) -> None:
        for number in range(count):
            server.push("door", picture(number))

    push(20)
    assert figures(server)["encodings"] == 0
    with RawClient(server.url("door")) as client:
        threading.Timer(0.1, push, [50]).start()
        client.describe()
        # One picture says what the stream is like; nobody has asked for more.
        push(50)
        assert figures(server)["frames_encoded"] == 1
        assert figures(server)["clients"] == 0
    until(lambda: not server.watched("door"))
    push(20)
    assert figures(server)["frames_encoded"] == 1
    feed = Feed(server, "door")
    with RawClient(server.url("door")) as client:
        kinds = [kind for _, kind in islice(client.play().units(), 60)]
        assert kinds.index(KEY) < kinds.index(PLAIN)
        assert figures(server)["clients"] == 1
    until(lambda: not server.watched("door"))
    feed.stop()
    last = figures(server)
    push(20)
    assert figures(server) == last
    assert (last["encodings"], last["frames_skipped"]) == (2, 0)
    assert figures(server, "hall")["encodings"] == 0


@pytest.mark.usefixtures("feed")
def test_those_who_watch_share_one_encoder(server: RtspServer) -> None:
    source = RtspSource("door", server.url("door"))
    source.start()
    others = [read_by_ffmpeg(server.url("door"), transport) for transport in ("tcp", "udp")]
    try:
        until(lambda: figures(server)["clients"] == 3)
        assert figures(server)["encodings"] == 1
        source.stop()
        until(lambda: figures(server)["clients"] == 2)
        assert server.watched("door")
    finally:
        source.stop()
        for one in others:
            one.kill()
            one.wait()
    until(lambda: not server.watched("door"))


@pytest.mark.usefixtures("feed")
def test_who_joins_later_begins_with_a_key_frame(server: RtspServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp_stream, "KEY_SECONDS", 3600.0)
    with RawClient(server.url("door")) as first:
        list(islice(first.play().units(), 40))
        with RawClient(server.url("door")) as second:
            kinds = [kind for _, kind in islice(second.play().units(), 30)]
    # What was on its way when it came may be before it.
    assert kinds[: kinds.index(KEY)].count(PLAIN) <= 3
    assert kinds[kinds.index(KEY) + 1 :].count(KEY) == 0


@pytest.mark.usefixtures("feed")
def test_who_comes_as_the_last_one_leaves_is_served(server: RtspServer) -> None:
    for _ in range(20):
        with RawClient(server.url("door")) as client:
            client.play()


@pytest.mark.usefixtures("feed")
def test_a_picture_that_comes_while_the_encoder_starts_holds_nobody_up(
    server: RtspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GStreamer gives the pictures' element its clock first and the time of the start after it, to subtract."""
    stream = server.streams["door"]
    attach = stream.attach

    def attach_and_push(media: Any) -> None:
        attach(media)
        stream._source.set_clock(gst.bindings().Gst.SystemClock.obtain())
        stream.push(picture(0))

    monkeypatch.setattr(stream, "attach", attach_and_push)
    with RawClient(server.url("door")) as client:
        client.play()
        until(lambda: figures(server)["frames_encoded"] > 10, 10)
        stamps = [stamp for stamp, _ in islice(client.units(), 30)]
    assert (stamps[-1] - stamps[0]) % 2**32 < 60 * 90_000


def test_an_encoder_that_is_too_slow_skips_frames_and_counts_them(server: RtspServer) -> None:
    """Pushed without a pause: more than anybody encodes."""
    noise = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    feed = Feed(server, "door", (1280, 720))
    with RawClient(server.url("door")) as client:
        units = client.play().units()
        list(islice(units, 20))
        feed.stop()
        encoded = figures(server)["frames_encoded"]
        for _ in range(100):
            server.push("door", noise)
        feed = Feed(server, "door", (1280, 720))
        until(lambda: next(units) and figures(server)["frames_skipped"] > 0)
        assert figures(server)["frames_encoded"] > encoded
    feed.stop()
