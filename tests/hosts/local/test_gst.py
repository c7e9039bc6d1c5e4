"""A machine without GStreamer is told what to install."""

from __future__ import annotations

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
