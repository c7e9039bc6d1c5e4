"""A camera that asks for a password gets it; nobody else does."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import repeat
from urllib.parse import quote

import pytest

from savant_reid.hosts.local.rtsp_source import RtspSource
from savant_reid.hosts.local.sources import is_live
from tests.hosts.local.cameras import H264, serving
from tests.waiting import until

USER = "guard"


def guarded(password: str) -> AbstractContextManager[str]:
    """host:port of a server whose /door takes this password of USER alone, as it is (RTSP's basic authentication)."""
    return serving(H264, user=USER, password=password, basic=True)


_READ = """
import time
from savant_reid.hosts.local.rtsp_source import RtspSource
for password in ("s3cret", "wr0ng"):
    source = RtspSource("door", f"rtsp://{user}:{{password}}@{place}/door")
    source.start()
    end = time.monotonic() + 15
    while source.peek(0.1) is None and not source.stats.connection_errors and time.monotonic() < end:
        pass
    source.stop()
    print(source.stats.connection_errors)
"""


def test_gstreamers_own_words_hold_no_password():
    """As somebody sees them who looks for what is wrong with a camera."""
    with guarded("s3cret") as place:
        done = subprocess.run(
            [sys.executable, "-c", _READ.format(user=USER, place=place)],
            env={**os.environ, "GST_DEBUG": "*rtsp*:6,*sdp*:6,3", "GST_DEBUG_NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert done.stdout.split() == ["0", "1"]
    assert "gst_rtspsrc" in done.stderr
    for secret in ("s3cret", "wr0ng", b64encode(f"{USER}:s3cret".encode()).decode(), USER):
        assert secret not in done.stderr


@contextmanager
def camera(uri: str) -> Iterator[RtspSource]:
    source = RtspSource("door", uri, backoff=lambda: repeat(0.05), refused_backoff=lambda: repeat(0.05))
    source.start()
    try:
        yield source
    finally:
        source.stop()


@pytest.mark.parametrize(
    ("password", "written"),
    [("s3cret", "s3cret"), ("s3/cret@x", quote("s3/cret@x", safe="")), ("s3[c?r#t", "s3[c?r#t")],
)
def test_a_password_opens_the_camera_and_is_in_no_log(caplog: pytest.LogCaptureFixture, password: str, written: str):
    caplog.set_level(logging.DEBUG)
    with guarded(password) as place, camera(f"rtsp://{USER}:{written}@{place}/door") as source:
        until(lambda: source.take() is not None, 20)
    with guarded(password) as place, camera(f"rtsp://{USER}:wrong-s3cret@{place}/door") as source:
        until(lambda: source.stats.connection_errors >= 2, 20)
        assert source.stats.frames == 0
    assert f"rtsp://***@{place}/door: Unauthorized" in caplog.text
    for secret in (password, written, "wrong-s3cret", USER):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    "password", ["s3/cret", "s3?cret", "s3#cret", "s3 cret", "s3@cret", 's3"cret', "s3[cret", "s3\\cret"]
)
def test_a_password_that_nothing_understands_is_in_no_log(caplog: pytest.LogCaptureFixture, password: str):
    """In an address as a user would paste it, not percent-encoded, and with nobody there."""
    uri = f"rtsp://{USER}:{password}@127.0.0.1:9/door"
    assert is_live(uri)
    with camera(uri) as source:
        until(lambda: source.stats.connection_errors >= 2, 20)
    assert "rtsp://***@127.0.0.1:9/door" in caplog.text
    assert password not in caplog.text
    assert "cret" not in caplog.text
