"""A run that serves its overlays, as a user starts it, until its files have ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from savant_reid.cli import main
from tests.hosts.local.rtsp_client import RawClient, basic
from tests.ports import free_port
from tests.waiting import until

MODULE = Path(__file__).parents[1] / "module" / "module.yml"
USER, PASSWORD = "watcher", "s3same-opens"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two cameras, eight seconds."""
    from simulated_site.site import make_site
    from simulated_site.write import write_site

    return write_site(tmp_path_factory.mktemp("site"), make_site(5, cameras=2, people=4, seconds=8), processes=1)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **more: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(arguments, stdin=subprocess.DEVNULL, **more))  # type: ignore[call-overload]
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def clients(port: int, stream: str) -> float:
    """What /metrics says; -1 before it can be asked."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return -1
    assert PASSWORD not in text
    found = [line.split()[-1] for line in text.splitlines() if f'name="clients",sink="rtsp/{stream}"' in line]
    return float(found[0]) if found else -1


def test_files_end_while_clients_watch_and_one_has_stopped_reading(site, start, tmp_path: Path) -> None:
    out, login, log, port, metrics_port = (
        tmp_path / "out",
        tmp_path / "login",
        tmp_path / "log",
        free_port(),
        free_port(),
    )
    login.write_text(f"{USER}:{PASSWORD}\n")
    module = ["run", str(MODULE), "--site", str(site.site), "--out", str(out), "--no-videos"]
    serve = ["--serve-rtsp", "--rtsp-port", str(port), "--rtsp-login", str(login), "--metrics-port", str(metrics_port)]
    with log.open("wb") as text:
        run = start(sys.executable, "-m", "savant_reid", "-v", *module, *serve, stderr=text)
    until(lambda: clients(metrics_port, "mosaic") == 0, 60)
    address = f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{port}/mosaic"
    reader = start("ffmpeg", "-v", "quiet", "-rtsp_transport", "tcp", "-i", address, "-f", "null", "-")
    with RawClient(f"rtsp://127.0.0.1:{port}/mosaic", basic(f"{USER}:{PASSWORD}"), receive_bytes=4096) as stalled:
        stalled.play()
        until(lambda: clients(metrics_port, "mosaic") == 2, 30)
        assert PASSWORD.encode() not in Path(f"/proc/{run.pid}/cmdline").read_bytes()
        assert run.wait(120) == 0
    reader.wait(30)
    assert run.returncode == 0
    metrics = json.loads((out / "metrics.json").read_text())["rtsp"]
    assert metrics["logins_failed"] == 0
    assert metrics["streams"]["mosaic"]["encodings"] == 1
    assert metrics["streams"]["mosaic"]["frames_encoded"] > 5
    assert {name: one["encodings"] for name, one in metrics["streams"].items() if name != "mosaic"} == dict.fromkeys(
        site.videos, 0
    )
    assert "watches mosaic" in log.read_text()
    written = [log.read_bytes(), *(path.read_bytes() for path in out.rglob("*") if path.is_file())]
    assert not any(PASSWORD.encode() in one for one in written)
    assert not list(out.glob("*.mp4"))
    assert (out / "report.html").exists()


def test_a_signal_ends_a_run_that_is_watched(site, start, tmp_path: Path) -> None:
    port = free_port()
    module = ["run", str(MODULE), "--site", str(site.site), "--out", str(tmp_path / "out"), "--rtsp-port", str(port)]
    environment = {**os.environ, "SAVANT_REID_RTSP_LOGIN": f"{USER}:{PASSWORD}"}
    run = start(sys.executable, "-m", "savant_reid", *module, "--serve-rtsp", env=environment)
    camera = next(iter(site.videos))
    until(lambda: _plays(port, camera), 60)
    run.send_signal(signal.SIGINT)
    assert run.wait(60) == 0


def _plays(port: int, camera: str) -> bool:
    try:
        with RawClient(f"rtsp://127.0.0.1:{port}/{camera}", basic(f"{USER}:{PASSWORD}")) as client:
            return next(client.play().units()) is not None
    except ConnectionRefusedError:
        return False


def test_a_login_that_is_none_ends_the_run_before_it_begins(site, tmp_path: Path) -> None:
    login, out = tmp_path / "login", tmp_path / "out"
    login.write_text("s3same-opens\n")
    arguments = ["run", str(MODULE), "--site", str(site.site), "--out", str(out), "--rtsp-login", str(login)]
    refused = CliRunner().invoke(main, [*arguments, "--serve-rtsp"])
    assert refused.exit_code == 1
    assert f"{login}: line 1: expected USER:PASSWORD" in refused.output
    assert PASSWORD not in refused.output
    idle = CliRunner().invoke(main, arguments)
    assert idle.exit_code == 2
    assert "expected --serve-rtsp beside it" in idle.output
    assert not out.exists()
