"""corrections.jsonl: what a person decided about identities, in words that survive a replay.

Identities are the engine's own and may come out otherwise in a replay; tracks do not. So each line says which tracks
it speaks of, and from when to when.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from savant_reid.errors import DataError
from savant_reid.gallery.stretches import Stretch
from savant_reid.identity.constraints import Span
from savant_reid.whole_files import replacing

SCHEMA = "savant-reid/correction/1"
CORRECTIONS = "corrections.jsonl"
MERGE, SPLIT, FORGET = "merge", "split", "forget"

Json = dict[str, Any]


@dataclass(frozen=True)
class Merge:
    """ids: the one that lives on, then the other. tracks: of each of them at the time of the decision."""

    ids: tuple[int, int]
    tracks: tuple[tuple[Span, ...], tuple[Span, ...]]


@dataclass(frozen=True)
class Split:
    """track, as far as it carried `global_id` and lay after since_ns, is somebody else: new_id. others: the tracks
    that stayed with `global_id`."""

    global_id: int
    new_id: int
    track: Span
    since_ns: int | None
    others: tuple[Span, ...]


@dataclass(frozen=True)
class Corrections:
    """In the order in which they were decided, but for what a later decision took back. forgotten: erased ids."""

    merges: tuple[Merge, ...] = ()
    splits: tuple[Split, ...] = ()
    forgotten: tuple[int, ...] = ()


def spans_of(stretches: Iterable[Stretch]) -> tuple[Span, ...]:
    return tuple(Span(one.camera, one.track_id, one.first_ns, one.last_ns) for one in stretches)


def merge_line(merge: Merge) -> Json:
    return {"kind": MERGE, "ids": list(merge.ids), "tracks": [list(map(Span._asdict, each)) for each in merge.tracks]}


def split_line(split: Split) -> Json:
    return {
        "kind": SPLIT,
        "global_id": split.global_id,
        "new_id": split.new_id,
        "camera": split.track.camera,
        "track_id": split.track.track_id,
        "first_ns": split.track.first_ns,
        "last_ns": split.track.last_ns,
        "since_ns": split.since_ns,
        "others": list(map(Span._asdict, split.others)),
    }


def forget_line(ids: Sequence[int]) -> Json:
    """No tracks: what is left of somebody who was forgotten is a number."""
    return {"kind": FORGET, "ids": list(ids)}


def load_corrections(path: Path) -> Corrections:
    """A missing file holds none. Raises DataError, naming the line, for one that cannot be understood."""
    merges: list[Merge] = []
    splits: list[Split] = []
    forgotten: list[int] = []
    for number, line in enumerate(_lines(path), 1):
        try:
            kind = line["kind"]
            if kind == MERGE:
                first, second = line["ids"]
                one, other = (tuple(_span(each) for each in tracks) for tracks in line["tracks"])
                merge = Merge((_integer(first), _integer(second)), (one, other))
                splits = [split for split in splits if not _takes_back(merge, split)]
                merges.append(merge)
            elif kind == SPLIT:
                since_ns = None if line["since_ns"] is None else _integer(line["since_ns"])
                others = tuple(_span(each) for each in line["others"])
                ids = _integer(line["global_id"]), _integer(line["new_id"])
                splits.append(Split(*ids, _span(line), since_ns, others))
                merges = [left for merge in merges if (left := _without(merge, splits[-1].track)) is not None]
            elif kind == FORGET:
                forgotten += [_integer(each) for each in line["ids"]]
            else:
                raise ValueError(f"kind {kind!r}")
        except (KeyError, TypeError, ValueError) as error:
            expected = f"a correction ({MERGE}, {SPLIT} or {FORGET}) with all its keys"
            raise DataError(f"{path}: line {number}: expected {expected}, found none: {error!r}") from error
    return Corrections(tuple(merges), tuple(splits), tuple(forgotten))


def add_correction(path: Path, correction: Json) -> None:
    """One more line, at once or not at all. Raises OutputError, DataError."""
    _write(path, [*_lines(path), _stamped(correction)])


def forget_corrections(path: Path, ids: Sequence[int]) -> None:
    """Lines that speak of these identities go; that they were forgotten is written down."""
    gone = set(ids)
    kept = [line for line in _lines(path) if not gone & _ids_of(line)]
    _write(path, [*kept, _stamped(forget_line(ids))])


def _without(merge: Merge, track: Span) -> Merge | None:
    """What a merge still says when a part of a track turns out to be somebody else; None where that is nothing."""

    def left(spans: Sequence[Span]) -> tuple[Span, ...]:
        cut = [
            one._replace(last_ns=min(one.last_ns, track.first_ns - 1)) if _overlap(one, track) else one for one in spans
        ]
        return tuple(one for one in cut if one.first_ns <= one.last_ns)

    one, other = map(left, merge.tracks)
    return replace(merge, tracks=(one, other)) if one and other else None


def _takes_back(merge: Merge, split: Split) -> bool:
    """A later merge unites what a split had parted."""
    sides = [
        (any(_overlap(span, split.track) for span in side), any(_overlap(a, b) for a in side for b in split.others))
        for side in merge.tracks
    ]
    return (sides[0][0] and sides[1][1]) or (sides[1][0] and sides[0][1])


def _overlap(one: Span, other: Span) -> bool:
    same = (one.camera, one.track_id) == (other.camera, other.track_id)
    return same and one.first_ns <= other.last_ns and other.first_ns <= one.last_ns


def _ids_of(line: Json) -> set[int]:
    return {*line.get("ids", ()), line.get("global_id"), line.get("new_id")} - {None}


def _stamped(correction: Json) -> Json:
    return {"schema": SCHEMA, **correction, "decided_at": datetime.now(timezone.utc).isoformat(timespec="seconds")}


def _lines(path: Path) -> list[Json]:
    if not path.exists():
        return []
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected one JSON object a line, found: {error}") from error
    if not all(isinstance(line, dict) for line in lines):
        raise DataError(f"{path}: expected one JSON object a line, found something else")
    return lines


def _write(path: Path, lines: Sequence[Json]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _span(line: Json) -> Span:
    numbers = [_integer(line[key]) for key in ("track_id", "first_ns", "last_ns")]
    if not isinstance(line["camera"], str):
        raise TypeError("camera")
    return Span(line["camera"], *numbers)


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected an integer, found {value!r}")
    return value
