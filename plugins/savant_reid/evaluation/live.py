"""frames.jsonl as tracks: what was said at each moment, before later events repaired it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from savant_reid.errors import DataError
from savant_reid.evaluation.tracks import Tracks


def read_frames(path: Path) -> Tracks:
    """Read a run's frames.jsonl; a half line at the end (a killed run) is left out. Raises DataError."""
    rows: list[tuple[str, int, int, int, tuple[float, float, float, float], float, int]] = []
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    rows += _rows(json.loads(line))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected frames as `savant-reid run` writes them, found: {error!r}") from error
    names = tuple(dict.fromkeys(row[0] for row in rows))
    index = {name: i for i, name in enumerate(names)}
    return Tracks(
        cameras=names,
        camera=np.array([index[row[0]] for row in rows], np.int64),
        frame=np.array([row[1] for row in rows], np.int64),
        track_id=np.array([row[2] for row in rows], np.int64),
        global_id=np.array([row[3] for row in rows], np.int64),
        boxes=np.array([row[4] for row in rows], np.float64).reshape(len(rows), 4),
        confidence=np.array([row[5] for row in rows], np.float64),
        time_ns=np.array([row[6] for row in rows], np.int64),
    )


def _rows(
    frame: dict[str, object],
) -> list[tuple[str, int, int, int, tuple[float, float, float, float], float, int]]:
    found = []
    for item in frame["objects"]:  # type: ignore[attr-defined]
        box = item["box"]
        found.append(
            (
                str(frame["camera"]),
                int(frame["frame"]),  # type: ignore[call-overload]
                int(item["track_id"]),
                int(item["reid"]["global_id"]),
                (float(box["left"]), float(box["top"]), float(box["width"]), float(box["height"])),
                float(item["confidence"]),
                int(frame["time_ns"]),  # type: ignore[call-overload]
            )
        )
    return found
