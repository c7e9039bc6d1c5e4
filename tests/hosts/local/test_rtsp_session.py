"""What rtspsrc is told while it speaks with a camera."""

from __future__ import annotations

from savant_reid.hosts.local import gst
from savant_reid.hosts.local.rtsp_session import OneLogin


def test_a_request_is_sent_once_with_a_password_until_the_stream_plays() -> None:
    """Later a camera may call what it has answered to stale, as often as it likes."""
    rtsp, source, login = gst.rtsp_bindings(), gst.make("rtspsrc"), OneLogin("guard")
    users = []
    for method in ("OPTIONS", "DESCRIBE", "DESCRIBE", "SETUP", "SETUP", "PLAY", *["GET_PARAMETER"] * 4):
        _, message = rtsp.rtsp_message_new_request(getattr(rtsp.RTSPMethod, method), "rtsp://h/1")
        assert login.sending(source, message)
        users.append(source.get_property("user-id"))
    assert users == ["guard", "guard", None, "guard", None, *["guard"] * 5]
