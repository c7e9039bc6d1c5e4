"""Whole replays of small recordings."""

from __future__ import annotations

import errno
import json
import signal
import threading
from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from scenes import CAMERAS, FRAME_NS, SITE, by_camera, live_frames, table, write, write_site

from savant_reid.cli import main
from savant_reid.errors import DataError, OutputError
from savant_reid.identity.resolver import Resolver
from savant_reid.interrupts import stop_on_signal
from savant_reid.records import FrameRecord
from savant_reid.replay import recording as recording_module
from savant_reid.replay import sorting
from savant_reid.replay.replay import ReplayRequest, replay
from savant_reid.report import write_report
from savant_reid.sinks.folder_sink import open_run_sinks
from savant_reid.sinks.sightings import read_sightings
from savant_reid.site import load_site

DECIDED = ("frames.jsonl", "identities.jsonl", "tracks.csv")
WRITTEN = (*DECIDED, "metrics.json", "report.html", "site.yml")


def files(folder, names=WRITTEN):
    return {name: (folder / name).read_bytes() for name in names}


def with_people(path):
    return [line for line in path.read_text().splitlines() if json.loads(line)["objects"]]


@pytest.fixture
def site(tmp_path):
    return write_site(tmp_path / "site.yml")


@pytest.fixture
def replayed(tmp_path, site):
    """Replays a table; returns the metrics and the folder."""
    count = iter(range(100))

    def run(found, **options):
        n = next(count)
        path = found if not isinstance(found, pa.Table) else write(tmp_path / f"recording-{n}.parquet", found)
        out = tmp_path / f"out-{n}"
        return replay(ReplayRequest(path, out, site, **options)), out

    return run


@pytest.fixture
def run_folder(tmp_path, site):
    """What a run of the same people leaves: the core was given every frame, those without people too."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_site(folder / "site.yml")
    loaded = load_site(site)
    resolver = Resolver(loaded.topology(), loaded.policy())
    sink = open_run_sinks(folder, loaded.site, "osnet-demo")
    for frame, seen in live_frames():
        decisions = resolver.resolve(seen)
        sink.write_events(resolver.take_events())
        start = 0
        for one in seen:
            sink.write_frame(FrameRecord(frame, one, decisions[start : start + len(one)]))
            start += len(one)
    sink.close()
    return folder


def test_a_runs_own_replay_says_what_the_run_said(run_folder, tmp_path):
    metrics = replay(ReplayRequest(run_folder, tmp_path / "out"))
    for name in ("identities.jsonl", "tracks.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (run_folder / name).read_bytes()
    assert with_people(tmp_path / "out" / "frames.jsonl") == with_people(run_folder / "frames.jsonl")
    assert metrics["identity"]["identities"] == 4
    assert metrics["frames"] + metrics["recording"]["empty_frames"] == 3 * 400


def test_a_recording_that_says_nothing_of_its_streams_comes_close(run_folder, replayed):
    """Rate and picture size are taken from the rows."""
    metrics, out = replayed(table())
    assert (out / "tracks.csv").read_bytes() == (run_folder / "tracks.csv").read_bytes()
    assert {one["fps"] for one in metrics["cameras"].values()} == {10.0}
    assert {(one["width"], one["height"]) for one in metrics["cameras"].values()} == {(640, 360)}


def test_the_same_input_gives_the_same_bytes(replayed):
    (_, one), (_, other) = replayed(table()), replayed(table())
    assert files(one) == files(other)
    assert (one / "sightings.parquet").read_bytes() == (other / "sightings.parquet").read_bytes()


def test_batches_of_rows_leave_no_trace(replayed, monkeypatch):
    _, one = replayed(table())
    monkeypatch.setattr(recording_module, "BATCH_ROWS", 7)
    _, other = replayed(table())
    assert files(one) == files(other)


@pytest.mark.parametrize("buckets", [1, 5])
def test_a_file_sorted_by_camera_gives_what_the_one_sorted_by_time_gives(replayed, monkeypatch, buckets):
    found = table()
    _, expected = replayed(found)
    monkeypatch.setattr(sorting, "BUCKET_BYTES", found.num_rows * (100 + 4 * 16) // buckets)
    metrics, out = replayed(by_camera(found))
    assert files(out) == files(expected)
    assert metrics["identity"]["identities"] == 4
    assert not list(out.glob(".sorting-*"))


def test_a_file_sorted_by_track_is_sorted_when_asked(replayed, caplog):
    found = table(live_frames(people=30, seconds=60))
    # Nobody has an embedding: this is about order, and quick.
    found = found.set_column(9, "embedding", pa.nulls(found.num_rows))
    by_track = found.take(np.lexsort((found["time_ns"].to_numpy(), found["track_id"].to_numpy())))
    _, expected = replayed(found)
    replayed(by_track)
    assert "try --order time" in caplog.text
    _, out = replayed(by_track, order="time")
    assert files(out, DECIDED) == files(expected, DECIDED)
    assert len(with_people(out / "frames.jsonl")) > 300


def test_a_camera_whose_clock_is_wrong_is_not_sorted(replayed):
    found = table()
    late = np.array(found["camera"].to_pylist()) == "aisle"
    shifted = np.where(late, found["time_ns"].to_numpy() + 3_600_000_000_000, found["time_ns"].to_numpy())
    metrics, out = replayed(found.set_column(2, "time_ns", pa.array(shifted)))
    order = [(frame["camera"], frame["frame"]) for frame in map(json.loads, with_people(out / "frames.jsonl"))]
    expected = dict.fromkeys(zip(found["camera"].to_pylist(), found["frame"].to_pylist(), strict=True))
    # As recorded: the wrong hour does not take the aisle to the end.
    assert sorted(order) == sorted(expected)
    assert [frame for _, frame in order] == sorted(frame for _, frame in order)
    assert metrics["identity"]["clock_jumps"] >= 1
    assert metrics["recording"]["empty_frames"] == 0


def test_rows_of_a_frame_need_not_lie_together(replayed):
    found = table(live_frames(people=8, seconds=30))
    mixed = found.take(np.lexsort((found["track_id"].to_numpy(), found["time_ns"].to_numpy())))
    cameras = mixed["camera"].to_pylist()
    assert sum(a != b for a, b in pairwise(cameras)) > 100
    metrics, out = replayed(mixed)
    _, expected = replayed(found)
    assert not metrics["recording"]["refused_rows"]
    said = [
        {one["track_id"]: one["reid"] for one in json.loads(line)["objects"]} for line in with_people(out / DECIDED[0])
    ]
    meant = [json.loads(line)["objects"] for line in with_people(expected / DECIDED[0])]
    assert said == [{one["track_id"]: one["reid"] for one in objects} for objects in meant]


def test_parts_of_a_killed_run(tmp_path, replayed):
    found = table()
    _, expected = replayed(found)
    folder = tmp_path / "killed" / "sightings.parquet"
    folder.mkdir(parents=True)
    for i in range(3):
        write(folder / f"part-{i + 1:05}.parquet", found.slice(i * 150, 150 if i < 2 else None))
    (folder / ".part-00004.tmp").write_bytes(b"half")
    for path in (folder, folder.parent):
        _, out = replayed(path)
        assert files(out) == files(expected)
        assert read_sightings(out / "sightings.parquet").equals(found)


def test_a_run_killed_before_its_first_part(tmp_path, replayed):
    folder = tmp_path / "killed.parquet"
    folder.mkdir()
    metrics, out = replayed(folder)
    assert metrics["frames"] == 0
    assert read_sightings(out / "sightings.parquet").num_rows == 0


HEADER = "camera,frame,track_id,global_id,left,top,width,height,confidence,time_ns\n"


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("", "the truth has no rows"),
        ("hall,0,,-1,0,0,9,9,1,0\n", "1 of 1 rows without a global_id"),
        ("hall,0,,5,0,0,9,9,1,0\nhall,0,,5,50,0,9,9,1,0\n", "global_id 5 twice in frame 0 of hall"),
    ],
)
def test_a_truth_that_nothing_can_be_compared_with_is_refused_before_anything_is_written(
    tmp_path, replayed, rows, found
):
    truth = tmp_path / "truth.csv"
    truth.write_text(HEADER + rows)
    with pytest.raises(DataError, match=rf"truth\.csv: .*{found}"):
        replayed(table(), truth=truth)
    assert not any(tmp_path.glob("*/frames.jsonl"))


def test_nobody_came(replayed):
    metrics, out = replayed(table([]))
    assert metrics["identity"]["identities"] == metrics["frames"] == metrics["video_seconds"] == 0
    assert (out / "frames.jsonl").read_bytes() == b""
    assert "This is a replay of recorded sightings" in (out / "report.html").read_text()
    assert "Nobody was identified" in (out / "report.html").read_text()


@pytest.mark.parametrize("parts", [1, 2])
def test_no_half_of_a_recording_is_left_where_the_disk_is_full(tmp_path, replayed, monkeypatch, parts):
    found = table()
    if parts == 2:
        middle = len(found) // 2
        (tmp_path / "parts").mkdir()
        for number, part in enumerate((found[:middle], found[middle:]), 1):
            write(tmp_path / "parts" / f"part-{number:05}.parquet", part)
        found = tmp_path / "parts"
    copied = []

    def other_file_system(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def full(_, target):
        target.write_bytes(b"PAR1")
        copied.append(target.name)
        if len(copied) == parts:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.link", other_file_system)
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(OutputError, match=r"sightings\.parquet: cannot be written: No space left on device"):
        replayed(found)
    assert len(copied) == parts
    assert not (tmp_path / "out-0" / "sightings.parquet").exists()


def test_the_folder_can_be_replayed_itself(replayed):
    _, first = replayed(table())
    _, second = replayed(first)
    assert files(first) == files(second)
    assert (first / "sightings.parquet").stat().st_ino == (second / "sightings.parquet").stat().st_ino


def test_broken_rows_are_refused_and_counted(replayed):
    clean = table()
    embeddings = clean["embedding"].to_pylist()
    has = [i for i, one in enumerate(embeddings) if one]
    for i, broken in zip(has[10:], ([np.nan] * 16, [0.0] * 16, [np.inf] * 16, [1.0] * 7), strict=False):
        embeddings[i] = broken
    kind = clean.schema.field("embedding").type
    found = table(embedding=pa.array(embeddings, kind))
    for name, broken in (("left", np.nan), ("width", -3.0), ("confidence", 1.5)):
        values = found[name].to_numpy().copy()
        values[len(values) - 1 if name == "left" else len(values) - 2 if name == "width" else len(values) - 3] = broken
        found = found.set_column(found.column_names.index(name), name, pa.array(values, pa.float32()))
    found = pa.concat_tables([found.slice(0, 100), found.slice(99, 1), found.slice(100)])
    metrics, _ = replayed(found)
    refused = metrics["recording"]["refused_rows"]
    assert refused == {"box": 2, "confidence": 1, "duplicate": 1, "embedding_length": 1}
    core = Counter(metrics["identity"]["refused_embeddings"])
    assert core["not_finite"] == 2
    assert core["zero"] == 1
    assert metrics["identity"]["identities"] == 4


def test_metrics_count_what_the_files_say(replayed):
    metrics, out = replayed(table())
    frames = [json.loads(line) for line in (out / "frames.jsonl").read_text().splitlines()]
    events = [json.loads(line) for line in (out / "identities.jsonl").read_text().splitlines()]
    said = Counter(one["reid"]["state"] for frame in frames for one in frame["objects"])
    happened = Counter(event["kind"] for event in events)
    assert happened["confirmed"]
    assert Counter(metrics["identity"]["decisions"]) == said
    assert Counter(metrics["identity"]["events"]) == happened


def test_refused_embeddings_are_told(tmp_path, site):
    found = table()
    broken = [one and [np.nan] * 16 for one in found["embedding"].to_pylist()]
    path = write(tmp_path / "broken.parquet", table(embedding=pa.array(broken, found.schema.field("embedding").type)))
    result = CliRunner().invoke(main, ["replay", str(path), "--site", str(site), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    count = sum(one is not None for one in broken)
    assert f"refused: {count} embeddings, not finite" in result.stderr


def test_a_frame_has_one_time_and_comes_once(replayed):
    found = table()
    times = found["time_ns"].to_numpy().copy()
    frames = found["frame"].to_numpy()
    pair = int(
        np.flatnonzero((np.diff(frames) == 0) & (np.array(found["camera"])[1:] == np.array(found["camera"])[:-1]))[0]
    )
    times[pair + 1] += 5
    late = found.slice(0, 1)
    metrics, _ = replayed(pa.concat_tables([found.set_column(2, "time_ns", pa.array(times)), late]))
    refused = metrics["recording"]["refused_rows"]
    assert refused["second_time"] == 1
    assert refused["late"] == 1


def test_a_stop_leaves_files_that_can_be_read(replayed):
    asked = iter(range(10_000))
    metrics, out = replayed(table(), stopped=lambda: next(asked) >= 150)
    assert metrics["stopped_early"]
    assert 0 < len(with_people(out / "frames.jsonl")) <= 450
    assert read_sightings(out / "sightings.parquet").num_rows
    assert "stopped before its end" in (out / "report.html").read_text()
    write_report(out)


def test_ctrl_c_ends_a_replay_cleanly(tmp_path, site):
    path = write(tmp_path / "recording.parquet", table())
    before = signal.getsignal(signal.SIGINT)
    sent = []

    def progress(rows, _):
        if rows > 200 and not sent:
            sent.append(rows)
            signal.raise_signal(signal.SIGINT)

    stopped = threading.Event()
    with stop_on_signal(stopped.set, print):
        replay(ReplayRequest(path, tmp_path / "out", site, stopped=stopped.is_set, progress=progress))
    assert signal.getsignal(signal.SIGINT) is before
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["stopped_early"]
    rows = sum(len(json.loads(line)["objects"]) for line in with_people(tmp_path / "out" / "frames.jsonl"))
    assert rows == sent[0]


def test_force_and_truth_and_json(tmp_path, site):
    path = write(tmp_path / "recording.parquet", table())
    truth = tmp_path / "truth.csv"
    rows = ["camera,frame,track_id,global_id,left,top,width,height,confidence,time_ns"]
    for one in table().to_pylist():
        box = ",".join(f"{one[side]:.1f}" for side in ("left", "top", "width", "height"))
        rows.append(f"{one['camera']},{one['frame']},,{(one['track_id'] - 1) // 3},{box},1,{one['time_ns']}")
    truth.write_text("\n".join(rows) + "\n")
    command = [
        "replay",
        str(path),
        "--site",
        str(site),
        "--out",
        str(tmp_path / "out"),
        "--truth",
        str(truth),
        "--json",
    ]
    first = CliRunner().invoke(main, command)
    assert first.exit_code == 0, first.output
    said = json.loads(first.stdout)
    assert said["scores"]["overall"]["IDF1"] > 0.99
    assert {"wall_seconds", "started_at", "peak_memory_mb"}.isdisjoint(said)
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 1
    assert "holds a run already" in refused.output
    truth.write_text(truth.read_text().replace("door,", "cellar,"))
    again = CliRunner().invoke(main, [*command, "--force"])
    assert again.exit_code == 0
    assert "not in the result, all missed: cellar" in again.stderr
    assert "not in the truth, all false positives: door" in again.stderr
    assert json.loads(again.stdout)["scores"]["cameras_only_in_truth"] == ["cellar"]


def test_unknown_cameras_are_named_before_anything_is_written(tmp_path):
    path = write(tmp_path / "recording.parquet", table())
    small = {**SITE, "cameras": {"door": {}, "aisle": {}}, "transitions": []}
    site = write_site(tmp_path / "small.yml", small)
    result = CliRunner().invoke(main, ["replay", str(path), "--site", str(site), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert f"{site}: cameras: expected till among them" in result.output
    assert "found door, aisle" in result.output
    assert not (tmp_path / "out").exists()


def test_a_replay_never_writes_over_its_input(run_folder):
    before = (run_folder / "sightings.parquet").read_bytes()
    result = CliRunner().invoke(main, ["replay", str(run_folder), "--out", str(run_folder), "--force"])
    assert result.exit_code == 1
    assert "one of its inputs" in result.output
    assert (run_folder / "sightings.parquet").read_bytes() == before


def test_no_site_file_anywhere(tmp_path):
    path = write(tmp_path / "recording.parquet", table())
    result = CliRunner().invoke(main, ["replay", str(path), "--out", str(tmp_path / "out")])
    assert "expected --site FILE or a site.yml beside recording.parquet, found neither" in result.output


def test_times_of_the_scene(replayed):
    _, out = replayed(table())
    times = {json.loads(line)["time_ns"] % FRAME_NS for line in with_people(out / "frames.jsonl")}
    assert times == {0}
    assert set(json.loads((out / "metrics.json").read_text())["cameras"]) == set(CAMERAS)
    assert pq.read_metadata(out / "sightings.parquet").num_rows == table().num_rows


def test_a_generated_recording_from_end_to_end(tmp_path):
    """With everything that real ones have: missed and broken embeddings, fragments, swaps, ghosts."""
    from savant_reid.testing import Recording, RecordingSettings, write_recording

    settings = RecordingSettings(cameras=4, people=12, seconds=40.0, dimension=32, seed=3)
    recorded = write_recording(Recording(settings), tmp_path / "recorded")
    request = ReplayRequest(recorded.sightings, tmp_path / "out", truth=recorded.truth)
    metrics = replay(request)
    rows = pq.read_metadata(recorded.sightings).num_rows
    assert metrics["recording"]["rows"] == metrics["people_frames"] == rows > 300
    assert not metrics["recording"]["refused_rows"]
    assert metrics["embedding_model"] == "simulated/D32"
    assert metrics["frames"] + metrics["recording"]["empty_frames"] == 4 * 40 * settings.fps
    assert metrics["scores"]["overall"]["recall"] > 0.8
    assert metrics["identity"]["shared_ids_in_frame"] == 0
    again = replay(ReplayRequest(recorded.sightings, tmp_path / "again", truth=recorded.truth))
    assert again == metrics
    assert files(tmp_path / "again") == files(tmp_path / "out")


def test_passwords_of_cameras_stay_at_home(tmp_path):
    cameras = {name: {"source": f"rtsp://user:secret@{name}/1"} for name in CAMERAS}
    site = write_site(tmp_path / "own.yml", {**SITE, "cameras": cameras})
    replay(ReplayRequest(write(tmp_path / "r.parquet", table()), tmp_path / "out", site))
    assert not any(b"secret" in one.read_bytes() for one in (tmp_path / "out").iterdir())
    assert "rtsp://***@door/1" in (tmp_path / "out" / "site.yml").read_text()
