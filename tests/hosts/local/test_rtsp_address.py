"""Addresses of cameras: passwords as people write them, variables, transports."""

from __future__ import annotations

import pytest

from savant_reid.errors import SourceError
from savant_reid.hosts.local.rtsp_address import is_rtsp, parse_address
from savant_reid.redaction import keep_no_secret

NVR = "nvr.shop.lan:554/live"


@pytest.mark.parametrize(
    ("text", "user", "password", "uri"),
    [
        ("rtsp://10.0.0.7/1", None, None, "rtsp://10.0.0.7/1"),
        ("rtsp://cam", None, None, "rtsp://cam"),
        ("rtsp://guard@cam/1", "guard", "", "rtsp://cam/1"),
        ("rtsp://guard:pw@[fe80::1]:554/1?a=b#c", "guard", "pw", "rtsp://[fe80::1]:554/1?a=b#c"),
        ("rtsp://gu%40rd:p%2Fw%25@cam/1", "gu@rd", "p/w%", "rtsp://cam/1"),
        ("rtsp://guard:100%@cam/1", "guard", "100%", "rtsp://cam/1"),
        ("rtsp://guard:p:w@cam/1", "guard", "p:w", "rtsp://cam/1"),
        ("rtsp://guard:p@w@cam/1", "guard", "p@w", "rtsp://cam/1"),
        (f"rtsp://guard:p/w@{NVR}", "guard", "p/w", f"rtsp://{NVR}"),
        (f"rtsp://guard:p#w?/@{NVR}", "guard", "p#w?/", f"rtsp://{NVR}"),
        ("rtsp://guard:p w[@cam/1", "guard", "p w[", "rtsp://cam/1"),
        ("rtsp://10.0.0.7:554/live@main", None, None, "rtsp://10.0.0.7:554/live@main"),
        ("rtsp://guard:pw@10.0.0.7/live@main", "guard", "pw", "rtsp://10.0.0.7/live@main"),
        ("rtsp://cam/live@main", None, None, "rtsp://cam/live@main"),
        ("rtsp://cam/1?mail=a@b", None, None, "rtsp://cam/1?mail=a@b"),
    ],
)
def test_what_is_unambiguous_is_understood(text: str, user: str | None, password: str | None, uri: str) -> None:
    address = parse_address("door", text, {})
    assert (address.user, address.password, address.uri) == (user, password, uri)


@pytest.mark.parametrize("text", ["guard:12/s3@cam/1", "guard:p@s/s3@cam/1", "guard:s3/c@ret/@cam", "cam:554/s3@x"])
def test_what_can_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match=r"camera 'door'.*more than one way; write / as %2F, @ as %40") as caught:
        parse_address("door", f"rtsp://{text}", {})
    assert "s3" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "/1", "guard:s3cret", "guard:s3cret@", "guard:s3cret@/1", "guard:s3/cret@[oops"])
def test_no_address(text: str) -> None:
    with pytest.raises(SourceError, match=r"expected rtsp://\[user:password@\]host") as caught:
        parse_address("door", f"rtsp://{text}", {})
    assert "s3" not in str(caught.value)


def test_a_password_that_is_no_text() -> None:
    with pytest.raises(SourceError, match="UTF-8"):
        parse_address("door", "rtsp://guard:%ff@cam/1", {})


def test_variables_are_taken_as_they_are() -> None:
    environment = {"U": "gu@rd", "P": "a:b/c%41@${U}", "HOST": "10.0.0.7", "PORT": "554"}
    address = parse_address("door", "rtsp://${U}:x%20${P}@${HOST}:${PORT}/1", environment)
    assert (address.user, address.password) == ("gu@rd", "x a:b/c%41@${U}")
    assert address.uri == "rtsp://10.0.0.7:554/1"
    assert address.shown == "rtsp://***@${HOST}:${PORT}/1"
    with pytest.raises(SourceError, match=r"camera 'door': expected the variable MISSING"):
        parse_address("door", "rtsp://guard:${MISSING}@cam/1", environment)


@pytest.mark.parametrize(
    ("scheme", "transport", "uri"),
    [
        ("rtsp", "tcp", "rtsp://cam/1"),
        ("RTSPU", "udp", "rtsp://cam/1"),
        ("rtspt", "tcp", "rtsp://cam/1"),
        ("rtsps", "tcp", "rtsps://cam/1"),
    ],
)
def test_transports(scheme: str, transport: str, uri: str) -> None:
    address = parse_address("door", f"{scheme}://cam/1", {})
    assert (address.transport, address.uri) == (transport, uri)
    assert is_rtsp(f"{scheme}://cam/1")


def test_nothing_secret_is_shown_or_kept() -> None:
    text = "rtsp://guard:s3/cret@10.0.0.7/1?auth=s3cret"
    address = parse_address("door", text, {})
    assert "cret" not in repr(address)
    assert address.scrub(f"cannot open {address.uri} as {address.user} s3/cret s3%2Fcret") == (
        "cannot open rtsp://***@10.0.0.7/1?... as guard *** ***"
    )
    assert keep_no_secret(text) == "rtsp://***@10.0.0.7/1?..."
    assert keep_no_secret("rtspu://guard:${P}@10.0.0.7/1") == "rtspu://***@10.0.0.7/1"
    assert keep_no_secret("rtspu://${U}:${P}@10.0.0.7/1?a") == "rtspu://${U}:${P}@10.0.0.7/1?..."
    assert keep_no_secret("videos/a@b.mp4") == "videos/a@b.mp4"
    with pytest.raises(SourceError, match="taken out"):
        parse_address("door", keep_no_secret(text), {})
