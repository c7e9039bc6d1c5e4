"""Where corrections give one identity to two people of a frame, the consumer and tracks.csv choose the same one."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tests.sinks.sink_records import event, frame

from savant_reid.sinks.frames import FramesSink
from savant_reid.sinks.identities import IdentitiesSink
from savant_reid.sinks.tracks import TracksSink


def both(folder: Path, history_of, steps, hold_seconds: float) -> tuple[dict, dict]:
    """(frame, track) to identity, by tracks.csv and by the consumer. steps: records and lists of events."""
    folder.mkdir()
    sinks = [TracksSink(folder, hold_seconds), FramesSink(folder, "s"), IdentitiesSink(folder, "s")]
    for step in steps:
        for sink in sinks:
            sink.write_events(step) if isinstance(step, list) else sink.write_frame(step)
    for sink in sinks:
        sink.close()
    rows = [line.split(",") for line in (folder / "tracks.csv").read_text().splitlines()[1:]]
    history = history_of(":memory:")
    for name in ("frames", "identities"):
        history.add(("r", json.loads(line)) for line in (folder / f"{name}.jsonl").read_text().splitlines())
    found = {row[:2]: row[2] for row in history.connection.execute("SELECT frame, track_id, global_id FROM history")}
    history.close()
    return {(int(row[1]), int(row[2])): int(row[3]) for row in rows}, found


@pytest.mark.parametrize("hold_seconds", [0.0, 5.0], ids=["rows left before they had names", "rows waited"])
def test_who_was_first_named_so_keeps_it_before_who_was_so_by_corrections(tmp_path, history_of, hold_seconds):
    steps = [
        frame(0, {2: 7, 3: None}),
        frame(1, {2: 7, 3: 6}),
        frame(200, {9: 1}),
        [event("split", 7, 2 * 10**10, camera="door", track_id=2, other_id=15)],
        [event("merged", 15, 2 * 10**10, other_id=6)],
    ]
    for found in both(tmp_path / "run", history_of, steps, hold_seconds):
        assert found == {(0, 2): -1, (0, 3): 6, (1, 2): -1, (1, 3): 6, (200, 9): 1}


def test_who_was_said_so_keeps_it_before_who_took_it_with_the_first_name(tmp_path, history_of):
    """And what was written in between, when it was somebody else's, does not matter."""
    steps = [
        frame(0, {2: 6, 3: None}),
        frame(1, {2: 6, 3: None}),
        [event("split", 6, 2 * 10**8, camera="door", track_id=2, other_id=8, since_ns=10**8)],
        frame(2, {2: 8, 3: 6}),
        frame(200, {9: 1}),
        [event("merged", 8, 2 * 10**10, other_id=6)],
    ]
    for found in both(tmp_path / "run", history_of, steps, 5.0):
        assert found == {(0, 2): 6, (0, 3): -1, (1, 2): 6, (1, 3): -1, (2, 2): -1, (2, 3): 6, (200, 9): 1}


def test_who_gave_way_has_the_identity_back_when_the_other_one_turns_out_to_be_somebody_else(tmp_path, history_of):
    steps = [
        [event("merged", 7, 0, other_id=6)],
        frame(0, {2: 7, 3: 6}),
        frame(1, {2: 6}),
        [event("split", 6, 10**9, camera="door", track_id=3, other_id=9)],
    ]
    for found in both(tmp_path / "run", history_of, steps, 0.0):
        assert found == {(0, 2): 6, (0, 3): 9, (1, 2): 6}


def test_changes_of_all_kinds_at_random(tmp_path, history_of):
    """Tracks of a camera that get, change and lose names, split and merged as by the engine, 3 at a time in view."""
    for seed in range(40):
        rng = random.Random(seed)
        steps, names, fresh, alive = [], {}, 3, {0, 1, 2}
        for second in range(60):
            for track in (second // 20 * 3 + n for n in range(3)):
                free = sorted(alive - {names.get(second // 20 * 3 + n) for n in range(3)})
                if track not in names and rng.random() < 0.4 and free:
                    names[track] = rng.choice(free)
                elif track in names and rng.random() < 0.15:
                    # To a new name: the engine never gives a track back a name that it has taken from it.
                    told = {"camera": "door", "track_id": track, "other_id": fresh}
                    steps.append([event("split", names[track], second * 10**9, **told)])
                    names[track] = fresh
                    alive, fresh = alive | {fresh}, fresh + 1
            if len(alive) > 2 and rng.random() < 0.2:
                gone, kept = rng.sample(sorted(alive), 2)
                seen = [names.get(second // 20 * 3 + n) for n in range(3)]
                if not {gone, kept} <= set(seen):
                    steps.append([event("merged", gone, second * 10**9, other_id=kept)])
                    alive -= {gone}
                    names = {track: kept if name == gone else name for track, name in names.items()}
            steps.append(frame(second * 10, {second // 20 * 3 + n: names.get(second // 20 * 3 + n) for n in range(3)}))
        written, kept_history = both(tmp_path / str(seed), history_of, steps, rng.choice([0.0, 5.0]))
        different = {key: (who, kept_history.get(key)) for key, who in written.items() if kept_history.get(key) != who}
        assert not different, (seed, different)
