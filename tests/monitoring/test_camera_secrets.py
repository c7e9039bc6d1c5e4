"""A camera that asks for a password gets it; nobody else does."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from urllib.parse import quote

import pytest

from savant_reid.hosts.local import gst
from savant_reid.hosts.local.rtsp_source import RtspSource
from savant_reid.hosts.local.sources import is_live
from tests.hosts.local.videos import until

USER = "guard"
LAUNCH = (
    "( videotestsrc is-live=true ! video/x-raw,width=160,height=96,framerate=15/1 "
    "! x264enc tune=zerolatency key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
)


@contextmanager
def guarded(password: str) -> Iterator[str]:
    """host:port of a server whose /door takes this password of USER alone (RTSP's basic authentication)."""
    library, glib = gst.rtsp_server_bindings(), gst.bindings().GLib
    context = glib.MainContext()
    loop = glib.MainLoop.new(context, False)
    server, factory, auth = library.RTSPServer(), library.RTSPMediaFactory(), library.RTSPAuth()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory.set_launch(LAUNCH)
    factory.set_shared(True)
    token, permissions = library.RTSPToken(), library.RTSPPermissions()
    token.set_string("media.factory.role", "user")
    auth.add_basic(library.RTSPAuth.make_basic(USER, password), token)
    server.set_auth(auth)
    permissions.add_role("user")
    for what in ("access", "construct"):
        permissions.add_permission_for_role("user", f"media.factory.{what}", True)
    factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/door", factory)
    server.attach(context)
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.get_bound_port()}"
    finally:
        loop.quit()
        thread.join(timeout=5)


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
