"""Numbers of metrics.json as rows to print: scores, stages, drops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from savant_reid.report.run_data import mapping

STAGE_WORDS = {
    "decode": "decode video",
    "detector": "detect people",
    "tracker": "track them",
    "gate": "choose whom to embed",
    "embedder": "embed their looks",
    "identify": "decide who is who",
    "overlay": "draw the overlay",
    "encode": "encode video",
    "sinks": "write files",
}
MEASURES = {
    "IDF1": "share of all boxes that carry the right identity, over the whole run",
    "HOTA": "detection and identity together, in equal parts",
    "IDs": "times that a person's identity changed",
    "precision": "share of the boxes that are people",
    "recall": "share of the people's boxes that were found",
}
DROP_WORDS = {
    "late": "frames dropped: no time for them",
    "no_keyframe": "frames dropped: before a connection's first keyframe",
    "truncated": "video files that ended before their end",
}
COLUMNS = {
    "overall": "across all cameras",
    "single_camera_tracks": "single-camera tracks alone",
    "as_said_live": "as said live",
}


@dataclass
class Stage:
    """One bar. ms: for each frame. share: of all stages together. width: percent of the longest stage's.

    inference_width, inference_ms: the part of it inside a model.
    """

    words: str
    ms: float
    share: float
    width: float
    inference_width: float
    inference_ms: float


@dataclass
class ScoreTable:
    """cells: formatted, one list per row, first the row's name."""

    head: list[str]
    cells: list[list[str]]


def stages(metrics: dict[str, Any]) -> list[Stage]:
    """In the order of the way of the data; share: of all stages together."""
    found = {name: mapping(one) for name, one in mapping(metrics.get("stages")).items()}
    seconds = {name: number(one.get("seconds")) for name, one in found.items()}
    known = [name for name in (*STAGE_WORDS, *found) if seconds.get(name) is not None]
    whole = sum(seconds[name] or 0.0 for name in found) or 1.0
    longest = max((seconds[name] or 0.0 for name in known), default=0.0) or 1.0
    frames = max(number(metrics.get("frames")) or 0.0, 1.0)
    return [
        _stage(name, seconds[name] or 0.0, number(found[name].get("inference_seconds")) or 0.0, whole, longest, frames)
        for name in dict.fromkeys(known)
    ]


def _stage(name: str, seconds: float, inference: float, whole: float, longest: float, frames: float) -> Stage:
    return Stage(
        STAGE_WORDS.get(name, name),
        1000 * seconds / frames,
        seconds / whole,
        round(100 * seconds / longest, 2),
        round(100 * min(inference, seconds) / longest, 2),
        1000 * inference / frames,
    )


def score_table(scores: dict[str, Any], main: bool) -> ScoreTable | None:
    """A measure a row, beside what single-camera tracks alone and the live answers would score.

    main: those of MEASURES; else the others.
    """
    columns = [name for name in COLUMNS if mapping(scores.get(name))]
    names = [name for name in _measures([mapping(scores[column]) for column in columns]) if (name in MEASURES) == main]
    if not names:
        return None
    cells = [[words(name), *(shown(mapping(scores[column]).get(name)) for column in columns)] for name in names]
    return ScoreTable(["measure", *(COLUMNS[column] for column in columns)], cells)


def camera_scores(scores: dict[str, Any]) -> ScoreTable | None:
    """A camera a row, with the main measures."""
    cameras = {str(name): mapping(one) for name, one in mapping(scores.get("cameras")).items()}
    names = [name for name in _measures(list(cameras.values())) if name in MEASURES]
    if not names:
        return None
    cells = [[camera, *(shown(one.get(name)) for name in names)] for camera, one in cameras.items()]
    return ScoreTable(["camera", *names], cells)


def _measures(tables: list[dict[str, Any]]) -> list[str]:
    known = [name for name in MEASURES if any(name in table for table in tables)]
    return list(dict.fromkeys([*known, *(str(name) for table in tables for name in table)]))


def drops(metrics: dict[str, Any]) -> list[tuple[str, str, int]]:
    """(where, what, how many) of everything that was lost, refused or interrupted; zeros are left out."""
    found = []
    for camera, one in mapping(metrics.get("cameras")).items():
        entry = mapping(one)
        for reason, count in mapping(entry.get("drops")).items():
            found.append((str(camera), DROP_WORDS.get(str(reason), f"frames dropped: {words(reason)}"), count))
        found.append((str(camera), "frames that could not be decoded", entry.get("decode_errors")))
        found.append((str(camera), "packets that did not come in time", entry.get("packets_lost")))
        found.append((str(camera), "leaps of its time stamps", entry.get("stream_jumps")))
        found.append((str(camera), "reconnects", entry.get("reconnects")))
        found.append((str(camera), "attempts to connect that failed", entry.get("connection_errors")))
    for reason, count in mapping(mapping(metrics.get("recording")).get("refused_rows")).items():
        found.append(("recording", f"rows refused: {words(reason)}", count))
    identity = mapping(metrics.get("identity"))
    found.append(("identity", "people in one frame who share an identity", identity.get("shared_ids_in_frame")))
    for reason, count in mapping(identity.get("refused_embeddings")).items():
        found.append(("identity", f"embeddings refused: {words(reason)}", count))
    return [(where, what, int(number(count) or 0)) for where, what, count in found if (number(count) or 0) > 0]


def number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def words(name: Any) -> str:
    return str(name).replace("_", " ")


def shown(value: Any) -> str:
    """Integers with thousands, shares with three digits, nothing as a hyphen."""
    if isinstance(value, bool) or value is None:
        return "-" if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
