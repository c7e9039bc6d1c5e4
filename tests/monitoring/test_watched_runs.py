"""Real runs, watched from outside while they last."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from savant_reid.cli import main
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.rtsp_server import RtspServer
from savant_reid.monitoring.table import LOCAL
from savant_reid.monitoring.watch import MetricsRequest
from savant_reid.run import RunRequest, run
from savant_reid.sinks.outputs import Outputs
from savant_reid.sinks.zeromq import ZeroMqSink
from tests.hosts.local.rtsp_feed import Feed
from tests.ports import free_port
from tests.waiting import until

MODULE = Path(__file__).parents[2] / "module" / "module.yml"
HOST, PASSWORD = "127.0.0.1", "s3cret"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two cameras, four people, six seconds."""
    from simulated_site.site import make_site
    from simulated_site.write import write_site

    return write_site(tmp_path_factory.mktemp("site"), make_site(5, cameras=2, people=4, seconds=6), processes=1)


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def status(port: int, path: str) -> tuple[int, dict[str, Any]]:
    code, body = get(port, path)
    return code, json.loads(body)


def samples(port: int) -> dict[str, dict[tuple[str, ...], float]]:
    """By name: values by label values, in the order of the table's labels; buckets by their bound besides."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(get(port, "/metrics")[1]):
        for sample in family.samples:
            base = re.sub("_(total|bucket|sum|count)$", "", sample.name)
            order = [*LOCAL[base].labels, "le"] if base in LOCAL else sorted(sample.labels)
            assert set(sample.labels) <= set(order)
            key = tuple(sample.labels[label] for label in order if label in sample.labels)
            found.setdefault(sample.name, {})[key] = sample.value
    return found


class Stopped:
    """A run in a thread, stuck in its pipeline after so many batches until it is let go."""

    def __init__(self, site: Any, out: Path, batches: int) -> None:
        self.port, self.frames, self.stuck = free_port(), Counter[str](), threading.Event()
        self._go, self._batches = threading.Event(), batches
        request = RunRequest(
            MODULE,
            out,
            site=site.site,
            progress=self._progress,
            outputs=Outputs(zmq=f"ipc://{out}.ipc"),
            metrics=MetricsRequest(self.port, stall_seconds=1.0),
        )
        self.metrics: dict[str, Any] = {}
        self._thread = threading.Thread(target=lambda: self.metrics.update(run(request)))
        self._thread.start()

    def _progress(self, frames: Sequence[Frame]) -> None:
        self.frames.update(frame.camera for frame in frames)
        self._batches -= 1
        if self._batches == 0:
            self.stuck.set()
            self._go.wait(60)

    def finish(self) -> None:
        self._go.set()
        self._thread.join(60)


@pytest.fixture
def stopped(site, tmp_path) -> Iterator[Stopped]:
    stopped = Stopped(site, tmp_path / "out", batches=30)
    yield stopped
    stopped.finish()


def test_a_stuck_pipeline_is_seen_and_what_it_did_is_told(site, stopped: Stopped):
    assert stopped.stuck.wait(60)
    assert status(stopped.port, "/readyz")[0] == 200
    until(lambda: status(stopped.port, "/healthz")[0] == 503)
    verdict = status(stopped.port, "/healthz")[1]
    assert verdict["cause"] == "stalled"
    assert re.match(r"no batch for \d+ s, though frames come from ", verdict["reason"])
    found = samples(stopped.port)
    assert (found["reid_healthy"][()], found["reid_ready"][()]) == (0, 1)
    cameras = list(site.videos)
    for camera in cameras:
        assert found["reid_frames_total"]["identify", camera] == stopped.frames[camera] == 30
        assert found["reid_frames_total"]["detector", camera] in (30, 31, 32, 33)  # works ahead
        assert found["reid_camera_connected"][camera,] == 1
        assert found["reid_camera_fps"][camera,] == 10
        assert found["reid_camera_figure"]["identify", camera, "drifts"] == 0
    assert found["reid_sink_figure"][ZeroMqSink.name, "frames"] == 60
    assert found["reid_batches_total"]["identify",] == found["reid_batch_seconds_count"]["identify",] == 30
    assert found["reid_seconds_total"]["identify",] == found["reid_batch_seconds_sum"]["identify",] > 0
    assert found["reid_batches_total"]["sinks",] == 30
    people = sum(found["reid_people_total"]["gate", camera] for camera in cameras)
    due = people - sum(value for (element, _), value in found["reid_held_back_total"].items() if element == "gate")
    assert 0 < sum(value for (element, _), value in found["reid_embeddings_total"].items()) <= due < people
    assert "reid_latency_seconds_count" not in found  # the time of a file's frames says nothing of now
    stopped.finish()
    with pytest.raises(OSError, match="refused"):
        get(stopped.port, "/healthz")
    assert stopped.metrics["frames"] == 2 * 60


def test_no_identity_is_ever_a_label(site, stopped: Stopped):
    assert stopped.stuck.wait(60)
    known = {label for metric in LOCAL.values() for label in metric.labels}
    assert known == {"element", "source_id", "kind", "name", "reason", "sink", "metric"}
    values = {
        value
        for name, rows in samples(stopped.port).items()
        if name.startswith("reid_")
        for key in rows
        for value in key
    }
    assert set(site.videos) < values
    numbers = {value for value in values if re.fullmatch(r"-?\d+", value)}
    assert not numbers, "bounds of buckets are 1.0, not 1: these are ids"
    assert len(values) < 120


@pytest.fixture
def camera() -> Iterator[RtspServer]:
    server = RtspServer(0, ["door"], host=HOST, fps=30)
    feed = Feed(server)
    yield server
    feed.stop()
    server.stop()


def test_a_camera_goes_and_its_password_is_nowhere(camera: RtspServer, tmp_path: Path):
    out, log = tmp_path / "out", tmp_path / "log"
    source = camera.url("door").replace("rtsp://", f"rtsp://guard:{PASSWORD}@")
    options = ["--metrics-port", "0", "--stall-seconds", "3", "--log-format", "json"]
    command = [sys.executable, "-m", "savant_reid", "-v", "run", str(MODULE), "--source", f"door={source}"]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, "--out", str(out), *options],
            stdout=stream,
            stderr=stream,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    try:
        until(lambda: b"metrics on http://" in log.read_bytes(), 60)
        port = int(re.findall(r"metrics on http://127\.0\.0\.1:(\d+)/metrics", log.read_text())[0])
        until(lambda: status(port, "/readyz")[0] == 200, 60)
        assert status(port, "/healthz")[0] == 200
        until(lambda: samples(port).get("reid_latency_seconds_count", {}).get(("door",), 0) >= 10, 30)
        pages = [get(port, page)[1] for page in ("/metrics", "/healthz", "/readyz")]
        assert samples(port)["reid_latency_seconds_sum"]["door",] / 10 < 30
        camera.stop()
        until(lambda: status(port, "/healthz")[0] == 503, 30)
        assert status(port, "/healthz")[1]["cause"] == "cameras_gone"
        until(lambda: samples(port)["reid_connection_errors_total"]["door",] >= 2, 30)
        assert samples(port)["reid_camera_connected"]["door",] == 0
        pages += [get(port, page)[1] for page in ("/metrics", "/healthz", "/readyz")]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert any("no frame" in e["message"] or "next attempt" in e["message"] for e in entries if e["level"] == "warning")
    assert any(HOST in entry["message"] for entry in entries if "'door'" in entry["message"])
    written = [path.read_bytes() for path in out.iterdir()] + [log.read_bytes()] + [page.encode() for page in pages]
    assert not [text for text in written if PASSWORD.encode() in text or b"guard" in text]


def test_a_mistake_is_told_as_an_object_too(tmp_path: Path):
    command = ["run", str(MODULE), "--source", "a=/no/such.mp4", "--out", str(tmp_path / "out"), "--log-format", "json"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    [entry] = [json.loads(line) for line in result.stderr.splitlines()]
    assert (entry["level"], entry["message"]) == ("error", "camera 'a': /no/such.mp4 does not exist")


def test_a_port_that_is_taken_costs_nothing(site, tmp_path: Path):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        command = ["run", str(MODULE), "--site", str(site.site), "--out", str(tmp_path / "out")]
        result = CliRunner().invoke(main, [*command, "--metrics-port", str(port)])
    assert result.exit_code == 1
    assert f"metrics at 127.0.0.1:{port}: cannot be used: Address already in use" in result.output
    assert not (tmp_path / "out").exists()
