"""A machine without GStreamer is told what to install."""

from __future__ import annotations

import logging
import sys

import pytest

from savant_reid.errors import SavantReidError
from savant_reid.hosts.local import gst


def test_missing_bindings_name_the_apt_command(monkeypatch: pytest.MonkeyPatch) -> None:
    gst.bindings()  # remembered: so the RTSP part below fails by itself
    monkeypatch.setitem(sys.modules, "gi", None)
    with pytest.raises(SavantReidError, match=r"sudo apt-get install -y python3-gi python3-gst-1\.0"):
        gst.bindings.__wrapped__()
    with pytest.raises(SavantReidError, match=r"RTSP server.*gir1.2-gst-rtsp-server-1.0"):
        gst.rtsp_server_bindings.__wrapped__()


def test_missing_element_names_the_apt_command() -> None:
    with pytest.raises(SavantReidError, match=r"no element 'nosuchenc'.*sudo apt-get install"):
        gst.make("nosuchenc")


def test_what_gstreamer_complains_of_is_logged_by_us(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    event = gst.bindings().Gst.Event.new_eos()
    with caplog.at_level(logging.DEBUG):
        event.set_seqnum(0)
    assert "gst_event_set_seqnum" in caplog.text
    assert "CRITICAL" not in capfd.readouterr().err
