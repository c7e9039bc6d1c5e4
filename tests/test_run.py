"""Whole runs: simulated cameras through the demo module, as a user would start them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq
from click.testing import CliRunner

from savant_reid.cli import main
from savant_reid.evaluation.tracks import read_tracks
from savant_reid.hosts.local.sources import open_source
from savant_reid.report import write_report
from savant_reid.sinks.sightings import embedding_model, read_sightings
from tests.ports import free_port

MODULE = Path(__file__).parents[1] / "module" / "module.yml"
SECONDS, FPS = 12, 10


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two cameras, four people, twelve seconds, of a seed that shows somebody walking from one to the other."""
    from simulated_site.site import make_site
    from simulated_site.write import write_site

    folder = tmp_path_factory.mktemp("site")
    return write_site(folder, make_site(3, cameras=2, people=4, seconds=SECONDS), processes=1)


def arguments(site, out: Path, *more: str) -> list[str]:
    return ["run", str(MODULE), "--site", str(site.site), "--truth", str(site.truth), "--out", str(out), *more]


def invoke(*args: str):
    return CliRunner().invoke(main, list(args))


@pytest.fixture(scope="module")
def run(site, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "first"
    result = invoke(*arguments(site, out, "--json"))
    assert result.exit_code == 0, result.output
    return out, result


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_writes_every_file_of_the_contract(site, run):
    out, result = run
    names = {"frames.jsonl", "identities.jsonl", "tracks.csv", "sightings.parquet", "metrics.json", "report.html"}
    videos = {f"overlay-{camera}.mp4" for camera in site.videos} | {"mosaic.mp4"}
    assert names | videos | {"site.yml", "truth.csv"} == {path.name for path in out.iterdir()}
    assert json.loads(result.stdout)["frames"] == 2 * SECONDS * FPS
    table = read_sightings(out / "sightings.parquet")
    assert embedding_model(table).startswith("person_reid sha256:")
    assert len(read_tracks(out / "tracks.csv")) == table.num_rows


def test_no_frame_of_a_file_is_dropped(site, run):
    out, _ = run
    frames = lines(out / "frames.jsonl")
    for camera in site.videos:
        assert [f["frame"] for f in frames if f["camera"] == camera] == list(range(SECONDS * FPS))


def test_overlay_videos_have_every_frame(site, run):
    out, _ = run
    for camera in site.videos:
        source = open_source("overlay", str(out / f"overlay-{camera}.mp4"))
        source.start()
        count = 0
        while not source.ended:
            count += source.peek(1.0) is not None and source.take() is not None
        source.stop()
        assert count == SECONDS * FPS


def test_people_are_found_and_keep_their_identity(run):
    out, _ = run
    scores = json.loads((out / "metrics.json").read_text())["scores"]
    assert scores["overall"]["recall"] > 0.85
    assert scores["overall"]["IDF1"] > 0.85
    assert scores["overall"]["shared_ids"] == 0
    evaluated = invoke("evaluate", "--truth", str(out / "truth.csv"), "--result", str(out / "tracks.csv"), "--json")
    assert json.loads(evaluated.stdout)["IDF1"] == pytest.approx(scores["overall"]["IDF1"])


def test_the_same_input_gives_the_same_decisions(site, run, tmp_path):
    out, _ = run
    assert invoke(*arguments(site, tmp_path / "again")).exit_code == 0
    for name in ("frames.jsonl", "identities.jsonl", "tracks.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


def test_metadata_over_zeromq_is_what_the_files_hold(site, tmp_path):
    address = f"ipc://{tmp_path}/metadata.ipc"
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.setsockopt(zmq.RECONNECT_IVL, 10)
        subscriber.subscribe("")
        subscriber.connect(address)
        result = invoke(*arguments(site, tmp_path / "out", "--zmq", address, "--json"))
        assert result.exit_code == 0, result.output
        heard: dict[bytes, list[str]] = {}
        while subscriber.poll(200):
            topic, text = subscriber.recv_multipart()
            heard.setdefault(topic, []).append(text.decode())
    assert heard.pop(b"identity/") == (tmp_path / "out" / "identities.jsonl").read_text().splitlines()
    frames = (tmp_path / "out" / "frames.jsonl").read_text().splitlines()
    assert set(heard) == {f"frame/{camera}/".encode() for camera in site.videos}
    assert sorted(line for lines in heard.values() for line in lines) == sorted(frames)
    told = json.loads(result.stdout)["zeromq"]
    assert (told["address"], told["frames"], told["overruns"]) == (f"pub+bind:{address}", len(frames), 0)


def test_savants_protocol_says_what_the_files_hold_and_when_each_camera_has_ended(site, tmp_path):
    pytest.importorskip("savant_rs")
    (long, video), (short, cut) = [(camera, site.videos[camera]) for camera in site.videos]
    subprocess.run(["ffmpeg", "-loglevel", "error", "-t", "5", "-i", cut, "-c", "copy", tmp_path / "s.mp4"], check=True)
    sources = ("--source", f"{long}={video}", "--source", f"{short}={tmp_path / 's.mp4'}")
    reader = Path(__file__).parent / "sinks" / "savant_reader.py"
    address = f"ipc://{tmp_path}/out.ipc"
    with (tmp_path / "heard").open("w") as heard:
        process = subprocess.Popen([sys.executable, reader, f"router+bind:{address}", "2"], stdout=heard)
    savant = ("--savant-zmq", f"dealer+connect:{address}", "--json")
    result = invoke("run", str(MODULE), "--site", str(site.site), "--out", str(tmp_path / "out"), *sources, *savant)
    assert result.exit_code == 0, result.output
    assert process.wait(60) == 0
    told = lines(tmp_path / "heard")[1:]
    written = lines(tmp_path / "out" / "frames.jsonl")
    shown = [(one["source_id"], one["pts"], who_is_where(one)) for one in told if "pts" in one]
    assert shown == [
        (one["camera"], one["time_ns"], [(o["track_id"], o["reid"]["global_id"]) for o in one["objects"]])
        for one in written
    ]
    assert any(people for _, _, people in shown)
    events = [event for one in told for event in one.get("events", ())]
    assert events == lines(tmp_path / "out" / "identities.jsonl")[: len(events)]
    end = next(place for place, one in enumerate(told) if one.get("end") == short)
    assert {one["topic"] for one in told[end + 5 :]} == {long}, "an end is told soon, and frames after it are others'"
    assert told[-1]["end"] == long
    found = json.loads(result.stdout)["savant"]
    assert (found["frames"], found["ends"], found["confirmed"], found["dropped"]) == (len(written), 2, 2, 0)
    assert found["events"] + found["events_dropped"] == len(lines(tmp_path / "out" / "identities.jsonl"))


def who_is_where(told: dict) -> list[tuple[int, int]]:
    return [(one["track_id"], one["attributes"]["reid.global_id"][1]) for one in told["objects"]]


def test_a_folder_that_holds_a_run_is_refused(site, run):
    out, _ = run
    result = invoke(*arguments(site, out))
    assert result.exit_code == 1
    assert "holds a run already" in result.output
    assert "--force" in result.output


def test_nothing_is_lost_when_a_forced_run_cannot_start(site, run):
    """A typo in a source must not cost the run that is there."""
    out, _ = run
    before = {path.name: path.stat().st_size for path in out.iterdir()}
    missing = invoke("run", str(MODULE), "--source", "a=/no/such/video.mp4", "--out", str(out), "--force")
    assert "camera 'a': /no/such/video.mp4 does not exist" in missing.output
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        result = invoke(*arguments(site, out, "--force", "--serve-rtsp", "--rtsp-port", str(port)))
        published = invoke(*arguments(site, out, "--force", "--zmq", f"tcp://127.0.0.1:{port}"))
    assert str(port) in result.output
    assert result.exit_code == 1
    assert f"ZeroMQ address tcp://127.0.0.1:{port}: cannot be used: Address already in use" in published.output
    assert {path.name: path.stat().st_size for path in out.iterdir()} == before


def test_a_site_file_of_the_users_own_in_the_folder_is_kept(site, tmp_path):
    mine = tmp_path / "site.yml"
    mine.write_text("# my notes\n")
    for force in ([], ["--force"]):
        result = invoke(*arguments(site, tmp_path, *force))
        assert result.exit_code == 1
        assert "site.yml: would be overwritten" in result.output
    assert {path.name for path in tmp_path.iterdir()} == {"site.yml"}
    assert mine.read_text() == "# my notes\n"


def test_a_forced_run_does_not_destroy_its_own_sources(site, run):
    out, _ = run
    camera, overlay = next((camera, out / f"overlay-{camera}.mp4") for camera in site.videos)
    before = overlay.stat().st_size
    result = invoke("run", str(MODULE), "--source", f"{camera}={overlay}", "--out", str(out), "--force")
    assert result.exit_code == 1
    assert f"would write over {overlay}" in result.output
    assert overlay.stat().st_size == before


def test_the_run_may_read_and_write_in_one_folder(site, tmp_path):
    """`--out .`, beside site file, truth and videos; once more with --force; and a path that means much to YAML."""
    out = tmp_path / "my shop: #1"
    shutil.copytree(site.site.parent, out)
    given = ["--site", str(out / "site.yml"), "--truth", str(out / "truth.csv"), "--out", str(out)]
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert invoke("run", str(MODULE), *given).exit_code == 0
    result = invoke("run", str(MODULE), *given, "--force")
    assert result.exit_code == 0, result.output
    assert {name: (out / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--source", "door.mp4", "expected CAMERA=URI"),
        ("--source", "hall/door=a.mp4", "a name without '/'"),
        ("--source", "mosaic=a.mp4", "camera 'mosaic': expected another name"),
        ("--source", "a\nb=a.mp4", "control characters"),
        ("--set", "batch_size", "expected KEY=VALUE"),
        ("--rtsp-port", "0", "0 is not in the range"),
    ],
)
def test_usage_mistakes_end_with_status_2_and_write_nothing(tmp_path, option, value, message):
    result = invoke("run", str(MODULE), option, value, "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


def test_a_truth_of_nobody_does_not_cost_the_run(site, tmp_path):
    """It is refused at the start, not when hours of video have been run."""
    truth = tmp_path / "nobody.csv"
    truth.write_text(site.truth.read_text().splitlines()[0] + "\n")
    out = tmp_path / "out"
    result = invoke("run", str(MODULE), "--site", str(site.site), "--truth", str(truth), "--out", str(out))
    assert result.exit_code == 1
    assert "nobody.csv: the truth has no rows" in result.output
    assert not out.exists()


def test_neither_source_nor_site_is_named(tmp_path):
    module = tmp_path / "module.yml"
    module.write_text(MODULE.read_text())
    result = invoke("run", str(module), "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "expected --source CAMERA=URI or a site file with sources, found neither" in result.output
    assert not (tmp_path / "out").exists()


def test_the_demo_runs_and_can_be_forced_to_run_again(tmp_path):
    out = tmp_path / "demo"
    command = ["demo", "--cameras", "2", "--people", "3", "--seconds", "5", "--out", str(out), "--json"]
    first = invoke(*command)
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["frames"] == 2 * 5 * FPS
    assert {"IDF1", "recall"} <= json.loads(first.stdout)["scores"]["overall"].keys()
    assert {path.name for path in (out / "site").iterdir()} >= {"site.yml", "truth.csv"}
    assert "source: site/" in (out / "site.yml").read_text()
    refused = invoke(*command)
    assert refused.exit_code == 1
    assert "holds a run already" in refused.output
    again = invoke(*command, "--force")
    assert again.exit_code == 0, again.output


def test_the_demo_does_not_write_over_other_folders(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "entrance.mp4").write_bytes(b"mine")
    result = invoke("demo", "--cameras", "2", "--people", "3", "--seconds", "5", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert "is not empty" in result.output
    assert (tmp_path / "site" / "entrance.mp4").read_bytes() == b"mine"


def test_cameras_unknown_to_the_site_are_named(site, tmp_path):
    video = str(next(iter(site.videos.values())))
    result = invoke("run", str(MODULE), "--site", str(site.site), "--source", f"roof={video}", "--out", str(tmp_path))
    assert "expected roof of the command line among them" in result.output


def test_a_wrong_module_key_is_named_with_its_line(tmp_path):
    text = MODULE.read_text()
    line = text.splitlines().index("      batch_size: 16") + 1
    wrong = tmp_path / "module.yml"
    wrong.write_text(text.replace("      batch_size: 16", "      batch_sise: 16"))
    result = invoke("run", str(wrong), "--source", "a=a.mp4", "--out", str(tmp_path / "out"))
    assert f"module.yml:{line}:" in result.output
    assert "did you mean 'batch_size'" in result.output


@pytest.fixture
def start(tmp_path):
    """Starts the command as a process; whatever is left of it at the end is killed."""
    processes: list[subprocess.Popen[bytes]] = []

    def run_process(*args: str) -> subprocess.Popen[bytes]:
        log = (tmp_path / f"log-{len(processes)}").open("wb")
        command = [sys.executable, "-m", "savant_reid", *args]
        processes.append(subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}))
        return processes[-1]

    yield run_process
    for process in processes:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def has_lines(path: Path, count: int) -> bool:
    return path.exists() and path.read_bytes().count(b"\n") >= count


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_cleanly(site, start, tmp_path, number):
    """The dead camera keeps the run alive and is retried; the other one goes on."""
    out, (camera, video) = tmp_path / "out", next(iter(site.videos.items()))
    process = start(
        "run", str(MODULE), "--source", f"{camera}={video}", "--source", "dead=rtsp://127.0.0.1:9/x", "--out", str(out)
    )
    wait_for(lambda: has_lines(out / "frames.jsonl", 25))
    process.send_signal(number)
    assert process.wait(timeout=30) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["stopped_early"] is True
    assert metrics["cameras"]["dead"]["connection_errors"] >= 1
    assert metrics["cameras"][camera]["frames"] >= 25
    assert len(read_tracks(out / "tracks.csv")) == sum(len(f["objects"]) for f in lines(out / "frames.jsonl"))
    assert (out / "report.html").exists()


def test_a_killed_run_leaves_files_that_can_be_read(site, start, tmp_path):
    out = tmp_path / "out"
    process = start(*arguments(site, out, "--serve-rtsp", "--rtsp-port", str(free_port())))
    wait_for(lambda: has_lines(out / "frames.jsonl", 2 * 50))
    process.kill()
    process.wait()
    read_tracks(out / "tracks.csv")
    read_sightings(out / "sightings.parquet")
    assert write_report(out).stat().st_size > 10_000
    source = open_source("overlay", str(out / "mosaic.mp4"))
    source.start()
    source.stop()


def test_rtsp_can_be_watched_while_files_play(site, start, tmp_path):
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is the client, and is not installed here")
    port = free_port()
    out = tmp_path / "out"
    start(*arguments(site, out, "--serve-rtsp", "--rtsp-port", str(port)))
    wait_for(lambda: has_lines(out / "frames.jsonl", 4))
    probe = subprocess.run(
        [
            *("ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name,width,height"),
            *("-of", "csv=p=0", f"rtsp://127.0.0.1:{port}/mosaic"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert probe.stdout.strip().startswith("h264,1280,"), probe.stderr
