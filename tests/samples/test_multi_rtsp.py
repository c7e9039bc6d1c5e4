"""The sample with several RTSP cameras, as its README says."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.waiting import until

from savant_reid.hosts.local.rtsp_source import RtspSource
from savant_reid.site import load_site

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "multi_rtsp"


def test_simulated_cameras_play_over_and_over(tmp_path):
    seconds = 5
    command = [sys.executable, str(SAMPLE / "serve_cameras.py"), "--out", str(tmp_path), "--port", str(free_port())]
    command += ["--cameras", "2", "--people", "2", "--seconds", str(seconds)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
    ) as serving:
        assert serving.stdout is not None
        said = []
        for line in serving.stdout:
            said.append(line)
            if line.startswith("site:"):
                break
        assert said[-1] == f"site: {tmp_path / 'site.yml'}\n", said
        cameras = load_site(tmp_path / "site.yml").cameras
        assert len(cameras) == 2
        name, address = next((name, camera.source) for name, camera in cameras.items())
        source = RtspSource(name, address)
        source.start()
        try:
            until(lambda: source.take() is not None and source.stats.frames > 10 * seconds + 5, seconds=60)
        finally:
            source.stop()
        assert source.stats.reconnects == 0, "the stream broke when the videos began anew"
        serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=20) == 0


@pytest.fixture(scope="module")
def watch():
    spec = importlib.util.spec_from_file_location("watch_metadata", SAMPLE / "watch_metadata.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_frames_and_events_in_a_line_each(watch):
    known = {"reid": {"global_id": 3, "probability": 0.981}}
    unknown = {"reid": {"global_id": -1, "probability": 0.0}}
    frame = {"camera": "door", "frame": 4, "objects": [known, unknown]}
    assert watch.frame_line(frame).split() == ["door", "#4:", "3", "(0.98)", "and", "1", "not", "known", "yet"]
    assert watch.frame_line({**frame, "objects": []}).split() == ["door", "#4:", "-"]
    event = {"kind": "merged", "global_id": 8, "other_id": 3, "camera": None, "reason": "one person"}
    assert watch.event_line(event).split() == ["event", "merged", "8", "->", "3", "one", "person"]


def test_the_readme_names_files_that_are_there_and_a_site_that_loads(tmp_path):
    text = (SAMPLE / "README.md").read_text()
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (SAMPLE / target).exists(), target
    for path in re.findall(r"(?:samples|docker|module)/[\w./-]*\w", text):
        assert (ROOT / path).exists() or path == "docker/.env", path
    assert {path.name for path in SAMPLE.iterdir() if path.is_file()} - {"README.md"} == set(
        re.findall(r"^\| `([\w.-]+)` \|", text, re.MULTILINE)
    )
    [site] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "site.yml").write_text(site)
    assert set(load_site(tmp_path / "site.yml").cameras) == {"entrance", "aisle-1"}


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("watch_metadata.py", ["nonsense"], "expected tcp://HOST:PORT or ipc://PATH, found 'nonsense'"),
        ("serve_cameras.py", ["--out", __file__], "the simulated cameras cannot be written: [Errno 20]"),
    ],
)
def test_mistakes_are_told_in_one_line(script, arguments, said):
    ended = subprocess.run(
        [sys.executable, str(SAMPLE / script), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
