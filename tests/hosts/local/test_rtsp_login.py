"""Who may watch over RTSP, and from where."""

from __future__ import annotations

import hashlib
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from savant_reid.errors import ConfigError, SavantReidError
from savant_reid.hosts.local import gst
from savant_reid.hosts.local.rtsp_login import VARIABLE, Login, read_logins
from savant_reid.hosts.local.rtsp_server import RtspRequest, RtspServer
from tests.hosts.local.rtsp_client import RawClient, basic, figures
from tests.hosts.local.rtsp_feed import HOST, Feed
from tests.hosts.local.videos import probe
from tests.waiting import until

# Who may watch, and from where.

LOGINS = [Login("al", 'p:a s"s'), Login("bö", "ü@/")]


@pytest.fixture
def guarded() -> Iterator[RtspServer]:
    server = RtspServer(0, ["door"], host=HOST, fps=30, logins=LOGINS)
    feed = Feed(server, "door")
    yield server
    feed.stop()
    server.stop()


@pytest.mark.parametrize("login", LOGINS, ids=["ascii", "utf-8"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_ffprobe_with_a_password(guarded: RtspServer, login: Login, transport: str) -> None:
    address = guarded.url("door").replace("://", f"://{quote(login.user, '')}:{quote(login.password, '')}@")
    assert probe(address, "-rtsp_transport", transport, "-read_intervals", "%+0.5")["width"] == 160
    assert guarded.clients.figures()["logins_failed"] == 0


def test_basic(guarded: RtspServer) -> None:
    for login in LOGINS:
        with RawClient(guarded.url("door"), basic(f"{login.user}:{login.password}")) as client:
            assert next(client.play().units())


def test_digest(guarded: RtspServer) -> None:
    md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731 - RFC 2617's own
    with RawClient(guarded.url("door")) as client:
        asked = client.ask("DESCRIBE")
        realm, nonce = re.search(r'Digest realm="([^"]+)", nonce="([^"]+)"', asked).groups()  # type: ignore[union-attr]
        for password, status in ((LOGINS[0].password, "200"), ("wrong", "401")):
            response = md5(f"{md5(f'al:{realm}:{password}')}:{nonce}:{md5(f'DESCRIBE:{client.url}')}")
            answer = client.ask(
                "DESCRIBE",
                headers=f'Authorization: Digest username="al", realm="{realm}", nonce="{nonce}", uri="{client.url}", '
                f'response="{response}"\r\n',
            )
            assert answer.startswith(f"RTSP/1.0 {status}")


def test_strangers_get_401_and_learn_no_names(guarded: RtspServer) -> None:
    with RawClient(guarded.url("door")) as client:
        for method in ("DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER"):
            answer = client.ask(method)
            assert answer.startswith("RTSP/1.0 401")
        assert 'Digest realm="savant-reid"' in answer
        assert 'Basic realm="savant-reid"' in answer
        assert client.ask("DESCRIBE", client.url + "-that-is-not-there").startswith("RTSP/1.0 401")
    assert figures(guarded)["encodings"] == 0
    with RawClient(guarded.url("door") + "-that-is-not-there", basic('al:p:a s"s')) as client:
        assert client.ask("DESCRIBE").startswith("RTSP/1.0 404")


def test_who_guesses_is_counted_logged_and_closed(guarded: RtspServer, caplog: pytest.LogCaptureFixture) -> None:
    with RawClient(guarded.url("door"), basic("al:guess-77")) as client:
        until(lambda: not _still_asked(client))
    assert 1 < guarded.clients.figures()["logins_failed"] < 20
    assert [record.message for record in caplog.records] == [f"rtsp: {HOST} gave a wrong user or password"]


def _still_asked(client: RawClient) -> bool:
    try:
        return client.ask("DESCRIBE").startswith("RTSP/1.0 401")
    except OSError:
        return False


def test_passwords_are_in_no_log_and_no_figure(guarded: RtspServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), RawClient(guarded.url("door"), basic('al:p:a s"s')) as client:
        next(client.play().units())
    shown = caplog.text + str(guarded.metrics()) + repr(RtspRequest(1, logins=tuple(LOGINS)))
    assert "watches door" in shown
    assert not any(login.password in shown for login in LOGINS)
    assert basic('al:p:a s"s').split()[-1] not in shown


def test_it_is_served_where_it_was_asked_to_be(caplog: pytest.LogCaptureFixture) -> None:
    assert RtspRequest(8554).host == HOST
    server = RtspServer(0, ["door"])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), 5)
    server.stop()
    assert not caplog.records
    server = RtspServer(0, ["door"], host="0.0.0.0")
    socket.create_connection(("127.0.0.2", server.port), 5).close()
    server.stop()
    assert "no password is asked (--rtsp-login)" in caplog.text


def test_an_encoder_that_is_not_installed() -> None:
    registry = gst.bindings().Gst.Registry.get()
    encoder = registry.lookup_feature("x264enc")
    registry.remove_feature(encoder)
    try:
        with pytest.raises(
            SavantReidError, match=r"no element 'x264enc' \(it is in gstreamer1.0-plugins-ugly\).*apt-get"
        ):
            RtspServer(0, ["door"], host=HOST)
    finally:
        registry.add_feature(encoder)


# Where users and passwords come from.


def test_a_file_and_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "login"
    file.write_text("al:p:a s\n\nbö:ü \n", encoding="utf-8")
    assert read_logins(file, {VARIABLE: "c:d"}) == (Login("al", "p:a s"), Login("bö", "ü "))
    assert read_logins(None, {VARIABLE: "c:d"}) == (Login("c", "d"),)
    assert read_logins(None, {}) == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        ("\n \n", None),
        ("al\n", 1),
        ("al:\n", 1),
        (":sesame\n", 1),
        ("al:x\nal:sesame", 2),
        ('a"l:sesame', 1),
        ("al:ses\tame", 1),
        ("al:ok\nbo:ses\x1bame", 2),
    ],
)
def test_what_is_no_login_is_refused_and_not_repeated(tmp_path: Path, text: str, line: int | None) -> None:
    """An empty variable, too: somebody meant to set it, and nobody means to let everybody in."""
    file = tmp_path / "login"
    file.write_text(text)
    expected = f"line {line}: expected" if line else "USER:PASSWORD, found none"
    for where, source in ((str(file), (file, {})), (VARIABLE, (None, {VARIABLE: text}))):
        with pytest.raises(ConfigError, match=expected) as caught:
            read_logins(*source)  # type: ignore[arg-type]
        assert where in str(caught.value)
        assert not re.search("ses|ame", str(caught.value))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected lines USER:PASSWORD; cannot be read: No such file"):
        read_logins(tmp_path / "none")
    (tmp_path / "login").write_bytes(b"al:\xff")
    with pytest.raises(ConfigError, match="expected text in UTF-8"):
        read_logins(tmp_path / "login")
