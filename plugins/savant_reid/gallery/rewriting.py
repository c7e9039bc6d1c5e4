"""The files of a finished run, rewritten one by one: each is the old one or the whole new one at any moment."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from savant_reid.errors import DataError
from savant_reid.evaluation.tracks import COLUMNS
from savant_reid.gallery.gathering import BATCH_ROWS
from savant_reid.identity.constraints import Span
from savant_reid.identity.types import Reason, State
from savant_reid.sinks.lines import read_json_lines
from savant_reid.whole_files import replacing

Row = list[str]
Frame = list[Row]
Json = dict[str, Any]


def frames_of(tracks: Path) -> Iterator[Frame]:
    """Rows of tracks.csv, one frame of one camera at a time; a row that was cut off is passed over."""
    with open(tracks, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows, None)
        whole = (row for row in rows if len(row) == len(COLUMNS) and row[-1])
        for _, frame in groupby(whole, key=lambda row: (row[0], row[1])):
            yield list(frame)


def rewrite_tracks(tracks: Path, change: Callable[[Frame], Frame]) -> int:
    """Every frame as `change` makes it; returns how many rows are different or gone."""
    changed = 0
    with replacing(tracks) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for frame in frames_of(tracks):
            before = [tuple(row) for row in frame]
            after = change(frame)
            changed += len(set(before) - {tuple(row) for row in after})
            writer.writerows(after)
    return changed


def append_events(identities: Path, events: Sequence[Json]) -> None:
    """Numbered on from the file's last one. A last line that a kill has cut off goes."""
    last = max((one["sequence"] for one in _events(identities) if isinstance(one.get("sequence"), int)), default=-1)
    numbered = [{**event, "sequence": last + 1 + place} for place, event in enumerate(events)]
    _write_lines(identities, chain(_events(identities), numbered))


def remove_events(identities: Path, ids: Collection[int]) -> None:
    """No event that speaks of `ids` is left; the others keep their numbers."""
    gone = set(ids)
    _write_lines(
        identities, (one for one in _events(identities) if not {one.get("global_id"), one.get("other_id")} & gone)
    )


def remove_from_frames(frames: Path, ids: Collection[int], spans: Collection[Span]) -> int:
    """Objects within `spans` go; where somebody else was taken for one of `ids`, the word of it goes."""
    if not frames.is_file():
        return 0
    within, removed = Within(spans), 0
    with replacing(frames) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for message in read_json_lines(frames):
            objects = message.get("objects", [])
            where = str(message.get("camera")), int(message.get("time_ns", 0))
            message["objects"] = [one for one in objects if not within(where[0], int(one["track_id"]), where[1])]
            removed += len(objects) - len(message["objects"])
            for one in message["objects"]:
                _unname(one["reid"], ids)
            file.write(json.dumps(message, separators=(",", ":"), ensure_ascii=False) + "\n")
    return removed


def _unname(reid: Json, ids: Collection[int]) -> None:
    if reid["global_id"] in ids:
        reid.update(global_id=-1, state=State.PROVISIONAL.value, probability=0.0, runner_up=None)
        reid["reason"] = Reason.TOO_LITTLE_EVIDENCE.value
    elif (reid["runner_up"] or {}).get("global_id") in ids:
        reid["runner_up"] = None


def remove_sightings(sightings: Path, spans: Collection[Span]) -> int:
    """Rows within `spans` go, from the file or from the parts that a killed run has left."""
    parts = sightings.with_name(sightings.name + ".parts")
    source = sightings if sightings.exists() or not parts.exists() else parts
    if not source.exists():
        return 0
    within = Within(spans)
    return sum(_remove_rows(one, within) for one in (sorted(source.glob("*.parquet")) if source.is_dir() else [source]))


def _remove_rows(path: Path, within: Within) -> int:
    removed = 0
    try:
        schema = pq.read_schema(path)
        with replacing(path) as temporary, pq.ParquetFile(path) as old, pq.ParquetWriter(temporary, schema) as new:
            for batch in old.iter_batches(BATCH_ROWS):
                keys = (batch.column(name).to_pylist() for name in ("camera", "track_id", "time_ns"))
                keep = np.array([not within(*key) for key in zip(*keys, strict=True)], bool)
                removed += len(keep) - int(keep.sum())
                new.write_batch(batch.filter(pa.array(keep)))
    except pa.ArrowException as error:
        raise DataError(f"{path}: expected sightings in Parquet, found: {error}") from error
    return removed


class Within:
    """Whether a sighting lies in one of some spans."""

    def __init__(self, spans: Collection[Span]) -> None:
        self._spans: dict[tuple[str, int], list[Span]] = {}
        for span in spans:
            self._spans.setdefault((span.camera, span.track_id), []).append(span)

    def __call__(self, camera: str, track_id: int, time_ns: int) -> bool:
        return any(one.first_ns <= time_ns <= one.last_ns for one in self._spans.get((camera, track_id), ()))


def _events(identities: Path) -> Iterator[Json]:
    return read_json_lines(identities) if identities.is_file() else iter(())


def _write_lines(path: Path, lines: Iterable[Json]) -> None:
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
