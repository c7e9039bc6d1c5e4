"""What stands in a log, and what never does."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable

import pytest

from savant_reid.monitoring import logs
from savant_reid.redaction import redact, redact_uri

SECRETS = ["rtsp://guard:s3cret@10.0.0.7/1", "rtsp://10.0.0.7/user=admin&password=s3cret&channel=1"]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What has been said on standard error since it was asked last."""
    return lambda: capsys.readouterr().err


def test_json_is_one_object_a_line(said: Callable[[], str]):
    logs.configure(logging.INFO, logs.JSON)
    log = logging.getLogger("savant_reid.some.where")
    log.info("two\nlines of %d", 2, extra={"frames": 7, "camera": "door"})
    log.debug("not this")
    try:
        raise OSError(f"cannot open {SECRETS[0]}")
    except OSError:
        log.exception("it broke")
    first, second = (json.loads(line) for line in said().splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "savant_reid.some.where",
        "thread": "MainThread",
        "message": "two\nlines of 2",
        "frames": 7,
        "camera": "door",
    }
    assert second["exception"].endswith("OSError: cannot open rtsp://***@10.0.0.7/1")


@pytest.mark.parametrize("style", logs.FORMATS)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_leaves(said: Callable[[], str], style: str, secret: str):
    logs.configure(logging.INFO, style)
    log = logging.getLogger("test")
    log.warning("cannot open %s: refused", secret, extra={"uri": secret})
    try:
        raise ValueError(secret)
    except ValueError as error:
        log.error("%s", error, exc_info=True)
    told = said()
    assert "s3cret" not in told
    assert "10.0.0.7" in told


def test_the_last_call_counts(said: Callable[[], str]):
    logs.configure(logging.INFO, logs.JSON)
    logs.configure(logging.INFO, logs.TEXT)
    logging.getLogger("test").info("once")
    assert said() == "INFO once\n"
    assert not logs.is_json()


@pytest.mark.parametrize("thread", [False, True])
def test_what_nobody_catches_is_logged_without_secrets(thread: bool):
    act = "threading.Thread(target=fail).start()" if thread else "fail()"
    code = f"""
import logging, threading
from savant_reid.monitoring import logs
logs.configure(logging.INFO, logs.JSON)
logs.catch_uncaught()
def fail(): raise RuntimeError("{SECRETS[0]} broke")
{act}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    [entry] = [json.loads(line) for line in done.stderr.splitlines()]
    assert (entry["level"], entry["message"]) == ("critical", "unexpected: rtsp://***@10.0.0.7/1 broke")
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize("password", ["s3cret", "s3 cret", "s3'cret", 's3"cret', "s3@cret", "s3/cret", "%73s3cret"])
def test_an_address_is_shown_without_its_password_whatever_it_holds(password: str):
    shown = redact_uri(f"rtsp://guard:{password}@10.0.0.7:554/1?token=s3cret")
    assert shown == "rtsp://***@10.0.0.7:554/1?..."


def test_what_is_no_secret_stays():
    assert redact("mail to a@b, see http://host/x") == "mail to a@b, see http://host/x"
    assert redact_uri("/videos/a.mp4") == "/videos/a.mp4"
    form = "expected mqtt[s]://[USER@]HOST[:PORT]/PREFIX or mqtt://USER@HOST"
    assert redact(form) == form
    assert redact(f"{form}, found mqtt://bob:pw@host/x") == f"{form}, found mqtt://***@host/x"
