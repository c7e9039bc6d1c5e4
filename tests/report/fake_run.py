"""A run folder as a real run leaves it: people walk between rooms, the real sinks write what was decided about them.

Also a command, to look at the page: python tests/report/fake_run.py FOLDER [people] [cameras] [seconds]
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml

from savant_reid.identity.types import Decision, EventKind, IdentityEvent, Reason, RunnerUp, Sightings, State, Unmatched
from savant_reid.records import FrameRecord
from savant_reid.sinks.folder_sink import open_run_sinks
from savant_reid.sinks.metrics import write_metrics
from savant_reid.sinks.run_folder import overlay_name, prepare_run_folder
from savant_reid.sinks.tracks import HEADER

FPS = 10
CAMERAS = ("entrance", "hall", "kitchen", "office", "store", "yard", "stairs", "lift")
CLOCK_NS = 1_790_000_000_000_000_000


@dataclass
class Stay:
    """One person on one camera; global_id: what the system takes them for."""

    person: int
    camera: str
    first: int
    last: int
    track_id: int
    global_id: int
    row_px: float


def write_fake_run(
    folder: Path, people=9, cameras=4, seconds=90, seed=1, truth=True, start_ns=0, names=CAMERAS, close=True
) -> list[Stay]:
    """close=False leaves what a killed run leaves: no metrics, nothing joined or repaired."""
    prepare_run_folder(folder, force=True)
    dice = random.Random(seed)
    chosen = [names[i] if i < len(names) else f"camera-{i + 1}" for i in range(cameras)]
    site = site_of(chosen)
    (folder / "site.yml").write_text(yaml.safe_dump(site, sort_keys=False, allow_unicode=True), encoding="utf-8")
    stays = walk(dice, chosen, people, seconds)
    confuse(dice, stays, people)
    sink = open_run_sinks(folder, site["site"], "osnet-demo")
    lines = [HEADER]
    known: dict[int, int] = {}
    for frame in range(seconds * FPS):
        time_ns = start_ns + frame * 1_000_000_000 // FPS
        for camera in chosen:
            here = [stay for stay in stays if stay.camera == camera and stay.first <= frame <= stay.last]
            boxes = [box_of(stay, frame) for stay in here]
            lines += [
                f"{camera},{frame},,{stay.person},{','.join(f'{x:.1f}' for x in box)},1,{time_ns}"
                for stay, box in zip(here, boxes, strict=True)
            ]
            sink.write_events(events_of(here, frame, time_ns, known, people))
            sink.write_frame(record_of(camera, frame, time_ns, here, boxes, known))
    if not close:
        return stays
    sink.close()
    if truth:
        (folder / "truth.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_metrics(folder / "metrics.json", metrics_of(chosen, site["site"], seconds, truth))
    for camera in chosen:
        (folder / overlay_name(camera)).write_bytes(b"")
    (folder / "mosaic.mp4").write_bytes(b"")
    return stays


def site_of(cameras):
    columns = max(1, round(len(cameras) ** 0.5))
    rooms, entries = {}, {}
    for i, camera in enumerate(cameras):
        x, y = (i % columns) * 11.0, (i // columns) * 8.0
        rooms[f"room {i + 1}"] = [x, y, 9.0, 6.0]
        entries[camera] = {"plan": [x + 2.0 + 5 * (i % 2), y + 1.5 + 2.5 * (i % 3 == 1)]}
    pairs = [*pairwise(cameras)]
    transitions = [{"from": a, "to": b, "seconds": [2, 9], "both_ways": True} for a, b in pairs]
    return {"site": "fake-site", "cameras": entries, "rooms": rooms, "transitions": transitions, "overlaps": []}


def walk(dice, cameras, people, seconds):
    stays, track_id = [], 1
    for person in range(people):
        frame = int(dice.uniform(0, 0.6) * seconds * FPS)
        at = dice.randrange(len(cameras))
        while frame < seconds * FPS:
            last = min(frame + int(dice.uniform(5, 14) * FPS), seconds * FPS - 1)
            stays.append(Stay(person, cameras[at], frame, last, track_id, person, 90.0 + 37 * (person % 9)))
            track_id += 1
            frame = last + int(dice.uniform(2.5, 9) * FPS)
            at = max(0, min(len(cameras) - 1, at + dice.choice([-1, 1])))
            if dice.random() < 0.12:
                break
    return stays


def confuse(dice, stays, people):
    """The mistakes that a report must show: a stay under somebody else's identity, and one under a new identity."""
    for i, stay in enumerate(dice.sample(stays, min(len(stays), max(3, people // 5)))):
        stay.global_id = people + i if i % 2 else dice.randrange(people)


def box_of(stay, frame):
    share = (frame - stay.first) / max(stay.last - stay.first, 1)
    size = 60 + 50 * share
    return (40 + 480 * share, stay.row_px, size, 2.4 * size)


def events_of(here, frame, time_ns, known, people):
    events = []
    for stay in here:
        age = frame - stay.first
        if age == 8 and stay.global_id not in known:
            known[stay.global_id] = time_ns
            events.append(
                IdentityEvent(
                    EventKind.CREATED, time_ns, stay.global_id, stay.camera, stay.track_id, None, "nobody alike"
                )
            )
        if age == 30 and time_ns - known.get(stay.global_id, time_ns) == 2_200_000_000:
            events.append(IdentityEvent(EventKind.CONFIRMED, time_ns, stay.global_id, stay.camera, stay.track_id))
        if age == 45 and stay.track_id % 11 == 4:
            gone = 1000 + stay.track_id
            evidence = {"similarity": 0.83, "probability": 0.97}
            events.append(
                IdentityEvent(EventKind.MERGED, time_ns, gone, stay.camera, None, stay.global_id, "alike", evidence)
            )
        if age == 40 and stay.global_id >= people:
            events.append(IdentityEvent(EventKind.SPLIT, time_ns, stay.person, stay.camera, None, stay.global_id))
    return events


def record_of(camera, frame, time_ns, here, boxes, known):
    n = len(here)
    noise = np.random.default_rng(frame).normal(0, 1.5, (n, 4))
    embed = np.array([i if (frame - stay.first) % FPS == 5 else -1 for i, stay in enumerate(here)], np.int64)
    rows = np.flatnonzero(embed >= 0)
    embed[rows] = np.arange(len(rows))
    sightings = Sightings(
        camera=camera,
        time_ns=time_ns,
        track_ids=np.array([stay.track_id for stay in here], np.int64),
        boxes=(np.array(boxes, np.float32).reshape(n, 4) + noise).astype(np.float32),
        confidences=np.full(n, 0.88, np.float32),
        embedding_of=embed,
        embeddings=np.ones((len(rows), 16), np.float32),
        frame_size=(640, 480),
    )
    return FrameRecord(frame, sightings, [decision_of(stay, frame, time_ns, known) for stay in here])


def decision_of(stay, frame, time_ns, known):
    if frame - stay.first < 8 or stay.global_id not in known:
        reason = Unmatched(Reason.TOO_LITTLE_EVIDENCE)
        return Decision(stay.camera, stay.track_id, reason, State.PROVISIONAL, 0.0)
    sure = time_ns - known[stay.global_id] >= 2_200_000_000
    state = State.CONFIRMED if sure else State.PROVISIONAL
    return Decision(stay.camera, stay.track_id, stay.global_id, state, 0.96, RunnerUp(stay.global_id + 1, 0.02))


def metrics_of(cameras, site, seconds, truth):
    frames = seconds * FPS * len(cameras)
    scores = None
    if truth:
        measures = ("IDF1", "HOTA", "precision", "recall")
        scores = {
            "overall": dict(zip(measures, (0.957, 0.871, 0.984, 0.962), strict=True)) | {"IDs": 3, "MOTA": 0.943},
            "single_camera_tracks": dict(zip(measures, (0.412, 0.503, 0.984, 0.962), strict=True))
            | {"IDs": 31, "MOTA": 0.931},
            "as_said_live": dict(zip(measures, (0.911, 0.842, 0.984, 0.962), strict=True)) | {"IDs": 9, "MOTA": 0.940},
            "cameras": {camera: dict(zip(measures, (0.97, 0.89, 0.99, 0.96), strict=True)) for camera in cameras},
        }
    camera = {"frames": seconds * FPS, "width": 640, "height": 480, "fps": FPS, "decode_errors": 0, "reconnects": 0}
    return {
        "site": site,
        "module": "module/module.yml",
        "started_at": "2026-03-14T09:26:53+00:00",
        "wall_seconds": seconds / 1.7,
        "video_seconds": seconds,
        "frames": frames,
        "frames_per_second": frames / (seconds / 1.7),
        "stages": {
            "decode": {"seconds": 2.1},
            "detector": {"seconds": 31.0, "inference_seconds": 27.4},
            "tracker": {"seconds": 1.6},
            "gate": {"seconds": 0.2},
            "embedder": {"seconds": 6.4, "inference_seconds": 5.6, "embeddings": 812},
            "identify": {"seconds": 0.9},
            "overlay": {"seconds": 2.2},
            "encode": {"seconds": 7.9},
            "sinks": {"seconds": 0.5},
        },
        "outside_share": 0.112,
        "cameras": {name: {**camera, "drops": {"late": 12 if i == 1 else 0}} for i, name in enumerate(cameras)},
        "identity": {
            "identities": 9,
            "confirmed": 8,
            "refused_embeddings": {"not_finite": 2, "wrong_length": 0},
            "topology": topology_of(cameras),
        },
        "scores": scores,
        "peak_memory_mb": 612.5,
    }


def topology_of(cameras):
    """What a core has learned: two kinds of walkers, one way that nobody declared, one much later than declared."""
    edges = [0.0, *np.geomspace(1.0, 60.0, 25).tolist()]
    middles = np.array([(a + b) / 2 for a, b in pairwise(edges)])

    def walk(start, end, count, *modes, declared=(2.0, 9.0)):
        density = sum(np.exp(-((np.log(middles / mode) / 0.25) ** 2) / 2) / mode for mode in modes)
        density = density / float((density * np.diff(edges)).sum())
        return {
            "from": start,
            "to": end,
            "declared": declared and list(declared),
            "expected_count": count,
            "probability": count / 20,
            "seconds": {"edges": edges, "density": density.tolist()},
        }

    ways = [walk(a, b, 11.4 - 3 * i, 4.0, *([8.0] if i else [])) for i, (a, b) in enumerate(pairwise(cameras))]
    if len(cameras) > 2:
        ways += [walk(cameras[2], cameras[1], 2.5, 14.0), walk(cameras[0], cameras[2], 1.2, 6.0, 25.0, declared=None)]
    seen = {name: {"arrivals": 12.5 + i, "new_share": 0.6 / (i + 1)} for i, name in enumerate(cameras)}
    return {"cameras": seen, "transitions": ways, "camera_drift": {cameras[0]: 0.021}}


if __name__ == "__main__":
    from savant_reid.report import write_report

    out = Path(sys.argv[1])
    write_fake_run(out, *map(int, sys.argv[2:5]), start_ns=CLOCK_NS if len(sys.argv) > 5 else 0)
    print(write_report(out))
